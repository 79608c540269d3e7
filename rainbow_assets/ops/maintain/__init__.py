"""Maintenance: what keeps the lakehouse as quick and as small after a year as on its first day.

Here: the order of the parts. Not here: the work on DuckLake (`lake.py`), on Iceberg (`iceberg.py`),
on ClickHouse (`live.py`) and on logs (`logs.py`). Nothing below `raw/` is touched by any of it.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from rainbow_assets.ops.maintain.iceberg import maintain_iceberg
from rainbow_assets.ops.maintain.lake import maintain_lake
from rainbow_assets.ops.maintain.live import maintain_live
from rainbow_assets.ops.maintain.logs import maintain_logs
from rainbow_assets.ops.maintain.plan import Plan, Step
from rainbow_assets.settings import Settings

PARTS = (maintain_lake, maintain_iceberg, maintain_live, maintain_logs)


def maintain(
    settings: Settings, say: Callable[[str], None], *, keep_days: int | None = None, dry_run: bool = False
) -> list[Step]:
    """Do what is due, or with `dry_run` tell what would be done; `keep_days`: instead of `RAINBOW_RETENTION_DAYS`.

    Safe beside a run: it waits for a build or a publication that is under way, and the next one waits for it. Only with
    no days to keep may a query that began before lose its files.

    Raises:
        TransientError: a system does not answer.
        DataError: DuckLake would delete landing files; nothing was deleted.
    """
    keep = timedelta(days=settings.retention_days if keep_days is None else keep_days)
    plan = Plan(settings, datetime.now(UTC), keep, dry_run, say)
    return [step for part in PARTS for step in part(plan) if step.items]
