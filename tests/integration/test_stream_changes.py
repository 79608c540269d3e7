"""What changes under a running stream, and what others write into its log: noticed, never taken for something else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from streams import batch, differences, following, needs_java, shop

from rainbow_assets.settings import Settings
from rainbow_assets.speed.sink import Position, Sink
from rainbow_assets.speed.tables import FLUSHES, VISIBLE
from rainbow_assets.systems import clickhouse

pytestmark = pytest.mark.integration

MESSAGES = (
    "SELECT pg_logical_emit_message({transactional}, 'rainbow', '1e300')",
    "SELECT pg_logical_emit_message({transactional}, 'rainbow', '99999999999')",
    "SELECT pg_logical_emit_message({transactional}, 'rainbow', 'Infinity')",
    "SELECT pg_logical_emit_message({transactional}, 'rainbow', '')",
    "SELECT pg_logical_emit_message({transactional}, 'rainbow', '{{\"no\": \"json')",
    "SELECT pg_logical_emit_message({transactional}, 'rainbow', decode('ff00fe', 'hex'))",
    "SELECT pg_logical_emit_message({transactional}, 'rainbow', repeat('9', 20000000))",
)


@pytest.fixture(scope="module")
def source(shared_settings: Settings) -> Iterator[psycopg.Connection]:
    """The shop's owner, in autocommit."""
    with shop(shared_settings) as connection:
        yield connection


@needs_java
def test_messages_of_others_are_skipped_and_counted(shared_settings: Settings, source: psycopg.Connection) -> None:
    with following(shared_settings) as stream:
        stream.until(lambda: "First copy: done." in stream.said)
        for message in MESSAGES:
            for transactional in ("true", "false"):
                source.execute(message.format(transactional=transactional).encode())
        source.execute("UPDATE brands SET name = 'after the messages' WHERE id = 1")
        stream.until_read(shared_settings)
        ((now,),) = source.execute("SELECT clock_timestamp()").fetchall()
        assert stream.flushes[-1].live_until <= now
    assert sum(one.skipped for one in stream.flushes) == 2 * len(MESSAGES)
    assert len([line for line in stream.said if "not Rainbow's" in line]) == 1
    assert differences(shared_settings) == []
    with clickhouse.connect(shared_settings, 30) as client:
        assert client.command(f"SELECT sum(skipped) FROM {FLUSHES}") == 2 * len(MESSAGES)
        assert client.command(f"SELECT count() FROM {VISIBLE} WHERE lag_seconds > 0") > 0


LINE = (
    b'{"op":"c","before":null,"after":{"id":%d,"created_at":1,"updated_at":1},'
    b'"source":{"table":"orders","lsn":%d,"ts_us":%d}}'
)
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)


def committed(lsn: int, at: datetime) -> bytes:
    return LINE % (lsn, lsn, round(at.timestamp() * 1e6))


def test_live_until_is_what_was_read_by_the_clock_of_the_source(fresh_settings: Settings) -> None:
    sink, before = Sink(fresh_settings), timedelta(microseconds=1)

    def flush(lsn: int, commit: datetime, now: datetime, **others: bool) -> datetime:
        here = Position("1", 5, True, lsn, lsn)
        return sink.flush(batch(committed(lsn, commit), here, now, **others), 1).live_until

    assert flush(10, NOW, NOW) == NOW - before
    assert flush(11, NOW + HOUR, NOW + HOUR) == NOW + HOUR - before
    # The clock is set back: what comes from now on is older than what was said.
    assert flush(12, NOW, NOW + 2 * before) == NOW - before
    assert flush(13, NOW + 26280 * HOUR, NOW) == NOW  # never beyond the source's own clock
    assert flush(14, NOW + before, NOW + 3 * before) == NOW
    # What is read again after a restart says nothing new.
    assert flush(14, NOW - HOUR, NOW + HOUR, is_new=False) == NOW


def test_a_stored_live_until_of_the_year_5138_heals(fresh_settings: Settings) -> None:
    Sink(fresh_settings).position(1)
    with clickhouse.connect(fresh_settings) as client:
        client.command(
            f"INSERT INTO {FLUSHES} (flush, lsn, changes, live_until, lag_seconds, lag_bytes, position) "
            "VALUES (7, 9, 1, toDateTime64('2299-12-31 00:00:00', 6, 'UTC'), 0, 0, '{}')"
        )
    sink, here = Sink(fresh_settings), Position("1", 5, True, 9, 9)
    again = sink.flush(batch(committed(9, NOW), here, NOW + HOUR, is_new=False), 1)
    assert again.live_until == NOW - timedelta(microseconds=1)


def slow(_client: object) -> None:
    """A refresh that takes its time."""
    import time

    time.sleep(0.4)


def test_the_lag_is_from_the_commit_to_the_views(fresh_settings: Settings) -> None:
    sink, here = Sink(fresh_settings, slow), Position("1", 5, True, 9, 9)
    lines = committed(9, NOW - timedelta(seconds=3)) + b"\n" + committed(10, NOW - timedelta(seconds=1))
    flushed = sink.flush(batch(lines, here, NOW), 1)
    assert flushed.lag_seconds >= 3.4
    with clickhouse.connect(fresh_settings) as client:
        assert client.query(f"SELECT flush, lag_seconds FROM {VISIBLE}").result_rows == [(1, flushed.lag_seconds)]
        ((until_flushed,),) = client.query(f"SELECT lag_seconds FROM {FLUSHES}").result_rows
        assert 3 <= until_flushed < flushed.lag_seconds
