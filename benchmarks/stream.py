"""The stream ÷ pg_recvlogical of the same log, and how long a change takes from its commit until it is seen.

Ours: the log of `rows` new order details, from the first flush that holds some to the one that holds the last, in
ClickHouse, embedded; the start of Java is not in it. Bare: `pg_recvlogical` of the same log, by the same publication,
to /dev/null. Then 200 changes a second for a while: from commit to the end of the flush, by the clock of this machine.
"""

import subprocess
import threading
import time
from statistics import median, quantiles

import psycopg
from pydantic import SecretStr

from benchmarks.harness import Result, agree, timed
from benchmarks.sources import LAST, shop
from benchmarks.stack import Stack
from rainbow_assets.settings import Settings
from rainbow_assets.speed.capture.sink import Flushed
from rainbow_assets.speed.capture.source import NAME
from rainbow_assets.speed.capture.stream import Stream
from rainbow_assets.stack.postgres import program
from rainbow_assets.systems import clickhouse

TARGET = 1 / 0.3
RATE, SECONDS = 200, 30
INSERT = """
    INSERT INTO orderdetails (id, product_id, quantity, price)
    SELECT 10000000 * %(round)s + n, n, 1, n / 100.0 FROM generate_series(1, %(rows)s) AS n"""
ONE = "UPDATE inventories SET quantity = quantity + 1 WHERE id = (SELECT min(id) FROM inventories)"


def measure(stack: Stack, rounds: int, quick: bool) -> Result:
    """300,000 changes, and 30 s of 200 changes a second."""
    rows = 20_000 if quick else 300_000
    url = stack.source()
    shop(url, 1, 100)
    with stack.lake(url, LAST, LAST) as lake:
        settings = lake.model_copy(update={"stream_url": SecretStr(stack.stream_url(url))})
        _run(settings, until_caught_up=True)
        ours, bare = [], []
        for number in range(1, rounds + 1):
            replicate(stack, url, "SELECT pg_create_logical_replication_slot('bare', 'pgoutput')")
            with psycopg.connect(url, autocommit=True) as source:
                source.execute(INSERT, {"round": number, "rows": rows})
            ((end,),) = replicate(stack, url, "SELECT pg_current_wal_lsn()")
            bare.append(timed(lambda end=end: receive(settings, end)))
            replicate(stack, url, "SELECT pg_drop_replication_slot('bare')")
            flushes = _run(settings, until_caught_up=True)
            agree("stream", sum(one.changes for _, one in flushes), rows)
            ours.append(_spent(flushes))
        waits = _latency(settings, url, 5 if quick else SECONDS)
    facts = {
        "rows": rows,
        "changes_a_second": round(rows / median(ours)),
        "commit_to_visible_median_s": round(median(waits), 3),
        "commit_to_visible_p99_s": round(quantiles(waits, n=100)[98], 3),
        "changes_at_200_a_second": len(waits),
    }
    what = "stream into ClickHouse ÷ pg_recvlogical of the same log to nothing"
    return Result("stream", what, TARGET, ours, bare, facts=facts)


def replicate(stack: Stack, url: str, statement: str) -> list[tuple[object, ...]]:
    """The rows of a statement, as the role that may replicate."""
    with psycopg.connect(stack.stream_url(url), autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def receive(settings: Settings, end: object) -> None:
    """`pg_recvlogical` of the slot `bare` until that place in the log, to nothing."""
    command = [program("pg_recvlogical"), "-d", settings.secret("stream_url"), "--slot", "bare", "--start", "-s", "0"]
    command += ["-o", "proto_version=1", "-o", f"publication_names={NAME}", "--endpos", str(end), "-f", "/dev/null"]
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=600)


def _run(settings: Settings, *, until_caught_up: bool) -> list[tuple[float, Flushed]]:
    """Every flush, and when it was done."""
    flushes: list[tuple[float, Flushed]] = []
    Stream(
        settings, lambda _line: None, lambda one: flushes.append((time.time(), one)), until_caught_up=until_caught_up
    ).run()
    return flushes


def _spent(flushes: list[tuple[float, Flushed]]) -> float:
    """The seconds of all changes, by the pace from the first flush that has some to the last."""
    ends = [(moment, one.changes) for moment, one in flushes if one.changes]
    later = sum(changes for _, changes in ends[1:])
    return (ends[-1][0] - ends[0][0]) * sum(changes for _, changes in ends) / later


def _latency(settings: Settings, url: str, seconds: int) -> list[float]:
    """The seconds from commit to visible of each change, at 200 a second, by ClickHouse's record of the flushes."""
    stream = Stream(settings, lambda _line: None)
    running = threading.Thread(target=stream.run)
    running.start()
    time.sleep(8)
    begin = time.time()
    with psycopg.connect(url, autocommit=True) as source:
        for number in range(RATE * seconds):
            time.sleep(max(0.0, begin + number / RATE - time.time()))
            source.execute(ONE)
    time.sleep(4)
    stream.stop()
    running.join()
    with clickhouse.connect(settings) as client:
        waits = client.query(
            "SELECT dateDiff('microsecond', c.committed_at, f.flushed_at) / 1e6 FROM speed_inventories AS c "
            "JOIN speed_flushes AS f USING (flush) WHERE toUnixTimestamp64Micro(c.committed_at) >= {begin:Int64}",
            parameters={"begin": round(begin * 1e6)},
        ).result_rows
    agree("stream", len(waits), RATE * seconds)
    return [wait for (wait,) in waits]
