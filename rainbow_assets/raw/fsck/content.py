"""What a landing file holds, read back from the object store.

Here: rows, dates and the checksum as they are, and as the file's own metadata says that they were written. Not here:
whether that is right (`raw/fsck`).
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import duckdb

from rainbow_assets.landing import checksum
from rainbow_assets.landing.files import LandingFile
from rainbow_assets.systems import object_store
from rainbow_assets.systems.ducklake import one_line

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READERS = 8  # small files wait for the object store more than they compute


@dataclass(frozen=True)
class Content:
    """Of the rows: how many, their checksum, first and last change_date; of the metadata: what was written, or None."""

    rows: int
    checksum: int
    first: date | None
    last: date | None
    written_rows: int | None
    written_checksum: str | None

    @property
    def is_verifiable(self) -> bool:
        """Whether the checksum can be repeated here: another version of DuckDB may hash otherwise."""
        return checksum.is_repeatable(self.written_checksum)

    @property
    def is_altered(self) -> bool:
        """Whether the rows are not those that were written."""
        return self.is_verifiable and self.written_checksum != checksum.text(self.checksum)


@dataclass(frozen=True)
class Unreadable:
    """A file that cannot be read, and DuckDB's reason."""

    reason: str


def read(
    connection: duckdb.DuckDBPyConnection, s3: "S3Client", files: Sequence[LandingFile]
) -> dict[LandingFile, Content | Unreadable]:
    """Read every row of `files`.

    Raises:
        TransientError: the object store does not answer.
    """
    connection.execute("SET enable_http_metadata_cache = true")  # metadata and rows are two opens of one file
    with ThreadPoolExecutor(READERS) as readers:
        found = readers.map(lambda file: _read_one(connection, s3, file), files)
        return dict(zip(files, found, strict=True))


def _read_one(connection: duckdb.DuckDBPyConnection, s3: "S3Client", file: LandingFile) -> Content | Unreadable:
    reason = ""
    for _ in range(2):
        try:
            row = connection.cursor().execute(_QUERY, [file.uri]).fetchone()
        except duckdb.Error as error:
            reason = one_line(error)
            # The file's fault, or the store's? Asking the store for its name fails where the store is away.
            if not any(object_store.keys(s3, file.bucket, file.key)):
                return Unreadable("it vanished meanwhile")
        else:
            assert row is not None  # noqa: S101 - an aggregate has a row
            return Content(*row)
    return Unreadable(reason)


_QUERY = f"""
    WITH written AS (
        SELECT decode(key) AS key, decode(value) AS value FROM parquet_kv_metadata($1)
        WHERE key IN ('rainbow.rows'::BLOB, 'rainbow.checksum'::BLOB))
    SELECT count(*), coalesce({checksum.row_hash(checksum.ROWS)}, 0), min(change_date), max(change_date),
        (SELECT try_cast(max(value) AS BIGINT) FROM written WHERE key = 'rainbow.rows'),
        (SELECT max(value) FROM written WHERE key = 'rainbow.checksum')
    FROM read_parquet($1, hive_partitioning = false) AS {checksum.ROWS}"""
