"""The orders API under load and faults: nothing lost, no stock below zero, no answer that says more than it should."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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
from rainbow_assets.stack.ports import LOOPBACK, free_ports, is_open

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


def test_a_key_that_somebody_else_took_is_stepped_over_and_said_once(
    port: int, query: Query, caplog: pytest.LogCaptureFixture
):
    [number] = products(query, 10)
    [(last,)] = query("SELECT last_value FROM orders_id_seq")
    query("INSERT INTO orders (id) VALUES (%s), (%s)", last + 1, last + 2)
    try:
        status, order = Client(port).order((number, 1))
        assert (status, order["id"]) == (201, last + 3)
        assert caplog.text.count("The next id of orders_pkey is taken") == 1
        assert Client(port).order((number, 1))[0] == 201
        assert caplog.text.count("is taken") == 1, "no more where there is nothing to say"
        assert query(LEFT, [number]) == [(number, 8)]
    finally:
        query("DELETE FROM orders WHERE customer_id IS NULL")


def test_a_sequence_that_lies_far_behind_is_said(port: int, query: Query, caplog: pytest.LogCaptureFixture):
    [number] = products(query, 10)
    query("INSERT INTO orders (id) SELECT last_value + n FROM orders_id_seq, generate_series(1, 10) AS n")
    try:
        assert Client(port).order((number, 1))[0] == 503
        assert "orders_pkey are taken, 5 in a row. The sequence lies behind the table" in caplog.text
        assert query(LEFT, [number]) == [(number, 10)]
    finally:
        query("DELETE FROM orders WHERE customer_id IS NULL")
        query("SELECT setval('orders_id_seq', max(id)) FROM orders")


def test_readers_do_not_wait_for_writers(port: int, url: str, query: Query):
    """Orders that all wait for one product hold every connection that writes."""
    [number] = products(query, 1000)
    with ThreadPoolExecutor(CLIENTS) as pool, psycopg.connect(url) as other:
        other.execute("UPDATE inventories SET quantity = quantity WHERE id = %s", [number])
        orders = [pool.submit(lambda: Client(port).order((number, 1))) for _ in range(CLIENTS)]
        waits = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rainbow api' AND wait_event_type = 'Lock'"
        )
        while query(waits) != [(8,)]:
            time.sleep(0.01)
        assert Client(port)("GET", f"{ORDERS}?limit=1")[0] == 200
        assert not any(order.done() for order in orders)
        other.commit()
        assert {order.result()[0] for order in orders} == {201}


def begun(port: int, sent: str) -> socket.socket:
    """A connection on which a request was begun."""
    connection = socket.create_connection((LOOPBACK, port), timeout=30)
    connection.sendall(sent.encode())
    return connection


HEAD = f"POST {ORDERS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"


@pytest.mark.parametrize("sent", ["", "GET /pi", "GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n", HEAD, HEAD + "{"])
def test_what_others_do_not_finish_keeps_nobody_out(port: int, query: Query, sent: str):
    [number] = products(query, 10)
    held = [begun(port, sent) for _ in range(600)]
    try:
        assert Client(port)("GET", ORDERS)[0] == 200
        assert Client(port).order((number, 1))[0] == 201
        first = held[0].recv(200)  # who waited longest made room
        assert first == b"" if not sent else b" 503 " in first and b'{"detail": ' in first
    finally:
        for connection in held:
            connection.close()


@pytest.mark.parametrize("sent", ["", "GET /pi", HEAD + "{"])
def test_a_request_that_does_not_come_is_given_up(url: str, sent: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("rainbow_assets.api.patience.WHOLE", 0.5)
    with serving(create_app(url)) as port, begun(port, sent) as late, begun(port, HEAD) as dripping:
        said = b"".join(iter(lambda: late.recv(1000), b""))
        assert said == b"" if not sent else b" 408 " in said and b'{"detail": ' in said
        assert is_cut_off(dripping), "bytes that come one by one are no progress"


def is_cut_off(connection: socket.socket) -> bool:
    """Whether a connection ends on which a byte is sent now and then."""
    try:
        for _ in range(100):
            connection.sendall(b" ")
            time.sleep(0.05)
    except OSError:
        return True
    return False


def test_a_head_without_end_is_refused(port: int):
    with begun(port, "GET /ping HTTP/1.1\r\n") as connection:
        with suppress(OSError):
            for number in range(200):
                connection.sendall(f"x-{number}: {'x' * 4000}\r\n".encode())
                time.sleep(0.001)
        with suppress(ConnectionResetError):
            assert connection.recv(100)[:13] in {b"", b"HTTP/1.1 431 "}
    assert Client(port)("GET", "/ping")[0] == 200


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
