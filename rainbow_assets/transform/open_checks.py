"""The blocking checks that are open: nothing is published until what one refused has passed.

Here: the record, `lake.ops.open_checks`, a row a check and day (no day: the check looks at whole tables). The rows of
raw come with the registration of the files, in its snapshot, and go when the checks of these days have passed: so a run
that is killed before it has looked leaves them open. Not here: the checks themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from rainbow_assets.errors import DataError
from rainbow_assets.settings import Settings
from rainbow_assets.systems import ducklake, postgres
from rainbow_assets.systems.ducklake import LAKE, literal
from rainbow_assets.window import Days

TABLE = f"{LAKE}.ops.open_checks"
COLUMNS = {
    "asset": "VARCHAR",
    "check_name": "VARCHAR",
    "day": "DATE",
    "reason": "VARCHAR",
    "run_id": "VARCHAR",
    "opened_at": "TIMESTAMP",
}
# The names of those that the files of landing and raw have to pass.
WHOLE = "written_files_are_whole"
COMPLETE = "holds_every_source_row_once"
AGREE = "iceberg_equals_ducklake"
UNCHECKED = "not looked at: its run broke off"
SERVING = "serving/"  # what is wrong there is mended by a publication
SHOWN = 3


@dataclass(frozen=True)
class OpenCheck:
    """A blocking check of an asset that has not passed, for the days `first` to `last` (None: of whole tables)."""

    asset: str
    check: str
    first: date | None
    last: date | None
    days: int
    reason: str

    def __str__(self) -> str:
        """One line: the check, its days, and why."""
        when = ""
        if self.first:
            when = f" of {self.first}" if self.days == 1 else f" of {self.days} days, {self.first} to {self.last}"
        return f"{self.asset}: {self.check}{when} ({self.reason})"

    def mend(self, settings: Settings) -> str:
        """What to do; the first partition looks at what is older, too."""
        if self.first is None or self.last is None:
            return "Run the job again: it builds everything anew."
        if self.last > settings.last_partition:
            return f"Set RAINBOW_END_DATE to {self.last} or later, or take it out, and run these days again."
        first, last = max(self.first, settings.start_date), max(self.last, settings.start_date)
        days = str(first) if first == last else f"--from {first} --to {last}"
        return f"`rainbow run {days}` looks at these days again."


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the record where it is missing.

    Raises:
        TransientError: the lake does not answer, or another run was faster.
    """
    if ducklake.columns(connection, "ops", "open_checks"):
        return
    with ducklake.transaction(connection):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {LAKE}.ops")
        fields = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} ({fields})")


def opening(asset: str, reasons: Mapping[str, str], days: Days | None, run_id: str) -> str:
    """The statement that opens checks of `asset`, each with its reason, for `days`."""
    checks = ", ".join(f"({literal(check)}, {literal(reason)})" for check, reason in reasons.items())
    series = f"DATE {literal(days.first)}, DATE {literal(days.last)}, INTERVAL 1 DAY" if days else ""
    day = f"unnest(generate_series({series}))::DATE" if days else "NULL::DATE"
    return f"""
        INSERT INTO {TABLE} BY NAME
        SELECT {literal(asset)} AS asset, c.check_name, d.day, c.reason, {literal(run_id)} AS run_id,
            now()::TIMESTAMP AS opened_at
        FROM (VALUES {checks}) AS c (check_name, reason) CROSS JOIN (SELECT {day} AS day) AS d"""


def settle(
    connection: duckdb.DuckDBPyConnection,
    url: str,
    asset: str,
    found: Mapping[str, str | None],
    days: Days | None,
    run_id: str,
) -> None:
    """Note what checks of `asset` found in `days`: None, or why they failed. Where nothing changes, nothing is written.

    Raises:
        TransientError: the lake does not answer.
    """
    failed = {check: reason for check, reason in found.items() if reason is not None}
    if not failed and not is_open(connection, asset, tuple(found), days):
        return
    with postgres.lock(url, "RAINBOW_CATALOG_URL", "open_checks"):  # two deletes from one table would collide
        prepare(connection)
        with ducklake.transaction(connection, f"judge {asset}", run_id):
            connection.execute(f"DELETE FROM {TABLE} WHERE {_those(asset, tuple(found), days)}")
            if failed:
                connection.execute(opening(asset, failed, days, run_id))


def is_open(connection: duckdb.DuckDBPyConnection, asset: str, checks: Sequence[str], days: Days | None) -> bool:
    """Whether one of these checks of `asset` is open for one of `days`."""
    if not ducklake.columns(connection, "ops", "open_checks"):
        return False
    return bool(connection.execute(f"SELECT 1 FROM {TABLE} WHERE {_those(asset, checks, days)} LIMIT 1").fetchall())


def days_open(connection: duckdb.DuckDBPyConnection, asset: str) -> list[date]:
    """The days for which a check of `asset` is open, in order."""
    if not ducklake.columns(connection, "ops", "open_checks"):
        return []
    query = f"SELECT DISTINCT day FROM {TABLE} WHERE asset = ? AND day IS NOT NULL ORDER BY day"
    return [day for (day,) in connection.execute(query, [asset]).fetchall()]


def standing(connection: duckdb.DuckDBPyConnection) -> list[OpenCheck]:
    """What is open now, the oldest days first."""
    if not ducklake.columns(connection, "ops", "open_checks"):
        return []
    rows = connection.execute(f"""
        SELECT asset, check_name, min(day), max(day), count(DISTINCT day), arg_max(reason, opened_at)
        FROM {TABLE} GROUP BY asset, check_name ORDER BY min(day) NULLS LAST, asset, check_name""").fetchall()
    return [OpenCheck(*row) for row in rows]


def require_none(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """See that no check is open of what would be published; a run that is just looking at its files is waited for.

    Raises:
        DataError: one is; the message says which, and how to mend it.
        TransientError: the lake does not answer.
    """
    found = _of_the_lake(connection)
    unchecked = {check.asset for check in found if check.reason == UNCHECKED}
    for asset in sorted(unchecked):
        with postgres.lock(settings.secret("catalog_url"), "RAINBOW_CATALOG_URL", asset.replace("/", ".")):
            pass
    if unchecked:
        found = _of_the_lake(connection)
    if found:
        raise DataError(f"Nothing was published: {told(found)}.", found[0].mend(settings))


def told(found: Sequence[OpenCheck]) -> str:
    """The first of them in one line, and how many more."""
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(map(str, found[:SHOWN])) + more


def _those(asset: str, checks: Sequence[str], days: Days | None) -> str:
    # From the oldest: the first partition may have been another one.
    when = f"day BETWEEN {literal(days.oldest)} AND {literal(days.last)}" if days else "day IS NULL"
    return f"asset = {literal(asset)} AND check_name IN ({', '.join(map(literal, checks))}) AND {when}"


def _of_the_lake(connection: duckdb.DuckDBPyConnection) -> list[OpenCheck]:
    return [check for check in standing(connection) if not check.asset.startswith(SERVING)]
