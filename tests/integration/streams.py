"""What the tests of the stream share: a shop, `rainbow stream` as a process, and the comparison with the source."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from real_stack import RAINBOW

from rainbow_assets.errors import RainbowError
from rainbow_assets.settings import Settings
from rainbow_assets.shop.seed import seed
from rainbow_assets.speed.capture import java
from rainbow_assets.speed.capture.sink import Batch, Position
from rainbow_assets.speed.tables import FLUSHES, changes_of
from rainbow_assets.systems import clickhouse, postgres
from rainbow_assets.tables import TABLES

try:
    MISSING = "" if java.find() else "unreachable"
except RainbowError as error:
    MISSING = str(error)
needs_java = pytest.mark.skipif(bool(MISSING), reason=MISSING)


def shop(settings: Settings) -> psycopg.Connection:
    """A small shop, and a connection to it in autocommit."""
    seed(settings.secret("source_url"), days=2, end=date(2026, 3, 2), orders_per_day=40, seed=1)
    return psycopg.connect(settings.secret("source_url"), autocommit=True)


def catch_up() -> str:
    """`rainbow stream --until-caught-up`; what it said."""
    done = subprocess.run([RAINBOW, "stream", "--until-caught-up"], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return done.stderr


@contextmanager
def streaming() -> Iterator[subprocess.Popen[str]]:
    """`rainbow stream` in the background; ended by SIGTERM where it still runs."""
    process = subprocess.Popen([RAINBOW, "stream"], stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            sys.stderr.write(process.communicate(timeout=60)[1])  # shown where the test fails
        except subprocess.TimeoutExpired:
            process.kill()
            raise


class Following:
    """`rainbow stream` in the background: what it said, and the flushes that it wrote."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.said: list[str] = []
        # A process of its own: Java and an embedded ClickHouse in one process take each other's signals.
        self.process = subprocess.Popen([RAINBOW, "stream"], stderr=subprocess.PIPE, text=True)
        self.reading = threading.Thread(target=self._read)
        self.reading.start()

    def _read(self) -> None:
        assert self.process.stderr
        self.said += (line.strip() for line in iter(self.process.stderr.readline, ""))

    def ask(self, query: str) -> Any:
        """The value of a query on ClickHouse."""
        with clickhouse.connect(self.settings, 60) as client:
            ((value,),) = client.query(query).result_rows
        return value

    def until(self, happened: Callable[[], Any], pause: float = 0.2, seconds: float = 240) -> None:
        """Wait; fail where the stream ends before."""
        end = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < end, self.said
            assert self.process.poll() is None, self.said
            time.sleep(pause)

    @property
    def copies(self) -> int:
        """The first copies that were made."""
        return self.said.count("First copy: done.")

    def until_read(self) -> None:
        """Until all that was committed by now is flushed."""
        ((now,),) = postgres.fetch(self.settings.secret("source_url"), "the shop", "SELECT clock_timestamp()")
        newest = f"SELECT argMax(live_until, flush) FROM {FLUSHES}"
        # Not too often: ClickHouse is one process's at a time.
        self.until(lambda: self.ask(f"EXISTS TABLE {FLUSHES}"), pause=2)
        self.until(lambda: self.ask(newest).replace(tzinfo=UTC) > now, pause=2)


@contextmanager
def following(settings: Settings) -> Iterator[Following]:
    """A stream that follows the log; ended afterwards."""
    running = Following(settings)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGTERM)
        try:
            running.process.wait(60)
        finally:
            running.process.kill()
            running.reading.join()


def batch(lines: bytes, position: Position, at: datetime | None = None, **others: Any) -> Batch:
    """A batch that Debezium handed over just now, or `at` by the source's clock."""
    return Batch(lines, "token", position, at or datetime.now(UTC), time.monotonic(), 0, **others)


def differences(settings: Settings) -> list[str]:
    """The tables whose current rows in ClickHouse are not the source's, in visible flushes."""
    wrong = []
    with clickhouse.connect(settings, 60) as client:
        for table in TABLES.values():
            columns, key = ", ".join(table.columns), ", ".join(table.key)
            rows = client.query(
                f"SELECT {columns} FROM (SELECT * FROM {changes_of(table)} "
                f"WHERE flush IN (SELECT flush FROM {FLUSHES}) ORDER BY lsn DESC LIMIT 1 BY {key}) "
                f"WHERE NOT is_deleted ORDER BY {key}"
            ).result_rows
            held = [
                tuple(value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value for value in r) for r in rows
            ]
            query = f"SELECT {columns} FROM {table.name} ORDER BY {key}"
            if held != postgres.fetch(settings.secret("source_url"), "the shop", query):
                wrong.append(table.name)
    return wrong


def await_flush(settings: Settings, condition: str, seconds: float = 90) -> None:
    """Until a flush fulfils a condition."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with clickhouse.connect(settings, 60) as client:
            exists = client.command(f"EXISTS TABLE {FLUSHES}")
            if exists and client.command(f"SELECT count() FROM {FLUSHES} WHERE {condition}"):
                return
        time.sleep(0.5)
    raise AssertionError(f"no flush with {condition}")


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL, and what it said is read."""
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
