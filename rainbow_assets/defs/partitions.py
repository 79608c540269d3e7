"""The daily partitions of landing and raw. What lies behind raw is not partitioned: it follows what raw gained.

Here: the partitions, and the only reader and writer of the tags that say a run's days. Not here: which of them were run
(`automation/days.py`).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import dagster as dg

from rainbow_assets.errors import DataError
from rainbow_assets.landing.files import Days
from rainbow_assets.settings import Settings

PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition a UTC day, from `RAINBOW_START_DATE` to `RAINBOW_END_DATE` or else to yesterday."""
    end = settings.end_date
    return dg.DailyPartitionsDefinition(
        start_date=settings.start_date.isoformat(),
        end_date=(end + timedelta(days=1)).isoformat() if end else None,  # exclusive
    )


def days_of(context: dg.AssetExecutionContext, settings: Settings) -> Days:
    """The days of this run; right for one partition and for a range in a single run.

    Raises:
        DataError: the run has no days, or they are no range of partitions: its checks would pass over nothing.
    """
    days = days_of_run(context.run.tags)
    if days is None:
        raise DataError("The run names no partition.", "Choose a day or a range of days.")
    settings.require_partitions(days.first, days.last)
    return replace(days, open_start=days.first == settings.start_date)


def days_of_run(tags: Mapping[str, str]) -> Days | None:
    """The days of a run by its tags; None for a run without any."""
    first = tags.get(PARTITION) or tags.get(RANGE_START)
    last = tags.get(PARTITION) or tags.get(RANGE_END)
    return Days(date.fromisoformat(first), date.fromisoformat(last)) if first and last else None


def range_tags(first: date, last: date) -> dict[str, str]:
    """The tags of a run over several days; a run of one day has its partition key instead."""
    return {} if first == last else {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}


DAILY = daily_partitions(Settings.load())
