"""The daily partitions of landing and raw. What lies behind raw is not partitioned: it follows what raw gained.

Here: the partitions, and which of them a run has. Not here: the tags that say so (`window.py`), and which of them were
run (`automation/days.py`).
"""

from dataclasses import replace
from datetime import timedelta

import dagster as dg

from rainbow_assets.errors import DataError
from rainbow_assets.settings import Settings
from rainbow_assets.window import Days, of_tags


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
    days = of_tags(context.run.tags)
    if days is None:
        raise DataError("The run names no partition.", "Choose a day or a range of days.")
    settings.require_partitions(days.first, days.last)
    return replace(days, open_start=days.first == settings.start_date)


DAILY = daily_partitions(Settings.load())
