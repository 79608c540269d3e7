"""The source copied into the speed tables by ClickHouse's own `postgresql()`: what a stream leaves there, without one.

Here: a first copy, and afterwards the rows that differ from what the speed tables hold. Not here: when the changes were
committed and how far the log was read, which the caller says.
"""

from datetime import datetime
from urllib.parse import urlsplit

from clickhouse_connect.driver.client import Client

from rainbow_assets.settings import Settings
from rainbow_assets.speed import tables
from rainbow_assets.systems.clickhouse import column_type, literal, quote
from rainbow_assets.tables import TABLES, SourceTable

# Whose id a changed row of a table is; brands, promotions and inventories touch nothing.
TOUCHES = {"orders": "orders", "orderdetails": "orders"} | {
    name: name for name in ("customers", "products", "sellers", "payments", "categories")
}
COPIED = '{"copied": true}'  # the position in the log: after the first copy


def copy(client: Client, settings: Settings, live_until: datetime, committed_at: datetime) -> int:
    """Flush what the source has and the speed tables lack, as committed then (the first time: all); its rows."""
    tables.prepare(client)
    flush = client.command(f"SELECT max(flush) + 1 FROM {tables.FLUSHES}")
    moment = _moment(committed_at) if int(flush) > 1 else "updated_at"
    for table in TABLES.values():
        _copy_rows(client, _source(settings, table), table, moment, int(flush))
        if int(flush) > 1:
            _copy_deletes(client, _source(settings, table), table, moment, int(flush))
        if touched := TOUCHES.get(table.name):
            day = f"if(is_deleted, '{tables.NO_DAY}'::Date32, toDate32(assumeNotNull(updated_at)))"
            client.command(
                f"INSERT INTO {tables.TOUCHED} SELECT '{touched}', id, {day}, committed_at, flush "
                f"FROM {tables.changes_of(table)} WHERE flush = {flush}"
            )
    changes = " + ".join(
        f"(SELECT count() FROM {tables.changes_of(table)} WHERE flush = {flush})" for table in TABLES.values()
    )
    client.command(
        f"INSERT INTO {tables.FLUSHES} (flush, lsn, changes, live_until, lag_seconds, lag_bytes, position) "
        f"SELECT {flush}, {flush}, {changes}, {_moment(live_until)}, 0, 0, '{{\"copied\": true}}'"
    )
    return int(client.command(f"SELECT changes FROM {tables.FLUSHES} WHERE flush = {flush}"))


def forget(client: Client) -> None:
    """Empty the speed tables: the next copy is a first one."""
    for name in (*map(tables.changes_of, TABLES.values()), tables.TOUCHED, tables.FLUSHES):
        client.command(f"TRUNCATE TABLE {name}")


def _copy_rows(client: Client, source: str, table: SourceTable, moment: str, flush: int) -> None:
    names = ", ".join(map(quote, table.columns))
    typed = ", ".join(
        f"{quote(name)}::{column_type(kind, name not in table.key)} AS {quote(name)}"
        for name, kind in table.columns.items()
    )
    client.command(
        f"INSERT INTO {tables.changes_of(table)} ({names}, lsn, is_deleted, committed_at, flush) "
        f"SELECT {names}, {flush}, false, {moment}, {flush} "
        f"FROM (SELECT {typed} FROM {source} EXCEPT SELECT {names} FROM {_current(table)})"
    )


def _copy_deletes(client: Client, source: str, table: SourceTable, moment: str, flush: int) -> None:
    key = ", ".join(map(quote, table.key))
    client.command(
        f"INSERT INTO {tables.changes_of(table)} ({key}, lsn, is_deleted, committed_at, flush) "
        f"SELECT {key}, {flush}, true, {moment}, {flush} "
        f"FROM {_current(table)} WHERE ({key}) NOT IN (SELECT {key} FROM {source})"
    )


def _current(table: SourceTable) -> str:
    """The rows that the speed tables take for the source's."""
    key = ", ".join(map(quote, table.key))
    newest = f"SELECT * FROM {tables.changes_of(table)} ORDER BY lsn DESC LIMIT 1 BY {key}"
    return f"(SELECT * FROM ({newest}) WHERE NOT is_deleted)"


def _source(settings: Settings, table: SourceTable) -> str:
    url = urlsplit(settings.secret("source_url"))
    place = (f"{url.hostname}:{url.port}", url.path.strip("/"), table.name, url.username, url.password)
    return f"postgresql({', '.join(map(literal, place))})"


def _moment(at: datetime) -> str:
    return f"toDateTime64({literal(at.isoformat(sep=' '))}, 6, 'UTC')"
