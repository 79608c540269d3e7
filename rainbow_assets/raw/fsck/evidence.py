"""What store and catalogs know of a table's landing files.

Here: gathering, and the question whether an orphan would double rows. Not here: verdicts (`findings.py`).
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

import duckdb
from pyiceberg.catalog.sql import SqlCatalog

from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.checksum import ROWS
from rainbow_assets.landing.files import LandingFile
from rainbow_assets.landing.names import LINEAGE
from rainbow_assets.landing.values import RESCUED
from rainbow_assets.raw.fsck import content as fsck_content
from rainbow_assets.raw.fsck.content import Content, Unreadable
from rainbow_assets.raw.fsck.findings import Entry, Evidence, Finding, Kind, judge
from rainbow_assets.raw.register import SCHEMA
from rainbow_assets.settings import Settings
from rainbow_assets.systems import ducklake, ducklake_books, iceberg, object_store
from rainbow_assets.systems.ducklake import literal, one_line, quote
from rainbow_assets.tables import TABLES, SourceTable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


GONE = "left: the bucket holds no file of this table at all. Check RAINBOW_S3_BUCKET."


@dataclass
class Systems:
    """What is compared. `reads`: whether files are opened; `contents`: those read so far, by URI and size."""

    settings: Settings
    connection: duckdb.DuckDBPyConnection
    catalog: SqlCatalog
    s3: "S3Client"
    reads: bool
    say: Callable[[str], None]
    contents: dict[tuple[str, int], Content | Unreadable] = field(default_factory=dict)


@dataclass(frozen=True)
class Survey:
    """A table: its files, and what its catalogs hold beside them."""

    evidence: list[Evidence]
    strangers: list[Finding]

    @property
    def findings(self) -> list[Finding]:
        """All that is wrong."""
        found = [*self.strangers, *(finding for item in self.evidence for finding in judge(item))]
        return [replace(item, remedy=GONE) if self.is_gone and item.kind is Kind.missing else item for item in found]

    @property
    def is_gone(self) -> bool:
        """Whether the store has none of the files: rather another bucket than a loss."""
        return all(item.size is None for item in self.evidence)


def stored(systems: Systems, prefix: str) -> tuple[dict[LandingFile, int], list[str]]:
    """The landing files below `prefix` with their sizes, and the URIs of what is none."""
    bucket = systems.settings.s3_bucket
    files: dict[LandingFile, int] = {}
    strangers: list[str] = []
    for entry in object_store.objects(systems.s3, bucket, prefix):
        file = landing_files.parse(bucket, entry["Key"])
        if file and file.table in TABLES:
            files[file] = entry["Size"]
        else:
            strangers.append(f"s3://{bucket}/{entry['Key']}")
    return files, strangers


def survey(systems: Systems, table: SourceTable, found: dict[LandingFile, int]) -> Survey:
    """Gather what is known of `table`; `found`: its files in the store, which are read once each."""
    bucket, url = systems.settings.s3_bucket, systems.settings.secret("catalog_url")
    lake: dict[str, list[Entry]] = defaultdict(list)
    berg: dict[str, list[Entry]] = defaultdict(list)
    for known in ducklake_books.registrations(url, SCHEMA, table.name):
        lake[known.path].append(Entry(known.rows, known.size))
    for entry in iceberg.data_files(systems.catalog, SCHEMA, table.name):
        berg[entry.file_path].append(Entry(entry.record_count, entry.file_size_in_bytes))
    doomed = set(ducklake_books.doomed(url, f"s3://{bucket}/{landing_files.PREFIX}/{table.name}/").values())
    registered = {
        uri: landing_files.parse(bucket, uri.removeprefix(f"s3://{bucket}/")) for uri in {*lake, *berg, *doomed}
    }
    own = {file for file in registered.values() if file and file.table == table.name}
    contents = _contents(systems, table, found) if systems.reads else {}
    twins = _twins([file for uri in lake if (file := registered[uri]) in own], contents)
    evidence = [
        Evidence(
            file,
            found.get(file),
            tuple(lake.get(file.uri, ())),
            tuple(berg.get(file.uri, ())),
            contents.get(file),
            is_doomed=file.uri in doomed,
            twin=twins.get(file, ""),
        )
        for file in sorted(own | set(found))
    ]
    strangers = [
        Finding(
            Kind.foreign, table.name, uri, "registered, and no landing file of the table", "left: nobody here wrote it."
        )
        for uri, file in sorted(registered.items())
        if file not in own
    ]
    return Survey(_with_objections(systems, table, evidence), strangers)


def _contents(
    systems: Systems, table: SourceTable, found: dict[LandingFile, int]
) -> dict[LandingFile, Content | Unreadable]:
    """What the files hold; those that were read before are not read again."""
    unread = [file for file, size in found.items() if (file.uri, size) not in systems.contents]
    if unread:
        systems.say(f"{table.name}, {len(unread):,} files")
    for file, content in fsck_content.read(systems.connection, systems.s3, unread).items():
        systems.contents[file.uri, found[file]] = content
    return {file: systems.contents[file.uri, size] for file, size in found.items()}


def _twins(files: list[LandingFile], contents: dict[LandingFile, Content | Unreadable]) -> dict[LandingFile, str]:
    """The files that hold just the rows of an older one of their day, and its URI; `files`: the oldest first.

    The rows' `extracted_at` counts, so that no two extractions are alike: one is a copy of the other.
    """
    first: dict[tuple[date, int, int], str] = {}
    twins = {}
    for file in files:
        content = contents.get(file)
        if isinstance(content, Content) and content.rows:
            older = first.setdefault((file.day, content.rows, content.checksum), file.uri)
            if older != file.uri:
                twins[file] = older
    return twins


def _with_objections(systems: Systems, table: SourceTable, evidence: list[Evidence]) -> list[Evidence]:
    """Ask of every whole orphan whether it may be registered beside the other files of its day."""
    days: dict[date, list[Evidence]] = defaultdict(list)
    for item in evidence:
        if isinstance(item.content, Content):
            days[item.file.day].append(item)
    objections: dict[LandingFile, str] = {}
    for items in days.values():
        orphans = [item.file for item in items if item.is_orphan]
        wrong = {file: reason for file in orphans if (reason := _wrong_columns(systems.connection, table, file))}
        sound = [file for file in orphans if file not in wrong]
        held = [item.file for item in items if not item.is_orphan]
        objections |= wrong | (_repetitions(systems.connection, table, sound, held) if sound else {})
    return [replace(item, objection=objections.get(item.file, "")) for item in evidence]


def _wrong_columns(connection: duckdb.DuckDBPyConnection, table: SourceTable, file: LandingFile) -> str:
    """Why `file` must not be registered: it has not the table's columns."""
    has = ducklake.file_columns(connection, [file.uri])
    expected = table.columns | {name: kind for name, kind in LINEAGE.items() if name in has or name != RESCUED}
    if wrong := [(name, kind) for name, kind in expected.items() if has.get(name) != kind]:
        name, kind = wrong[0]
        return f"it has not the table's columns ({name} is {has.get(name, 'missing')}, not {kind})."
    return ""


def _repetitions(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, orphans: list[LandingFile], held: list[LandingFile]
) -> dict[LandingFile, str]:
    """Which of a day's orphans must not be registered beside what is `held`: those that repeat rows of other files.

    A version repeats what was extracted just before it of its (key, `updated_at`), or just after it, if that is held:
    what became again what it had been is no repetition, and counts. Of orphans that are alike the first may be.
    """
    version = ", ".join(quote(name) for name in [*table.key, "updated_at"])
    uris = [file.uri for file in [*orphans, *held]]
    listed, among = (", ".join(literal(uri) for uri in some) for some in (uris, uris[: len(orphans)]))
    try:
        has = ducklake.file_columns(connection, uris)
        names = ", ".join(quote(name) for name in has if name not in LINEAGE or name == RESCUED)
        rows = connection.execute(f"""
            SELECT file, count(*) FROM (
                SELECT file, is_orphan, content = lag(content) OVER extractions
                    OR (content = lead(content) OVER extractions AND NOT lead(is_orphan) OVER extractions) AS is_there
                FROM (
                    SELECT {version}, extracted_at, hash({names}) AS content, {ROWS} AS file,
                        {ROWS} IN ({among}) AS is_orphan
                    FROM read_parquet(
                        [{listed}], union_by_name = true, hive_partitioning = false, filename = {literal(ROWS)}))
                WINDOW extractions AS (PARTITION BY {version} ORDER BY extracted_at, content, is_orphan, file))
            WHERE is_orphan AND is_there GROUP BY file""").fetchall()
    except duckdb.Error as error:
        objection = f"it cannot be compared with the other files of its day: {one_line(error)}."
        return dict.fromkeys(orphans, objection)
    files = {file.uri: file for file in orphans}
    return {
        files[uri]: f"{count:,} of its rows are in other files of its day; move it out of raw/." for uri, count in rows
    }
