"""What raw covers: for which days, and when, it was seen to hold every sale that the source had.

Here: the notes that raw's steps take, and those that a repair takes back. Not here: what they mean to a build
(`models/ops/batch_coverage.sql`) and to the live views, which count a sale in the batch part or in the speed part by
them (`speed/`).
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import duckdb

from rainbow_assets.systems import ducklake
from rainbow_assets.systems.ducklake import LAKE, literal
from rainbow_assets.window import Days

TABLES = ("orders", "orderdetails")  # what a sale is made of


def is_noted(connection: duckdb.DuckDBPyConnection, table: str, days: Days) -> bool:
    """Whether raw was seen to hold all of `table` in each of `days` before."""
    if not ducklake.columns(connection, "ops", "coverage"):
        return False
    query = f"""
        WITH notes AS (
            FROM {LAKE}.ops.coverage WHERE table_name = $table AND last_day >= $first AND first_day <= $last
        )
        SELECT count(DISTINCT day) FILTER (day BETWEEN $first AND $last),
            coalesce(bool_or(is_first AND first_day = $first), false)
        FROM (SELECT *, unnest(generate_series(first_day, last_day, INTERVAL 1 DAY))::DATE AS day FROM notes)"""
    parameters = {"table": table, "first": days.first, "last": days.last}
    [(covered, has_first)] = connection.execute(query, parameters).fetchall()
    return covered == (days.last - days.first).days + 1 and (has_first or not days.open_start)


def note(connection: duckdb.DuckDBPyConnection, table: str, days: Days, at: datetime, run_id: str) -> None:
    """Note that raw holds all of `table` in `days` that was committed before `at` (UTC).

    The first partition is left out where just a part of what it takes was looked at.
    Call it after the files are registered: a build that sees the note then sees them, too.

    Raises:
        TransientError: the lake does not answer.
    """
    first = days.first + timedelta(days=1) if days.since else days.first
    if first > days.last:
        return
    with ducklake.transaction(connection, f"cover {table}", run_id):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {LAKE}.ops")
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {LAKE}.ops.coverage "
            "(table_name VARCHAR, first_day DATE, last_day DATE, is_first BOOLEAN, verified_at TIMESTAMP)"
        )
        connection.execute(
            f"INSERT INTO {LAKE}.ops.coverage VALUES (?, ?, ?, ?, ?)",
            [table, first, days.last, days.open_start, at],
        )


def retract(connection: duckdb.DuckDBPyConnection, table: str, days: Sequence[date]) -> None:
    """Take back that raw holds all of `table` in `days`. Call it within a transaction.

    No publication may come before these days were run again: the speed layer forgets the changes of a day that it once
    saw covered (`speed/views/prune.py`). So the caller opens a check of raw for them.
    """
    if not ducklake.columns(connection, "ops", "coverage"):
        return
    lost = ", ".join(f"DATE {literal(day)}" for day in days)
    has_lost = f"len(list_filter([{lost}], lambda day: day BETWEEN first_day AND last_day)) > 0"
    concerned = f"table_name = {literal(table)} AND {has_lost}"
    connection.execute(f"""
        INSERT INTO {LAKE}.ops.coverage
        SELECT table_name, day, day, is_first AND day = first_day, verified_at
        FROM (
            SELECT *, unnest(generate_series(first_day, last_day, INTERVAL 1 DAY))::DATE AS day
            FROM {LAKE}.ops.coverage WHERE {concerned})
        WHERE day NOT IN ({lost})""")
    connection.execute(f"DELETE FROM {LAKE}.ops.coverage WHERE {concerned}")
