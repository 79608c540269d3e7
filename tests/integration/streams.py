"""What the tests of the stream share: a shop, `rainbow stream` as a process, and the comparison with the source."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import psycopg
import pytest
from real_stack import RAINBOW

from rainbow_assets.errors import RainbowError
from rainbow_assets.settings import Settings
from rainbow_assets.shop.seed import seed
from rainbow_assets.speed import java
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
