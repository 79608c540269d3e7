"""The daily maintenance, and its schedule. Not here: what it does (`ops/maintain`)."""

import dagster as dg

from rainbow_assets.defs.automation.jobs import default_status
from rainbow_assets.defs.conventions import told_failures
from rainbow_assets.ops.maintain import maintain
from rainbow_assets.settings import Settings


@dg.op(description="Merge, expire and clean up; landing files stay.", out=dg.Out(dg.Nothing))
def maintenance(context: dg.OpExecutionContext) -> None:
    """Do what is due, and tell it in the log."""
    with told_failures(context):
        for step in maintain(Settings.load(), context.log.debug):
            context.log.info("%s: %s %s", step.where, len(step.items), step.what)


@dg.job(description="Keeps the lakehouse quick and small: small files, old snapshots, unused files, old logs.")
def maintenance_job() -> None:
    """One step."""
    maintenance()


daily_maintenance_schedule = dg.ScheduleDefinition(
    name="daily_maintenance_schedule",
    job=maintenance_job,
    cron_schedule="0 3 * * *",
    default_status=default_status(),
    description="At 03:00 UTC, when the day's run is over.",
)
