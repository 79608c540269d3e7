"""The public door to the lakehouse for Python: `from rainbow_assets import lake`.

    lake.polars("marts.total_sales")     a table as a polars DataFrame; also as it was
    lake.duckdb()                        a read-only DuckDB connection, in which the lake is `lake`
    lake.iceberg("raw.orders")           a table of raw as pyiceberg has it
    lake.clickhouse()                    a client on what is served

The settings are those of every command: the environment, `$RAINBOW_HOME/rainbow.env`, the defaults. Variables that
would reach PostgreSQL or pyiceberg past them (PG*, PYICEBERG_*) are taken out of this process. Here: opening. Not here:
writing, which is the graph's alone, and queries from the command line (`ops/query.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rainbow_assets import environment
from rainbow_assets.errors import DataError
from rainbow_assets.settings import Settings

if TYPE_CHECKING:
    import polars as pl
    from clickhouse_connect.driver.client import Client
    from duckdb import DuckDBPyConnection
    from pyiceberg.table import Table

__all__ = ["clickhouse", "duckdb", "iceberg", "polars"]


def polars(table: str, as_of: str | None = None) -> "pl.DataFrame":
    """A table of the lake, all of its rows and columns; decimals stay exact.

    Args:
        table: its layer and name: `raw.orders`, `warehouse.fact_sales`, `marts.total_sales`.
        as_of: the id of a run, or its first characters, or a time: the table as it was then.

    Raises:
        DataError: there is no such table, or no such past.
        TransientError: the catalog or the object store does not answer.
    """
    from rainbow_assets.systems import ducklake

    schema, name = _parts(table)
    with duckdb(as_of) as connection, ducklake.store_errors():
        if not ducklake.columns(connection, schema, name):
            raise DataError(f"The lake has no table {table}.", "`rainbow sql 'SHOW ALL TABLES'` lists them.")
        return connection.execute(f"FROM {ducklake.LAKE}.{ducklake.quote(schema)}.{ducklake.quote(name)}").pl()


@contextmanager
def duckdb(as_of: str | None = None) -> Iterator["DuckDBPyConnection"]:
    """A DuckDB connection that reads the lake, attached as `lake`; closed at the end of the `with`.

    Args:
        as_of: as of `polars`.

    Raises:
        DataError: there is no lake yet, or no such past.
        TransientError: the catalog does not answer.
    """
    from rainbow_assets.ops import versions
    from rainbow_assets.systems import ducklake

    settings = _settings()
    with ducklake.connect(settings, read_only=True) as connection:
        if as_of:
            ducklake.travel(connection, settings, versions.snapshot_as_of(connection, as_of))
        yield connection


def iceberg(table: str) -> "Table":
    """A table of the Iceberg catalog: `raw.orders`.

    Raises:
        DataError: there is no such table; what follows raw is in DuckLake alone.
        TransientError: the catalog does not answer.
    """
    from rainbow_assets.systems import iceberg as catalogs

    schema, name = _parts(table)
    found = catalogs.find_table(catalogs.connect(_settings()), schema, name)
    if found is None:
        raise DataError(f"Iceberg has no table {table}.", "It has those of raw; all others are in DuckLake: `polars`.")
    return found


@contextmanager
def clickhouse() -> Iterator["Client"]:
    """A client on ClickHouse's database of the served views; closed at the end of the `with`.

    Raises:
        TransientError: ClickHouse does not answer, or another process holds the embedded one.
    """
    from rainbow_assets.systems import clickhouse as servers

    with servers.connect(_settings()) as client:
        yield client


def _settings() -> Settings:
    environment.guard()
    return Settings.load()


def _parts(table: str) -> tuple[str, str]:
    schema, _, name = table.partition(".")
    if not (schema and name):
        raise DataError(f"{table!r} is no table's name.", "Write its layer and its name, as marts.total_sales.")
    return schema, name
