"""The sink: batches of Debezium's records into ClickHouse, each visible whole or not at all.

A flush is: the changes, what they touch, and last the row of `speed_flushes` that makes them count; it also holds the
position in the log, so data and position are durable at once. Not here: what the records mean (`decode.py`), or the
process in which this runs (`worker.py`).
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic

import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.client import Client

from rainbow_assets.serving.store import LONG
from rainbow_assets.settings import Settings
from rainbow_assets.speed import tables
from rainbow_assets.speed.capture.decode import TOUCHES, Changes, decode
from rainbow_assets.speed.capture.unsent import UNSENT, fill, unsent
from rainbow_assets.speed.tables import FLUSHES, NO_DAY, TOUCHED, VISIBLE, changes_of
from rainbow_assets.systems import clickhouse
from rainbow_assets.systems.clickhouse import literal, quote
from rainbow_assets.systems.duckdb_engine import open_engine
from rainbow_assets.tables import TABLES, SourceTable

AfterFlush = Callable[[Client], object]
AT_ONCE = {"async_insert": 0}  # durable when it returns
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST = 30.0  # seconds that the views wait for what is waiting, where that never ends
MERGE_EVERY = 50  # flushes: an embedded engine that is open for moments merges nothing by itself


@dataclass(frozen=True)
class Position:
    """Where the stream stands.

    `system`: which database cluster the log is of. `copy_lsn`: the place in the log of the first copy. `copied`:
    whether that is whole. `resume`: the end of the newest transaction that is here whole; the log is read again from
    there. `lsn`: the place of the newest record that is here. `published`: how the source stood (`published.mark`) when
    all this was read. `why`: what `live_until` waits for; empty: nothing.
    """

    system: str
    copy_lsn: int = 0
    copied: bool = False
    resume: int = 0
    lsn: int = 0
    published: str = ""
    why: str = ""


@dataclass(frozen=True)
class Batch:
    """What Debezium handed over: JSON texts, one a line; where it stands after them; how far behind that is.

    `token`: of the heartbeats. `asked_at`: the source's clock when this machine's `monotonic` said `asked`. `behind`:
    bytes of the log. `is_new`: whether the log was never read as far before. `is_followed`: whether more is waiting.
    """

    lines: bytes
    token: str
    position: Position
    asked_at: datetime
    asked: float
    behind: int
    ends_copy: bool = False
    is_new: bool = True
    is_followed: bool = False

    @property
    def now(self) -> datetime:
        """The source's clock."""
        return self.asked_at + timedelta(seconds=monotonic() - self.asked)


@dataclass(frozen=True)
class Flushed:
    """What came of a batch. `lag_seconds`: from the first commit that the views did not have until now."""

    flush: int
    changes: int
    lag_seconds: float
    lag_bytes: int
    live_until: datetime
    unknown: dict[str, set[str]]
    skipped: int
    is_visible: bool = False


class Sink:
    """Writes batches; one process at a time may."""

    def __init__(self, settings: Settings, after_flush: AfterFlush | None = None) -> None:
        """`after_flush` gets the open connection after each flush that changed something, once the copy is whole."""
        self._settings, self._after_flush = settings, after_flush
        self._last_flush = -1  # not known yet
        self._live_until = NEVER
        self._unseen: datetime | None = None  # the first commit that the views lack
        self._held: tuple[Flushed, Batch] | None = None  # the last flush that they lack
        self._shown = monotonic()
        self._since_merge = 0
        self._is_due = True  # a predecessor may have died before its refresh
        self._embedded = settings.secret("clickhouse_url").startswith("chdb:")
        self._open = ExitStack()
        self._server: Client | None = None

    def position(self, wait: float) -> Position | None:
        """Where the last flush stands, the tables made if they are missing; None: there is nothing, or not all of it.

        Raises:
            TransientError: ClickHouse does not answer, or another process held it for `wait` seconds.
            RainbowError: it refuses.
        """
        with self._client(wait) as client, clickhouse.errors(self._settings, "reading flushes"):
            names = (*map(changes_of, TABLES.values()), TOUCHED, FLUSHES)
            whole = all(client.command(f"EXISTS TABLE {quote(name)}") == 1 for name in names)
            tables.prepare(client)
            newest = client.query(f"SELECT position FROM {FLUSHES} ORDER BY flush DESC LIMIT 1").result_rows
            held = " UNION ALL ".join(f"(SELECT 1 FROM {quote(name)} LIMIT 1)" for name in names[:-2])
            empty = not client.query(held).result_rows
            ((changes,),) = client.query(f"SELECT sum(changes) FROM {FLUSHES}").result_rows
        return _position(newest[0][0]) if newest and whole and not (empty and changes) else None

    def forget(self, wait: float) -> None:
        """Empty what was read from another server: its places in the log mean nothing in this one's.

        Raises:
            TransientError, RainbowError: as `position`.
        """
        with self._client(wait) as client, clickhouse.errors(self._settings, "emptying the speed layer"):
            for name in (*map(changes_of, TABLES.values()), TOUCHED):
                client.command(f"TRUNCATE TABLE {quote(name)}")

    def note(self, position: Position, wait: float) -> None:
        """Write down where the stream stands, and why it stands still.

        Raises:
            TransientError, RainbowError: as `position`.
        """
        now = datetime.now(UTC)
        with self._client(wait) as client, clickhouse.errors(self._settings, "writing a note"):
            self._number(client)
            self._record(client, Changes(), Batch(b"", "", position, max(now, self._live_until), monotonic(), 0))

    def flush(self, batch: Batch, wait: float) -> Flushed:
        """Write a batch; when this returns, it is durable, and visible unless more is waiting (`show`).

        Raises:
            TransientError: as `position`; nothing of the batch is visible, the same call may be made again.
            RainbowError: ClickHouse refuses, or the values are not as the project knows them.
        """
        changes = decode(batch.lines, batch.position.copy_lsn, batch.token)
        with self._client(wait) as client, clickhouse.errors(self._settings, "writing a flush"):
            self._number(client)
            self._write(client, changes, batch)
            flushed = self._record(client, changes, batch)
            self._is_due |= bool(changes.count) or batch.ends_copy
            self._held = (flushed, replace(batch, lines=b"")) if batch.position.copied else None
            if not batch.is_followed or monotonic() - self._shown > LONGEST:
                flushed = self._show(client) or flushed
            self._merge(client)
        return flushed

    def show(self, wait: float) -> Flushed | None:
        """Bring into the views what was flushed while more was waiting; None: they have it.

        Raises:
            TransientError, RainbowError: as `position`.
        """
        if self._held is None:
            return None
        with self._client(wait) as client, clickhouse.errors(self._settings, "refreshing the views"):
            return self._show(client)

    def _number(self, client: Client) -> None:
        """Take the number of the next flush; also where this one fails, a number is never used twice."""
        if self._last_flush < 0:
            tables.prepare(client)
            self._last_flush, self._live_until = _newest(client)
        self._last_flush += 1

    def _show(self, client: Client) -> Flushed | None:
        """Bring what was flushed into the views, and write down how long that took from its commit."""
        if self._held is None:
            return None
        flushed, batch = self._held
        if self._after_flush and self._is_due:
            self._after_flush(client)
        self._is_due = False
        lag = _seconds(self._unseen, batch.now)
        self._unseen = self._held = None
        self._shown = monotonic()
        client.insert(VISIBLE, [[flushed.flush, lag]], ["flush", "lag_seconds"], settings=AT_ONCE)
        return replace(flushed, lag_seconds=lag, is_visible=True)

    @contextmanager
    def _client(self, wait: float) -> Iterator[Client]:
        """An embedded database is open for a moment, so that others have it, too; a server's connection is kept."""
        if self._embedded:
            with clickhouse.connect(self._settings, wait) as client:
                yield client
            return
        if self._server is None:
            self._server = self._open.enter_context(clickhouse.connect(self._settings, wait))
        try:
            yield self._server
        except BaseException:
            self._server = None
            self._open.close()
            raise

    def _write(self, client: Client, changes: Changes, batch: Batch) -> None:
        """The changes and what they touch."""
        flush = self._last_flush
        for name, rows in changes.rows.items():
            table = TABLES[name]
            if partial := unsent(table, rows):
                deleted = _deleted_before(client, table, rows)
                rows = fill(table, rows, partial, _held_before(client, table, rows, partial, deleted), deleted)
            _insert(client, changes_of(table), rows, flush)
        if changes.touched is not None:
            _insert(client, TOUCHED, changes.touched, flush)
        for one in changes.truncates:
            _delete_all(client, TABLES[one.table], one.lsn, one.committed_at, flush)
        if batch.ends_copy:
            # What an earlier copy or log held and this copy lacks was deleted while nobody read the log.
            for table in TABLES.values():
                _delete_all(client, table, batch.position.copy_lsn, batch.asked_at, flush)

    def _record(self, client: Client, changes: Changes, batch: Batch) -> Flushed:
        """The row that makes the flush count."""
        self._live_until = _until(self._live_until, changes, batch)
        if batch.position.copied:
            self._unseen = min(filter(None, (self._unseen, changes.oldest)), default=None)
        lag = _seconds(changes.oldest, batch.now)
        flushed = Flushed(
            self._last_flush, changes.count, lag, batch.behind, self._live_until, changes.unknown, changes.skipped
        )
        client.insert(
            FLUSHES,
            [
                [
                    flushed.flush,
                    batch.position.lsn,
                    changes.count,
                    flushed.live_until,
                    lag,
                    batch.behind,
                    json.dumps(asdict(batch.position)),
                    flushed.skipped,
                ]
            ],
            ["flush", "lsn", "changes", "live_until", "lag_seconds", "lag_bytes", "position", "skipped"],
            settings=AT_ONCE,
        )
        return flushed

    def _merge(self, client: Client) -> None:
        """Merge the small parts of many flushes now and then, where the engine is not open long enough to."""
        self._since_merge += 1
        if self._since_merge < MERGE_EVERY or not self._embedded:
            return
        self._since_merge = 0
        for name in (*map(changes_of, TABLES.values()), TOUCHED, FLUSHES, VISIBLE):
            client.command(f"OPTIMIZE TABLE {quote(name)}")


def _position(text: str) -> Position | None:
    """A position as it was written; None: by another version of this program."""
    try:
        return Position(**json.loads(text))
    except (TypeError, ValueError):
        return None


def _until(held: datetime, changes: Changes, batch: Batch) -> datetime:
    """All that was committed until then is in ClickHouse: by what was read, and never beyond the source's own clock."""
    known = held if held <= batch.asked_at else NEVER  # the clock was set back since
    if not batch.position.copied or changes.until is None:
        return known
    until = min(changes.until, batch.asked_at)
    return until if batch.is_new else max(known, until)


def _seconds(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def _newest(client: Client) -> tuple[int, datetime]:
    """The highest number of a flush anywhere, also of one that never counted; and until when the log is known."""
    places = " UNION ALL ".join(
        f"SELECT max(flush) AS flush FROM {quote(name)}"
        for name in (*map(changes_of, TABLES.values()), TOUCHED, FLUSHES)
    )
    ((flush,),) = client.query(f"SELECT max(flush) FROM ({places})").result_rows
    ((live_until,),) = client.query(f"SELECT argMax(live_until, flush) FROM {FLUSHES}").result_rows
    return int(flush), max(live_until.replace(tzinfo=UTC), NEVER)


def _deleted_before(client: Client, table: SourceTable, rows: pa.Table) -> pa.Table:
    """The key that the batch's first row had before: its delete may have been the last of another batch."""
    key = ", ".join(map(quote, table.key))
    return client.query_arrow(
        f"SELECT DISTINCT {key}, lsn FROM {quote(changes_of(table))} WHERE is_deleted AND lsn = {{lsn:UInt64}}",
        parameters={"lsn": rows["lsn"][0].as_py()},
    )


def _held_before(client: Client, table: SourceTable, rows: pa.Table, partial: list[str], deleted: pa.Table) -> pa.Table:
    """The current rows, as they were before, of the keys of which a row lacks a value, or that a row may have had."""
    columns, key = ", ".join(map(quote, table.columns)), ", ".join(map(quote, table.key))
    names = ", ".join(table.key)
    lacking = " OR ".join(f"{name} = {UNSENT}" for name in partial)
    with open_engine() as connection:
        connection.register("rows_now", rows)
        connection.register("rows_deleted", deleted)
        ((keys,),) = connection.execute(
            f"SELECT string_agg('(' || concat_ws(',', {names}) || ')', ',') FROM ("
            f"SELECT {names} FROM rows_now WHERE is_deleted OR {lacking} UNION SELECT {names} FROM rows_deleted)"
        ).fetchall()
    return client.query_arrow(
        f"SELECT {columns} FROM {quote(changes_of(table))} WHERE ({key}) IN ({keys}) AND lsn < "
        f"{{lsn:UInt64}} ORDER BY lsn DESC LIMIT 1 BY {key}",
        parameters={"lsn": pc.min(rows["lsn"]).as_py()},
        settings=LONG | {"output_format_arrow_string_as_string": 1},
    )


def _insert(client: Client, table: str, rows: pa.Table, flush: int) -> None:
    number = pa.repeat(pa.scalar(flush, pa.uint64()), rows.num_rows)
    client.insert_arrow(table, rows.append_column("flush", number), settings=AT_ONCE)


def _delete_all(client: Client, table: SourceTable, lsn: int, moment: datetime, flush: int) -> None:
    """A delete at `lsn` of every row that is there then."""
    name, key = quote(changes_of(table)), ", ".join(map(quote, table.key))
    parameters = {"lsn": lsn, "flush": flush, "moment": round(moment.timestamp() * 1e6)}
    client.command(
        f"INSERT INTO {name} ({key}, lsn, is_deleted, committed_at, flush) "
        f"SELECT {key}, {{lsn:UInt64}}, true, fromUnixTimestamp64Micro({{moment:Int64}}, 'UTC'), {{flush:UInt64}} "
        f"FROM {name} WHERE lsn <= {{lsn:UInt64}} GROUP BY {key} "
        f"HAVING max(lsn) < {{lsn:UInt64}} AND NOT argMax(is_deleted, lsn)",
        parameters=parameters,
    )
    if touched := TOUCHES.get(table.name):
        client.command(
            f"INSERT INTO {TOUCHED} (table_name, id, change_date, committed_at, flush) "
            f"SELECT DISTINCT {literal(touched)}, id, toDate32({literal(NO_DAY)}), committed_at, flush FROM {name} "
            "WHERE flush = {flush:UInt64} AND lsn = {lsn:UInt64} AND is_deleted",
            parameters=parameters,
        )
