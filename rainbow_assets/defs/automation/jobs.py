"""The jobs and their schedules."""

import dagster as dg

from rainbow_assets.version import code_version

CODE_VERSION = "rainbow/code_version"

batch_job = dg.define_asset_job(
    "batch_job",
    selection=dg.AssetSelection.groups("landing", "raw", "staging", "warehouse", "marts", "ops", "serving"),
    description="The whole batch layer for a day or a range of days: source to ClickHouse.",
    tags={CODE_VERSION: code_version()},
)

daily_batch_schedule = dg.build_schedule_from_partitioned_job(
    batch_job,
    name="daily_batch_schedule",
    hour_of_day=0,
    minute_of_hour=0,
    description="At 00:00 UTC, the day before.",
)
