"""The live views ÷ the batch views, the same queries, with an hour of live data; and how soon a change is in them.

A shop of 30 days is run and published; then 1,000 orders come in and some of the old ones change. A round asks all
seven views in turn, `v_<name>` (ours) and `v_<name>_batch` (bare), in one open ClickHouse, embedded. Afterwards 200
orders change a second for a while: from commit until the live views have them, by the clock of this machine.
"""

import threading
import time
from bisect import bisect_left
from datetime import timedelta
from statistics import median, quantiles

import psycopg
from clickhouse_connect.driver.client import Client
from pydantic import SecretStr

from benchmarks.harness import Result, agree, alternate, timed
from benchmarks.lakes import rainbow_run
from benchmarks.sources import LAST, SEED, first_day, shop
from benchmarks.stack import Stack
from rainbow_assets.settings import Settings
from rainbow_assets.shop.simulate import simulate
from rainbow_assets.speed.capture.sink import Flushed
from rainbow_assets.speed.capture.stream import Stream
from rainbow_assets.speed.views.define import LIVE
from rainbow_assets.speed.views.refresh import catch_up
from rainbow_assets.systems import clickhouse

TARGET = 1.2
TIMES = 20  # each view in a round
RATE, SECONDS = 200, 20
CHANGE = "UPDATE orders SET payment_id = 1 + mod(payment_id, 5), updated_at = now() AT TIME ZONE 'UTC' WHERE id = %s"


def measure(stack: Stack, rounds: int, quick: bool) -> Result:
    """30 days of 4,000 orders, 1,000 live ones; then 20 s of 200 changes a second."""
    orders, live, seconds = (50, 20, 5) if quick else (4_000, 1_000, SECONDS)
    url, first = stack.source(), first_day(30)
    shop(url, 30, orders)
    with stack.lake(url, first, LAST) as lake:
        rainbow_run(lake, first, LAST)
        settings = lake.model_copy(update={"stream_url": SecretStr(stack.stream_url(url))})
        simulate(url, LAST + timedelta(days=1), live, SEED)
        Stream(settings, lambda _line: None, until_caught_up=True, after_flush=catch_up).run()
        with clickhouse.connect(settings) as client:
            ((changed,),) = client.query("SELECT uniqExact(order_transaction) FROM speed_lines").result_rows
            agree("live orders", changed >= live, True)
            ours, bare = alternate(
                rounds, lambda: _ask(client, "v_{}", TIMES), lambda: _ask(client, "v_{}_batch", TIMES)
            )
            each = {
                name: round(_ask(client, f"v_{name}", TIMES) / _ask(client, f"v_{name}_batch", TIMES), 2)
                for name in LIVE
            }
        waits = _waits(settings, url, seconds)
    facts = {
        "orders_a_day": orders,
        "orders_changed": changed,
        "ratio_of_each_view": each,
        "commit_to_visible_median_s": round(median(waits), 3),
        "commit_to_visible_p99_s": round(quantiles(waits, n=100)[98], 3),
        "changes_at_200_a_second": len(waits),
    }
    return Result("live", "live views ÷ batch views, with an hour of live data", TARGET, ours, bare, facts=facts)


def _ask(client: Client, view: str, times: int) -> float:
    """The seconds of reading the view, or all seven where its name is a pattern."""
    names = [view.format(name) for name in LIVE] if "{}" in view else [view]
    return timed(lambda: [client.query(f"SELECT * FROM {name}") for name in names for _ in range(times)])


def _waits(settings: Settings, url: str, seconds: int) -> list[float]:
    """The seconds from the commit of each change until the refresh that has it was done."""
    done: dict[int, float] = {}

    def seen(flushed: Flushed) -> None:
        if flushed.is_visible:
            done[flushed.flush] = time.time()

    stream = Stream(settings, lambda _line: None, seen, after_flush=catch_up)
    running = threading.Thread(target=stream.run)
    running.start()
    time.sleep(8)
    begin = time.time()
    with psycopg.connect(url, autocommit=True) as source:
        for number in range(RATE * seconds):
            time.sleep(max(0.0, begin + number / RATE - time.time()))
            source.execute(CHANGE, [1 + number % 2_000])
    time.sleep(8)
    stream.stop()
    running.join()
    with clickhouse.connect(settings) as client:
        changes = client.query(
            "SELECT flush, toUnixTimestamp64Micro(committed_at) / 1e6 FROM speed_orders "
            "WHERE toUnixTimestamp64Micro(committed_at) >= {begin:Int64}",
            parameters={"begin": round(begin * 1e6)},
        ).result_rows
    agree("changes", len(changes), RATE * seconds)
    visible = sorted(done)
    return [done[visible[bisect_left(visible, flush)]] - committed for flush, committed in changes]
