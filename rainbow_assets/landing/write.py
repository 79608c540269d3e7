"""source -> landing: the row versions that the source holds for a range of days, appended as one file a day.

Here: one pass over the source by its index on `updated_at`, the comparison with what was extracted last, and the
writing of files that never change again. Not here: schema drift (`drift.py`) and registration (`raw/register.py`).
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta

import duckdb

from rainbow_assets.landing import checksum, values
from rainbow_assets.landing.drift import Columns
from rainbow_assets.landing.files import LandingFile, new_key
from rainbow_assets.landing.source_errors import source_errors
from rainbow_assets.systems import postgres
from rainbow_assets.systems.ducklake import literal, postgres_secret, quote
from rainbow_assets.tables import SourceTable
from rainbow_assets.window import Days

SETTING = "RAINBOW_SOURCE_URL"
# The rows of a pass, until they are in files.
ROWS = "memory.main.extract"
SAMPLE = 5
# A pass keeps its rows in memory before they are written; DuckDB spills what does not fit.
ROWS_A_PASS = 10_000_000
# Small files wait for the object store more than they compute.
WRITERS = 4


@dataclass(frozen=True)
class Extracted:
    """What a run of `extract` did: the rows that the source held, and the rows of each new file.

    `rescued`: of these, how many have a value that its column cannot hold, by column; and some of them.
    """

    rows_read: int
    files: dict[LandingFile, int]
    rescued: dict[str, int] = field(default_factory=dict)
    sample: tuple[str, ...] = ()

    @property
    def rows_written(self) -> int:
        """Rows in the new files."""
        return sum(self.files.values())


def newest(table: SourceTable, columns: Iterable[str], held: str) -> str:
    """SQL: of the relation `held`, the rows that count: those that were extracted last of their (key, `updated_at`).

    They may be several only where the source has no unique key.
    """
    version = ", ".join(quote(name) for name in [*table.key, "updated_at"])
    return (
        f"SELECT {', '.join(quote(name) for name in columns)} FROM {held} "
        f"QUALIFY extracted_at = max(extracted_at) OVER (PARTITION BY {version})"
    )


def extract(
    connection: duckdb.DuckDBPyConnection,
    source_url: str,
    table: SourceTable,
    columns: Columns,
    days: Days,
    landed: list[LandingFile],
    bucket: str,
    run_id: str,
    once_first: Sequence[LandingFile] = (),
) -> Extracted:
    """Append the versions of `table` in `days` that are not what `landed` holds of them; nothing new, no file.

    `columns`: as `drift.check` found them in the source. `landed`: every file of these days, as
    `landing.files` lists them; `once_first`: what `register.once_first` adds to them.

    Raises:
        DataError: a value does not fit its lake type; the message has PostgreSQL's or DuckDB's reason.
        TransientError: the source or the object store does not answer, or the server cancelled the query.
        SettingsError: the user may not read the table, or not all of its rows.
    """
    read = 0
    files: dict[LandingFile, int] = {}
    rescued: Counter[str] = Counter()
    sample: list[str] = []
    try:
        with source_errors(source_url, f"{table.name} for {days}", source_query(table, columns, days)):
            connection.execute(postgres_source(source_url))
            for part in passes(source_url, table, days):
                read += stage(connection, table, columns, part)
                held = [file for file in landed if part.oldest <= file.day <= part.last]
                held += [file for file in once_first if file.day > part.last]
                files |= append(connection, table, columns.names, held, part.first, bucket, run_id)
                counts, rows = _rescued(connection, table)
                rescued, sample = rescued + counts, [*sample, *rows][:SAMPLE]
    finally:
        connection.execute(f"DROP TABLE IF EXISTS {ROWS}")
    return Extracted(read, files, dict(rescued), tuple(sample))


def postgres_source(source_url: str) -> str:
    """SQL: attach the source read-only as `source`."""
    return (
        f"{postgres_secret('rainbow_source', source_url, SETTING)};"
        "ATTACH IF NOT EXISTS '' AS source (TYPE postgres, SECRET rainbow_source, READ_ONLY)"
    )


def source_query(table: SourceTable, columns: Columns, days: Days, *, exact: bool = False) -> str:
    """SQL for PostgreSQL: the rows of `days` by `updated_at`, typed as the lake types them, with `extracted_at`.

    Values are cast there: an unbounded numeric would otherwise arrive as a floating point number, and a type that the
    lake does not have would not arrive as text. `exact`: money as text, whether the lake can hold it or not.
    """
    typed = {name: values.typed(table, name, kind) for name, kind in columns.all.items()}
    if exact:
        typed |= {name: values.exact_text(name, table.columns[name]) for name in table.money}
    selected = ", ".join(f"{value} AS {quote(name)}" for name, value in typed.items())
    rescued = values.rescued(table, columns.all, columns.left_out)
    return (
        f"SELECT {selected}, {rescued} AS {values.RESCUED}, (now() AT TIME ZONE 'UTC') AS extracted_at "
        f"FROM {_from(table)} WHERE {within(days)}"
    )


def within(days: Days) -> str:
    """SQL: `updated_at` falls into `days`; the first partition has no lower bound."""
    upper = f"updated_at < {literal(days.last + timedelta(days=1))}"
    return upper if days.open_start else f"updated_at >= {literal(days.oldest)} AND {upper}"


def change_date(first: date) -> str:
    """SQL: the day that a row belongs to; `first` also takes what is older."""
    return f"greatest(updated_at::DATE, DATE {literal(first)}) AS change_date"


def passes(source_url: str, table: SourceTable, days: Days) -> list[Days]:
    """`days` cut so that a pass holds about `ROWS_A_PASS` rows, by the planner's estimate for the range."""
    query = f"EXPLAIN (FORMAT json) SELECT FROM {_from(table)} WHERE {within(days)}"
    plan = postgres.fetch(source_url, SETTING, query)[0][0]
    rows = plan[0]["Plan"]["Plan Rows"]
    span = (days.last - days.first).days + 1
    width = max(1, span // max(1, -(-rows // ROWS_A_PASS)))
    starts = range(0, span, width)
    return [
        Days(
            days.first + timedelta(days=start),
            min(days.last, days.first + timedelta(days=start + width - 1)),
            open_start=days.open_start and start == 0,
            since=days.since if start == 0 else None,
        )
        for start in starts
    ]


def stage(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, columns: Columns, days: Days, *, exact: bool = False
) -> int:
    """Fill `ROWS` with what the source, attached by `postgres_source`, holds for `days`; return how many rows it is.

    `exact`: as in `source_query`.
    """
    query = source_query(table, columns, days, exact=exact)
    connection.execute(f"""
        CREATE OR REPLACE TABLE {ROWS} AS
        SELECT *, {change_date(days.first)} FROM postgres_query('source', {literal(query)})""")
    row = connection.execute(f"SELECT count(*) FROM {ROWS}").fetchone()
    assert row is not None  # noqa: S101 - an aggregate has a row
    return int(row[0])


def append(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTable,
    columns: Iterable[str],
    held: list[LandingFile],
    first: date,
    bucket: str,
    run_id: str,
    prefix: str = "",
) -> dict[LandingFile, int]:
    """Write the versions of `ROWS` that are not what `held` holds of them, a file a day; return the files' rows.

    `ROWS` has `columns`, `extracted_at` and `change_date(first)`. Each new file carries its rows, their checksum and
    the run in its Parquet key-value metadata. `prefix`: what its name begins with.

    Raises:
        duckdb.Error: the object store does not answer.
    """
    if held:
        names = ", ".join(quote(name) for name in columns)
        uris = ", ".join(literal(file.uri) for file in held)
        # BY NAME: a column that is younger than a held file is NULL there. What is written now is the newest
        # extraction, also where the source's clock went back.
        connection.execute(f"""
            CREATE OR REPLACE TABLE {ROWS} AS
            WITH held AS MATERIALIZED (
                (FROM {ROWS} LIMIT 0) UNION ALL BY NAME (FROM read_parquet([{uris}], union_by_name = true)))
            SELECT *, greatest(
                    (SELECT max(extracted_at) FROM {ROWS}),
                    (SELECT max(extracted_at) + INTERVAL 1 microsecond FROM held)) AS extracted_at,
                {change_date(first)}
            FROM (SELECT {names} FROM {ROWS} EXCEPT {newest(table, columns, "held")})""")
    return _write(connection, table, bucket, run_id, prefix)


def _rescued(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> tuple[Counter[str], list[str]]:
    """How many rows of `ROWS` have a value that its column cannot hold, by column; and some of them."""
    rescued = f"FROM {ROWS} WHERE {values.RESCUED} IS NOT NULL"
    counts = connection.execute(
        f"SELECT name, count(*) FROM (SELECT unnest(json_keys({values.RESCUED})) AS name {rescued}) GROUP BY ALL"
    ).fetchall()
    key = ", ".join(quote(name) for name in [*table.key, "updated_at", values.RESCUED])
    rows = connection.execute(f"SELECT row({key})::VARCHAR {rescued} LIMIT {SAMPLE}").fetchall() if counts else []
    return Counter(dict(counts)), [text for (text,) in rows]


def _write(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, bucket: str, run_id: str, prefix: str
) -> dict[LandingFile, int]:
    """One new file a day of `ROWS`; returns their rows."""
    summary = connection.execute(
        f"SELECT change_date, count(*), {checksum.row_hash(checksum.ROWS)} FROM {ROWS} AS {checksum.ROWS} "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()

    def write(day: date, rows: int, found: int) -> tuple[LandingFile, int]:
        file = LandingFile(table.name, day, bucket, new_key(table.name, day, f"{prefix}{uuid.uuid4().hex}"))
        facts = {"rows": rows, "checksum": checksum.text(found), "run_id": run_id}
        metadata = ", ".join(f"{literal(f'rainbow.{key}')}: {literal(value)}" for key, value in facts.items())
        connection.cursor().execute(f"""
            COPY (FROM {ROWS} WHERE change_date = {literal(day)}) TO {literal(file.uri)}
            (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, KV_METADATA {{{metadata}}})""")
        return file, rows

    with ThreadPoolExecutor(WRITERS) as writers:
        return dict(writers.map(write, *zip(*summary, strict=True))) if summary else {}


def _from(table: SourceTable) -> str:
    return f"public.{quote(table.name)}"
