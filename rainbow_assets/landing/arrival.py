"""When the rows of the source come: late, after their day was loaded, or never.

Here: how long the new rows took, which came after their day, and which no partition will ever take. Not here: how many
there are (`raw/volume.py`), or whether all of them came (`raw/compare.py`).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import duckdb

from rainbow_assets.landing.files import LandingFile
from rainbow_assets.settings import Settings
from rainbow_assets.systems import postgres
from rainbow_assets.systems.ducklake import literal, quote
from rainbow_assets.tables import SourceTable
from rainbow_assets.window import Days

SAMPLE = 5
# A day is loaded on the next one: its oldest rows are then no older than this.
IN_TIME = timedelta(hours=48)
CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True)
class Delay:
    """How long new rows took from `updated_at` to `extracted_at`; `judged`: whether that can be too long."""

    rows: int
    median: timedelta
    longest: timedelta
    judged: bool
    sample: list[str]

    @property
    def passed(self) -> bool:
        """At least half of them came in time, or nobody waited for them."""
        return not self.judged or self.median <= IN_TIME


def delay(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTable,
    files: dict[LandingFile, int],
    days: Days,
    settings: Settings,
) -> Delay:
    """How long the rows of the new `files` of `days` took. Judged is a day by itself, while the partitions go on.

    A range, partitions that have ended (`RAINBOW_END_DATE`) and the first partition bring rows that are old by nature.
    """
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    judged = days.first == days.last and not days.open_start and settings.last_partition >= yesterday
    files = {file: rows for file, rows in files.items() if file.day in days}
    if not files:
        return Delay(0, timedelta(), timedelta(), judged, [])
    rows = _read(list(files))
    age = "(extracted_at - updated_at)"
    found = connection.execute(
        f"SELECT count(*), coalesce(quantile_disc(epoch_us{age}, 0.5), 0), coalesce(max(epoch_us{age}), 0) FROM {rows} "
        "WHERE isfinite(updated_at)"
    ).fetchone()
    assert found is not None  # noqa: S101 - an aggregate has a row
    done = Delay(found[0], timedelta(microseconds=found[1]), timedelta(microseconds=found[2]), judged, [])
    if done.passed:
        return done
    return Delay(done.rows, done.median, done.longest, judged, _sample(connection, table, rows, "updated_at"))


@dataclass(frozen=True)
class Late:
    """Rows that came after their day had been loaded: how many of which days."""

    by_day: dict[date, int]
    sample: list[str]

    @property
    def rows(self) -> int:
        """Late rows of all days."""
        return sum(self.by_day.values())

    def __str__(self) -> str:
        """How many of which days."""
        days = [f"{rows} of {day}" for day, rows in self.by_day.items()]
        more = f" and {len(days) - SAMPLE} more days" if len(days) > SAMPLE else ""
        return f"Late rows: {', '.join(days[:SAMPLE])}{more}."


def late(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTable,
    landed: list[LandingFile],
    files: dict[LandingFile, int],
    days: Days,
) -> Late:
    """The rows of the new `files` whose days have earlier files, `landed`, or lie before the run's `days`."""
    held = {file.day for file in landed if not file.is_made}
    added = {file: rows for file, rows in files.items() if file.day in held or file.day < days.first}
    sample = _sample(connection, table, _read(list(added)), "updated_at") if added else []
    return Late({file.day: rows for file, rows in sorted(added.items())}, sample)


@dataclass(frozen=True)
class Beyond:
    """Rows of the source, from `after` on, that no partition will take as they are: how many, and some of them."""

    after: datetime
    rows: int
    sample: list[str]


def ahead(source_url: str, table: SourceTable, settings: Settings) -> Beyond:
    """The rows whose `updated_at` is in the future and beyond the newest partition; an index range gives them.

    Raises:
        TransientError: the source does not answer.
    """
    return _beyond(source_url, table, max(_after(settings.last_partition), _soon()), None)


def behind(source_url: str, table: SourceTable, settings: Settings) -> Beyond:
    """The rows behind `RAINBOW_END_DATE`, the end of the partitions, that are not `ahead`: written since.

    Raises:
        TransientError: the source does not answer.
    """
    end, soon = _after(settings.end_date or settings.last_partition), _soon()
    return _beyond(source_url, table, end, soon) if settings.end_date and end < soon else Beyond(end, 0, [])


def _after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min)


def _soon() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None) + CLOCKS_DIFFER


def _beyond(source_url: str, table: SourceTable, after: datetime, before: datetime | None) -> Beyond:
    key = ", ".join(quote(name) for name in [*table.key, "updated_at"])
    query = f"""
        SELECT count(*) OVER (), row({key})::text FROM public.{quote(table.name)}
        WHERE updated_at >= %s {"AND updated_at < %s" if before else ""} ORDER BY updated_at LIMIT {SAMPLE}"""
    rows = postgres.fetch(source_url, "RAINBOW_SOURCE_URL", query, [after, before] if before else [after])
    return Beyond(after, rows[0][0] if rows else 0, [text for _, text in rows])


def _read(files: list[LandingFile]) -> str:
    uris = ", ".join(literal(file.uri) for file in files)
    return f"read_parquet([{uris}], union_by_name = true, hive_partitioning = false)"


def _sample(connection: duckdb.DuckDBPyConnection, table: SourceTable, rows: str, order: str) -> list[str]:
    key = ", ".join(quote(name) for name in [*table.key, "updated_at"])
    found = connection.execute(f"SELECT row({key})::VARCHAR FROM {rows} ORDER BY {order} LIMIT {SAMPLE}").fetchall()
    return [text for (text,) in found]
