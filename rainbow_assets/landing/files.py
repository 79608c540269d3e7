"""The landing layer's files: names, listing, and the reading of what they already hold.

Here: `raw/<table>/change_date=YYYY-MM-DD/<unique>.parquet` and nothing else. Not here: how rows get into a file
(`write.py`) or a file into the catalogs (`raw/register.py`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from rainbow_assets.systems import object_store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "raw"
MADE = "made-"  # begins the name of a file with versions that the reconciliation made, in the midst of their day
_KEY = re.compile(r"^raw/(?P<table>[^/]+)/change_date=(?P<day>\d{4}-\d{2}-\d{2})/[^/]+\.parquet$")


@dataclass(frozen=True, order=True)
class LandingFile:
    """One immutable Parquet file; `key` is its object name in `bucket`."""

    table: str
    day: date
    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """The path that both catalogs record."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def is_made(self) -> bool:
        """Whether its rows were made by the reconciliation: that it is there does not mean that its day was loaded."""
        return self.key.rpartition("/")[2].startswith(MADE)


@dataclass(frozen=True)
class Days:
    """A closed range of days; `open_start`: the first partition, which also takes everything older.

    `since`: the same, but for what is not older than that day.
    """

    first: date
    last: date
    open_start: bool = False
    since: date | None = None

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


def new_key(table: str, day: date, name: str) -> str:
    """The object name of a new file."""
    return f"{PREFIX}/{table}/change_date={day}/{name}.parquet"


def parse(bucket: str, key: str) -> LandingFile | None:
    """The landing file that the object `key` is by its name, or None."""
    match = _KEY.match(key)
    try:
        return LandingFile(match["table"], date.fromisoformat(match["day"]), bucket, key) if match else None
    except ValueError:  # no such day
        return None


def files(client: "S3Client", bucket: str, table: str, days: Days) -> list[LandingFile]:
    """The files of `table` that are of `days` or may hold rows of them, in order. Lists only that part of the prefix.

    Raises:
        TransientError: the object store does not answer.
    """
    return sorted(_files(client, bucket, table, days))


def _files(client: "S3Client", bucket: str, table: str, days: Days) -> Iterator[LandingFile]:
    prefix = f"{PREFIX}/{table}/"
    # The name just before the first day's folder: some servers skip a folder that is named itself.
    start = "" if days.oldest == date.min else f"{prefix}change_date={days.oldest - timedelta(days=1)}~"
    if days.oldest == days.last:
        prefix, start = f"{prefix}change_date={days.last}/", ""
    for key in object_store.keys(client, bucket, prefix, start):
        file = parse(bucket, key)
        if file is None:
            continue
        if file.day > days.last:
            return
        yield file
