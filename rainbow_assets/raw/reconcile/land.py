"""What a reconciliation lands goes into raw as a run's files do, and is looked at as theirs are.

Here: the registration with its open checks, and the look that settles them. Not here: what is landed
(`source.py`), and the checks themselves (`raw/compare.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import duckdb
from pyiceberg.catalog.sql import SqlCatalog

from rainbow_assets.errors import DataError
from rainbow_assets.landing import drift
from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.files import LandingFile
from rainbow_assets.raw import compare
from rainbow_assets.raw.register import known_columns, register
from rainbow_assets.settings import Settings
from rainbow_assets.systems import ducklake
from rainbow_assets.tables import SourceTable
from rainbow_assets.transform import open_checks
from rainbow_assets.transform.open_checks import AGREE, COMPLETE, WHOLE
from rainbow_assets.window import Days

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Systems:
    """What is compared, and where the news goes."""

    settings: Settings
    connection: duckdb.DuckDBPyConnection
    catalog: SqlCatalog
    s3: "S3Client"


def enter(
    systems: Systems,
    table: SourceTable,
    files: list[LandingFile],
    written: dict[LandingFile, int],
    days: Days,
    run_id: str,
) -> None:
    """Register `files` and open the checks of their days; `written`: their rows. `days`: those that are compared.

    Raises:
        DataError: the object store has not the rows that were written; nothing is registered then.
        TransientError: a catalog or the object store does not answer.
    """
    connection, url = systems.connection, systems.settings.secret("catalog_url")
    with ducklake.store_errors():
        broken = set(compare.broken_files(connection, written))
    if broken:
        lost = f"{len(broken)} files have not the rows that were written"
        for part in _stretches(file.day for file in files if file.uri in broken):
            open_checks.settle(connection, url, f"landing/{table.name}", {WHOLE: lost}, part, run_id)
        raise DataError(f"{table.name}: {lost}: {min(broken)}.", "See the object store's log.")
    asset, found = f"raw/{table.name}", sorted(files)
    open_checks.prepare(connection)
    until_checked = [
        open_checks.opening(asset, dict.fromkeys(_checks(part, days), open_checks.UNCHECKED), part, run_id)
        for part in _parts((file.day for file in found), days)
    ]
    span = Days(found[0].day, found[-1].day)
    register(connection, systems.catalog, table, found, span, run_id, also="; ".join(until_checked))


def look(systems: Systems, table: SourceTable, days: Days, run_id: str) -> None:
    """Look at all days of `table` for which a check of raw is open, and settle it; `days`: those that are compared.

    Raises:
        TransientError: a system does not answer; the checks stay open.
    """
    connection, asset = systems.connection, f"raw/{table.name}"
    waiting = open_checks.days_open(connection, asset)
    if not waiting:
        return
    source = systems.settings.secret("source_url")
    columns = drift.check(source, table, known_columns(connection, table))
    for part in _parts(waiting, days):
        landed = landing_files.files(systems.s3, systems.settings.s3_bucket, table.name, part)
        reasons = {AGREE: compare.catalogs_agree(connection, systems.catalog, table, landed, part).reason}
        if COMPLETE in _checks(part, days):
            reasons[COMPLETE] = compare.source_in_raw(connection, source, table, columns, part).reason
        open_checks.settle(connection, systems.settings.secret("catalog_url"), asset, reasons, part, run_id)


def _checks(part: Days, days: Days) -> tuple[str, ...]:
    """What is asked of `part`. A day that is not compared, where made versions lie, need not hold all of the source."""
    return (COMPLETE, AGREE) if part.first in days else (AGREE,)


def _parts(given: Iterable[date], days: Days) -> list[Days]:
    """The given days as stretches, each within `days` or outside; the first partition also takes what is older."""
    every = sorted(set(given))
    within, beyond = [day for day in every if day in days], [day for day in every if day not in days]
    return [
        *(
            Days(part.first, part.last, open_start=days.open_start and part.first == days.first)
            for part in _stretches(within)
        ),
        *_stretches(beyond),
    ]


def _stretches(given: Iterable[date]) -> list[Days]:
    """The given days, those that follow each other together."""
    found: list[Days] = []
    for day in sorted(set(given)):
        if found and day == found[-1].last + timedelta(days=1):
            found[-1] = Days(found[-1].first, day)
        else:
            found.append(Days(day, day))
    return found
