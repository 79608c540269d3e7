"""The days that a run is about, and those before them whose rows may have come late.

Here: the only reader and writer of the tags that say a run's days; they are Dagster's names, but plain text. Not here:
which days were run (`defs/automation/days.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class Days:
    """A closed range of days; `open_start`: the first partition, which also takes everything older.

    `since`: the same, but for what is not older than that day.
    """

    first: date
    last: date
    open_start: bool = False
    since: date | None = None

    @property
    def keys(self) -> frozenset[str]:
        """The partition key of each of them."""
        return frozenset(str(self.first + timedelta(days=n)) for n in range((self.last - self.first).days + 1))

    def __contains__(self, day: date) -> bool:
        """Whether `day` is in the range."""
        return self.first <= day <= self.last

    def __str__(self) -> str:
        """`2026-01-01`, or `2026-01-01..2026-01-31`."""
        return str(self.first) if self.first == self.last else f"{self.first}..{self.last}"

    @property
    def end(self) -> datetime:
        """The moment at which they are over."""
        return datetime.combine(self.last + timedelta(days=1), time.min)

    @property
    def oldest(self) -> date:
        """The first day whose files may hold rows of these days: the first partition may have been another one."""
        return date.min if self.open_start else self.since or self.first


def look_back(days: Days, number: int, start: date) -> Days | None:
    """The `number` days before `days`, whose rows may have come late; None where there are none.

    `start`: the first partition, which takes what is older.
    """
    since = days.first - timedelta(days=number)
    first, last = max(since, start), days.first - timedelta(days=1)
    if days.open_start or first > last:
        return None
    return Days(first, last, since=since if since < first else None)


def with_look_back(days: Days, number: int, start: date) -> Days:
    """`days` and those that `look_back` gives before them."""
    earlier = look_back(days, number, start)
    return Days(earlier.first, days.last, since=earlier.since) if earlier else days


def of_tags(tags: Mapping[str, str]) -> Days | None:
    """The days of a run by its tags; None for a run without any, or of partitions that are no days."""
    found = _ends(tags)
    try:
        return Days(date.fromisoformat(found[0]), date.fromisoformat(found[1])) if found else None
    except ValueError:
        return None


def keys_of_tags(tags: Mapping[str, str]) -> frozenset[str]:
    """The partition keys of a run by its tags; of a range of partitions that are no days, its ends."""
    days = of_tags(tags)
    return days.keys if days else frozenset(_ends(tags) or ())


def range_tags(first: date, last: date) -> dict[str, str]:
    """The tags of a run over several days; a run of one day has its partition key instead."""
    return {} if first == last else {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}


def _ends(tags: Mapping[str, str]) -> tuple[str, str] | None:
    first, last = (tags.get(PARTITION) or tags.get(name) for name in (RANGE_START, RANGE_END))
    return (first, last) if first and last else None
