"""One large transaction, from its commit until the live views have it ÷ pg_recvlogical of the same log to nothing.

A shop of three days is run and published, and a stream follows it. A round inserts 40,000 orders with 160,000
details at once, and waits until `v_…` has them all. Bare: `pg_recvlogical` of the same log, by the same publication.
Asked are 10 seconds, so the target is what makes the ratio 10 seconds.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

import psycopg
from pydantic import SecretStr

from benchmarks.harness import Result, agree, timed
from benchmarks.lakes import rainbow_run
from benchmarks.sources import LAST, first_day, shop
from benchmarks.stack import Stack
from benchmarks.stream import receive, replicate
from rainbow_assets.settings import Settings
from rainbow_assets.speed.capture.sink import Flushed
from rainbow_assets.speed.capture.stream import Stream
from rainbow_assets.speed.views.refresh import catch_up
from rainbow_assets.systems import clickhouse

SECONDS = 10.0
AN_ORDER = 4
ORDERS = (
    "INSERT INTO orders (id, customer_id, payment_id) SELECT %(first)s + n, 1, 1 FROM generate_series(1, %(orders)s) n"
)
DETAILS = """
    INSERT INTO orderdetails (id, product_id, quantity, price)
    SELECT %(first)s + n, p, 1, n / 100.0 FROM generate_series(1, %(orders)s) AS n, generate_series(1, 4) AS p"""


@dataclass
class Watched:
    """A stream that runs, and how many of its changes the views have."""

    changes: int = 0
    visible: int = 0
    moved: threading.Condition = field(default_factory=threading.Condition)

    def seen(self, flushed: Flushed) -> None:
        """Hear of a flush, and once more when the views have it."""
        with self.moved:
            self.changes += flushed.changes
            if flushed.is_visible:
                self.visible = self.changes
                self.moved.notify_all()

    def wait(self, wanted: int) -> float:
        """Until the views have so many; the time."""
        with self.moved:
            agree("transaction", self.moved.wait_for(lambda: self.visible >= wanted, timeout=300), True)
        return time.perf_counter()


def measure(stack: Stack, rounds: int, quick: bool) -> Result:
    """A transaction of 200,000 rows: 40,000 orders and their details."""
    orders = 2_000 if quick else 40_000
    url, first = stack.source(), first_day(3)
    shop(url, 3, 100)
    with stack.lake(url, first, LAST) as lake:
        rainbow_run(lake, first, LAST)
        settings = lake.model_copy(update={"stream_url": SecretStr(stack.stream_url(url))})
        ours, bare = [], []
        with _following(settings) as watched:
            for number in range(1, rounds + 1):
                replicate(stack, url, "SELECT pg_create_logical_replication_slot('bare', 'pgoutput')")
                wanted = watched.changes + orders * (AN_ORDER + 1)
                with psycopg.connect(url) as source:
                    for statement in (ORDERS, DETAILS):
                        source.execute(statement, {"first": 10_000_000 * number, "orders": orders})
                    source.commit()
                    began = time.perf_counter()
                ours.append(watched.wait(wanted) - began)
                ((end,),) = replicate(stack, url, "SELECT pg_current_wal_lsn()")
                bare.append(timed(lambda end=end: receive(settings, end)))
                replicate(stack, url, "SELECT pg_drop_replication_slot('bare')")
        with clickhouse.connect(settings) as client:
            ((live,),) = client.query("SELECT count() FROM v_sales WHERE order_transaction > 10000000").result_rows
        agree("transaction", live, rounds * orders * AN_ORDER)
    facts = {"rows": orders * (AN_ORDER + 1), "commit_to_visible_s": round(median(ours), 1), "asked_s": SECONDS}
    what = "a large transaction until the live views have it ÷ pg_recvlogical of its log to nothing"
    return Result("transaction", what, SECONDS / median(bare), ours, bare, facts=facts)


@contextmanager
def _following(settings: Settings) -> Iterator[Watched]:
    """A stream that is past its first copy; ended afterwards."""
    copied, watched = threading.Event(), Watched()

    def say(line: str) -> None:
        if line == "First copy: done.":
            copied.set()

    stream = Stream(settings, say, watched.seen, after_flush=catch_up)
    running = threading.Thread(target=stream.run)
    running.start()
    try:
        agree("transaction", copied.wait(120), True)
        time.sleep(8)  # the first heartbeat
        yield watched
    finally:
        stream.stop()
        running.join()
