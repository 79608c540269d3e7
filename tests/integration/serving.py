"""What the tests of the API share: an app that is served on a free port, and a client of it."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

from fastapi import FastAPI

from rainbow_assets.api.app import server as api_server
from rainbow_assets.stack.ports import LOOPBACK, free_ports

ORDERS = "/api/v1/orders"


class Client:
    """One connection to the API, kept open."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection(LOOPBACK, port, timeout=30)
        self.headers: dict[str, str] = {}

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """The status and the answer's JSON; `body` is sent as JSON, bytes as they are."""
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self._connection.request(method, path, raw, {"Content-Type": "application/json"} | headers)
        answer = self._connection.getresponse()
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, json.loads(answer.read())

    def order(self, *lines: tuple[object, object], customer: object = 1, payment: object = 1) -> tuple[int, Any]:
        """Post an order of (product, quantity) lines."""
        products = [{"productId": product, "quantity": quantity} for product, quantity in lines]
        return self("POST", ORDERS, {"customerId": customer, "payment_id": payment, "products": products})


@contextmanager
def serving(app: FastAPI) -> Iterator[int]:
    """Serve `app` in a thread, as `rainbow api` does in a process; the port."""
    [port] = free_ports(1)
    server = api_server(app, LOOPBACK, port)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        assert server.started
        yield port
    finally:
        server.should_exit = True
        thread.join(10)
