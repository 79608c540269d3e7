"""Both halves together: orders through the API, the stream, the batch run; and every one of them killed in between.

Whenever the stream has read all of the log, the live views equal SQL over the source: before a batch run, while it
runs, after it, and after whatever died.
"""

import contextlib
import itertools
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psycopg
import pytest
from real_stack import RAINBOW, kill, rainbow

from rainbow_assets.errors import RainbowError
from rainbow_assets.settings import Settings
from rainbow_assets.speed.capture import java
from rainbow_assets.speed.views.define import LIVE
from rainbow_assets.stack import lifecycle
from rainbow_assets.stack.ports import free_ports
from rainbow_assets.systems import clickhouse


def has_java() -> bool:
    try:
        return bool(java.find())
    except RainbowError:
        return False


pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not has_java(), reason="no Java, which the stream needs"),
]

FIRST, LAST, NEXT = "2026-03-01", "2026-03-03", "2026-03-04"
SOURCE_VIEWS = Path(__file__).with_name("source_views.sql").read_text()
MARKERS = itertools.count(1)
READ = (
    "SELECT exists(SELECT 1 FROM speed_brands WHERE name = '{}') "
    "AND argMax(JSONExtractBool(position, 'copied'), flush) FROM speed_flushes"
)
JUDGED = (
    "SELECT passed, description FROM ops_check_results WHERE check_name = 'speed_part_was_right' "
    "ORDER BY evaluated_at DESC LIMIT 1"
)
CHANGES = {  # what happens to orders of long ago, at `at`
    "another quantity, the order as it was": "UPDATE orderdetails SET quantity = quantity + 3, updated_at = {at} "
    "WHERE id IN (SELECT min(id) FROM orders)",
    "an order is deleted": "UPDATE orders SET deleted_at = {at}, updated_at = {at} "
    "WHERE id IN (SELECT id FROM orders WHERE deleted_at IS NULL ORDER BY id LIMIT 2 OFFSET 5)",
    "a detail is deleted": "UPDATE orderdetails SET deleted_at = {at}, updated_at = {at} WHERE (id, product_id) IN "
    "(SELECT id, product_id FROM orderdetails WHERE deleted_at IS NULL ORDER BY id, product_id LIMIT 3 OFFSET 30)",
    "paid otherwise, by someone else": "UPDATE orders SET payment_id = payment_id % 3 + 1, customer_id = 1, "
    "updated_at = {at} WHERE id IN (SELECT id FROM orders WHERE deleted_at IS NULL ORDER BY id LIMIT 4 OFFSET 20)",
    "it was no mistake": "UPDATE orders SET deleted_at = NULL, updated_at = {at} WHERE id IN "
    "(SELECT min(id) FROM orders WHERE deleted_at IS NOT NULL)",
    "names change": "UPDATE categories SET name = name || '!', updated_at = {at} WHERE id = 1; "
    "UPDATE customers SET last_name = 'Renamed', updated_at = {at} WHERE id = 1; "
    "UPDATE sellers SET name = 'Renamed', updated_at = {at} WHERE id = 2",
}


class Lakehouse:
    """The shop, its two ways into ClickHouse, and the processes that may die."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        [self.port] = free_ports(1)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, verb: str, *arguments: str) -> None:
        log = (self.settings.home / f"{verb}.log").open("ab")
        self.processes[verb] = subprocess.Popen([str(RAINBOW), verb, *arguments], stdout=log, stderr=log)

    def kill(self, verb: str) -> None:
        self.processes[verb].kill()
        self.processes.pop(verb).wait()

    def start_api(self) -> None:
        self.start("api", "--port", str(self.port))
        eventually(lambda: self.call("GET", "/ping")[0] == 200)

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def order(self, products: list[int], customer: int = 1) -> None:
        lines = [{"productId": product, "quantity": 1} for product in products]
        status, said = self.call("POST", "/api/v1/orders", {"customerId": customer, "payment_id": 1, "products": lines})
        assert status == 201, said

    def change(self, statements: str, at: str = "now() AT TIME ZONE 'UTC'") -> None:
        with psycopg.connect(self.settings.secret("source_url")) as connection:
            connection.execute(statements.replace("{at}", at).encode())

    def products(self, count: int) -> list[int]:
        """Products of which there are many."""
        query = "SELECT id FROM products JOIN inventories USING (id) WHERE products.deleted_at IS NULL "
        query += "ORDER BY inventories.quantity DESC LIMIT %s"
        with psycopg.connect(self.settings.secret("source_url")) as connection:
            return [number for (number,) in connection.execute(query, [count]).fetchall()]

    def source(self) -> dict[str, list[tuple[Any, ...]]]:
        """The views as PostgreSQL computes them."""
        with psycopg.connect(self.settings.secret("source_url")) as connection:
            connection.execute(SOURCE_VIEWS.encode())
            return {name: _sorted(connection.execute(f"SELECT * FROM {name}").fetchall()) for name in LIVE}

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with clickhouse.connect(self.settings, wait=60) as client:
            return [tuple(row) for row in client.query(query).result_rows]

    def live(self) -> dict[str, list[tuple[Any, ...]]]:
        with clickhouse.connect(self.settings, wait=60) as client:
            return {name: _sorted(client.query(f"SELECT * FROM v_{name}").result_rows) for name in LIVE}

    def await_stream(self) -> None:
        """Until all that was committed by now is in ClickHouse: what is committed after it is read after it."""
        marker = f"marker {next(MARKERS)}"
        self.change(f"UPDATE brands SET name = '{marker}', updated_at = {{at}} WHERE id = 1")
        eventually(lambda: self.ask(READ.format(marker)) == [(1,)])

    def require_equal(self, after: str = "") -> None:
        self.await_stream()
        expected = self.source()
        found = self.live()
        for name in LIVE:
            assert found[name] == expected[name], (name, after)


def _sorted(rows: Any) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in rows), key=repr)


def eventually(happened: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if happened():
                return
        except (OSError, psycopg.OperationalError):
            pass
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.3)


@pytest.fixture
def lakehouse(fresh_settings: Settings) -> Iterator[Lakehouse]:
    done = rainbow("seed", "--days", "3", "--end", LAST, "--orders-per-day", "40")
    assert done.returncode == 0, done.stderr
    lakehouse = Lakehouse(Settings.load())
    yield lakehouse
    for verb in list(lakehouse.processes):
        lakehouse.kill(verb)


def test_a_sale_counts_once_whatever_runs_and_whatever_dies(
    lakehouse: Lakehouse, stack: Settings, monkeypatch: pytest.MonkeyPatch
):
    done = rainbow("run", "--from", FIRST, "--to", LAST)
    assert done.returncode == 0, done.stderr
    assert lakehouse.live() == lakehouse.source(), "without a stream they are the batch views"

    lakehouse.start("stream")
    lakehouse.start_api()
    first, second, third = lakehouse.products(3)
    lakehouse.order([first])
    lakehouse.order([first, second, third], customer=2)
    lakehouse.require_equal()
    for what, statements in CHANGES.items():
        lakehouse.change(statements, at=f"timestamp '{NEXT} 12:00' + interval '{next(MARKERS)} seconds'")
        lakehouse.require_equal(what)

    # The stream dies amid a load of orders, and the API, too.
    load = threading.Thread(target=lambda: [lakehouse.order([first, third]) for _ in range(30)])
    load.start()
    time.sleep(0.3)
    lakehouse.kill("stream")
    load.join()
    lakehouse.kill("api")
    lakehouse.start("stream")
    lakehouse.require_equal()

    # The batch run of the next day: it dies half-way, then it is run again; the views are right at every moment.
    monkeypatch.setenv("RAINBOW_END_DATE", NEXT)
    run = subprocess.Popen([str(RAINBOW), "run", NEXT], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(15)
    run.kill()
    run.wait()
    lakehouse.require_equal()
    lakehouse.start_api()
    run = subprocess.Popen([str(RAINBOW), "run", NEXT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while run.poll() is None:
        lakehouse.order([second])
        lakehouse.require_equal()
    assert run.wait() == 0, run.communicate()
    lakehouse.require_equal()
    assert lakehouse.ask(JUDGED) == [(True, None)]

    # A row that is deleted for good, of a day that the batch layer has.
    lakehouse.change("DELETE FROM orders WHERE id IN (SELECT max(id) FROM orders WHERE created_at < '2026-03-03')")
    lakehouse.require_equal()

    # PostgreSQL dies under the stream and the API.
    kill(stack, 0)
    lifecycle.up(stack)
    eventually(lambda: lakehouse.call("GET", "/ping")[0] == 200)
    eventually(lambda: lakehouse.order([third]) is None)
    lakehouse.require_equal()
