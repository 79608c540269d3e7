"""What the speed layer need not keep: changes that the batch layer covers, and rows that newer ones replaced.

Here: the conditions, and the deletes. Not here: when (`serving/publish.py`, `ops/maintain/live.py`).
"""

from datetime import datetime

from clickhouse_connect.driver.client import Client

from rainbow_assets.speed.tables import FLUSHES, NO_DAY, SHOWN, TOUCHED, VISIBLE, changes_of, complete
from rainbow_assets.speed.views.refresh import MARGIN, RULES
from rainbow_assets.systems.clickhouse import literal, quote
from rainbow_assets.tables import SourceTable

# Longer than that of `speed_wanted.sql`.
OVERLAP = "INTERVAL 2 DAY"
GOOD = {"orderdetails": "good_detail", "products": "good_product", "promotions": "good_promotion"}


def covered(client: Client) -> None:
    """Take what the current publication covers from the queue of changes; no reader looks there."""
    if not client.query("EXISTS VIEW batch_coverage").result_rows[0][0]:
        return
    row = "(table_name, id, change_date, committed_at, flush)"
    # As `speed_changed.sql` and `speed_wanted.sql` ask; coverage gets less only by a
    # repair, and is published only when the days that it lost were run again.
    client.command(
        f"DELETE FROM {TOUCHED} WHERE {row} IN ("
        "WITH (SELECT max(day) FROM batch_coverage WHERE is_first) AS first_day, "
        "(SELECT max(verified_at) FROM batch_coverage) AS newest "
        "SELECT (t.table_name, t.id, t.change_date, t.committed_at, t.flush) "
        f"FROM (SELECT *, greatest(change_date, first_day) AS day FROM {TOUCHED} WHERE change_date != '{NO_DAY}') AS t "
        "INNER JOIN batch_coverage AS c ON t.day = c.day "
        f"WHERE c.verified_at > t.committed_at + INTERVAL {MARGIN} SECOND "
        f"AND (t.table_name = 'orders' OR newest > t.committed_at + {OVERLAP}))"
    )


def superseded(client: Client, table: SourceTable, before: datetime, is_dry: bool) -> list[str]:
    """Delete the rows that a newer one of their key replaced before that time; the days, with their rows.

    Only those of days that the batch layer has: it knows these versions. The row that counts stays (`refresh.py`: the
    newest good one by `updated_at`), and the last one, which may be a delete.
    """
    complete(client, table)  # the rules read what an earlier version did not write
    name, key = quote(changes_of(table)), ", ".join(map(quote, table.key))
    counts = f"argMaxIf(lsn, (updated_at, lsn), NOT is_deleted AND {RULES[GOOD.get(table.name, 'good_times')]})"
    old = (
        f"committed_at < {_moment(before)} AND toDate32(updated_at) IN (SELECT day FROM batch_coverage) "
        f"AND ({key}, lsn) NOT IN (SELECT {key}, arrayJoin([max(lsn), {counts}]) FROM {name} GROUP BY {key})"
    )
    days = client.query(
        f"SELECT toDate32(updated_at) AS day, count() FROM {name} WHERE {old} GROUP BY day ORDER BY day"
    )
    if days.result_rows and not is_dry:
        client.command(f"DELETE FROM {name} WHERE {old}")
    return [f"{day}: {rows:,} rows" for day, rows in days.result_rows]


def old_flushes(client: Client, before: datetime, is_dry: bool) -> list[str]:
    """Delete the records of flushes before that time, except for the newest; the days, with their flushes."""
    old = f"flushed_at < {_moment(before)} AND flush < ({SHOWN})"
    days = client.query(
        f"SELECT toDate32(flushed_at) AS day, count() FROM {FLUSHES} WHERE {old} GROUP BY day ORDER BY day"
    )
    if days.result_rows and not is_dry:
        client.command(f"DELETE FROM {FLUSHES} WHERE {old}")
        client.command(f"DELETE FROM {VISIBLE} WHERE flush < (SELECT min(flush) FROM {FLUSHES})")
    return [f"{day}: {flushes:,} flushes" for day, flushes in days.result_rows]


def _moment(time: datetime) -> str:
    return f"toDateTime64({literal(time.strftime('%Y-%m-%d %H:%M:%S'))}, 6, 'UTC')"
