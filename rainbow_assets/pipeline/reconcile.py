"""What compares two layers after the rows have moved, for the blocking checks.

Here: counts of rows that one layer has and the other lacks. Not here: a check's name and whom it stops (`defs/`).
"""

from dataclasses import dataclass
from datetime import datetime

import duckdb
from pyiceberg.catalog.sql import SqlCatalog

from rainbow_assets.pipeline import extract
from rainbow_assets.pipeline.landing import Days, LandingFile
from rainbow_assets.pipeline.register import SCHEMA
from rainbow_assets.systems import ducklake, iceberg, postgres
from rainbow_assets.systems.ducklake import LAKE, literal, quote
from rainbow_assets.tables import SourceTable

SAMPLE = 5


def broken_files(connection: duckdb.DuckDBPyConnection, files: dict[LandingFile, int]) -> list[str]:
    """Those of the written files whose footer, read back from the object store, has not the rows that were written."""
    if not files:
        return []
    uris = ", ".join(literal(file.uri) for file in files)
    found = dict(connection.execute(f"SELECT file_name, num_rows FROM parquet_file_metadata([{uris}])").fetchall())
    return [file.uri for file, rows in files.items() if found.get(file.uri) != rows]


@dataclass(frozen=True)
class Completeness:
    """`rows`: what the source holds; `missing`: of these not in raw; `repeated`: versions that raw holds twice.

    `at`: whatever was committed before this moment (UTC, the source's clock) was looked at.
    """

    rows: int
    missing: int
    repeated: int
    sample: list[str]
    at: datetime

    @property
    def passed(self) -> bool:
        """Every row of the source is in raw, once, with the same money."""
        return self.missing == 0 and self.repeated == 0


def source_in_raw(
    connection: duckdb.DuckDBPyConnection, source_url: str, table: SourceTable, columns: list[str], days: Days
) -> Completeness:
    """Compare the source's rows of `days` with raw; `columns`: raw's source columns.

    Where count and the sums of keys, times and money agree, each row is there once. Where not, rows are compared one by
    one: raw may hold more, versions that the source has since replaced.
    """
    raw = f"{LAKE}.{SCHEMA}.{quote(table.name)}"
    in_days = f"change_date BETWEEN {literal(days.first)} AND {literal(days.last)}"
    sums = ", ".join(["count(*)", *(f"sum({quote(name)})" for name in [*table.key, *table.money])])
    tellable = f"FILTER (WHERE updated_at >= '{extract.FIRST_TIME}')"
    times = f"sum((date_part('epoch', updated_at) * 1000000)::bigint) {tellable}"  # microseconds, exact in a double
    query = (
        f"SELECT now() AT TIME ZONE 'UTC', {sums}, {times} FROM public.{quote(table.name)} WHERE {extract.within(days)}"
    )
    at, *there = postgres.fetch(source_url, "RAINBOW_SOURCE_URL", query)[0]
    here = connection.execute(
        f"SELECT {sums}, sum(epoch_us(updated_at)) {tellable} FROM {raw} WHERE {in_days}"
    ).fetchone()
    if here == tuple(there):
        return Completeness(there[0], 0, 0, [], at)
    return _compare_rows(connection, source_url, table, columns, days, f"(FROM {raw} WHERE {in_days})", at)


def _compare_rows(
    connection: duckdb.DuckDBPyConnection,
    source_url: str,
    table: SourceTable,
    columns: list[str],
    days: Days,
    raw: str,
    at: datetime,
) -> Completeness:
    """Join the source's keys, times and money with raw's; money as the source has it, with all its decimals."""
    names = [*table.key, "updated_at", *table.money]
    kinds = {name: table.columns[name] for name in names} | dict.fromkeys(table.money, "VARCHAR")
    narrow = extract.source_query(table, kinds, days)
    same = " AND ".join(f"s.{quote(name)} IS NOT DISTINCT FROM r.{quote(name)}" for name in names)
    connection.execute(extract.postgres_source(source_url))
    exact = ", ".join(f"TRY_CAST({quote(name)} AS DECIMAL(38,10)) AS {quote(name)}" for name in table.money)
    connection.execute(f"""
        CREATE OR REPLACE TABLE memory.main.held AS
        SELECT * {f"REPLACE ({exact})" if exact else ""} FROM postgres_query('source', {literal(narrow)})""")
    missing = f"FROM memory.main.held AS s ANTI JOIN {raw} AS r ON {same}"
    version = ", ".join(quote(name) for name in columns)
    row = connection.execute(f"""
        SELECT (SELECT count(*) FROM memory.main.held), (SELECT count(*) {missing}),
            (SELECT count(*) - count(DISTINCT hash({version})) FROM {raw})""").fetchone()
    assert row is not None  # noqa: S101 - scalar subqueries have a row
    rows, lost, repeated = row
    keys = ", ".join(quote(name) for name in [*table.key, "updated_at"])
    sample = connection.execute(f"SELECT row({keys})::VARCHAR {missing} LIMIT {SAMPLE}").fetchall() if lost else []
    connection.execute("DROP TABLE memory.main.held")
    return Completeness(rows, lost, repeated, [text for (text,) in sample], at)


@dataclass(frozen=True)
class Agreement:
    """The files of some days: `files` in all; `wrong`: those that a catalog lacks or counts differently."""

    files: int
    wrong: list[str]


def catalogs_agree(
    connection: duckdb.DuckDBPyConnection,
    catalog: SqlCatalog,
    table: SourceTable,
    landed: list[LandingFile],
    days: Days,
) -> Agreement:
    """Whether Iceberg and DuckLake hold exactly the `landed` files of `days`, with the same rows in each."""
    uris = {file.uri for file in landed}
    lake = ducklake.known_files(connection, SCHEMA, table.name, sorted(uris))
    berg = iceberg.files(catalog.load_table((SCHEMA, table.name)), days.first, days.last)
    wrong = [uri for uri in sorted(uris | set(berg)) if uri not in lake or lake[uri] != berg.get(uri)]
    return Agreement(len(uris), wrong)
