"""What kills, stops or hides a part of the stream costs nothing: no change is lost, none counts twice."""

import threading
import time

import psycopg
import pytest
from real_stack import kill as kill_server
from streams import await_flush, batch, catch_up, differences, kill, needs_java, shop, streaming

from rainbow_assets.defs.automation import signs
from rainbow_assets.errors import RainbowError, TransientError
from rainbow_assets.settings import Settings
from rainbow_assets.speed.capture import source
from rainbow_assets.speed.capture.sink import Position, Sink
from rainbow_assets.speed.tables import FLUSHES
from rainbow_assets.stack import lifecycle
from rainbow_assets.systems import clickhouse

LOAD = """
    WITH o AS (
        INSERT INTO orders (customer_id, payment_id) SELECT i % 20, 1 FROM generate_series(1, 20) AS i RETURNING id
    ) INSERT INTO orderdetails (id, product_id, quantity, price) SELECT id, p, 1, 9.99
    FROM o, generate_series(1, 3) AS p;
    UPDATE inventories SET quantity = quantity - 1, updated_at = now() WHERE id % 7 = 0;
    DELETE FROM orderdetails WHERE product_id = 2 AND id % 5 = 0;
"""


@needs_java
def test_nothing_is_lost_or_doubled_by_faults(fresh_settings: Settings, stack: Settings) -> None:
    shop(fresh_settings).close()
    ending = threading.Event()

    def load() -> None:
        while not ending.is_set():
            try:
                with psycopg.connect(fresh_settings.secret("source_url"), autocommit=True) as source:
                    while not ending.wait(0.1):
                        source.execute(LOAD)
            except psycopg.Error:
                time.sleep(0.2)  # the server is restarting

    loading = threading.Thread(target=load)
    loading.start()
    try:
        with streaming() as process:
            await_flush(fresh_settings, "changes > 0")  # within the first copy, or after it
            kill(process)
        with streaming() as process:
            await_flush(fresh_settings, "live_until > '2000-01-01' AND changes > 0")
            kill(process)
        with streaming():
            with clickhouse.connect(fresh_settings, 60) as client:  # held by another process
                before = client.command(f"SELECT max(flush) FROM {FLUSHES}")
                time.sleep(4)
            await_flush(fresh_settings, f"flush > {before} + 1 AND changes > 0")
            kill_server(stack, 0)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("RAINBOW_HOME", str(stack.home))
                lifecycle.up(Settings.load())
            with clickhouse.connect(fresh_settings, 60) as client:
                before = client.command(f"SELECT max(flush) FROM {FLUSHES}")
            await_flush(fresh_settings, f"flush > {before} + 2 AND changes > 0")
    finally:
        ending.set()
        loading.join()
    catch_up()
    assert differences(fresh_settings) == []
    with clickhouse.connect(fresh_settings, 30) as client:
        # What a flush left that died is by now of a flush that counts.
        left = f"SELECT count() FROM speed_orders WHERE flush = 0 OR flush > (SELECT max(flush) FROM {FLUSHES})"
        assert client.command(left) == 0


def test_a_flush_that_died_is_not_seen_and_comes_again(
    fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = (
        b'{"op":"c","before":null,"after":{"id":7,"customer_id":1,"payment_id":null,"created_at":1,"updated_at":1,"deleted_at":null},'
        b'"source":{"table":"orders","lsn":%d,"ts_us":1772000000000000}}'
    )
    here = Position("1", 5, True, 10, 10)
    first = batch(line % 10, here)
    died = Sink(fresh_settings)

    def die(*_arguments: object) -> None:
        raise TransientError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Sink, "_record", die)
        with pytest.raises(TransientError):
            died.flush(first, 1)
    visible = f"SELECT count() FROM speed_orders WHERE flush IN (SELECT flush FROM {FLUSHES})"
    again = Sink(fresh_settings)
    assert again.position(1) is None
    with clickhouse.connect(fresh_settings) as client:
        assert client.command("SELECT count() FROM speed_orders") == 1
        assert client.command(visible) == 0
    assert again.flush(first, 1).flush == 2  # greater than what the one that died wrote
    assert again.position(1) == here
    with clickhouse.connect(fresh_settings) as client:
        assert client.command(visible) == 1
        client.command("OPTIMIZE TABLE speed_orders FINAL")
        assert client.command("SELECT count() FROM speed_orders") == 1
        client.command("TRUNCATE TABLE speed_orders")
    assert Sink(fresh_settings).position(1) is None  # rows are gone that flushes tell of: a new first copy


def test_the_end_of_a_first_copy_deletes_what_it_lacks(fresh_settings: Settings) -> None:
    line = (
        b'{"op":"%s","before":null,"after":{"id":%d,"customer_id":1,"payment_id":null,"created_at":1,"updated_at":1,"deleted_at":null},'
        b'"source":{"table":"orders","lsn":%d,"ts_us":1772000000000000}}'
    )
    sink = Sink(fresh_settings)
    sink.flush(batch(line % (b"c", 1, 10) + b"\n" + line % (b"c", 2, 11), Position("1", 5, True, 11, 11)), 1)
    copy = batch(line % (b"r", 2, 99), Position("1", 50, True, 60, 60), ends_copy=True)  # order 1 is gone
    sink.flush(copy, 1)
    with clickhouse.connect(fresh_settings) as client:
        rows = client.query("SELECT id, is_deleted, lsn FROM speed_orders ORDER BY lsn DESC LIMIT 1 BY id").result_rows
        assert sorted(rows) == [(1, True, 50), (2, False, 50)]
        gone = client.query("SELECT DISTINCT change_date FROM speed_touched WHERE id = 1 AND flush = 2").result_rows
        assert [str(day) for (day,) in gone] == ["1900-01-01"]


def test_a_slot_that_nobody_reads_is_told(fresh_settings: Settings) -> None:
    now = time.time()
    settings = fresh_settings.model_copy(update={"alert_stream_lag_seconds": 1})
    assert [one.failure for one in signs.stream(settings, now)] == [None]  # no stream yet
    shop(settings).close()
    source.prepare(settings)
    with psycopg.connect(settings.secret("stream_url"), autocommit=True) as reader:
        reader.execute("SELECT pg_create_logical_replication_slot('rainbow', 'pgoutput')")
    time.sleep(1.5)
    (seen,) = signs.stream(settings, now)
    assert seen.failure is not None
    assert "nobody reads" in seen.failure().what
    patient = settings.model_copy(update={"alert_stream_lag_seconds": 300})
    assert [one.failure for one in signs.stream(patient, now)] == [None]
    tight = patient.model_copy(update={"alert_stream_lag_bytes": 1})
    with psycopg.connect(settings.secret("source_url"), autocommit=True) as owner:
        owner.execute("CREATE TABLE noise AS SELECT generate_series(1, 1000)")
    assert [one.failure is None for one in signs.stream(tight, now)] == [False]


@needs_java
def test_what_the_stream_lacks_is_said_in_one_line(fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RainbowError, match="The source lacks categories"):
        source.prepare(fresh_settings)
    with shop(fresh_settings) as owner:
        assert source.prepare(fresh_settings)
        assert not source.prepare(fresh_settings)  # made already
        owner.execute("ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
        with pytest.raises(RainbowError, match="Row security hides rows of orders"):
            source.prepare(fresh_settings)
        owner.execute("ALTER TABLE orders DISABLE ROW LEVEL SECURITY")
        owner.execute("ALTER PUBLICATION rainbow DROP TABLE orders")
        assert source.prepare(fresh_settings)
        owner.execute("ALTER TABLE products ALTER COLUMN price TYPE text")
        with pytest.raises(RainbowError, match=r"products\.price is text"):
            source.prepare(fresh_settings)
    monkeypatch.setenv("RAINBOW_STREAM_URL", fresh_settings.secret("source_url"))
    with pytest.raises(RainbowError, match="has no right to replicate"):
        source.prepare(Settings.load())
