"""Which run each part of the lakehouse serves now, and the lake's snapshots by run or by time.

Here: reading the runs' ids where they were stamped: DuckLake's commit messages and `ops.last_build`, Iceberg's
snapshot summaries, ClickHouse's publications. Not here: the stamping, which is done with each write.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from rainbow_assets.errors import DataError, RainbowError
from rainbow_assets.settings import Settings
from rainbow_assets.systems import clickhouse, ducklake, postgres
from rainbow_assets.systems.ducklake import LAKE
from rainbow_assets.tables import TABLES

RUN = re.compile(r"[0-9a-f]{8}[0-9a-f-]*", re.IGNORECASE)
SNAPSHOTS = f"""
    SELECT snapshot_id, snapshot_time, commit_message,
        if(json_valid(commit_extra_info), commit_extra_info->>'$.run_id', NULL) AS run_id
    FROM ducklake_snapshots('{LAKE}')"""

NEWEST_ICEBERG = """
    WITH read AS (SELECT filename, content::JSON AS body FROM read_text(?)),
    known AS (
        SELECT filename, body->>'$.current-snapshot-id' AS newest, unnest((body->'$.snapshots')::JSON[]) AS snapshot
        FROM read)
    SELECT
        coalesce(snapshot->>'$.summary."rainbow.run_id"', ''),
        make_timestamp((snapshot->>'$.timestamp-ms')::BIGINT * 1000),
        'raw.' || split_part(filename, '/', -3)
    FROM known WHERE snapshot->>'$.snapshot-id' = newest ORDER BY 2 DESC LIMIT 1"""


@dataclass(frozen=True)
class Version:
    """What `part` serves: made by which run, when (UTC), and what it `shows`; `usable`: whether that is known."""

    part: str
    run_id: str = ""
    at: datetime | None = None
    shows: str = ""
    usable: bool = True


def snapshot_as_of(connection: duckdb.DuckDBPyConnection, text: str) -> int:
    """The lake's snapshot at the end of a run (its id, or the first 8 or more characters of it) or at a time.

    A time is ISO 8601, in UTC unless it says otherwise.

    Raises:
        DataError: there is no such run or no such time, or two runs begin like that.
    """
    if RUN.fullmatch(text):
        return _last_snapshot_of(connection, text.lower())
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise DataError(
            f"'{text}' is neither a run id nor a time.",
            "Write 8 or more characters of the id, or a time such as 2026-11-20T13:00:00.",
        ) from None
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    query = f"SELECT max(snapshot_id) FILTER (snapshot_time <= ?), min(snapshot_time) FROM ({SNAPSHOTS})"
    [(snapshot, first)] = connection.execute(query, [moment]).fetchall()
    if snapshot is None:
        raise DataError(f"The lake's past begins at {first:%Y-%m-%dT%H:%M:%S} UTC.", "Choose a later time.")
    return int(snapshot)


def served(settings: Settings) -> Iterator[Version]:
    """A line or two for each part: lake, Iceberg, ClickHouse."""
    asked = {"lake": _lake, "Iceberg": _iceberg, "ClickHouse": _clickhouse}
    with ThreadPoolExecutor(len(asked)) as workers:  # each waits for another system
        for part, answer in {part: workers.submit(ask, settings) for part, ask in asked.items()}.items():
            try:
                yield from answer.result()
            except RainbowError as error:
                yield Version(part, shows=str(error), usable=False)


def _last_snapshot_of(connection: duckdb.DuckDBPyConnection, prefix: str) -> int:
    query = f"SELECT run_id, max(snapshot_id) FROM ({SNAPSHOTS}) WHERE starts_with(run_id, ?) GROUP BY ALL LIMIT 2"
    found = connection.execute(query, [prefix]).fetchall()
    if not found:
        raise DataError(
            f"The lake has no snapshot of a run {prefix}: there is none, it wrote nothing, or it is too long ago.",
            "`rainbow history` lists the runs.",
        )
    if len(found) > 1:
        raise DataError(f"Several runs begin with {prefix}.", "Write more of the id.")
    return int(found[0][1])


def _lake(settings: Settings) -> list[Version]:
    with ducklake.connect(settings, read_only=True) as connection:
        build, registration = Version("lake: whole build"), Version("lake: registration")
        if "run_id" in ducklake.columns(connection, "ops", "last_build"):
            query = f"SELECT coalesce(run_id, ''), completed_at, to_snapshot FROM {LAKE}.ops.last_build"
            for run_id, at, snapshot in connection.execute(query).fetchall():
                build = Version(build.part, run_id, at, f"raw up to snapshot {snapshot}")
        query = f"""
            SELECT coalesce(run_id, ''), timezone('UTC', snapshot_time), snapshot_id, commit_message FROM ({SNAPSHOTS})
            WHERE starts_with(commit_message, 'register ') ORDER BY snapshot_id DESC LIMIT 1"""
        for run_id, at, snapshot, message in connection.execute(query).fetchall():
            registration = Version(registration.part, run_id, at, f"snapshot {snapshot}, {message.split()[-1]}")
    return [build, registration]


def _iceberg(settings: Settings) -> list[Version]:
    """From the catalog's table and the metadata files that it names: pyiceberg alone takes longer than all the rest."""
    url, setting = settings.secret("iceberg_catalog_url"), "RAINBOW_ICEBERG_CATALOG_URL"
    if postgres.fetch(url, setting, "SELECT to_regclass('iceberg_tables')") == [(None,)]:
        return [Version("Iceberg")]
    query = "SELECT metadata_location FROM iceberg_tables WHERE table_namespace = 'raw' AND table_name = ANY(%s)"
    files = [file for (file,) in postgres.fetch(url, setting, query, [list(TABLES)])]
    if not files:
        return [Version("Iceberg")]
    with ducklake.connect(settings, read_only=True) as connection, ducklake.store_errors():
        newest = connection.execute(NEWEST_ICEBERG, [files]).fetchone()
    return [Version("Iceberg", *newest)] if newest else [Version("Iceberg")]


def _clickhouse(settings: Settings) -> list[Version]:
    from rainbow_assets.serving.publish import current

    with clickhouse.connect(settings) as client, clickhouse.errors(settings, "reading the publications"):
        shown = current(client)
    if shown is None:
        return [Version("ClickHouse")]
    what = f"lake snapshot {shown.lake_snapshot}, publication {shown.id}"
    return [Version("ClickHouse", shown.run_id, shown.published_at, what)]
