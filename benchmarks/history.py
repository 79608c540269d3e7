"""The same day's run with 365 days of history ÷ with 10.

Two sources with the same entities: one shop of 365 days, and a copy that has lost all orders but those of the last 10.
A lake of each is filled by one run over its history. Then the shop lives through one simulated day after another (new
orders, changed names and prices, late changes, deletes), the same rows in both sources, and `rainbow run` takes that
day: the whole process, cold, by turns on the long and on the short lake. Fixed cost is in both. The facts of each day
must agree.
"""

from contextlib import ExitStack
from datetime import date, timedelta

import psycopg

from benchmarks.harness import Result, agree, alternate
from benchmarks.lakes import rainbow_run
from benchmarks.sources import LAST, SEED, first_day, shop
from benchmarks.stack import Stack
from rainbow_assets.settings import Settings
from rainbow_assets.shop.simulate import simulate
from rainbow_assets.systems import ducklake

TARGET = 1.2


def measure(stack: Stack, rounds: int, quick: bool) -> Result:
    """4,000 orders, about 10,000 details a day: 3.7 M details of history, or 100,000."""
    long, short, orders = (40, 4, 100) if quick else (365, 10, 4_000)
    long_url = stack.source()
    shop(long_url, long, orders)
    short_url = stack.copy_of(long_url)
    forget(short_url, first_day(short))
    last = LAST + timedelta(days=rounds)
    with ExitStack() as lakes:
        settings = {
            days: lakes.enter_context(stack.lake(url, first_day(days), last))
            for days, url in ((long, long_url), (short, short_url))
        }
        backfills = {days: rainbow_run(settings[days], first_day(days), LAST) for days in settings}
        sides = [DayByDay(settings[days], orders) for days in (long, short)]
        taken = alternate(rounds, *sides)
        agree("the simulated days", *(side.facts() for side in sides))
        facts = {"orders_a_day": orders, "backfill_seconds": backfills, "facts_of_the_days": sides[0].facts()}
    return Result(
        "history",
        f"the same day's run with {long} days of history ÷ with {short}",
        TARGET,
        taken[0],
        taken[1],
        facts=facts,
    )


class DayByDay:
    """A side: each call lets the shop live through its next day, and times the run of that day."""

    def __init__(self, settings: Settings, orders: int) -> None:
        self.settings, self.orders, self.day = settings, orders, LAST

    def __call__(self) -> float:
        """The seconds of the run."""
        self.day += timedelta(days=1)
        simulate(self.settings.secret("source_url"), self.day, self.orders, SEED)
        return rainbow_run(self.settings, self.day, self.day)

    def facts(self) -> list[tuple[object, ...]]:
        """Rows and money of the simulated days."""
        with ducklake.connect(self.settings, read_only=True) as lake:
            return lake.execute(
                """SELECT date_key, count(*), sum(extended_sales_amount), sum(extended_discount_amount)
                FROM lake.warehouse.fact_sales WHERE date_key > ? GROUP BY ALL ORDER BY ALL""",
                [int(f"{LAST:%Y%m%d}")],
            ).fetchall()


def forget(source_url: str, first: date) -> None:
    """Remove all orders that were placed before `first`, as if the shop had opened then."""
    with psycopg.connect(source_url, autocommit=True) as connection:
        for table in ("orders", "orderdetails"):
            connection.execute(f"DELETE FROM {table} WHERE created_at < %s", [first])
            connection.execute(f"VACUUM ANALYZE {table}")
