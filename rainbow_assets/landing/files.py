"""The landing layer's files: names, listing, and the reading of what they already hold.

Here: `raw/<table>/change_date=YYYY-MM-DD/<unique>.parquet` and nothing else. Not here: how rows get into a file
(`write.py`) or a file into the catalogs (`raw/register.py`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from rainbow_assets.systems import object_store
from rainbow_assets.window import Days

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
