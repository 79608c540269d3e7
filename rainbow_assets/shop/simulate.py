"""One more business day in the source: orders come in, prices and names change, products move, rows go away.

Here: the checks before it and the count after it. Not here: what happens on the day (`sql/simulate*.sql`).
"""

from dataclasses import dataclass
from datetime import date, datetime, time

import psycopg
from psycopg import sql

from rainbow_assets.errors import DataError
from rainbow_assets.settings import FIRST_DAY, LAST_DAY
from rainbow_assets.shop import words
from rainbow_assets.shop.load import WITHOUT_SERIAL, continue_ids
from rainbow_assets.shop.schema import create_tables, script, transaction
from rainbow_assets.tables import TABLES


@dataclass(frozen=True)
class SimulateSummary:
    """What the day wrote: the number of new orders, and of each table the rows that are new or changed."""

    day: date
    orders: int
    rows: dict[str, int]


def simulate(source_url: str, day: date, orders: int | None, seed: int) -> SimulateSummary:
    """Let the shop live through `day`, in one transaction; `updated_at` of all that it touches lies within the day.

    The same shop, day and seed give the same rows. Once more for the same day adds another batch, a different one.

    Args:
        source_url: the shop, `postgresql://…`.
        day: the day (UTC); rows that are newer than a change of that day would be stay as they are.
        orders: how many new orders; None: the average of the four weeks before, or else of all days.
        seed: chooses what happens.

    Raises:
        DataError: there is nothing to sell, nobody can pay, `orders` is below 1 or the day is no partition's; nothing
            is written.
        TransientError: PostgreSQL does not answer, or went away; nothing is written.
    """
    what = f"Simulating {day}"
    if orders is not None and orders < 1:
        raise DataError(f"{what} with {orders} orders is not possible.", "Give 1 or more.")
    if not FIRST_DAY <= day <= LAST_DAY:
        raise DataError(f"{what} is not possible.", f"Give a day from {FIRST_DAY} to {LAST_DAY}.")
    start = datetime.combine(day, time.min)
    with transaction(source_url, what) as connection:
        create_tables(connection)
        _check(connection, start, what)
        count = orders or _usual_orders(connection, start)
        last = connection.execute("SELECT coalesce(max(id), 0) FROM orders").fetchone()
        parameters = {
            "day": start,
            "orders": count,
            "salt": f"/{seed}/{day}/{last}",  # the last order's id: a second batch of a day is a new one
            "adjectives": words.ADJECTIVES,
            "first_names": words.FIRST_NAMES,
            "last_names": words.LAST_NAMES,
        }
        with psycopg.ClientCursor(connection) as cursor:  # many statements at once take parameters only so
            for part in ("simulate_offer", "simulate_sales", "simulate_changes"):
                cursor.execute(script(part).encode(), parameters)
        for name in TABLES.keys() - WITHOUT_SERIAL:
            continue_ids(connection, name)
        return SimulateSummary(day, count, {name: _written(connection, name, start) for name in TABLES})


def _check(connection: psycopg.Connection, start: datetime, what: str) -> None:
    """A day needs something to sell and a way to pay."""
    for name in ("products", "payments"):
        query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE deleted_at IS NULL AND created_at < %s)")
        if connection.execute(query.format(sql.Identifier("public", name)), [start]).fetchone() != (True,):
            raise DataError(
                f"{what} failed: the shop has no {name} that are older than that day.",
                "Fill it with `rainbow seed` or `rainbow load-olist`, or take a later day.",
            )


def _usual_orders(connection: psycopg.Connection, start: datetime) -> int:
    """Orders a day, averaged over the days of the last four weeks that have any, or else over all days; at least 1."""
    average = "SELECT ceil(count(*)::numeric / nullif(count(DISTINCT created_at::date), 0))::bigint FROM orders"
    recent = "created_at >= %(day)s - interval '28 days' AND created_at < %(day)s"
    window = f"{recent} AND updated_at >= %(day)s - interval '28 days'"  # says no more, but has an index
    row = connection.execute(f"SELECT coalesce(({average} WHERE {window}), ({average}), 1)", {"day": start}).fetchone()
    return int(row[0]) if row else 1


def _written(connection: psycopg.Connection, table: str, start: datetime) -> int:
    """The rows of a table that this transaction wrote."""
    query = sql.SQL(
        "SELECT count(*) FROM {} WHERE updated_at >= %(day)s AND updated_at < %(day)s + interval '1 day'"
        " AND xmin = pg_current_xact_id()::xid"
    )
    row = connection.execute(query.format(sql.Identifier("public", table)), {"day": start}).fetchone()
    return int(row[0]) if row else 0
