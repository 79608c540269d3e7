"""What compares two layers after the rows have moved, for the blocking checks.

Here: counts of rows that one layer has and the other lacks. Not here: a check's name and whom it stops (`defs/`).
"""

from dataclasses import dataclass

import duckdb
from pyiceberg.catalog.sql import SqlCatalog

from rainbow_assets.landing import checksum, values, write
from rainbow_assets.landing.drift import Columns
from rainbow_assets.landing.files import LandingFile
from rainbow_assets.landing.source_errors import source_errors
from rainbow_assets.raw.register import SCHEMA
from rainbow_assets.systems import ducklake, iceberg
from rainbow_assets.systems.ducklake import LAKE, literal, quote
from rainbow_assets.tables import SourceTable
from rainbow_assets.window import Days

SAMPLE = 5


def broken_files(connection: duckdb.DuckDBPyConnection, files: dict[LandingFile, int]) -> list[str]:
    """Those of the written files whose footer, read back from the object store, has not the rows that were written."""
    if not files:
        return []
    uris = ", ".join(literal(file.uri) for file in files)
    found = dict(connection.execute(f"SELECT file_name, num_rows FROM parquet_file_metadata([{uris}])").fetchall())
    return [file.uri for file, rows in files.items() if found.get(file.uri) != rows]


def stated_rows(connection: duckdb.DuckDBPyConnection, files: list[LandingFile]) -> dict[LandingFile, int]:
    """The rows that each file says it was written with."""
    if not files:
        return {}
    uris = ", ".join(literal(file.uri) for file in files)
    query = f"""
        SELECT file_name, decode(value)::BIGINT FROM parquet_kv_metadata([{uris}]) WHERE decode(key) = 'rainbow.rows'"""
    stated = dict(connection.execute(query).fetchall())
    return {file: stated[file.uri] for file in files if file.uri in stated}


@dataclass(frozen=True)
class Completeness:
    """`rows`: what the source holds; `missing`: of these, what is not the version that counts in raw.

    `repeated`: versions that raw holds twice without another one in between.
    """

    rows: int
    missing: int
    repeated: int
    sample: list[str]

    @property
    def passed(self) -> bool:
        """Every row of the source is in raw as it is, and nothing is there twice."""
        return self.missing == 0 and self.repeated == 0

    @property
    def reason(self) -> str | None:
        """What is wrong, in a few words."""
        return None if self.passed else f"{self.missing} rows missing, {self.repeated} repeated"


def source_in_raw(
    connection: duckdb.DuckDBPyConnection, source_url: str, table: SourceTable, columns: Columns, days: Days
) -> Completeness:
    """Compare the source's rows of `days`, every column of them, with what counts of them in raw.

    `columns`: as `drift.check` found them. Raw may hold more: versions that the source has since replaced.

    Raises:
        TransientError: the source or the lake does not answer.
    """
    rows, missing, repeated, sample = 0, 0, 0, list[str]()
    with ducklake.transaction(connection):  # for its failures
        connection.execute(write.postgres_source(source_url))
        for part in write.passes(source_url, table, days):
            query = write.source_query(table, columns, part, exact=True)
            with source_errors(source_url, f"{table.name} for {part}", query):
                rows += write.stage(connection, table, columns, part, exact=True)
            source, raw = f"(SELECT {_names(columns)} FROM {write.ROWS})", _raw(table, part)
            if _summed(connection, source) == _summed(connection, _exact(table, columns, raw)):
                continue  # the same rows, each as often
            lost, keys = _missing(connection, table, columns, source, raw)
            missing, sample = missing + lost, [*sample, *keys][:SAMPLE]
            repeated += _repeated(connection, table, columns, raw)
        connection.execute(f"DROP TABLE IF EXISTS {write.ROWS}")
    return Completeness(rows, missing, repeated, sample)


def _names(columns: Columns) -> str:
    return ", ".join(quote(name) for name in columns.held)


def _exact(table: SourceTable, columns: Columns, raw: str) -> str:
    """SQL: what `raw` holds, money as the source writes it, all of it; what its column cannot hold was rescued."""
    money = {
        name: f"coalesce({quote(name)}::VARCHAR, {values.RESCUED} ->> {literal(name)}) AS {quote(name)}"
        for name in table.money
    }
    return f"(SELECT {', '.join(money.get(name) or quote(name) for name in columns.held)} FROM {raw})"


def _summed(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[object, ...] | None:
    rows = checksum.ROWS
    return connection.execute(f"SELECT count(*), {checksum.row_hash(rows)} FROM {relation} AS {rows}").fetchone()


def _missing(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, columns: Columns, source: str, raw: str
) -> tuple[int, list[str]]:
    """How many of the rows in `source` are not what counts in `raw`, and some of them."""
    keys = ", ".join(quote(name) for name in [*table.key, "updated_at"])
    newest = f"({write.newest(table, columns.held, raw)})"
    found = connection.execute(f"""
        SELECT count(*) OVER (), row({keys})::VARCHAR
        FROM (FROM {source} EXCEPT FROM {_exact(table, columns, newest)})
        ORDER BY ALL LIMIT {SAMPLE}""").fetchall()
    return (found[0][0] if found else 0), [text for _, text in found]


def _repeated(connection: duckdb.DuckDBPyConnection, table: SourceTable, columns: Columns, raw: str) -> int:
    """How many rows of `raw` are what the extraction before them, or another file of the same one, holds."""
    version = ", ".join(quote(name) for name in [*table.key, "updated_at"])
    content = f"hash({', '.join(quote(name) for name in columns.of_raw)})"
    row = connection.execute(f"""
        SELECT count(*) FROM (
            SELECT content, lag(content) OVER (PARTITION BY {version} ORDER BY extracted_at, content) AS before
            FROM (SELECT {version}, extracted_at, {content} AS content FROM {raw}))
        WHERE content = before""").fetchone()
    assert row is not None  # noqa: S101 - an aggregate has a row
    return int(row[0])


def _raw(table: SourceTable, days: Days) -> str:
    # By its time, not by its day: the first partition may have been another one.
    return f"(FROM {LAKE}.{SCHEMA}.{quote(table.name)} WHERE {write.within(days)})"


@dataclass(frozen=True)
class Agreement:
    """The files of some days: `files` in all; `wrong`: those that a catalog lacks or counts differently."""

    files: int
    wrong: list[str]

    @property
    def reason(self) -> str | None:
        """What is wrong, in a few words."""
        return f"{len(self.wrong)} files wrong" if self.wrong else None


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
    berg = iceberg.files(catalog.load_table((SCHEMA, table.name)), days.oldest, days.last)
    wrong = [uri for uri in sorted(uris | set(berg)) if uri not in lake or lake[uri] != berg.get(uri)]
    return Agreement(len(uris), wrong)
