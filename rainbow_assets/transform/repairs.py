"""What a build wrote to the facts: of which days how many, by DuckLake's own change feed.

Here: the days outside of a run's own, whose facts a late row or a late version of a dimension repaired. Not here: the
building (`dbt_project/`) and how a run tells of it (`defs/transform`).
"""

from dataclasses import dataclass
from datetime import date

import duckdb

from rainbow_assets.systems import ducklake
from rainbow_assets.systems.ducklake import LAKE, literal
from rainbow_assets.window import Days

SCHEMA, TABLE = "warehouse", "fact_sales"


@dataclass(frozen=True)
class Repairs:
    """Facts that were inserted, changed or removed: `written` in all, and of each day outside of the run's own."""

    written: int
    repaired: dict[date, int]

    @property
    def rows(self) -> int:
        """Repaired facts of all days."""
        return sum(self.repaired.values())


def of_newest_build(connection: duckdb.DuckDBPyConnection, own: Days | None) -> Repairs | None:
    """What was written since the newest build began; `own`: the run's days, or None for a run without partitions.

    None where the facts were built anew: all of them were written then, and nothing was repaired.
    """
    query = f"SELECT max(snapshot_id) FROM ducklake_snapshots('{LAKE}') WHERE commit_message = 'open the build'"
    [(since,)] = connection.execute(query).fetchall()
    if not ducklake.existed(connection, SCHEMA, TABLE, since):
        return None
    until = ducklake.current_snapshot(connection)
    if until == since:
        return Repairs(0, {})
    feed = f"ducklake_table_changes({literal(LAKE)}, {literal(SCHEMA)}, {literal(TABLE)}, ?, ?)"
    days = connection.execute(
        f"""
        SELECT strptime(date_key::VARCHAR, '%Y%m%d')::DATE AS day, count(DISTINCT (order_transaction, product_id))
        FROM {feed} GROUP BY ALL ORDER BY ALL""",
        [since + 1, until],
    ).fetchall()
    return Repairs(sum(rows for _, rows in days), {day: rows for day, rows in days if own is None or day not in own})
