"""Rows of the source that no day can take: `updated_at` is NULL, or later than the last time that can be told.

Here: how many there are now, and their list in `ops.unplaced_rows`, which the next build puts into `ops.quarantine`.
Not here: rows that only lie in the future (`arrival.py`), faulty rows of raw (`dbt_project/macros/quality.sql`).
"""

from dataclasses import dataclass

import duckdb

from rainbow_assets.landing import values, write
from rainbow_assets.landing.drift import Columns
from rainbow_assets.landing.source_errors import source_errors
from rainbow_assets.systems import ducklake, postgres
from rainbow_assets.systems.ducklake import LAKE, literal, quote
from rainbow_assets.tables import SourceTable

SAMPLE = 5
LISTED = 10_000  # rows of a table in the list; all are counted
STAGED = "memory.main.unplaced"
ROWS = f"{LAKE}.ops.unplaced_rows"


@dataclass(frozen=True)
class Unplaced:
    """Of such rows: how many have no time at all, how many one that is too late, and some of the former."""

    without_time: int = 0
    too_late: int = 0
    sample: tuple[str, ...] = ()


def note(
    connection: duckdb.DuckDBPyConnection, source_url: str, table: SourceTable, columns: Columns, run_id: str
) -> Unplaced:
    """Find them by the index on `updated_at`, and bring the list of this table up to date; nothing new, no write.

    Raises:
        TransientError: the source or the lake does not answer.
    """
    found = _look(source_url, table, columns)
    listed = ducklake.row_count(connection, "ops", "unplaced_rows")
    if not found.without_time + found.too_late + listed:
        return found
    query = _query(table, columns)
    with source_errors(source_url, f"{table.name} without a day", query):
        connection.execute(write.postgres_source(source_url))
        connection.execute(f"""
            CREATE OR REPLACE TABLE {STAGED} AS
            SELECT {literal(table.name)} AS table_name, * FROM postgres_query('source', {literal(query)})""")
    _update(connection, table, run_id, is_new=not listed)
    return found


def _update(connection: duckdb.DuckDBPyConnection, table: SourceTable, run_id: str, *, is_new: bool) -> None:
    """Make the list of this table what is staged. `is_new`: no table has one yet."""
    held = f"FROM {ROWS} WHERE table_name = {literal(table.name)}"
    changes = f"({held} EXCEPT FROM {STAGED}) UNION ALL (FROM {STAGED} EXCEPT {held})"
    if is_new or connection.execute(changes).fetchone():
        with ducklake.transaction(connection, f"list unplaced {table.name}", run_id):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {LAKE}.ops")
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {ROWS} "
                "(table_name VARCHAR, row_key VARCHAR, updated_at TIMESTAMP, row_content VARCHAR)"
            )
            connection.execute(f"DELETE {held} AND row_content NOT IN (SELECT row_content FROM {STAGED})")
            connection.execute(f"INSERT INTO {ROWS} FROM {STAGED} EXCEPT {held}")
    connection.execute(f"DROP TABLE {STAGED}")


def _look(source_url: str, table: SourceTable, columns: Columns) -> Unplaced:
    key = ", ".join(quote(name) for name in table.key)
    query = f"""
        SELECT count(*) FILTER (WHERE updated_at IS NULL) OVER (), count(updated_at) OVER (), row({key})::text
        FROM public.{quote(table.name)} WHERE {_condition(columns)} ORDER BY updated_at NULLS FIRST LIMIT {SAMPLE}"""
    rows = postgres.fetch(source_url, "RAINBOW_SOURCE_URL", query)
    if not rows:
        return Unplaced()
    missing, late = rows[0][:2]
    return Unplaced(missing, late, tuple(text for _, _, text in rows[:missing]))


def _query(table: SourceTable, columns: Columns) -> str:
    """SQL for PostgreSQL: their keys, their bounded times, and the registry's columns of each as JSON."""
    key = ", ".join(quote(name) for name in table.key)
    content = ", ".join(quote(name) for name in table.columns)
    return f"""
        SELECT nullif(concat_ws(',', {key}), '') AS row_key, {values.bounded("updated_at", "TIMESTAMP")} AS updated_at,
            to_jsonb(rainbow_rows)::text AS row_content
        FROM (SELECT {content} FROM public.{quote(table.name)} WHERE {_condition(columns)}
            ORDER BY {key} LIMIT {LISTED}) AS rainbow_rows"""


def _condition(columns: Columns) -> str:
    late = f"updated_at > {literal(values.LAST_TIME)}"
    return f"({late} OR updated_at IS NULL)" if columns.may_lack_time else late
