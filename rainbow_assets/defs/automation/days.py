"""Which daily partitions were run: asked of the Dagster instance, for what starts runs and for what misses them.

Not here: when a day is due (`jobs.py`) or late (`signs.py`).
"""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg

from rainbow_assets import window
from rainbow_assets.settings import Settings
from rainbow_assets.tables import TABLES

PARTITIONED = [dg.AssetKey([layer, name]) for layer in ("landing", "raw") for name in TABLES]
GOING = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def not_run(instance: dg.DagsterInstance, settings: Settings, last: date) -> list[date]:
    """The days from the first partition to `last` that an asset of landing or raw does not have, in order."""
    span = range((last - settings.start_date).days + 1)
    wanted = {str(day): day for day in (settings.start_date + timedelta(days=number) for number in span)}
    if not wanted:
        return []
    held = [instance.get_materialized_partitions(key) for key in PARTITIONED]
    return [day for name, day in wanted.items() if not all(name in days for days in held)]


def under_way(instance: dg.DagsterInstance, job_name: str) -> Iterator[tuple[date, date]]:
    """The first and last days of the job's runs that are queued or going on."""
    for run in instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=GOING)):
        if days := window.of_tags(run.tags):
            yield days.first, days.last
