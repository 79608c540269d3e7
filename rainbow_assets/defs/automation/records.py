"""What Dagster knows of finished runs, into `lake.ops`: after each `rainbow run`, and by a sensor for all others.

Here: reading Dagster's runs and events. Not here: the tables (`ops/records.py`).
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from rainbow_assets.defs.automation.jobs import CODE_VERSION
from rainbow_assets.defs.automation.runs import BEGAN
from rainbow_assets.errors import TransientError
from rainbow_assets.ops import records
from rainbow_assets.ops.records import CheckResult, FinishedRun
from rainbow_assets.settings import Settings
from rainbow_assets.systems import ducklake, postgres
from rainbow_assets.version import code_version
from rainbow_assets.window import of_tags

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def record_finished(instance: dg.DagsterInstance, settings: Settings) -> int:
    """Record every finished run that is not recorded yet; how many those were.

    Raises:
        TransientError: a system does not answer. What is in the lake by then stays; the next call does the rest.
    """
    with (
        postgres.lock(settings.secret("catalog_url"), "RAINBOW_CATALOG_URL", "records"),
        ducklake.connect(settings) as lake,
    ):
        with ducklake.transaction(lake, "record runs"):
            records.prepare(lake)
            since = dg.RunsFilter(statuses=FINISHED, updated_after=records.horizon(lake))
            found = {record.dagster_run.run_id: record for record in instance.get_run_records(since)}
            new = found.keys() - records.recorded(lake, list(found))
            checks = [result for run_id in new for result in _check_results(instance, run_id)]
            records.write(settings, lake, [_finished(found[run_id]) for run_id in new], checks)
        with ducklake.transaction(lake):
            records.serve(settings, lake)
    return len(new)


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Records finished runs and their checks in `lake.ops` and ClickHouse, however the runs ended.",
)
def records_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look at the run that changed last; where it is the one of the last time, there is nothing to do."""
    newest = context.instance.get_run_records(dg.RunsFilter(statuses=FINISHED), limit=1, order_by="update_timestamp")
    seen = f"{newest[0].dagster_run.run_id} {newest[0].update_timestamp}" if newest else ""
    if seen == (context.cursor or ""):
        return dg.SkipReason("No run has ended since the last time.")
    try:
        count = record_finished(context.instance, Settings.load())
    except TransientError as error:
        return dg.SkipReason(f"Tried again at the next tick: {error}")
    context.update_cursor(seen)
    return dg.SkipReason(f"Runs recorded: {count}.")


def _finished(record: dg.RunRecord) -> FinishedRun:
    run = record.dagster_run
    days = of_tags(run.tags)
    created = record.create_timestamp.replace(tzinfo=UTC).timestamp()
    return FinishedRun(
        run_id=run.run_id,
        job=run.job_name,
        first_day=days.first if days else None,
        last_day=days.last if days else None,
        started_at=_time(float(run.tags.get(BEGAN) or record.start_time or created)),
        ended_at=_time(record.end_time or record.update_timestamp.replace(tzinfo=UTC).timestamp()),
        status=run.status.value,
        code_version=run.tags.get(CODE_VERSION) or code_version(),
    )


def _check_results(instance: dg.DagsterInstance, run_id: str) -> Iterator[CheckResult]:
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        if entry.dagster_event is None:
            continue
        check = entry.dagster_event.asset_check_evaluation_data
        yield CheckResult(
            run_id=run_id,
            asset=check.asset_key.to_user_string(),
            check_name=check.check_name,
            passed=check.passed,
            severity=check.severity.value,
            evaluated_at=_time(entry.timestamp),
            description=check.description,
            metadata=json.dumps({name: _plain(value) for name, value in check.metadata.items()}, default=str),
        )


def _plain(value: dg.MetadataValue[Any]) -> object:
    """A metadata value as JSON takes it: a table as its records."""
    return [row.data for row in value.records] if isinstance(value, dg.TableMetadataValue) else value.value


def _time(seconds: float) -> datetime:
    """A moment in UTC, without its zone."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
