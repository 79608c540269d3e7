"""Debezium's records, as JSON texts, to Arrow tables of the speed layer's columns.

Here: what a record means (an insert, a change, a delete, a truncate, a heartbeat), and how its values are typed. The
rows are taken apart by DuckDB, never by a Python loop. Not here: where they go (`sink.py`).
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from rainbow_assets.speed.tables import NO_DAY
from rainbow_assets.systems.ducklake import literal, quote
from rainbow_assets.tables import TABLES, SourceTable

# Debezium's word for a long text that PostgreSQL did not log, as it did not change.
UNSENT = "__debezium_unavailable_value"
# What every reader of ClickHouse can tell; in microseconds since 1970.
FIRST_TIME, LAST_TIME = -2_208_988_800_000_000, 10_413_791_999_999_999
# The tables whose changed rows are asked for by id, and the column that holds it.
TOUCHES = {"orders": "orders", "orderdetails": "orders"} | {
    name: name for name in ("customers", "products", "sellers", "payments", "categories")
}
ENVELOPE = {
    "op": "VARCHAR",
    "source": {"table": "VARCHAR", "lsn": "UBIGINT", "ts_us": "BIGINT", "snapshot": "VARCHAR"},
    "message": {"content": "VARCHAR"},
}


@dataclass
class Truncate:
    """A table was emptied at `lsn`."""

    table: str
    lsn: int
    committed_at: datetime


@dataclass
class Changes:
    """What a batch holds.

    `rows`: Arrow tables by the name of the source table, with all columns but `flush`. `touched`: as the table
    `speed_touched`, without `flush`. `newest`: when the newest change was committed. `heard_at`: the source's clock
    in the newest heartbeat that came through the log. `unknown`: columns that the project does not know, by table.
    """

    rows: dict[str, pa.Table] = field(default_factory=dict)
    touched: pa.Table | None = None
    truncates: list[Truncate] = field(default_factory=list)
    count: int = 0
    newest: datetime | None = None
    heard_at: datetime | None = None
    unknown: dict[str, set[str]] = field(default_factory=dict)


def decode(lines: bytes, copy_lsn: int) -> Changes:
    """The changes in Debezium's JSON texts, one a line; `copy_lsn` is the place in the log of the first copy's rows."""
    changes = Changes()
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("texts", pa.table({"line": pa.array(lines.split(b"\n"), pa.binary()).cast(pa.string())}))
        connection.execute(
            f'CREATE TABLE records AS SELECT line, r.op, r.source."table" AS name, r.message.content AS content, '
            f"CASE WHEN r.op = 'r' THEN {int(copy_lsn)}::UBIGINT ELSE r.source.lsn END AS lsn, "
            f"{_moment('r.source.ts_us')} AS ts "
            f"FROM (SELECT line, json_transform(line, {literal(_json(ENVELOPE))}) AS r FROM texts)"
        )
        _whole(connection, changes)
        names = connection.execute("SELECT DISTINCT name FROM records WHERE op IN ('c', 'u', 'r', 'd')").fetchall()
        for (name,) in names:
            if table := TABLES.get(name):
                _rows(connection, table, changes)
        if touching := [TABLES[name] for name in changes.rows if name in TOUCHES]:
            selects = " UNION ALL ".join(_touching(table) for table in touching)
            changes.touched = connection.execute(
                f"SELECT table_name, id, change_date, max(committed_at) AS committed_at FROM ({selects}) GROUP BY ALL"
            ).to_arrow_table()
    return changes


def unsent(table: SourceTable, rows: pa.Table) -> list[str]:
    """The columns in which a value is missing since it did not change: PostgreSQL does not log long texts again."""
    texts = [name for name, kind in table.columns.items() if kind == "VARCHAR"]
    return [name for name in texts if pc.any(pc.equal(rows[name], pa.scalar(UNSENT))).as_py()]


def fill(table: SourceTable, rows: pa.Table, columns: list[str], before: pa.Table) -> pa.Table:
    """The rows with those values: of the last change of the key that has it, else of its row in `before`."""
    key = ", ".join(map(quote, table.key))
    sent = {name: f"CASE WHEN r.{quote(name)} <> {literal(UNSENT)} THEN r.{quote(name)} END" for name in columns}
    earlier = f"OVER (PARTITION BY {key} ORDER BY r.lsn ROWS UNBOUNDED PRECEDING)"
    values = ", ".join(
        f"CASE WHEN r.{quote(name)} IS DISTINCT FROM {literal(UNSENT)} THEN r.{quote(name)} "
        f"ELSE coalesce(last_value({sent[name]} IGNORE NULLS) {earlier}, b.{quote(name)}) END AS {quote(name)}"
        for name in columns
    )
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("rows_now", rows)
        connection.register("rows_before", before)
        return connection.execute(
            f"SELECT r.* REPLACE ({values}) FROM rows_now AS r LEFT JOIN rows_before AS b USING ({key})"
        ).to_arrow_table()


def _whole(connection: duckdb.DuckDBPyConnection, changes: Changes) -> None:
    """What is known of the batch as a whole."""
    row = connection.execute(
        "SELECT count(*) FILTER (op IN ('c', 'u', 'r', 'd', 't')), max(ts) FILTER (op IN ('c', 'u', 'd', 't')), "
        "max(try_cast(decode(try(from_base64(content))) AS DOUBLE)) FILTER (op = 'm') FROM records"
    ).fetchall()[0]
    changes.count, newest, heard = row
    changes.newest = newest and newest.replace(tzinfo=UTC)
    changes.heard_at = datetime.fromtimestamp(heard, UTC) if heard else None
    emptied = connection.execute(
        f"SELECT name, lsn, ts FROM records WHERE op = 't' AND name IN ({', '.join(map(literal, TABLES))})"
    ).fetchall()
    changes.truncates = [Truncate(name, lsn, at.replace(tzinfo=UTC)) for name, lsn, at in emptied]


def _rows(connection: duckdb.DuckDBPyConnection, table: SourceTable, changes: Changes) -> None:
    """The changes of one table, as a table of that connection and in `changes`."""
    shape = literal(_json({name: _wire(kind) for name, kind in table.columns.items()}))
    texts = f"FROM records WHERE name = {literal(table.name)} AND op IN ('c', 'u', 'r', 'd')"
    columns = [
        f"{_typed(name, kind) if name in table.key else f'CASE WHEN NOT is_deleted THEN {_typed(name, kind)} END'} "
        f"AS {quote(name)}"
        for name, kind in table.columns.items()
    ]
    # Of a delete only the key is known; a row of the first copy was committed when its column says.
    connection.execute(
        f"CREATE TABLE {quote(table.name)} AS SELECT {', '.join(columns)}, lsn, is_deleted, "
        f"CASE WHEN op = 'r' THEN coalesce({_moment('r.updated_at')}, TIMESTAMP {literal(NO_DAY)}) "
        f"ELSE ts END AS committed_at FROM ("
        f"SELECT op, lsn, ts, op = 'd' AS is_deleted, json_transform(json_extract(line, "
        f"CASE WHEN op = 'd' THEN '$.before' ELSE '$.after' END), {shape}) AS r {texts})"
    )
    changes.rows[table.name] = connection.execute(f"FROM {quote(table.name)}").to_arrow_table()
    seen = connection.execute(f"SELECT json_keys(last(line), '$.after') {texts} AND op <> 'd'").fetchone()
    unknown = set(seen[0] or () if seen else ()) - set(table.columns)
    if unknown:
        changes.unknown[table.name] = unknown


def _touching(table: SourceTable) -> str:
    return (
        f"SELECT {literal(TOUCHES[table.name])} AS table_name, id::BIGINT AS id, committed_at, "
        f"CASE WHEN is_deleted THEN DATE {literal(NO_DAY)} ELSE updated_at::DATE END AS change_date "
        f"FROM {quote(table.name)}"
    )


def _wire(kind: str) -> str:
    """How Debezium writes a type: decimals as text, times as microseconds since 1970."""
    if kind.startswith("DECIMAL"):
        return "VARCHAR"
    return "BIGINT" if kind == "TIMESTAMP" else kind


def _typed(name: str, kind: str) -> str:
    """The value of a field in its type; a number that is none (NaN) or too large is NULL."""
    value = f"r.{quote(name)}"
    if kind == "TIMESTAMP":
        return _moment(value)
    return f"TRY_CAST({value} AS {kind})" if kind.startswith("DECIMAL") else value


def _moment(micros: str) -> str:
    """A time, held within what ClickHouse can tell; NULL stays NULL."""
    held = f"make_timestamp(least(greatest({micros}, {FIRST_TIME}), {LAST_TIME}))"
    return f"CASE WHEN {micros} IS NOT NULL THEN {held} END"


def _json(shape: dict[str, Any]) -> str:
    """A shape as DuckDB's `json_transform` takes it."""
    return json.dumps(shape)
