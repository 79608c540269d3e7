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

from rainbow_assets.errors import DataError, IncompleteError
from rainbow_assets.speed.tables import NEEDED, NO_DAY, UNFIT
from rainbow_assets.systems.duckdb_engine import open_engine
from rainbow_assets.systems.ducklake import literal, quote
from rainbow_assets.tables import MONEY, TABLES, SourceTable

PREFIX = "rainbow"  # of the heartbeats' messages
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
    `speed_touched`, without `flush`. `oldest`: the first commit or heartbeat by the source's clock. `until`: all that
    was committed until then stands before the end of the batch. `unknown`: columns that the project does not know, by
    table. `skipped`: records that are not ours.
    """

    rows: dict[str, pa.Table] = field(default_factory=dict)
    touched: pa.Table | None = None
    truncates: list[Truncate] = field(default_factory=list)
    count: int = 0
    oldest: datetime | None = None
    until: datetime | None = None
    unknown: dict[str, set[str]] = field(default_factory=dict)
    skipped: int = 0


def beat(token: str) -> str:
    """The SQL of a heartbeat: the clock of the source comes through the log, behind all that was committed before.

    Everybody may write messages into the log; the token tells ours from those.
    """
    micros = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text"
    return f"SELECT pg_logical_emit_message(false, {literal(PREFIX)}, {literal(f'{token} ')} || {micros})"


def decode(lines: bytes, copy_lsn: int, token: str) -> Changes:
    """The changes in Debezium's JSON texts, one a line.

    `copy_lsn` is the place in the log of the first copy's rows, `token` that of the heartbeats.

    Raises:
        IncompleteError: a change does not tell which row it is of.
        DataError: a record lacks what the live views need.
    """
    changes = Changes()
    with open_engine(threads=2) as connection:
        connection.register("texts", pa.table({"line": pa.array(lines.split(b"\n"), pa.binary()).cast(pa.string())}))
        connection.execute(
            f'CREATE TABLE records AS SELECT line, r.op, r.source."table" AS name, {_beaten(token)} AS beaten, '
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


def _whole(connection: duckdb.DuckDBPyConnection, changes: Changes) -> None:
    """What is known of the batch as a whole. The order of the log counts, not that of the clock, which may be set."""
    names = ", ".join(map(literal, TABLES))
    ours = f"op IN ('c', 'u', 'r', 'd', 't') AND name IN ({names})"
    # A batch may end within a transaction: all that was committed before that one is here.
    row = connection.execute(
        "SELECT count(*) FILTER (ours AND op <> 'm'), min(moment) FILTER (ours), "
        "arg_max(moment - INTERVAL 1 MICROSECOND, rowid) FILTER (ours), count(*) FILTER (NOT ours) "
        "FROM (SELECT rowid, op, CASE op WHEN 'm' THEN beaten WHEN 'r' THEN NULL ELSE ts END AS moment, "
        f"CASE op WHEN 'm' THEN beaten IS NOT NULL ELSE coalesce({ours}, false) END AS ours "
        "FROM records WHERE op IS NOT NULL)"
    ).fetchall()[0]
    changes.count, oldest, until, changes.skipped = row
    changes.oldest, changes.until = (at and at.replace(tzinfo=UTC) for at in (oldest, until))
    emptied = connection.execute(f"SELECT name, lsn, ts FROM records WHERE op = 't' AND name IN ({names})").fetchall()
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
    if table.money:
        unfit = " OR ".join(f"NOT ({_fits(f'r.{quote(name)}')})" for name in table.money)
        columns.append(f"NOT is_deleted AND coalesce({unfit}, false) AS {UNFIT}")
    # Of a delete only the key is known; a row of the first copy was committed when its column says.
    connection.execute(
        f"CREATE TABLE {quote(table.name)} AS SELECT {', '.join(columns)}, lsn, is_deleted, "
        f"CASE WHEN op = 'r' THEN coalesce({_moment('r.updated_at')}, TIMESTAMP {literal(NO_DAY)}) "
        f"ELSE ts END AS committed_at FROM ("
        f"SELECT op, lsn, ts, op = 'd' AS is_deleted, json_transform(json_extract(line, "
        f"CASE WHEN op = 'd' THEN '$.before' ELSE '$.after' END), {shape}) AS r {texts})"
    )
    changes.rows[table.name] = connection.execute(f"FROM {quote(table.name)}").to_arrow_table()
    _shapes(connection, table, texts, changes)


def _shapes(connection: duckdb.DuckDBPyConnection, table: SourceTable, texts: str, changes: Changes) -> None:
    """See that each record has what the live views need: what it lacks would be NULL."""
    if connection.execute(f"SELECT count(*) FROM {quote(table.name)} WHERE {_no_key(table)}").fetchall() != [(0,)]:
        _large_keys(connection, table, texts)
        raise IncompleteError(f"a change of {table.name} does not tell its key")
    shapes = connection.execute(f"SELECT DISTINCT json_keys(line, '$.after') {texts} AND op <> 'd'").fetchall()
    for (names,) in shapes:
        if lacking := [name for name in NEEDED[table.name] if name not in (names or ())]:
            raise DataError(
                f"A change of {table.name} in the source's log has no {', '.join(lacking)}.",
                "See that the table and the publication have the column, and start the stream again.",
            )
        if unknown := set(names) - set(table.columns):
            changes.unknown.setdefault(table.name, set()).update(unknown)


def _large_keys(connection: duckdb.DuckDBPyConnection, table: SourceTable, texts: str) -> None:
    """A key that is there and that its column does not hold is no reason for another copy, which would find it, too."""
    for name in table.key:
        value = f"json_extract_string(line, CASE WHEN op = 'd' THEN '$.before.{name}' ELSE '$.after.{name}' END)"
        query = f"SELECT max({value}) {texts} AND TRY_CAST({value} AS {table.columns[name]}) IS NULL"
        if large := connection.execute(query).fetchall()[0][0]:
            raise DataError(
                f"The source's {table.name} has the {name} {large}, which {table.columns[name]} does not hold.",
                "Give the row a smaller one, SELECT pg_drop_replication_slot('rainbow'); and start the stream again.",
            )


def _no_key(table: SourceTable) -> str:
    return " OR ".join(f"{quote(name)} IS NULL" for name in table.key)


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
    """The value of a field in its type; a number that is none (NaN) or too large is NULL, and so is inexact money."""
    value = f"r.{quote(name)}"
    if kind == "TIMESTAMP":
        return _moment(value)
    if kind == MONEY:
        return f"CASE WHEN {_fits(value)} THEN TRY_CAST({value} AS {kind}) END"
    return f"TRY_CAST({value} AS {kind})" if kind.startswith("DECIMAL") else value


def _fits(value: str) -> str:
    """Whether the money in a text is held exactly, as the batch layer asks (`landing/values.py`); NULL for NULL."""
    number = f"TRY_CAST({value} AS DOUBLE)"  # of 1E-7 and the like, which Java writes for what is small or large
    exact = (
        f"CASE WHEN {value} LIKE '%E%' THEN coalesce({number} = round({number}, 2), false) "
        f"ELSE regexp_full_match({value}, '-?[0-9]+([.][0-9]{{0,2}}0*)?') END"
    )
    return f"CASE WHEN {value} IS NOT NULL THEN {exact} AND TRY_CAST({value} AS {MONEY}) IS NOT NULL END"


def _beaten(token: str) -> str:
    """The source's clock in a heartbeat of ours; NULL for every other message, whatever is in it."""
    said = "try(decode(try(from_base64(r.message.content))))"
    micros = f"try_cast(regexp_extract({said}, {literal(f'^{token} ([0-9]{{1,18}})$')}, 1) AS BIGINT)"
    return f"CASE WHEN r.op = 'm' THEN {_moment(micros)} END"


def _moment(micros: str) -> str:
    """A time, held within what ClickHouse can tell; NULL stays NULL."""
    held = f"make_timestamp(least(greatest({micros}, {FIRST_TIME}), {LAST_TIME}))"
    return f"CASE WHEN {micros} IS NOT NULL THEN {held} END"


def _json(shape: dict[str, Any]) -> str:
    """A shape as DuckDB's `json_transform` takes it."""
    return json.dumps(shape)
