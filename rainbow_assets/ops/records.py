"""The project's own records: `lake.ops.runs` and `lake.ops.check_results`, and their copies in ClickHouse.

Here: their columns, and the statements that write them; callers hold a lock and open the transaction. Not here: where
the news of a run comes from (`defs/automation/records.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pyarrow as pa

from rainbow_assets.settings import Settings
from rainbow_assets.systems import clickhouse, ducklake
from rainbow_assets.systems.ducklake import LAKE, quote

SCHEMA = "ops"
TABLES = {
    "runs": {
        "run_id": "VARCHAR",
        "job": "VARCHAR",
        "partitions": "VARCHAR",
        "load_type": "VARCHAR",
        "started_at": "TIMESTAMP",
        "ended_at": "TIMESTAMP",
        "status": "VARCHAR",
        "rows_read": "BIGINT",
        "rows_written": "BIGINT",
        "data_min_date": "DATE",
        "data_max_date": "DATE",
        "previous_max_date": "DATE",
        "code_version": "VARCHAR",
        "environment": "VARCHAR",
    },
    "check_results": {
        "run_id": "VARCHAR",
        "asset": "VARCHAR",
        "check_name": "VARCHAR",
        "passed": "BOOLEAN",
        "severity": "VARCHAR",
        "evaluated_at": "TIMESTAMP",
        "description": "VARCHAR",
        "metadata": "VARCHAR",
    },
}
FINISHED = {  # what is known of a run before its checks are looked at
    **{name: TABLES["runs"][name] for name in ("run_id", "job", "started_at", "ended_at", "status", "code_version")},
    "first_day": "DATE",
    "last_day": "DATE",
}
ARROW: dict[str, pa.DataType] = {
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
}
OVERLAP = "1 day"  # how long after a later run's end the news of a run may still arrive
WAIT = 30.0  # seconds for another process that holds the embedded ClickHouse
ADD_RUNS = f"""
    INSERT INTO {LAKE}.{SCHEMA}.runs BY NAME
    WITH landed AS (
        SELECT
            run_id,
            sum((metadata->>'$.rows_read')::BIGINT) AS rows_read,
            sum((metadata->>'$.rows_written')::BIGINT) AS rows_written,
            min((metadata->>'$.data_min_date')::DATE) AS data_min_date,
            max((metadata->>'$.data_max_date')::DATE) AS data_max_date
        FROM evaluated WHERE starts_with(asset, 'landing/') GROUP BY run_id
    ),
    ended AS (FROM finished LEFT JOIN landed USING (run_id)),
    known AS (
        SELECT ended_at, data_max_date FROM {LAKE}.{SCHEMA}.runs
        UNION ALL SELECT ended_at, data_max_date FROM ended
    ),
    dated AS (
        SELECT *, (
            SELECT max(data_max_date) FROM known WHERE known.ended_at <= ended.started_at
        ) AS previous_max_date FROM ended
    )
    SELECT
        * EXCLUDE (first_day, last_day),
        first_day || if(last_day > first_day, '..' || last_day, '') AS partitions,
        CASE
            WHEN first_day IS NULL THEN 'other'
            WHEN last_day < previous_max_date THEN 'backfill'
            WHEN first_day <= $first_partition THEN 'full'
            WHEN first_day = last_day THEN 'daily'
            ELSE 'backfill'
        END AS load_type,
        $environment AS environment
    FROM dated ORDER BY started_at"""


@dataclass(frozen=True)
class FinishedRun:
    """A run that has ended, as the orchestrator knows it; times in UTC, days: None where it has no partitions."""

    run_id: str
    job: str
    first_day: date | None
    last_day: date | None
    started_at: datetime
    ended_at: datetime
    status: str
    code_version: str


@dataclass(frozen=True)
class CheckResult:
    """One evaluation of a check; `metadata` is JSON. Those of landing tell what the run read and wrote."""

    run_id: str
    asset: str
    check_name: str
    passed: bool
    severity: str
    evaluated_at: datetime
    description: str | None
    metadata: str


def prepare(lake: duckdb.DuckDBPyConnection) -> None:
    """Create the two tables where they are missing."""
    lake.execute(f"CREATE SCHEMA IF NOT EXISTS {LAKE}.{SCHEMA}")
    for name, columns in TABLES.items():
        fields = ", ".join(f"{quote(column)} {kind}" for column, kind in columns.items())
        lake.execute(f"CREATE TABLE IF NOT EXISTS {LAKE}.{SCHEMA}.{quote(name)} ({fields})")


def horizon(lake: duckdb.DuckDBPyConnection) -> datetime | None:
    """Every run whose end was known by this time (UTC) is recorded; None: there is no record yet."""
    [(newest,)] = lake.execute(f"SELECT max(ended_at) - INTERVAL '{OVERLAP}' FROM {LAKE}.{SCHEMA}.runs").fetchall()
    return newest.replace(tzinfo=UTC) if newest else None


def recorded(lake: duckdb.DuckDBPyConnection, run_ids: Sequence[str]) -> set[str]:
    """Which of these runs are recorded."""
    query = f"SELECT run_id FROM {LAKE}.{SCHEMA}.runs WHERE run_id IN (SELECT unnest(?))"
    return {run_id for (run_id,) in lake.execute(query, [list(run_ids)]).fetchall()}


def write(
    settings: Settings, lake: duckdb.DuckDBPyConnection, runs: Sequence[FinishedRun], checks: Sequence[CheckResult]
) -> None:
    """Record runs that are not recorded yet, with their checks."""
    if not runs:
        return
    parameters: dict[str, Any] = {"first_partition": settings.start_date, "environment": settings.environment}
    lake.register("finished", _table(runs, FINISHED))
    lake.register("evaluated", _table(checks, TABLES["check_results"]))
    lake.execute(f"INSERT INTO {LAKE}.{SCHEMA}.check_results BY NAME FROM evaluated")
    lake.execute(ADD_RUNS, parameters)


def last_runs(lake: duckdb.DuckDBPyConnection, limit: int) -> list[tuple[Any, ...]]:
    """The newest runs: id, start, seconds, status, load type, days or else job, rows written."""
    if not ducklake.columns(lake, SCHEMA, "runs"):
        return []
    query = f"""
        SELECT run_id, started_at, epoch(ended_at - started_at), status, load_type, coalesce(partitions, job),
            rows_written
        FROM {LAKE}.{SCHEMA}.runs ORDER BY started_at DESC LIMIT ?"""
    return lake.execute(query, [limit]).fetchall()


def serve(settings: Settings, lake: duckdb.DuckDBPyConnection) -> None:
    """Add to ClickHouse's `ops_runs` and `ops_check_results` the runs that they lack.

    Raises:
        TransientError: ClickHouse does not answer, or another process holds the embedded one.
    """
    with clickhouse.connect(settings, wait=WAIT) as client, clickhouse.errors(settings, "writing the records"):
        for name, columns in TABLES.items():
            kinds = (f"{clickhouse.quote(c)} {clickhouse.column_type(k, c != 'run_id')}" for c, k in columns.items())
            served = f"{SCHEMA}_{name}"
            client.command(
                f"CREATE TABLE IF NOT EXISTS {served} ({', '.join(kinds)}) ENGINE = MergeTree ORDER BY run_id"
            )
            lake.register("served", client.query_arrow(f"SELECT DISTINCT run_id FROM {served}"))
            lacking = lake.execute(f"FROM {LAKE}.{SCHEMA}.{quote(name)} ANTI JOIN served USING (run_id)")
            table = lacking.to_arrow_table().combine_chunks()
            lake.unregister("served")
            if len(table):
                client.insert_arrow(served, table, settings={"async_insert": 0})  # one part: all of it or nothing


def _table(rows: Sequence[object], columns: dict[str, str]) -> pa.Table:
    return pa.Table.from_pylist([vars(row) for row in rows], pa.schema({n: ARROW[kind] for n, kind in columns.items()}))
