"""How many rows each day has in raw, by the catalog's books: no data file is read.

What the reconciliation made does not count: it does not mean that its day was loaded.

Here: days without data, the newest day, and the volume against the same weekday's history. Not here: which tables have
rows every day (`defs/raw`), or when the rows came (`landing/arrival.py`).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import duckdb

from rainbow_assets.landing.files import MADE
from rainbow_assets.raw.register import SCHEMA
from rainbow_assets.settings import Settings
from rainbow_assets.systems.ducklake import LAKE
from rainbow_assets.window import Days

LOOK_BACK = 28  # days before a run in which a day without data is told
WEEKS, WEEKS_AT_LEAST = 8, 3  # how many same weekdays make a history
DUE_AFTER = timedelta(hours=3)  # a day should be loaded so long after its end


@dataclass(frozen=True)
class Volume:
    """A day's rows, and what is usual: the median of the same weekdays before; None without a history."""

    day: date
    rows: int
    usual: float | None

    @property
    def is_usual(self) -> bool:
        """Within half of the median, or six times its square root where that is more (small counts scatter)."""
        return self.usual is None or abs(self.rows - self.usual) <= max(self.usual / 2, 6 * self.usual**0.5)


@dataclass(frozen=True)
class Volumes:
    """The days of a run and what stands around them. `due`: the day that should be there by now."""

    days: list[Volume]
    gaps: list[date]
    newest: date | None
    due: date

    @property
    def unusual(self) -> list[Volume]:
        """The days whose volume is not the usual one."""
        return [day for day in self.days if not day.is_usual]

    @property
    def is_fresh(self) -> bool:
        """Whether the newest day with data is the one that is due, or newer."""
        return self.newest is not None and self.newest >= self.due


def volumes(connection: duckdb.DuckDBPyConnection, table: str, days: Days, settings: Settings) -> Volumes:
    """The rows of `days` in raw, the days without any (of these and of `LOOK_BACK` before), and the newest day.

    What lies before the first day with data is no gap: it has not been loaded.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMPORARY TABLE day_rows AS
        SELECT p.partition_value::DATE AS day, sum(f.record_count)::BIGINT AS rows
        FROM __ducklake_metadata_{LAKE}.ducklake_data_file AS f
        JOIN __ducklake_metadata_{LAKE}.ducklake_file_partition_value AS p USING (data_file_id, table_id)
        JOIN __ducklake_metadata_{LAKE}.ducklake_table AS t USING (table_id)
        JOIN __ducklake_metadata_{LAKE}.ducklake_schema AS s USING (schema_id)
        WHERE s.schema_name = ? AND t.table_name = ? AND s.end_snapshot IS NULL AND t.end_snapshot IS NULL
            AND f.end_snapshot IS NULL AND NOT contains(f.path, ?)
        GROUP BY ALL""",
        [SCHEMA, table, f"/{MADE}"],
    )
    found = connection.execute(
        """
        SELECT calendar.day, coalesce(any_value(here.rows), 0),
            CASE WHEN count(before.day) >= ? THEN median(before.rows) END
        FROM (SELECT unnest(generate_series(?::DATE, ?::DATE, INTERVAL 1 DAY))::DATE AS day) AS calendar
        LEFT JOIN day_rows AS here USING (day)
        LEFT JOIN day_rows AS before
            ON calendar.day - before.day BETWEEN 1 AND 7 * ? AND (calendar.day - before.day) % 7 = 0
        GROUP BY calendar.day ORDER BY calendar.day""",
        [WEEKS_AT_LEAST, days.first - timedelta(days=LOOK_BACK), days.last, WEEKS],
    ).fetchall()
    row = connection.execute("SELECT min(day), max(day) FROM day_rows").fetchone()
    assert row is not None  # noqa: S101 - an aggregate has a row
    oldest, newest = row
    around = [Volume(*values) for values in found]
    return Volumes(
        days=[volume for volume in around if volume.day in days],
        gaps=[volume.day for volume in around if volume.rows == 0 and oldest is not None and volume.day >= oldest],
        newest=newest,
        due=min(settings.last_partition, (datetime.now(UTC) - DUE_AFTER).date() - timedelta(days=1)),
    )
