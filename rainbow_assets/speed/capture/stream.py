"""`rainbow stream`: the source's log into ClickHouse, for as long as it is let.

Here: where to begin, what is told, and what is tried again. What stands in `speed_flushes` decides where it goes on;
where that and the replication slot do not fit together, a new first copy is made, never a gap. Not here: PostgreSQL's
side (`source.py`), Debezium (`engine.py`), the writing (`sink.py`).
"""

import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC
from typing import Any, TypeVar

import psycopg

from rainbow_assets.errors import IncompleteError, RainbowError, TransientError
from rainbow_assets.settings import Settings
from rainbow_assets.speed.capture import engine, java, published, source
from rainbow_assets.speed.capture.logs import log_config, log_file
from rainbow_assets.speed.capture.sink import AfterFlush, Batch, Flushed, Position
from rainbow_assets.speed.capture.worker import Worker

Outcome = TypeVar("Outcome")
Say = Callable[[str], None]
Show = Callable[[Flushed], None]
PACE = 0.5  # seconds from one flush to the next at least, while there is little to do
MANY = 2000  # records of a batch behind which more is likely to be waiting: the views wait for that
LULL = 0.3  # seconds without a batch after which nothing is waiting
WAIT = 2.0  # seconds that one try waits for an embedded ClickHouse that another process has
LONGEST_PAUSE = 60.0  # seconds between two tries
GRACE = 20.0  # seconds in which PostgreSQL notices that a stream was killed


class Stream:
    """One stream, from a first start to its end."""

    def __init__(
        self,
        settings: Settings,
        say: Say,
        show: Show = lambda _flushed: None,
        *,
        until_caught_up: bool = False,
        after_flush: AfterFlush | None = None,
    ) -> None:
        """`say` hears a line a change of state, `show` every flush. `after_flush`: a function of a module."""
        self._settings, self._say, self._show = settings, say, show
        self._until_caught_up, self._after_flush = until_caught_up, after_flush
        self._stop = threading.Event()
        self._target: int | None = None
        self._position = Position("")
        self._published: published.Look = {}
        self._why = ""  # why a new first copy must be made, whatever the log has
        self._state = ""
        self._flushed = 0.0  # when the last flush ended that the views may lack; 0: they have all
        self._told: set[str] = set()
        self._skipped = 0
        self._token = secrets.token_hex(8)
        self._progressed = self._has_streamed = False

    def stop(self, *_signal: object) -> None:
        """End it after the flush that is under way."""
        self._stop.set()

    def run(self) -> None:
        """Stream until `stop`, or until caught up with what the source held at the start.

        Raises:
            RainbowError: it cannot go on, and trying again would not help.
        """
        java.start(log_config(self._settings))
        pause = 1.0
        worker = Worker(self._settings, self._after_flush)
        try:
            while not self._stop.is_set():
                self._progressed = False
                try:
                    self._stream(worker)
                except TransientError as error:
                    pause = 1.0 if self._progressed else pause
                    self._tell("waiting", f"{error} Trying again in {pause:.0f} s.")
                    self._stop.wait(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                except IncompleteError as change:
                    self._why = change.message
                    self._tell(change.message, f"The live views stand still: {change.message}.")
                    pause = self._pause_between_copies(pause)
                except RainbowError as error:
                    if self._position.system:
                        with suppress(RainbowError):  # what ends it is said in any case
                            worker.note(replace(self._position, why=str(error)), WAIT)
                    raise
        finally:
            worker.close()

    def _pause_between_copies(self, pause: float) -> float:
        """Wait where the last copy came to no end, which another one may not either; the next pause."""
        if self._position.copied:
            return 1.0
        self._stop.wait(pause)
        return min(2 * pause, LONGEST_PAUSE)

    def _stream(self, worker: Worker) -> None:
        """From finding out where to begin to the end of the engine."""
        made = source.prepare(self._settings)
        with source.connect(self._settings) as connection, source.told():
            self._begin(worker, connection, made=made)
            url = self._settings.secret("stream_url")
            file = self._settings.home / "stream" / "offsets.dat"

            def handle(lines: bytes, offset: dict[str, Any], count: int) -> bool:
                with source.told():
                    return self._handle(worker, connection, lines, offset, count)

            resume = self._position.resume if self._position.copied else None
            running = engine.Engine(engine.properties(url, file, self._token), resume, handle, log_file(self._settings))
            try:
                while not self._stop.is_set() and not running.wait(0.1):
                    if self._flushed and time.monotonic() - self._flushed > LULL:
                        self._catch_up(worker)
            finally:
                running.close()
                file.unlink(missing_ok=True)
            self._catch_up(worker)
            if not self._stop.is_set():
                raise TransientError("Debezium ended by itself.", f"See {log_file(self._settings)}.")

    def _catch_up(self, worker: Worker) -> None:
        """Bring into the views what was flushed while more was waiting."""
        with suppress(TransientError):  # in a moment, or with the next flush
            flushed = worker.show(WAIT)
            self._flushed = 0.0
            if flushed:
                self._show(replace(flushed, changes=0))  # they were told

    def _begin(self, worker: Worker, connection: psycopg.Connection, *, made: bool) -> None:
        """Find where to go on; give up a slot that does not fit, so that a first copy makes a new one."""
        position = self._retry(lambda: worker.position(WAIT))
        log, slot = source.log(connection), source.slot(connection)
        slot = self._await_slot(connection, slot)
        if slot and slot.database != log.database:
            raise RainbowError(
                f"The replication slot {published.NAME} belongs to the database {slot.database}.",
                f"One stream a server; if nothing uses it: SELECT pg_drop_replication_slot('{published.NAME}');",
            )
        # Before the copy's snapshot: what changes from now on is found changed after it.
        self._published = published.look(connection)
        published.check(connection)  # after the look: what changed since `prepare` is never taken for right
        if not published.is_exact(connection):
            raise TransientError(f"The publication {published.NAME} changed meanwhile.", "It is made anew.")
        anew = self._why or _why_anew(position, slot, log, self._published, made=made)
        if position and (position.system != log.system or position.resume > log.end):
            self._retry(lambda: worker.forget(WAIT))
        if anew or position is None:
            self._position = Position(log.system, published=published.mark(self._published), why=f"First copy: {anew}")
            self._retry(lambda: worker.note(self._position, WAIT))
            if slot:
                source.drop_slot(connection)
            self._why = ""
            self._tell("copying", f"First copy of the source's tables: {anew}.")
        else:
            self._position = position
            self._tell("streaming", f"Going on from {_lsn(position.lsn)}, {_bytes(log.end - position.lsn)} behind.")
        if self._until_caught_up and self._target is None:
            self._target = log.end

    def _await_slot(self, connection: psycopg.Connection, slot: source.Slot | None) -> source.Slot | None:
        """Wait a little for the server to see that the last reader is gone."""
        deadline = time.monotonic() + GRACE
        while slot and slot.active:
            self._tell("slot", f"Another stream reads this shop's log (PostgreSQL process {slot.active_pid}). Waiting.")
            if time.monotonic() > deadline or self._stop.wait(0.2):
                kind = TransientError if self._has_streamed else RainbowError  # it may be this one's, before the cut
                raise kind(
                    f"Another stream reads this shop's log (PostgreSQL process {slot.active_pid}).",
                    "One `rainbow stream` a shop: stop that one first.",
                )
            slot = source.slot(connection)
        return slot

    def _handle(
        self, worker: Worker, connection: psycopg.Connection, lines: bytes, offset: dict[str, Any], count: int
    ) -> bool:
        """Flush one batch; whether it may be acknowledged."""
        held, began, self._flushed = self._position, time.monotonic(), 0.0
        if b'"op":"' not in lines:  # Debezium's own heartbeats, which say nothing of the log
            return False
        copy_lsn = held.copy_lsn
        if not held.copied and not copy_lsn:
            slot = source.slot(connection)
            # Changes that commit later may stand before the copy in the log, but never before this.
            copy_lsn = slot.restart_lsn if slot else 0
        position = _after(held, offset, copy_lsn)
        # After it was received: what is still as it was, was so for all of this.
        looked = published.look(connection)
        if changed := published.difference(self._published, looked):
            raise IncompleteError(f"what the log has of the source changed ({changed})")
        if looked != self._published:  # only in what is nothing to the log
            self._published, position = looked, replace(position, published=published.mark(looked))
        asked, log = time.monotonic(), source.log(connection)
        batch = Batch(
            lines,
            self._token,
            position,
            log.now.astimezone(UTC),
            asked,
            behind=max(0, log.end - position.lsn),
            ends_copy=position.copied and not held.copied,
            is_new=position.lsn > held.lsn or not held.copied,
            is_followed=count >= MANY,
        )
        flushed = self._retry(lambda: worker.flush(batch, WAIT))
        self._position, self._progressed, self._has_streamed = position, True, True
        self._news(flushed, batch)
        self._flushed = time.monotonic() if batch.is_followed else 0.0
        if self._target is not None and position.copied and position.lsn >= self._target:
            self._stop.set()
        elif count < MANY:
            self._stop.wait(max(0.0, began + PACE - time.monotonic()))
        return True

    def _news(self, flushed: Flushed, batch: Batch) -> None:
        for table, columns in flushed.unknown.items():
            for column in sorted(columns - self._told):
                self._told.add(column)
                self._say(f"The source's {table} has a column {column} that Rainbow does not know; it is left out.")
        if flushed.skipped and not self._skipped:
            self._say("The log has messages that are not Rainbow's; they are skipped, and counted in speed_flushes.")
        self._skipped += flushed.skipped
        if batch.ends_copy:
            self._say("First copy: done.")
        if batch.position.copied:
            self._tell("streaming", "Streaming.")
        self._show(flushed)

    def _retry(self, call: Callable[[], Outcome]) -> Outcome:
        """Call until ClickHouse takes it; until then nothing is acknowledged."""
        pause = 0.5
        while True:
            try:
                return call()
            except TransientError as error:
                self._tell("clickhouse", f"{error} Waiting.")
                if self._stop.wait(pause):
                    raise
                pause = min(2 * pause, 5.0)

    def _tell(self, state: str, line: str) -> None:
        """A line, once a state."""
        if state != self._state:
            self._state = state
            self._say(line)


def run(
    settings: Settings,
    say: Say,
    show: Show = lambda _flushed: None,
    *,
    until_caught_up: bool = False,
    after_flush: AfterFlush | None = None,
) -> None:
    """Stream until SIGTERM or SIGINT.

    Raises:
        RainbowError: as `Stream.run`.
    """
    stream = Stream(settings, say, show, until_caught_up=until_caught_up, after_flush=after_flush)
    with _signals(stream.stop):
        stream.run()


def _why_anew(
    position: Position | None, slot: source.Slot | None, log: source.Log, look: published.Look, *, made: bool
) -> str:
    """Why the log alone is not enough; empty: it is."""
    if position is None:
        return "ClickHouse has none, or not all of it"
    if not position.copied:
        return position.why.removeprefix("First copy: ") or "the last one was not finished"
    if position.system != log.system or position.resume > log.end:
        return "the source is another server than before"
    if slot is None:
        return f"the replication slot {published.NAME} is gone"
    if slot.lost:
        return f"PostgreSQL gave up the replication slot ({slot.lost})"
    if made:
        return "the publication was made anew"
    if not published.fits(position.published, published.mark(look)):
        return "what the log has of the source changed while no stream looked"
    if position.resume < slot.confirmed_lsn:
        return "ClickHouse is older than the replication slot"
    return ""


def _after(held: Position, offset: dict[str, Any], copy_lsn: int) -> Position:
    """Where the stream stands after a batch, by Debezium's offset of its last record.

    Within a transaction the log is read again from the end of the one before: what is delivered twice is one row, and
    rows that one record of the log holds together are never parted (COPY writes such).
    """
    lsn = int(offset["lsn"])
    in_copy = "snapshot" in offset
    resume = lsn if in_copy else int(offset.get("lsn_commit") or held.resume)
    copied = held.copied or not in_copy or bool(offset.get("last_snapshot_record"))
    return replace(
        held,
        copy_lsn=copy_lsn,
        copied=copied,
        resume=max(resume, held.resume),
        lsn=max(lsn, resume, held.lsn),
        why="" if copied else held.why,
    )


@contextmanager
def _signals(stop: Callable[..., None]) -> Iterator[None]:
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _lsn(number: int) -> str:
    """As PostgreSQL writes it."""
    return f"{number >> 32:X}/{number & 0xFFFFFFFF:X}"


def _bytes(number: int) -> str:
    return f"{number / 1e6:,.1f} MB" if number >= 1e5 else f"{number:,} bytes"
