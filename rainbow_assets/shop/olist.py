"""The Olist orders as the shop: from seven CSV files into the source, in one transaction.

Here: the steps. Not here: reading and checking the files (`olist_files.py`), the mapping (`sql/olist.sql`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb

from rainbow_assets.shop.load import LoadSummary, Report, load
from rainbow_assets.shop.olist_files import read
from rainbow_assets.shop.schema import script
from rainbow_assets.systems.duckdb_engine import open_engine


def load_olist(source_url: str, folder: Path, report: Report | None = None, *, replace: bool = False) -> LoadSummary:
    """Fill the source from the published Olist files (`.csv` or `.csv.gz`); all of them are checked first.

    The summary's range goes from the day of the first `created_at` to that of the last `updated_at` of the orders.

    Args:
        source_url: the shop, `postgresql://…`.
        folder: where the files lie.
        report: called with a table, the rows that are in, and the rows that there will be.
        replace: empty a shop that holds rows first.

    Raises:
        DataError: a file is missing or broken (the message names file, line and column), or the shop holds rows and
            `replace` is false; nothing is written.
        TransientError: PostgreSQL does not answer, or went away; nothing is written.
    """
    with as_shop(folder) as shop:
        rows = load(source_url, shop, replace, "Loading Olist", report)
        start, end = date_range(shop)
    return LoadSummary(start, end, rows)


@contextmanager
def as_shop(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The files as tables and views of the shop's names in DuckDB's schema `shop`; nothing is written anywhere.

    Raises:
        DataError: a file is missing or broken.
    """
    with open_engine() as connection:
        read(connection, folder)
        connection.execute(script("olist"))
        yield connection


def date_range(shop: duckdb.DuckDBPyConnection) -> tuple[date, date]:
    """The days from the first order's `created_at` to the orders' last `updated_at`."""
    query = "SELECT min(created_at)::DATE, max(updated_at)::DATE FROM shop.orders"
    start, end = shop.execute(query).fetchall()[0]
    return start, end
