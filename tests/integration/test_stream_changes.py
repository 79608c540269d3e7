"""What changes under a running stream, and what others write into its log: noticed, never taken for something else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from streams import batch, differences, following, needs_java, shop

from rainbow_assets.defs.automation import signs
from rainbow_assets.errors import RainbowError
from rainbow_assets.ops import doctor
from rainbow_assets.settings import Settings
from rainbow_assets.speed.capture.sink import Position, Sink
from rainbow_assets.speed.tables import FLUSHES, VISIBLE
from rainbow_assets.systems import clickhouse
from tests.integration.test_published import PARTITIONED

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
        stream.until(lambda: stream.copies)
        for message in MESSAGES:
            for transactional in ("true", "false"):
                source.execute(message.format(transactional=transactional).encode())
        source.execute("UPDATE brands SET name = 'after the messages' WHERE id = 1")
        stream.until_read()
        assert stream.ask(f"SELECT max(live_until) < now64(6) FROM {FLUSHES}")
        assert stream.ask(f"SELECT sum(skipped) FROM {FLUSHES}") == 2 * len(MESSAGES)
        assert stream.ask(f"SELECT countIf(lag_seconds > 0) > 0 FROM {VISIBLE}")
        assert differences(shared_settings) == []
    assert len([line for line in stream.said if "not Rainbow's" in line]) == 1


# What happens under the running stream: it notices, and copies anew. Each step has changes that no log tells.
STEPS = {
    "the publication is dropped": "DROP PUBLICATION rainbow; UPDATE orders SET payment_id = 2 WHERE id < 9",
    "a table is taken out and put back": "ALTER PUBLICATION rainbow DROP TABLE orderdetails; "
    "UPDATE orderdetails SET quantity = quantity + 1 WHERE id < 9; ALTER PUBLICATION rainbow ADD TABLE orderdetails",
    "a column is generated": "ALTER TABLE products DROP COLUMN price; "
    "ALTER TABLE products ADD COLUMN price numeric GENERATED ALWAYS AS (original_price) STORED",
    "a table is rebuilt, in partitions": PARTITIONED,
    "a partition comes, another is emptied": "ALTER TABLE orders ATTACH PARTITION orders_more "
    "FOR VALUES FROM (2000) TO (3000); TRUNCATE orders_late",
}
AFTERWARDS = """
    UPDATE products SET original_price = original_price + 1 WHERE id < 5;
    UPDATE orders SET customer_id = 2 WHERE id IN (3, 2500);
    UPDATE orderdetails SET price = price + 1 WHERE id < 9"""


WHY = "JSONExtractString(position, 'why')"


@needs_java
def test_what_changes_under_the_stream_is_copied_anew(shared_settings: Settings, source: psycopg.Connection) -> None:
    why = "what the log has of the source changed"
    with following(shared_settings) as stream:
        stream.until_read()
        for number, (step, statements) in enumerate(STEPS.items(), 1):
            before, copies = stream.ask(f"SELECT max(flush) FROM {FLUSHES}"), stream.copies
            source.execute(statements.encode())
            ((changed,),) = source.execute("SELECT clock_timestamp()").fetchall()
            stream.until(lambda copies=copies: stream.copies > copies)
            until = stream.ask(
                f"SELECT max(live_until) FROM {FLUSHES} WHERE flush > {before} "
                f"AND flush <= (SELECT max(flush) FROM {FLUSHES} WHERE NOT JSONExtractBool(position, 'copied'))"
            )
            assert until.replace(tzinfo=UTC) <= changed, step
            assert (
                len([line for line in stream.said if line.startswith(f"The live views stand still: {why}")]) == number
            )
            for statement in AFTERWARDS.split(";"):
                source.execute(statement.encode())
            stream.until_read()
            assert differences(shared_settings) == [], step
        assert stream.ask(f"SELECT uniqExactIf({WHY}, {WHY} LIKE 'First copy: {why} (%') FROM {FLUSHES}") == len(STEPS)
        assert stream.ask(f"SELECT argMax({WHY}, flush) FROM {FLUSHES}") == ""


@needs_java
def test_what_cannot_be_mended_ends_the_stream_and_is_told(
    shared_settings: Settings, source: psycopg.Connection
) -> None:
    told = "The source's table customers has no column last_name."
    with following(shared_settings) as stream:
        stream.until_read()
        assert [one.failure for one in signs.stream(shared_settings, 0)] == [None]
        source.execute("ALTER TABLE customers DROP COLUMN last_name")
        assert stream.process.wait(240) == 1
        assert stream.ask(f"SELECT argMax({WHY}, flush) FROM {FLUSHES}").startswith(told)
    assert told in stream.said[-1]
    (seen,) = signs.stream(shared_settings, 0)
    assert seen.failure is not None
    assert f"the live views stand still: {told}" in seen.failure().what
    with pytest.raises(RainbowError, match="customers has no column last_name"):
        doctor.CHECKS[doctor.SPEED](shared_settings)


LINE = (
    b'{"op":"c","before":null,"after":{"id":%d,"customer_id":1,"payment_id":1,"created_at":1,"updated_at":1,"deleted_at":null},'
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
