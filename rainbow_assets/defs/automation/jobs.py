"""The jobs and their schedules."""

from datetime import UTC, timedelta

import dagster as dg

from rainbow_assets.defs.automation import days
from rainbow_assets.settings import Settings
from rainbow_assets.stack.environment import is_embedded
from rainbow_assets.version import code_version
from rainbow_assets.window import range_tags

CODE_VERSION = ".dagster/rainbow_code_version"  # that prefix keeps it out of the runs page

RECONCILIATION = dg.AssetKey(["ops", "reconciliation"])


def default_status() -> dg.DefaultScheduleStatus:
    """On the embedded stack the schedules are on from the start; elsewhere somebody decides."""
    on = is_embedded(Settings.load())
    return dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED


batch_job = dg.define_asset_job(
    "batch_job",
    selection=dg.AssetSelection.groups("landing", "raw", "staging", "warehouse", "marts", "ops", "serving")
    - dg.AssetSelection.assets(RECONCILIATION),
    description="The whole batch layer for a day or a range of days: source to ClickHouse.",
    tags={CODE_VERSION: code_version()},
)

reconcile_job = dg.define_asset_job(
    "reconcile_job",
    selection=dg.AssetSelection.assets(RECONCILIATION).downstream(),
    description="Source against raw over all days; where raw gains something, warehouse and serving follow.",
    tags={CODE_VERSION: code_version()},
)


@dg.schedule(
    name="daily_batch_schedule",
    default_status=default_status(),
    job=batch_job,
    cron_schedule="0 0 * * *",
    execution_timezone="UTC",
    description="At 00:00 UTC, the days from the first that was not run to the day before, in one run.",
)
def daily_batch_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """What is due at this tick; days that a run has under way are left to it."""
    settings = Settings.load()
    newest = context.scheduled_execution_time.astimezone(UTC).date() - timedelta(days=1)
    if reason := settings.ended(newest):
        return dg.SkipReason(f"Nothing is due: {reason}.")
    going = list(days.under_way(context.instance, batch_job.name))
    due = [
        day
        for day in days.not_run(context.instance, settings, newest)
        if not any(first <= day <= last for first, last in going)
    ]
    if not due:
        return dg.SkipReason(f"Every day up to {newest} was run, or is being run.")
    first = due[0]
    return dg.RunRequest(partition_key=str(first) if first == newest else None, tags=range_tags(first, newest))
