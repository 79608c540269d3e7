"""The weekly reconciliation of source and raw: an asset with what follows from it, its job and its schedule.

Here: what the graph sees of it. Not here: the comparison and the landing (`raw/reconcile/source.py`).
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from functools import reduce
from typing import Any

import dagster as dg

from rainbow_assets.defs.automation.jobs import RECONCILIATION, default_status, reconcile_job
from rainbow_assets.defs.conventions import OWNERS, check_spec, told_failures, what_to_do
from rainbow_assets.defs.resources import Lake
from rainbow_assets.defs.transform.totals import wrong_orders
from rainbow_assets.raw.reconcile.land import Systems
from rainbow_assets.raw.reconcile.source import all_days, is_ahead, reconcile
from rainbow_assets.raw.reconcile.state import Found
from rainbow_assets.tables import TABLES
from rainbow_assets.transform import builds

MISSED = "no_row_was_missed"
WHOLE = "facts_hold_all_of_raw"
FOUND = "found"  # an observation's metadata with what was found of one table
TABLES_FOUND = "tables"  # the check's metadata with what was found of each table


class Range(dg.Config):
    """The days to compare, as YYYY-MM-DD; empty: from the first partition, to the last."""

    first: str = ""
    last: str = ""


@dg.asset(
    key=RECONCILIATION,
    deps=[[layer, name] for layer in ("source", "raw") for name in TABLES],  # beside a day's run, after it
    group_name="ops",
    kinds={"postgres", "parquet"},
    owners=OWNERS,
    description="Source against raw over all days. What no run saw is landed, and so is the end of what the source no "
    "longer has. In its job, what follows is left out where raw has no news for the warehouse.",
    output_required=False,
    check_specs=[
        check_spec(RECONCILIATION, MISSED, "Raw holds every row of the source as it is. Hard deletes are no failure."),
        check_spec(RECONCILIATION, WHOLE, "The facts of every order hold the quantity and the money of raw."),
    ],
)
def reconciliation(
    context: dg.AssetExecutionContext, config: Range, lake: Lake
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Compare and land; what follows builds and publishes it. The facts are compared with all of raw."""
    with told_failures(context):
        days = all_days(
            lake.settings,
            date.fromisoformat(config.first) if config.first else None,
            date.fromisoformat(config.last) if config.last else None,
        )
        systems = Systems(lake.settings, lake.connection, lake.iceberg, lake.s3)
        found = reconcile(
            systems,
            days,
            context.run.run_id,
            lambda name: context.log.info("comparing %s", name),
            tell=lambda table: context.log_event(_observation(table)),
        )
        found = _joined(found, _told_before(context) if context.retry_number else [])
        builds.prepare(lake.connection)
        is_whole = builds.run_of_last(lake.connection) is not None
        wrong = wrong_orders(lake.settings, context.run.run_id) if is_whole else 0
        has_news = is_ahead(lake.connection) or bool(wrong)
    if has_news or context.run.job_name != reconcile_job.name:
        yield dg.MaterializeResult(metadata={"days": str(days), "keys_gone": sum(table.gone for table in found)})
    yield _check(found)
    yield dg.AssetCheckResult(
        check_name=WHOLE,
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{wrong} orders have other facts than raw; everything is built anew." if wrong else None,
        metadata={"orders": wrong, **what_to_do(WHOLE)},
    )


def _observation(found: Found) -> dg.AssetObservation:
    """What one try found of a table: the next one reads it, as it no longer finds what was landed."""
    told = asdict(found) | {"days": [str(day) for day in found.days]}
    return dg.AssetObservation(RECONCILIATION, metadata={FOUND: dg.MetadataValue.json(told)})


def _told_before(context: dg.AssetExecutionContext) -> list[Found]:
    """What the tries before, of this run, found."""
    logs = context.instance.all_logs(context.run.run_id, of_type=dg.DagsterEventType.ASSET_OBSERVATION)
    seen = [entry.asset_observation.metadata[FOUND].value for entry in logs if entry.asset_observation]
    told: list[dict[str, Any]] = [value for value in seen if isinstance(value, dict)]
    return [Found(**one | {"days": [date.fromisoformat(day) for day in one["days"]]}) for one in told]


def _joined(found: list[Found], before: list[Found]) -> list[Found]:
    """What was found, with what the tries before found of the same tables."""
    return [reduce(Found.joined, (old for old in before if old.table == table.table), table) for table in found]


def _check(found: list[Found]) -> dg.AssetCheckResult:
    missed = {table.table: table.late + table.back for table in found if table.late + table.back}
    reasons = [table.reason for table in found if table.reason]
    told = [f"{name}: {rows} rows" for name, rows in missed.items()]
    return dg.AssetCheckResult(
        check_name=MISSED,
        passed=not (missed or reasons),
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join([*told, *reasons]) or None,
        metadata={
            TABLES_FOUND: dg.MetadataValue.json([_plain(table) for table in found]),
            **what_to_do(MISSED),
        },
    )


def _plain(found: Found) -> dict[str, object]:
    """As JSON; of the days that differ, how many."""
    return asdict(found) | {"days": len(found.days)}


weekly_reconcile_schedule = dg.ScheduleDefinition(
    name="weekly_reconcile_schedule",
    job=reconcile_job,
    cron_schedule="0 4 * * 0",
    execution_timezone="UTC",
    default_status=default_status(),
    description="On Sundays at 04:00 UTC, when run and maintenance are over.",
)
