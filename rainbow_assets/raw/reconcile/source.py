"""Source against raw, over all days: what every run has missed, and what is gone from the source.

Here: the order of looking and landing, a table at a time. Not here: the comparison (`state.py`), what becomes
of the landed files (`land.py`), and the build that takes the news on (`defs/automation/reconciliation.py`).

Raw is read before the source, under the locks of the table's runs: whatever raw holds had been committed by then, so
that what the source lacks afterwards was deleted. Rows of transactions that are still open are in neither.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date

import duckdb

from rainbow_assets.errors import DataError
from rainbow_assets.landing import drift, write
from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.drift import Columns
from rainbow_assets.landing.files import LandingFile
from rainbow_assets.raw.compare import stated_rows
from rainbow_assets.raw.reconcile import land, state
from rainbow_assets.raw.reconcile.land import Systems
from rainbow_assets.raw.reconcile.state import LATE, MADE, Found
from rainbow_assets.raw.register import SCHEMA, known_columns
from rainbow_assets.settings import Settings
from rainbow_assets.systems import ducklake, postgres
from rainbow_assets.systems.ducklake import LAKE
from rainbow_assets.tables import TABLES, SourceTable
from rainbow_assets.window import Days


def reconcile(
    systems: Systems,
    days: Days,
    run_id: str,
    say: Callable[[str], None],
    *,
    tell: Callable[[Found], None] | None = None,
    dry_run: bool = False,
    tables: Sequence[SourceTable] = tuple(TABLES.values()),
) -> list[Found]:
    """Compare each table of the source with raw over `days`; land and register what raw lacks, unless `dry_run`.

    A table whose columns or values do not fit the lake is left: its `reason` says why, and the others go on.
    `tell` hears of news before they are landed: once they are, another try does not find them.

    Raises:
        TransientError: a system does not answer; what is landed by then is registered by the next try.
    """
    results = []
    for table in tables:
        say(table.name)
        try:
            with _locked(systems.settings, table):
                results.append(_reconcile(systems, table, days, run_id, tell, dry_run))
        except DataError as error:
            results.append(Found(table.name, reason=str(error)))
    return results


def all_days(settings: Settings, first: date | None = None, last: date | None = None) -> Days:
    """The partitions from `first` to `last`, by default all of them.

    Raises:
        DataError: the range is upside down or leaves the partitions.
    """
    first, last = first or settings.start_date, last or settings.last_partition
    settings.require_partitions(first, last)
    return Days(first, last, open_start=first == settings.start_date)


def is_ahead(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether raw has files that no whole build has seen: those of now, or of a try before that broke off."""
    books = f"__ducklake_metadata_{LAKE}"
    built = ducklake.columns(connection, "ops", "last_build")
    since = f"(SELECT coalesce(max(to_snapshot), -1) FROM {LAKE}.ops.last_build)" if built else "-1"
    row = connection.execute(
        f"""
        SELECT count(*) > 0 FROM {books}.ducklake_data_file AS f
        JOIN {books}.ducklake_table AS t USING (table_id) JOIN {books}.ducklake_schema AS s USING (schema_id)
        WHERE s.schema_name = ? AND s.end_snapshot IS NULL AND t.end_snapshot IS NULL AND f.end_snapshot IS NULL
            AND f.begin_snapshot > {since}""",
        [SCHEMA],
    ).fetchone()
    return row == (True,)


def _reconcile(
    systems: Systems,
    table: SourceTable,
    days: Days,
    run_id: str,
    tell: Callable[[Found], None] | None,
    dry_run: bool,
) -> Found:
    """As `reconcile`, of one table under its locks."""
    found, columns = _compare(systems, table, days)
    if dry_run:
        return found
    if left := _left_behind(systems, table):
        with ducklake.store_errors():
            written = stated_rows(systems.connection, left)
        land.enter(systems, table, left, written, days, run_id)
        again, columns = _compare(systems, table, days)
        found = again.joined(found)
    if found.is_news:
        if tell:
            tell(found)
        _land(systems, table, columns, days, run_id)
    land.look(systems, table, days, run_id)  # also what a try before had not looked at
    return found


def _compare(systems: Systems, table: SourceTable, days: Days) -> tuple[Found, Columns]:
    """What is found; the rows to land are in `LATE` and `MADE` then."""
    url, connection = systems.settings.secret("source_url"), systems.connection
    columns = drift.check(url, table, known_columns(connection, table))
    with ducklake.transaction(connection):  # one snapshot of the lake, and after it one of the source
        state.read_raw(connection, table, columns, days)
        connection.execute(write.postgres_source(url))
        found = state.compare(connection, url, table, columns, days)
    return found, columns


def _left_behind(systems: Systems, table: SourceTable) -> list[LandingFile]:
    """What was landed before its run broke off, and not registered: files of the days to land on, and all made ones.

    Raw has to know them before it is compared: a version that such a file holds would be landed again, or never.
    """
    late, every = set(state.days_in(systems.connection, LATE)), Days(date.min, date.max, open_start=True)
    found = landing_files.files(systems.s3, systems.settings.s3_bucket, table.name, every)
    found = [file for file in found if file.is_made or file.day in late]
    with ducklake.transaction(systems.connection):  # for its failures
        known = ducklake.known_files(systems.connection, SCHEMA, table.name, [file.uri for file in found])
    return [file for file in found if file.uri not in known]


def _land(systems: Systems, table: SourceTable, columns: Columns, days: Days, run_id: str) -> None:
    """Append what is late to its days, and what was made to the day of now; then enter both in the catalogs."""
    connection, bucket = systems.connection, systems.settings.s3_bucket
    new: dict[LandingFile, int] = {}
    late = state.days_in(connection, LATE)
    if late:
        scope = Days(late[0], late[-1], open_start=days.open_start and late[0] == days.first)
        held = landing_files.files(systems.s3, bucket, table.name, scope)
        held = [file for file in held if file.day in set(late) or file.day < days.first]
        connection.execute(f"CREATE OR REPLACE TABLE {write.ROWS} AS FROM {LATE}")
        with ducklake.store_errors():
            new |= write.append(connection, table, columns.names, held, days.first, bucket, run_id)
    if state.days_in(connection, MADE):
        connection.execute(f"CREATE OR REPLACE TABLE {write.ROWS} AS FROM {MADE}")
        with ducklake.store_errors():
            new |= write.append(connection, table, columns.names, [], days.first, bucket, run_id, landing_files.MADE)
    if new:
        land.enter(systems, table, list(new), new, days, run_id)


@contextmanager
def _locked(settings: Settings, table: SourceTable) -> Iterator[None]:
    """Keep the runs of landing and raw away from the table; waits for one that is at it."""
    url, setting = settings.secret("catalog_url"), "RAINBOW_CATALOG_URL"
    with postgres.lock(url, setting, f"landing.{table.name}"), postgres.lock(url, setting, f"raw.{table.name}"):
        yield
