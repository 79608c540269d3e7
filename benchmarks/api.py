"""Orders through the API ÷ the same rows written by plain psycopg.

Ours: `rainbow api` as a program of its own, and 16 clients in this one, each with a connection that stays open, which
post orders of three products one after the other. Bare: 16 psycopg connections in this program, each of whose
transactions locks and reduces the stock of three products and inserts an order and its details, without any check.
Same products, same quantities, the same shop, where every stock suffices. After each side, the orders, details and
pieces that PostgreSQL holds must be all that were asked for: none lost, none doubled.

What is asked for is a rate, `RATE`; the ratio says what HTTP, validation and the checks cost.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from statistics import median

import psycopg

from benchmarks.harness import Result, agree, alternate, timed
from benchmarks.sources import shop
from benchmarks.stack import Stack, environment
from rainbow_assets.stack.ports import LOOPBACK, free_ports, is_open
from rainbow_assets.systems import postgres

CLIENTS, LINES = 16, 3
RATE = 300  # orders a second, at least
TARGET = 5.0
TOTALS = """
SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM orderdetails),
    (SELECT sum(quantity) FROM orderdetails)::bigint, (SELECT sum(quantity) FROM inventories)::bigint
"""
TRANSACTION = (
    "SELECT id FROM inventories WHERE id = ANY(%(products)s) ORDER BY id FOR UPDATE",
    "UPDATE inventories SET quantity = quantity - 1, updated_at = now() WHERE id = ANY(%(products)s)",
    """
    WITH placed AS (INSERT INTO orders (customer_id, payment_id) VALUES (1, 1) RETURNING id)
    INSERT INTO orderdetails (id, product_id, quantity, price, promotion_id)
    SELECT placed.id, p.id, 1, p.price, p.promotion_id FROM placed, products AS p WHERE p.id = ANY(%(products)s)
    """,
)


def measure(stack: Stack, rounds: int, quick: bool) -> Result:
    """4,000 orders by 16 clients."""
    orders = 160 if quick else 4_000
    url = stack.source()
    shop(url, 1, 500)
    with postgres.connect(url, "benchmark") as connection:
        connection.execute("UPDATE inventories SET quantity = 1000000")
    [(products,)] = postgres.fetch(url, "benchmark", "SELECT array_agg(id) FROM products WHERE deleted_at IS NULL")
    shares = [[basket(number, products) for number in range(client, orders, CLIENTS)] for client in range(CLIENTS)]

    def side(client: Callable[[list[list[int]]], None]) -> float:
        [before] = postgres.fetch(url, "benchmark", TOTALS)
        with ThreadPoolExecutor(CLIENTS) as pool:
            seconds = timed(lambda: list(pool.map(client, shares)))
        [after] = postgres.fetch(url, "benchmark", TOTALS)
        pieces = orders * LINES
        agree(
            "orders", [now - then for now, then in zip(after, before, strict=True)], [orders, pieces, pieces, -pieces]
        )
        return seconds

    with running_api(stack, url) as port:
        taken = alternate(
            rounds, lambda: side(lambda share: post(port, share)), lambda: side(lambda share: write(url, share))
        )
    rate = orders / median(taken[0])
    what = f"orders by {CLIENTS} clients through the API, {rate:.0f} a second (at least {RATE}) ÷ by plain psycopg"
    facts = {"orders": orders, "clients": CLIENTS, "orders_a_second": rate, "bare_a_second": orders / median(taken[1])}
    return Result("api", what, TARGET, taken[0], taken[1], facts=facts)


def basket(number: int, products: list[int]) -> list[int]:
    """Three different products, spread over all of them."""
    step = len(products) // LINES
    return [products[(number * 7919 + line * step) % len(products)] for line in range(LINES)]


def post(port: int, share: list[list[int]]) -> None:
    """One client of the API."""
    connection = HTTPConnection(LOOPBACK, port, timeout=30)
    headers = {"Content-Type": "application/json"}
    for basket in share:
        lines = [{"productId": product, "quantity": 1} for product in basket]
        body = json.dumps({"customerId": 1, "payment_id": 1, "products": lines})
        connection.request("POST", "/api/v1/orders", body, headers)
        answer = connection.getresponse()
        agree(f"the answer {answer.read()!r}", answer.status, 201)
    connection.close()


def write(url: str, share: list[list[int]]) -> None:
    """One connection that writes the same rows."""
    with psycopg.connect(url) as connection:
        for basket in share:
            for statement in TRANSACTION:
                connection.execute(statement, {"products": basket})
            connection.commit()


@contextmanager
def running_api(stack: Stack, url: str) -> Iterator[int]:
    """`rainbow api` on this shop; the port."""
    [port] = free_ports(1)
    program = [sys.executable, "-c", "from rainbow_assets.cli import main; main()", "api", "--port", str(port)]
    server = subprocess.Popen(
        program, env=environment(stack.settings) | {"RAINBOW_SOURCE_URL": url}, stdout=subprocess.DEVNULL
    )
    try:
        while not is_open(port):
            agree("the end of `rainbow api`", server.poll(), None)
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait()
