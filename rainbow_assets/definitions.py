"""The graph's start: loads `defs/` and binds the resources. Nothing is defined here."""

import warnings

from rainbow_assets import environment

environment.guard((*environment.OURS, "DBT_"))  # this process may be a code server that somebody else started

import dagster as dg  # noqa: E402 - after the guard

# Single-run backfills are in beta in this version, which is pinned; a line for each asset helps nobody.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

import rainbow_assets.defs  # noqa: E402 - after the filter
from rainbow_assets.defs.automation.alerts import alerts  # noqa: E402
from rainbow_assets.defs.automation.jobs import batch_job, daily_batch_schedule, reconcile_job  # noqa: E402
from rainbow_assets.defs.automation.maintenance import daily_maintenance_schedule, maintenance_job  # noqa: E402
from rainbow_assets.defs.automation.reconciliation import weekly_reconcile_schedule  # noqa: E402
from rainbow_assets.defs.automation.records import records_sensor  # noqa: E402
from rainbow_assets.defs.resources import Lake  # noqa: E402

defs = dg.Definitions(
    assets=dg.load_assets_from_package_module(rainbow_assets.defs, include_specs=True),
    asset_checks=dg.load_asset_checks_from_package_module(rainbow_assets.defs),
    jobs=[batch_job, maintenance_job, reconcile_job],
    schedules=[daily_batch_schedule, daily_maintenance_schedule, weekly_reconcile_schedule],
    sensors=[alerts, records_sensor],
    resources={"lake": Lake()},
    executor=dg.in_process_executor,  # a process a step costs more than the work
)
