"""The orders API under load and faults: nothing lost, no stock below zero, no answer that says more than it should."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from http.client import HTTPException
from pathlib import Path

import psutil
import psycopg
import pytest
from real_stack import rainbow
from serving import ORDERS, Client, serving

from rainbow_assets.api.app import create_app
from rainbow_assets.settings import Settings
from rainbow_assets.shop.seed import seed
from rainbow_assets.stack.ports import free_ports, is_open

pytestmark = pytest.mark.integration

Query = Callable[..., list[tuple]]
CLIENTS = 16
SOLD = """SELECT d.product_id, sum(d.quantity)::int FROM orderdetails d JOIN orders o USING (id)
    WHERE d.product_id = ANY(%s) GROUP BY 1 ORDER BY 1"""
LEFT = "SELECT id, quantity FROM inventories WHERE id = ANY(%s) ORDER BY 1"
TORN = """SELECT count(*) FROM orders FULL JOIN (SELECT DISTINCT id FROM orderdetails) AS d USING (id)
    WHERE orders.created_at IS NULL OR d.id IS NULL"""


@pytest.fixture(scope="module")
def url(shared_settings: Settings) -> str:
    source = shared_settings.secret("source_url")
    seed(source, 1, date(2026, 3, 29), 20, 7)
    return source


@pytest.fixture(scope="module")
def port(url: str) -> Iterator[int]:
    with serving(create_app(url)) as port:
        yield port


@pytest.fixture
def query(url: str) -> Iterator[Query]:
    """Runs a statement in the shop; rows where there are any."""
    with psycopg.connect(url, autocommit=True) as connection:

        def run(statement: str, *parameters: object) -> list[tuple]:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

        yield run


def products(query: Query, *stocks: int) -> list[int]:
    """The ids of new products, one for each stock."""
    insert = "INSERT INTO products (name, price) SELECT 'new', 10 FROM generate_series(1, %s) RETURNING id"
    numbers = [number for (number,) in query(insert, len(stocks))]
    query(
        "INSERT INTO inventories (id, quantity) SELECT * FROM unnest(%s::bigint[], %s::bigint[])", numbers, list(stocks)
    )
    return numbers


def test_clients_at_once_sell_what_there_is_and_no_more(port: int, query: Query):
    """The products in either order, so that they would lock each other out if locks were taken as asked for."""
    stocks = (60, 90, 100_000)
    numbers = products(query, *stocks)

    def buy(number: int) -> list[int]:
        client, placed = Client(port), []
        for step in range(20):
            few, more, many = numbers if (number + step) % 2 else reversed(numbers)
            status, answer = client.order((few, 1), (more, 1), (many, 1))
            assert status in {201, 400}, answer
            if status == 201:
                placed.append(answer["id"])
            else:
                assert " has 0 left, not 1." in answer["detail"]
                assert client.order((numbers[2], 1 + step))[0] == 201
        return placed

    with ThreadPoolExecutor(CLIENTS) as pool:
        placed = [number for share in pool.map(buy, range(CLIENTS)) for number in share]
    assert len(placed) == len(set(placed)) == 60
    assert query("SELECT count(*) FROM orders WHERE id = ANY(%s)", placed) == [(60,)]
    sold, left = dict(query(SOLD, numbers)), dict(query(LEFT, numbers))
    assert [sold[number] + left[number] for number in numbers] == list(stocks)
    assert [left[number] for number in numbers[:2]] == [0, 30]
    assert query(TORN) == [(0,)]


def test_a_key_that_somebody_else_took_is_stepped_over(port: int, query: Query):
    [number] = products(query, 10)
    [(last,)] = query("SELECT last_value FROM orders_id_seq")
    query("INSERT INTO orders (id) VALUES (%s), (%s)", last + 1, last + 2)
    try:
        status, order = Client(port).order((number, 1))
        assert (status, order["id"]) == (201, last + 3)
        assert query(LEFT, [number]) == [(number, 9)]
    finally:
        query("DELETE FROM orders WHERE customer_id IS NULL")


def test_a_deadlock_with_somebody_else_ends_well(port: int, url: str, query: Query):
    """Who locks against the order of the keys: PostgreSQL ends the order's transaction, and it is tried again."""
    low, high = products(query, 10, 10)
    update = "UPDATE inventories SET quantity = quantity - 1 WHERE id = %s"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(url) as other:
        other.execute(update, [high])
        order = pool.submit(lambda: Client(port).order((low, 1), (high, 1)))
        waits = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rainbow api' AND wait_event_type = 'Lock'"
        )
        while query(waits) == [(0,)]:
            assert not order.done()
            time.sleep(0.01)
        other.execute(update, [low])
        other.commit()
        assert order.result()[0] == 201
    assert query(LEFT, [low, high]) == [(low, 8), (high, 8)]


def test_connections_that_postgresql_closed_are_replaced_unseen(port: int, query: Query):
    [number] = products(query, 100)
    clients = [Client(port) for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        assert {status for status, _ in pool.map(lambda client: client.order((number, 1)), clients)} == {201}
        query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rainbow api'")
        assert {status for status, _ in pool.map(lambda client: client("GET", ORDERS), clients)} == {200}
    assert query(LEFT, [number]) == [(number, 100 - CLIENTS)]


@pytest.mark.parametrize("fault", ["nobody listens", "a wrong password"])
def test_a_database_that_is_away_is_one_line_without_a_secret(url: str, capfd: pytest.CaptureFixture[str], fault: str):
    head, _, rest = url.rpartition("@")
    user = head.rpartition(":")[0]
    wrong = (
        f"{user}:hushhush@127.0.0.1:{free_ports(1)[0]}/db" if fault == "nobody listens" else f"{user}:hushhush@{rest}"
    )
    with serving(create_app(wrong)) as port:
        client = Client(port)
        for ask in (lambda: client("GET", ORDERS), lambda: client("GET", f"{ORDERS}/1"), lambda: client.order((1, 1))):
            assert ask() == (503, {"detail": "The shop's database is away or busy. Try again."})
        assert client("GET", "/ping")[0] == 200
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 3
    assert all("503: PostgreSQL" in line and "hushhush" not in line for line in said)


def test_the_verb_serves_on_loopback_and_loses_nothing_when_it_is_killed(shared_settings, url: str, query: Query):
    """SIGKILL in the middle: what was answered is there, and no order is there in part."""
    numbers = products(query, *[100_000] * 8)
    [port] = free_ports(1)
    program = [str(Path(sys.executable).with_name("rainbow")), "api", "--port", str(port)]
    server = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while not is_open(port):
            assert server.poll() is None, server.stdout and server.stdout.read()
            time.sleep(0.05)
        listening = [
            one.laddr.ip for one in psutil.Process(server.pid).net_connections("inet") if one.status == "LISTEN"
        ]
        assert listening == ["127.0.0.1"]
        refused = rainbow("api", "--port", str(port))
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"Error: Port {port} (--port) is in use by ")
        assert refused.stderr.count("\n") == 1

        placed: list[int] = []
        enough = threading.Event()

        def buy(number: int) -> None:
            client = Client(port)
            try:
                while True:
                    status, answer = client.order((numbers[number % 8], 1), (numbers[(number + 3) % 8], 2))
                    assert status == 201
                    placed.append(answer["id"])
                    if len(placed) > 200:
                        enough.set()
            except (OSError, HTTPException):  # killed
                return

        with ThreadPoolExecutor(CLIENTS) as pool:
            shares = [pool.submit(buy, number) for number in range(CLIENTS)]
            assert enough.wait(30)
            server.kill()
            for share in shares:
                share.result()
    finally:
        server.kill()
        said = server.communicate()[0]
    assert said.startswith(f"Orders API on http://127.0.0.1:{port}")
    assert said.count("\n") == 1
    here = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rainbow api' AND state <> 'idle'"
    while query(here) != [(0,)]:
        time.sleep(0.05)
    assert query("SELECT count(*) FROM orders WHERE id = ANY(%s)", placed) == [(len(set(placed)),)]
    assert len(placed) == len(set(placed))
    sold, left = dict(query(SOLD, numbers)), dict(query(LEFT, numbers))
    assert [sold[number] + left[number] for number in numbers] == [100_000] * 8
    assert query(TORN) == [(0,)]
