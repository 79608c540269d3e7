"""The daily partitions of landing and raw. What lies behind raw is not partitioned: it follows what raw gained."""

from collections.abc import Mapping
from datetime import date, timedelta

import dagster as dg

from rainbow_assets.pipeline.landing import Days
from rainbow_assets.settings import Settings


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition a UTC day, from `RAINBOW_START_DATE` to `RAINBOW_END_DATE` or else to yesterday."""
    end = settings.end_date
    return dg.DailyPartitionsDefinition(
        start_date=settings.start_date.isoformat(),
        end_date=(end + timedelta(days=1)).isoformat() if end else None,  # exclusive
    )


def days_of(context: dg.AssetExecutionContext, settings: Settings) -> Days:
    """The days of this run; right for one partition and for a range in a single run."""
    window = context.partition_time_window
    first, last = window.start.date(), (window.end - timedelta(days=1)).date()
    return Days(first, last, open_start=first == settings.start_date)


def days_of_run(tags: Mapping[str, str]) -> Days | None:
    """The days of a run by its tags, for a step without partitions of its own; None for a run without any."""
    first = tags.get("dagster/partition") or tags.get("dagster/asset_partition_range_start")
    last = tags.get("dagster/partition") or tags.get("dagster/asset_partition_range_end")
    return Days(date.fromisoformat(first), date.fromisoformat(last)) if first and last else None


DAILY = daily_partitions(Settings.load())
