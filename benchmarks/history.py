"""The same day's run with 400 and with 100 days of history ÷ with 10: its seconds, and what it asks of the store.

Sources with the same entities: one shop of 400 days, and copies that have lost all orders but those of the last days.
A lake of each is filled day by day as far as the catalogs go (a snapshot of Iceberg and one of DuckLake for each day),
built by one run over its history, and maintained, as it is every night. Then the shop lives through one simulated day
after another (new orders, changed names and prices, late changes, deletes), the same rows in all sources, and
`rainbow run` takes that day: the whole process, cold, by turns on each lake. Fixed cost is in all. The facts of each
day must agree.
"""

from collections import Counter
from contextlib import ExitStack
from datetime import date, timedelta
from functools import partial

import psycopg

from benchmarks.harness import Result, agree, alternate, timed
from benchmarks.lakes import maintain, rainbow_run
from benchmarks.requests import Counted, counting
from benchmarks.sources import LAST, SEED, first_day, shop
from benchmarks.stack import Stack
from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.drift import Columns
from rainbow_assets.landing.write import extract
from rainbow_assets.raw.register import register
from rainbow_assets.settings import Settings
from rainbow_assets.shop.simulate import simulate
from rainbow_assets.systems import ducklake, iceberg, object_store
from rainbow_assets.tables import TABLES
from rainbow_assets.window import Days

TARGET = 1.1
DAILY = ("orders", "orderdetails")  # the tables that have rows every day


def measure(stack: Stack, rounds: int, quick: bool) -> tuple[Result, ...]:
    """1,000 orders, about 2,500 details a day: a million details of history, or 25,000."""
    spans, orders = ((40, 10, 4), 100) if quick else ((400, 100, 10), 1_000)
    long_url = stack.source()
    shop(long_url, spans[0], orders)
    last = LAST + timedelta(days=rounds)
    with ExitStack() as lakes:
        counted = lakes.enter_context(counting(stack.settings.s3_port))
        sides, facts = dict[int, DayByDay](), dict[str, object]()
        for days in spans:
            url = long_url if days == spans[0] else stack.copy_of(long_url)
            forget(url, first_day(days))
            settings = lakes.enter_context(stack.lake(url, first_day(days), last, s3_endpoint=counted.endpoint))
            facts[f"seconds_to_fill_{days}"] = timed(partial(fill, settings, days))
            sides[days] = DayByDay(settings, orders, counted)
        taken = dict(zip(spans, alternate(rounds, *sides.values()), strict=True))
        agree("the simulated days", *(side.facts() for side in list(sides.values())[:2]))
        agree("the simulated days", *(side.facts() for side in list(sides.values())[1:]))
    short = spans[-1]
    facts |= {"orders_a_day": orders, "facts_of_the_days": sides[short].facts()}
    for days in spans:
        facts[f"seconds_with_{days}"] = taken[days]
        facts[f"requests_with_{days}"] = [dict(asked) for asked in sides[days].asked]
    of = f"with {spans[0]} days of history ÷ with {short}"
    asked = {days: [float(methods.total()) for methods in sides[days].asked] for days in (spans[0], short)}
    return (
        Result("history", f"the same day's run {of}", TARGET, taken[spans[0]], taken[short], facts=facts),
        Result("requests", f"requests to S3 of that run {of}", TARGET, asked[spans[0]], asked[short], facts=facts),
    )


class DayByDay:
    """A side: each call lets the shop live through its next day, and times the run of that day."""

    def __init__(self, settings: Settings, orders: int, counted: Counted) -> None:
        self.settings, self.orders, self.day, self.counted = settings, orders, LAST, counted
        self.asked = list[Counter[str]]()

    def __call__(self) -> float:
        """The seconds of the run."""
        self.day += timedelta(days=1)
        simulate(self.settings.secret("source_url"), self.day, self.orders, SEED)
        self.counted.take()
        seconds = rainbow_run(self.settings, self.day, self.day)
        self.asked.append(self.counted.take())
        return seconds

    def facts(self) -> list[tuple[object, ...]]:
        """Rows and money of the simulated days."""
        with ducklake.connect(self.settings, read_only=True) as lake:
            return lake.execute(
                """SELECT date_key, count(*), sum(extended_sales_amount), sum(extended_discount_amount)
                FROM lake.warehouse.fact_sales WHERE date_key > ? GROUP BY ALL ORDER BY ALL""",
                [int(f"{LAST:%Y%m%d}")],
            ).fetchall()


def fill(settings: Settings, days: int) -> None:
    """The daily tables land and are registered day by day; one run takes the rest, and maintenance follows."""
    url, s3 = settings.secret("source_url"), object_store.client(settings)
    catalog = iceberg.connect(settings)
    with ducklake.connect(settings) as connection:
        for number in range(days):
            day = first_day(days) + timedelta(days=number)
            one = Days(day, day, open_start=number == 0)
            for table in (TABLES[name] for name in DAILY):
                extract(connection, url, table, Columns(table.columns), one, [], settings.s3_bucket, "history")
                files = landing_files.files(s3, settings.s3_bucket, table.name, one)
                register(connection, catalog, table, files, one, "history")
    rainbow_run(settings, first_day(days), LAST)
    maintain(settings, "--keep-days", "0")  # all is of today: as if the days to keep had passed


def forget(source_url: str, first: date) -> None:
    """Remove all orders that were placed before `first`, as if the shop had opened then."""
    with psycopg.connect(source_url, autocommit=True) as connection:
        for table in ("orders", "orderdetails"):
            connection.execute(f"DELETE FROM {table} WHERE created_at < %s", [first])
            connection.execute(f"VACUUM ANALYZE {table}")
