"""A believable shop, made up: the same arguments give the same rows, on any machine.

Here: how much there is of everything, and the order of the steps. Not here: chance (`sql/chance.sql`), rhythm and
demand (`sql/orders.sql`), who and what there is (`sql/promotions.sql`, `sql/entities.sql`), the rows (`sql/rows.sql`),
the words (`words.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from math import isqrt

import duckdb

from rainbow_assets.errors import DataError
from rainbow_assets.settings import LAST_DAY
from rainbow_assets.shop import words
from rainbow_assets.shop.load import LoadSummary, Report, load
from rainbow_assets.shop.schema import script
from rainbow_assets.systems.duckdb_engine import open_engine

MAX_ORDERS = 1_000_000_000


def seed(
    source_url: str,
    days: int,
    end: date,
    orders_per_day: int,
    seed: int,
    report: Report | None = None,
    *,
    replace: bool = False,
) -> LoadSummary:
    """Fill the source with `days` days of a shop, the last of them `end`, in one transaction.

    Args:
        source_url: the shop, `postgresql://…`.
        days: the number of days, at least 1.
        end: the last day (UTC).
        orders_per_day: orders a day on average; an order has about 2.5 details.
        seed: the same arguments and seed give the same rows.
        report: called with a table, the rows that are in, and the rows that there will be.
        replace: empty a shop that holds rows first.

    Raises:
        DataError: an argument is out of range, or the shop holds rows and `replace` is false; nothing is written.
        TransientError: PostgreSQL does not answer, or went away; nothing is written.
    """
    with generate(days, end, orders_per_day, seed) as shop:
        rows = load(source_url, shop, replace, "Seeding the shop", report)
    return LoadSummary(end - timedelta(days=days - 1), end, rows)


@contextmanager
def generate(days: int, end: date, orders_per_day: int, seed: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """The shop as views of the tables' names in DuckDB's schema `shop`; nothing is written anywhere.

    Raises:
        DataError: an argument is out of range.
    """
    _check(days, end, orders_per_day)
    with open_engine() as connection:
        # The statements join small tables to large ones, in that order; estimates of unnested rows mislead.
        connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
        for name, value in _variables(days, end, days * orders_per_day, seed).items():
            connection.execute(f"SET VARIABLE {name} = ?", [value])
        for name in ("chance", "orders", "promotions", "entities", "rows"):
            connection.execute(script(name))
        yield connection


def _check(days: int, end: date, orders_per_day: int) -> None:
    """Refuse what would give no shop, or none that fits."""
    if days < 1 or orders_per_day < 1:
        raise DataError(
            f"A shop of {days} days with {orders_per_day} orders a day cannot be seeded.", "Give 1 or more of each."
        )
    if days * orders_per_day > MAX_ORDERS:
        raise DataError(f"{days * orders_per_day:,} orders are too many.", f"Ask for up to {MAX_ORDERS:,} in all.")
    if end.toordinal() - days < date(1970, 1, 1).toordinal():
        raise DataError(f"{days} days up to {end} begin before 1970.", "Ask for fewer days, or a later end.")
    if end > LAST_DAY:
        raise DataError(f"A shop up to {end} cannot be seeded.", f"Ask for an end up to {LAST_DAY}.")


def _variables(days: int, end: date, orders: int, seed: int) -> dict[str, object]:
    """What the statements read with `getvariable`: dates, counts that grow with the orders, and words."""
    products = 6 * (20 + 2 * isqrt(orders))
    return {
        "seed": str(seed),
        "start": datetime.combine(end - timedelta(days=days - 1), time.min),
        "end_at": datetime.combine(end, time.max),
        "days": days,
        "orders": orders,
        "products": products,
        "sellers": 5 + products // 25,
        "promotions": 12 + days // 3 + products // 100,
        "customers": max(20, min(orders, 3 * orders // days + orders // 6)),
        "categories": [{"id": number, **category} for number, category in enumerate(words.CATEGORIES, start=1)],
        "brands": words.BRANDS,
        "payments": words.PAYMENTS,
        "adjectives": words.ADJECTIVES,
        "first_names": words.FIRST_NAMES,
        "last_names": words.LAST_NAMES,
        "seller_kinds": words.SELLER_KINDS,
        "campaigns": words.CAMPAIGNS,
    }
