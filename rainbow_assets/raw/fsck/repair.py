"""The mending of a table's registrations. No object is ever written, moved or deleted.

Here: the few corrections that lose nothing, each safe to repeat. Not here: what is wrong (`findings.py`) and the
locks (`raw/fsck`): callers hold those of the table and of the warehouse.

A repair that takes rows from raw makes the next build a whole one, and keeps back every publication until then; where
files were given up, until their days were run again.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date

from rainbow_assets.landing.files import PREFIX
from rainbow_assets.raw import coverage
from rainbow_assets.raw.fsck.evidence import Survey, Systems
from rainbow_assets.raw.fsck.findings import Kind
from rainbow_assets.raw.register import SCHEMA, register
from rainbow_assets.systems import ducklake, ducklake_books, iceberg
from rainbow_assets.tables import SourceTable
from rainbow_assets.transform import builds, open_checks
from rainbow_assets.transform.open_checks import COMPLETE
from rainbow_assets.window import Days

RUN_ID = "fsck"
GIVEN_UP = "files were given up"


def mend(systems: Systems, table: SourceTable, look: Survey, forget_missing: bool) -> None:
    """Mend what `look` found mendable; `forget_missing`: also take out of the catalogs what the store has not.

    Raises:
        TransientError: a catalog or the object store does not answer; what is done by then stays done.
    """
    url = systems.settings.secret("catalog_url")
    doomed = ducklake_books.doomed(url, f"s3://{systems.settings.s3_bucket}/{PREFIX}/{table.name}/")
    if doomed:
        ducklake_books.spare(url, list(doomed))
    missing = {finding.where for finding in look.findings if finding.kind is Kind.missing}
    copies = {item.file.uri for item in look.evidence if item.is_copy}
    forgotten = copies | (missing if forget_missing and not look.is_gone else set())
    extra = _extra(url, table, forgotten)
    if extra:  # first, as a build that does not know of it would keep their rows
        builds.prepare(systems.connection)
        open_checks.prepare(systems.connection)
        lost = sorted({item.file.day for item in look.evidence if item.file.uri in forgotten - copies})
        with ducklake.transaction(systems.connection, "rows leave raw", RUN_ID):
            builds.refuse(systems.connection, RUN_ID)
            if lost:
                _distrust(systems, table, lost)
        ducklake_books.deregister(url, extra)
    _deregister_iceberg(systems, table, forgotten)
    orphans = {finding.where for finding in look.findings if finding.kind is Kind.orphaned and finding.is_mendable}
    files = [item.file for item in look.evidence if item.file.uri in orphans]
    if files:
        days = Days(files[0].day, files[-1].day)  # evidence is in the order of days
        register(systems.connection, systems.catalog, table, files, days, RUN_ID)


def _distrust(systems: Systems, table: SourceTable, days: Sequence[date]) -> None:
    """Note that raw may lack rows of `days`: nothing is published until they were run again."""
    coverage.retract(systems.connection, table.name, days)
    for day in days:
        opening = open_checks.opening(f"raw/{table.name}", {COMPLETE: GIVEN_UP}, Days(day, day), RUN_ID)
        systems.connection.execute(opening)


def _extra(url: str, table: SourceTable, forgotten: set[str]) -> list[int]:
    """DuckLake's registrations but the oldest of each file, and all of the `forgotten`."""
    seen: set[str] = set(forgotten)
    extra = []
    for entry in ducklake_books.registrations(url, SCHEMA, table.name):
        if entry.path in seen:
            extra.append(entry.id)
        seen.add(entry.path)
    return extra


def _deregister_iceberg(systems: Systems, table: SourceTable, forgotten: set[str]) -> None:
    """Leave one registration of each file, and none of the `forgotten`."""
    entries = iceberg.data_files(systems.catalog, SCHEMA, table.name)
    times = Counter(entry.file_path for entry in entries)
    doubled = [entry for entry in entries if times[entry.file_path] > 1 and entry.file_path not in forgotten]
    gone = [entry for entry in entries if entry.file_path in forgotten]
    for some, keep in ((doubled, True), (gone, False)):
        if some:
            iceberg.deregister(systems.catalog.load_table((SCHEMA, table.name)), some, keep, RUN_ID)
