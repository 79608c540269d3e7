"""What is wrong with a landing file, judged from all that store and catalogs know of it.

Here: evidence and verdicts, without any system. Not here: how evidence is gathered (`evidence.py`) and damage mended
(`repair.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from rainbow_assets.landing.files import LandingFile
from rainbow_assets.raw.fsck.content import Content, Unreadable


class Kind(StrEnum):
    """The kinds of damage."""

    missing = "missing"  # registered, not in the store
    orphaned = "orphaned"  # in the store, in no catalog or in one only
    doubled = "doubled"  # registered more than once in a catalog
    misdated = "misdated"  # the path's day is not that of the rows
    miscounted = "miscounted"  # file, metadata and catalogs disagree on the rows
    altered = "altered"  # not the bytes or the rows that were written
    broken = "broken"  # cannot be read
    endangered = "endangered"  # DuckLake would delete it
    foreign = "foreign"  # no landing file


@dataclass(frozen=True)
class Finding:
    """`where`: an object's URI. `remedy`: what a repair does, or why it cannot and what to do instead."""

    kind: Kind
    table: str
    where: str
    what: str
    remedy: str
    is_mendable: bool = False


@dataclass(frozen=True)
class Entry:
    """What a catalog believes of a file."""

    rows: int
    size: int


@dataclass(frozen=True)
class Evidence:
    """All that is known of one landing file.

    `size`: bytes in the store, None where it is not there. `ducklake`, `iceberg`: an entry for each registration.
    `content`: None where it was not read. `objection`: why an orphan must not be registered, for all that it is whole.
    `twin`: the URI of an older registered file with just the same rows.
    """

    file: LandingFile
    size: int | None
    ducklake: tuple[Entry, ...] = ()
    iceberg: tuple[Entry, ...] = ()
    content: Content | Unreadable | None = None
    objection: str = ""
    is_doomed: bool = False
    twin: str = ""

    @property
    def catalogs(self) -> dict[str, tuple[Entry, ...]]:
        """The registrations by catalog."""
        return {"Iceberg": self.iceberg, "DuckLake": self.ducklake}

    @property
    def is_orphan(self) -> bool:
        """In the store and in no catalog."""
        return self.size is not None and not self.ducklake and not self.iceberg

    @property
    def is_copy(self) -> bool:
        """A sound file that holds nothing but what its twin holds."""
        return bool(self.twin) and not list(_damages(self))


RESTORE = "left: a landing file never changes; put the object back from a backup."
FORGET = (
    "left: put the object back from a backup. Or, if the bucket is the right one, give the file up with `--repair "
    "--forget-missing`, and `rainbow run {day}` adds what the source still holds of it."
)


def judge(evidence: Evidence) -> Iterator[Finding]:
    """The findings of one file; none for a healthy one."""
    file = evidence.file
    for kind, what, remedy, is_mendable in (*_of_registrations(evidence), *_of_object(evidence)):
        yield Finding(kind, file.table, file.uri, what, remedy, is_mendable)


def _of_registrations(evidence: Evidence) -> Iterator[tuple[Kind, str, str, bool]]:
    """What is wrong with the catalogs' entries, as kind, what, remedy and whether a repair does it."""
    if evidence.is_doomed:
        what = "DuckLake will delete it at its next clean-up, as its registration has ended"
        yield Kind.endangered, what, "takes it off DuckLake's list of files to delete.", True
    for catalog, entries in evidence.catalogs.items():
        if len(entries) > 1:
            what = f"registered {len(entries)} times in {catalog}, which counts its rows as often"
            yield Kind.doubled, what, "takes the later registrations back.", True
    if evidence.is_copy:
        what = f"a copy of {evidence.twin}, and both are registered"
        yield Kind.doubled, what, "takes its registrations back; the object stays.", True
    holders = [catalog for catalog, entries in evidence.catalogs.items() if entries]
    if evidence.size is None and holders:
        rows = max(entry.rows for entries in evidence.catalogs.values() for entry in entries)
        what = f"{rows:,} rows registered in {' and '.join(holders)}, and no such object"
        yield Kind.missing, what, FORGET.format(day=evidence.file.day), False


def _of_object(evidence: Evidence) -> Iterator[tuple[Kind, str, str, bool]]:
    """What is wrong with an object of the store."""
    if evidence.size is None:
        return
    damages = list(_damages(evidence))
    yield from ((kind, what, RESTORE, False) for kind, what in damages)
    lacking = [catalog for catalog, entries in evidence.catalogs.items() if not entries]
    if not lacking or evidence.is_copy:
        return
    objection = evidence.objection
    if damages:
        objection = "it is damaged, see there."
    elif evidence.content is None:
        objection = "it was not read. Leave --quick out."
    remedy = f"left: {objection}" if objection else "registers it there."
    yield Kind.orphaned, f"in the store, not in {' or '.join(lacking)}", remedy, not objection


def _damages(evidence: Evidence) -> Iterator[tuple[Kind, str]]:
    """What is wrong with the object itself."""
    content = evidence.content
    if isinstance(content, Unreadable):
        yield Kind.broken, f"cannot be read: {content.reason}"
    sizes = {entry.size for entries in evidence.catalogs.values() for entry in entries} - {evidence.size}
    if sizes:
        yield Kind.altered, f"{evidence.size:,} bytes, and {min(sizes):,} when it was registered"
    counts = {catalog: entry.rows for catalog, entries in evidence.catalogs.items() for entry in entries}
    if isinstance(content, Content):
        day = evidence.file.day
        if content.rows and (content.first, content.last) != (day, day):
            other = content.first if content.first != day else content.last
            yield Kind.misdated, f"its rows have change_date {other}, its path {day}"
        if content.is_altered:
            yield Kind.altered, f"its rows have checksum {content.checksum}, not that of its metadata"
        counts["the file"] = content.rows
        if content.written_rows is not None:
            counts["its metadata"] = content.written_rows
    if len(set(counts.values())) > 1:
        yield Kind.miscounted, "rows: " + ", ".join(f"{count:,} in {place}" for place, count in counts.items())
