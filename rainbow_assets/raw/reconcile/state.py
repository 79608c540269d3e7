"""What the source holds and what raw says of it, by sums of row hashes a day, then row by row where they differ.

Here: the statements, in DuckDB. The source's rows pass through it as an extraction reads them, so that both sides are
hashed by one function over the very same types: to hash text in PostgreSQL takes it three times as long as to send the
rows. A column of the source may have any name, so that none of ours is added to them, nor grouped by. Not here: when,
under which locks, and what is landed then (`source.py`).

Of a key, raw's newest version counts: the latest `updated_at`, of these what was extracted last. A version that was
made here, not read, has `updated_at` = `extracted_at`, the time of finding: with that as its `deleted_at`, too, the key
is gone; without, its row came back in the source with a time before that of raw's newest version. The sums leave such a
version out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import duckdb

from rainbow_assets.landing import write
from rainbow_assets.landing.drift import Columns
from rainbow_assets.landing.values import RESCUED
from rainbow_assets.raw.register import SCHEMA
from rainbow_assets.systems import ducklake
from rainbow_assets.systems.ducklake import LAKE, literal, quote
from rainbow_assets.tables import SourceTable
from rainbow_assets.window import Days

STATE = "memory.main.raw_state"  # a row a key: raw's newest version
LATE = "memory.main.late"  # rows of the source that are not what counts of their (key, `updated_at`) in raw
BACK = "memory.main.back"  # rows of the source that raw overrules by a later version
GONE = "memory.main.gone"  # keys of raw that the source lacks
MADE = "memory.main.made"  # the versions to land for both
SAMPLE = 5
FIRST_TIME, NO_TIME = "1970-01-01", "2100-01-01"  # before the one and from the other on a time is a fault


@dataclass(frozen=True)
class Found:
    """Of a table: rows and days compared, the days that differ, and what is to be landed; or why it was not compared.

    `late`: versions that raw lacks. `back`: rows that raw holds as gone or with a later version. `gone`: keys that raw
    holds as not deleted and the source lacks.
    """

    table: str
    rows: int = 0
    days: list[date] = field(default_factory=list)
    late: int = 0
    back: int = 0
    gone: int = 0
    sample: list[str] = field(default_factory=list)
    reason: str = ""

    @property
    def is_news(self) -> bool:
        """Whether anything is to be landed."""
        return bool(self.late or self.back or self.gone)

    def joined(self, earlier: "Found") -> "Found":
        """This with what was found earlier, and may have been landed since."""
        return replace(
            self,
            days=sorted({*self.days, *earlier.days}),
            late=max(self.late, earlier.late),
            back=max(self.back, earlier.back),
            gone=max(self.gone, earlier.gone),
            sample=self.sample or earlier.sample,
        )


def read_raw(connection: duckdb.DuckDBPyConnection, table: SourceTable, columns: Columns, days: Days) -> None:
    """Fill `STATE` from raw; `columns`: the source's, of which raw may lack some."""
    kinds = _kinds(columns)
    known = ducklake.columns(connection, SCHEMA, table.name)
    content = ", ".join(value for name, value in _values(kinds, known).items() if name != "updated_at")
    keys = _keys(table)
    day = f"greatest(updated_at::DATE, DATE {literal(days.first)})" if days.open_start else "updated_at::DATE"
    relation = f"{LAKE}.{SCHEMA}.{quote(table.name)}" if known else _nothing(kinds)
    connection.execute(f"""
        CREATE OR REPLACE TABLE {STATE} AS
        SELECT {keys}, updated_at, deleted_at IS NULL AS is_alive, content, {day} AS day,
            coalesce(updated_at = extracted_at, false) AS is_made,
            coalesce(updated_at = extracted_at AND deleted_at = updated_at, false) AS is_gone
        FROM (SELECT {keys}, updated_at, deleted_at, extracted_at, hash({content}) AS content FROM {relation})
        QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY updated_at DESC, extracted_at DESC) = 1""")


def compare(connection: duckdb.DuckDBPyConnection, url: str, table: SourceTable, columns: Columns, days: Days) -> Found:
    """Compare the attached source with `STATE`, fill `LATE` and `MADE`."""
    _forget_newer(connection, table, days)
    kinds, rows, differing = _kinds(columns), 0, list[date]()
    for place, part in enumerate(write.passes(url, table, days)):
        rows += write.stage(connection, table, columns, part)
        if place == 0:
            _make_empty(connection, table)
        if found := _differing_days(connection, table, kinds, part):
            differing += found
            _look_into(connection, table, kinds, found)
    connection.execute(f"DROP TABLE IF EXISTS {write.ROWS}")
    _keep_late(connection, table, kinds, days)
    _keep_gone(connection, table)
    _make_versions(connection, table, kinds)
    keys = f"row({_keys(table)})::VARCHAR"
    sample = connection.execute(
        f"SELECT {keys} FROM {LATE} UNION ALL SELECT {keys} FROM {MADE} ORDER BY ALL LIMIT {SAMPLE}"
    ).fetchall()
    late, back, gone = (_count(connection, name) for name in (LATE, BACK, GONE))
    return Found(table.name, rows, differing, late, back, gone, [text for (text,) in sample])


def days_in(connection: duckdb.DuckDBPyConnection, relation: str) -> list[date]:
    """The days of the rows to land, in order."""
    query = f"SELECT DISTINCT change_date FROM {relation} ORDER BY ALL"
    return [day for (day,) in connection.execute(query).fetchall()]


def _forget_newer(connection: duckdb.DuckDBPyConnection, table: SourceTable, days: Days) -> None:
    """Leave out what the source has changed since the last day: raw cannot know it yet, and its old days differ."""
    newer = f"SELECT {_keys(table)} FROM public.{quote(table.name)} WHERE updated_at >= {_end(days)}"
    connection.execute(f"""
        DELETE FROM {STATE} WHERE ({_keys(table)}) IN (
            SELECT ({_keys(table)}) FROM postgres_query('source', {literal(newer)}))""")


def _make_empty(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> None:
    """The tables of what is found, with the columns that an extraction has."""
    for name in (LATE, BACK):
        connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM {write.ROWS} LIMIT 0")
    connection.execute(f"CREATE OR REPLACE TABLE {GONE} AS SELECT {_keys(table)} FROM {STATE} LIMIT 0")


def _differing_days(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, columns: dict[str, str], part: Days
) -> list[date]:
    """The days of `part` in which the rows of the source, staged, are not those that `STATE` says.

    A row that came back, and is as its made version says, is left out on both sides.
    """
    sums = "count(*) AS rows, sum(hash({}, {}updated_at, {})::HUGEINT) AS hashes"
    same_key = " AND ".join(f"s.{quote(name)} = v.{quote(name)}" for name in table.key)
    content = _content(columns, "s")
    found = connection.execute(f"""
        SELECT coalesce(source.day, raw.day) AS day
        FROM (
            SELECT s.change_date AS day, {sums.format(_keys(table, "s"), "s.", content)} FROM {write.ROWS} AS s
            ANTI JOIN (FROM {STATE} WHERE is_made AND NOT is_gone) AS v
                ON {same_key} AND s.updated_at < v.updated_at AND {content} = v.content
            GROUP BY ALL
        ) AS source
        FULL JOIN (
            SELECT day, {sums.format(_keys(table), "", "content")} FROM {STATE}
            WHERE NOT is_made AND day BETWEEN {literal(part.first)} AND {literal(part.last)} GROUP BY ALL
        ) AS raw USING (day)
        WHERE source.rows IS DISTINCT FROM raw.rows OR source.hashes IS DISTINCT FROM raw.hashes
        ORDER BY day""").fetchall()
    return [day for (day,) in found]


def _look_into(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, columns: dict[str, str], days: list[date]
) -> None:
    """Add to `LATE`, `BACK` and `GONE` what may be wrong in these days; the source's rows are staged."""
    within = f"IN ({', '.join(f'DATE {literal(day)}' for day in days)})"
    same_key = " AND ".join(f"s.{quote(name)} = v.{quote(name)}" for name in table.key)
    staged, content = f"(FROM {write.ROWS} WHERE change_date {within}) AS s", _content(columns, "s")
    connection.execute(f"""
        INSERT INTO {LATE} SELECT s.* FROM {staged} LEFT JOIN {STATE} AS v ON {same_key}
        WHERE s.updated_at IS DISTINCT FROM v.updated_at OR {content} IS DISTINCT FROM v.content""")
    connection.execute(f"""
        INSERT INTO {BACK} SELECT s.* FROM {staged} JOIN {STATE} AS v ON {same_key}
        WHERE s.updated_at < v.updated_at AND (v.is_gone OR {content} <> v.content)""")
    connection.execute(f"""
        INSERT INTO {GONE} SELECT {_keys(table, "v")} FROM {STATE} AS v ANTI JOIN {write.ROWS} AS s ON {same_key}
        WHERE v.is_alive AND NOT v.is_made AND v.day {within}""")


def _keep_late(connection: duckdb.DuckDBPyConnection, table: SourceTable, columns: dict[str, str], days: Days) -> None:
    """Leave in `LATE` what is not what counts of its (key, `updated_at`): raw's newest of the key is another one."""
    known = ducklake.columns(connection, SCHEMA, table.name)
    if not known or _count(connection, LATE) == 0:
        return
    version = ", ".join(quote(name) for name in [*table.key, "updated_at"])
    values = ", ".join(f"{value} AS {quote(name)}" for name, value in _values(columns, known).items())
    held = (
        f"(SELECT {values}, extracted_at FROM {LAKE}.{SCHEMA}.{quote(table.name)} SEMI JOIN {LATE} USING ({version}))"
    )
    names = ", ".join(quote(name) for name in columns)
    connection.execute(f"""
        CREATE OR REPLACE TABLE {LATE} AS
        SELECT *, (SELECT max(extracted_at) FROM {LATE}) AS extracted_at, {write.change_date(days.first)}
        FROM (SELECT {names} FROM {LATE} EXCEPT {write.newest(table, columns, held)})""")


def _keep_gone(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> None:
    """Leave in `GONE` the keys that the source has nowhere: a row that moved to another day is not gone.

    Those whose newest version was made have no day in the source, and are looked for each time.
    """
    connection.execute(f"INSERT INTO {GONE} SELECT {_keys(table)} FROM {STATE} WHERE is_alive AND is_made")
    if _count(connection, GONE) == 0:
        return
    there = f"SELECT {_keys(table)} FROM public.{quote(table.name)}"
    whole = " AND ".join(f"{quote(name)} IS NOT NULL" for name in table.key)
    connection.execute(f"""
        CREATE OR REPLACE TABLE {GONE} AS
        FROM {GONE} ANTI JOIN (FROM postgres_query('source', {literal(there)})) USING ({_keys(table)}) WHERE {whole}""")


def _make_versions(connection: duckdb.DuckDBPyConnection, table: SourceTable, columns: dict[str, str]) -> None:
    """Fill `MADE`: for each row of `BACK` itself, for each key of `GONE` raw's newest version, deleted, as of now.

    Now is the source's, and later than all that these keys have in raw. A key ends whatever is wrong with its newest
    version: the values are not read (`dbt_project/macros/quality.sql`), and a `created_at` that is no time becomes now.
    """
    if _count(connection, GONE) + _count(connection, BACK) == 0:
        connection.execute(f"CREATE OR REPLACE TABLE {MADE} AS FROM {LATE} LIMIT 0")
        return
    keys = _keys(table)
    concerned = f"(SELECT {keys} FROM {GONE} UNION SELECT {keys} FROM {BACK})"
    [(now,)] = connection.execute(f"""
        SELECT greatest(
            (SELECT now FROM postgres_query('source', 'SELECT now() AT TIME ZONE ''UTC'' AS now')),
            (SELECT max(updated_at) + INTERVAL 1 microsecond FROM {STATE} SEMI JOIN {concerned} USING ({keys})
             WHERE updated_at < TIMESTAMP '{NO_TIME}'))""").fetchall()
    at = f"TIMESTAMP {literal(now)}"
    is_time = f"created_at >= TIMESTAMP '{FIRST_TIME}' AND created_at < TIMESTAMP '{NO_TIME}'"
    created = f"CASE WHEN {is_time} THEN created_at ELSE {at} END"
    known = ducklake.columns(connection, SCHEMA, table.name)
    names = ", ".join(quote(name) for name in columns if name in known)
    connection.execute(f"""
        CREATE OR REPLACE TABLE {MADE} AS
        SELECT * REPLACE ({at} AS updated_at, {at} AS extracted_at, {at}::DATE AS change_date) FROM {BACK}
        UNION ALL BY NAME
        SELECT * REPLACE ({at} AS updated_at, {at} AS deleted_at, {created} AS created_at),
            {at} AS extracted_at, {at}::DATE AS change_date
        FROM (
            SELECT {names} FROM {LAKE}.{SCHEMA}.{quote(table.name)} SEMI JOIN {GONE} USING ({keys})
            QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY updated_at DESC, extracted_at DESC) = 1)""")


def _kinds(columns: Columns) -> dict[str, str]:
    """What makes a version what it is, name to lake type."""
    return columns.all | {RESCUED: "VARCHAR"}


def _content(columns: dict[str, str], relation: str = "") -> str:
    """SQL: the hash of all that a row says but its time."""
    return f"hash({', '.join(_names((name for name in columns if name != 'updated_at'), relation))})"


def _values(columns: dict[str, str], known: dict[str, str]) -> dict[str, str]:
    """SQL: raw's value of each column, NULL of one that is too young to be there."""
    return {name: f"CAST({quote(name) if name in known else 'NULL'} AS {kind})" for name, kind in columns.items()}


def _keys(table: SourceTable, relation: str = "") -> str:
    return ", ".join(_names(table.key, relation))


def _names(columns: Iterable[str], relation: str = "") -> list[str]:
    """SQL: columns, of `relation` where others of the same names are there, too."""
    return [f"{relation}.{quote(name)}" if relation else quote(name) for name in columns]


def _end(days: Days) -> str:
    return literal(days.last + timedelta(days=1))


def _nothing(columns: dict[str, str]) -> str:
    """SQL: raw before the table's first run."""
    kinds = columns | {"extracted_at": "TIMESTAMP"}
    fields = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in kinds.items())
    return f"(SELECT {fields} LIMIT 0)"


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
    assert row is not None  # noqa: S101 - an aggregate has a row
    return int(row[0])
