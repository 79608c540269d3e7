"""From DuckDB into the shop: ten tables by COPY, in one transaction.

Here: how rows get in. Not here: what the rows are (`seed.py`, `olist.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from io import BytesIO

import duckdb
import psycopg
import pyarrow.csv
from psycopg import sql

from rainbow_assets.errors import DataError
from rainbow_assets.shop.schema import create_tables, empty_tables, filled_tables, transaction
from rainbow_assets.tables import TABLES, SourceTable

BATCH_ROWS = 100_000
CSV = pyarrow.csv.WriteOptions(include_header=False)
WITHOUT_SERIAL = {"inventories", "orderdetails"}  # their ids are those of products and orders

Report = Callable[[str, int, int], None]
"""Called with a table, the rows that are in, and the rows that there will be."""


@dataclass(frozen=True)
class LoadSummary:
    """What a load wrote: the first and last day of `updated_at` (UTC), and the rows of each table."""

    start: date
    end: date
    rows: dict[str, int]


def load(
    source_url: str, shop: duckdb.DuckDBPyConnection, replace: bool, what: str, report: Report | None = None
) -> dict[str, int]:
    """Write the tables or views of DuckDB's schema `shop` into the shop of the same names; returns row counts.

    Raises:
        DataError: the shop holds rows and `replace` is false, or it refuses a row; nothing is written.
        TransientError: PostgreSQL does not answer, or went away; nothing is written.
    """
    with transaction(source_url, what) as connection:
        create_tables(connection)
        filled = filled_tables(connection)
        if filled and not replace:
            raise DataError(
                f"{what} failed: the shop already holds rows ({', '.join(filled)}).",
                "Replace them with --replace, or point RAINBOW_SOURCE_URL at an empty database.",
            )
        if filled:
            empty_tables(connection)
        rows = {name: _copy(connection, shop, table, report) for name, table in TABLES.items()}
        for name in TABLES:
            connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier("public", name)))
        return rows


def _copy(
    connection: psycopg.Connection, shop: duckdb.DuckDBPyConnection, table: SourceTable, report: Report | None
) -> int:
    """Stream one table; the number of its rows."""
    source = shop.sql(f"FROM shop.{table.name}").project(*table.columns)
    total = source.count("*").fetchall()[0][0]
    target = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier("public", table.name), sql.SQL(", ").join(map(sql.Identifier, table.columns))
    )
    done = 0
    with connection.cursor() as cursor, cursor.copy(target) as copy:
        for batch in source.to_arrow_reader(BATCH_ROWS):
            block = BytesIO()
            pyarrow.csv.write_csv(batch, block, CSV)
            copy.write(block.getbuffer())
            done += batch.num_rows
            if report:
                report(table.name, done, total)
    if table.name not in WITHOUT_SERIAL:
        continue_ids(connection, table.name)
    return done


def continue_ids(connection: psycopg.Connection, table: str) -> None:
    """Let the next inserted row take the id after the largest."""
    query = sql.SQL("SELECT setval(pg_get_serial_sequence(%s, 'id'), max(id)) FROM {} HAVING max(id) > 0")
    connection.execute(query.format(sql.Identifier("public", table)), [f"public.{table}"])
