"""The orders API on a real shop: what it reads, what it writes, and what it refuses without a trace."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from serving import ORDERS, Client, serving

from rainbow_assets.api.app import create_app
from rainbow_assets.settings import Settings
from rainbow_assets.shop.seed import seed

pytestmark = pytest.mark.integration

Query = Callable[..., list[tuple]]
CHECKSUM = """SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM
    (SELECT o::text FROM orders o UNION ALL SELECT d::text FROM orderdetails d
    UNION ALL SELECT i::text FROM inventories i) AS t (t)"""


@pytest.fixture(scope="module")
def url(shared_settings: Settings) -> str:
    source = shared_settings.secret("source_url")
    seed(source, 2, date(2026, 3, 29), 20, 7)
    return source


@pytest.fixture(scope="module")
def port(url: str) -> Iterator[int]:
    with serving(create_app(url)) as port:
        yield port


@pytest.fixture
def client(port: int) -> Client:
    return Client(port)


@pytest.fixture
def query(url: str) -> Iterator[Query]:
    """Runs a statement in the shop; rows where there are any."""
    with psycopg.connect(url, autocommit=True) as connection:

        def run(statement: str, *parameters: object) -> list[tuple]:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

        yield run


def product(query: Query, stock: int = 1000, price: object = "10.00", promotion: int | None = None) -> int:
    """The id of a new product."""
    insert = "INSERT INTO products (name, price, promotion_id) VALUES (%s, %s, %s) RETURNING id"
    [(number,)] = query(insert, "new", price, promotion)
    query("INSERT INTO inventories (id, quantity, updated_at) VALUES (%s, %s, '2026-03-29')", number, stock)
    return number


def test_ping_and_the_root_answer(client: Client):
    assert client("GET", "/ping") == (200, {"ping": "pong"})
    status, about = client("GET", "/")
    assert (status, about["name"], about["orders"]) == (200, "Rainbow API", ORDERS)
    assert client("GET", about["openapi"])[0] == 200


def test_an_order_takes_price_and_promotion_from_its_products_and_pieces_from_the_stock(client, query):
    first, second = product(query, price="12.5", promotion=3), product(query, price="0.01")
    [(last,)] = query("SELECT max(id) FROM orders")
    status, order = client.order((second, 7), (first, 2), customer=3, payment=2)
    assert status == 201
    assert client.headers["location"] == f"{ORDERS}/{order['id']}"
    assert order["id"] > last
    assert (order["customerId"], order["payment_id"]) == (3, 2)
    assert order["details"] == [
        {"productId": first, "quantity": 2, "price": "12.50", "promotion_id": 3},
        {"productId": second, "quantity": 7, "price": "0.01", "promotion_id": None},
    ]
    assert client("GET", f"{ORDERS}/{order['id']}") == (200, order)

    now = datetime.now(UTC).replace(tzinfo=None)
    [(customer, payment, created, updated)] = query(
        "SELECT customer_id, payment_id, created_at, updated_at FROM orders WHERE id = %s", order["id"]
    )
    assert (customer, payment) == (3, 2)
    assert created == updated == datetime.fromisoformat(order["created_at"]).replace(tzinfo=None)
    assert now - timedelta(minutes=1) < created < now + timedelta(minutes=1)
    times = "SELECT DISTINCT created_at, updated_at, deleted_at FROM orderdetails WHERE id = %s"
    assert query(times, order["id"]) == [(created, created, None)]
    stock = "SELECT id, quantity FROM inventories WHERE updated_at >= %s ORDER BY id"
    assert query(stock, created) == [(first, 998), (second, 993)]


def test_the_last_piece_is_sold_and_no_more(client, query):
    few, other = product(query, stock=5), product(query)
    assert client.order((few, 3))[0] == 201
    assert client.order((other, 1), (few, 3)) == (400, {"detail": f"Product {few} has 2 left, not 3."})
    assert client.order((few, 2))[0] == 201
    assert client.order((few, 1)) == (400, {"detail": f"Product {few} has 0 left, not 1."})
    assert query("SELECT quantity FROM inventories WHERE id IN (%s, %s) ORDER BY id", few, other) == [(0,), (1000,)]


def test_pages_hold_every_order_once(client, query):
    query("UPDATE orders SET deleted_at = updated_at WHERE id = 2")
    read: list[int] = []
    after: int | None = 0
    while after is not None:
        status, page = client("GET", f"{ORDERS}?limit=7&after={after}")
        assert status == 200
        assert 0 < len(page["orders"]) <= 7
        read += [order["id"] for order in page["orders"]]
        after = page["next"]
    there = [order for (order,) in query("SELECT id FROM orders WHERE deleted_at IS NULL ORDER BY id")]
    assert read == there
    assert 2 not in read
    assert client("GET", ORDERS)[1]["orders"] == client("GET", f"{ORDERS}?limit=20")[1]["orders"]
    assert client("GET", f"{ORDERS}?limit=3&after={there[-4]}")[1]["next"] is None
    assert client("GET", f"{ORDERS}?after={there[-1]}") == (200, {"orders": [], "next": None})


def test_what_is_deleted_or_was_never_there_is_not_found(client, query):
    one, other = product(query), product(query)
    number = client.order((one, 1), (other, 1))[1]["id"]
    query("UPDATE orderdetails SET deleted_at = updated_at WHERE id = %s AND product_id = %s", number, other)
    assert [detail["productId"] for detail in client("GET", f"{ORDERS}/{number}")[1]["details"]] == [one]
    query("UPDATE orders SET deleted_at = updated_at WHERE id = %s", number)
    assert client("GET", f"{ORDERS}/{number}") == (404, {"detail": f"There is no order {number}."})
    assert client("GET", f"{ORDERS}/{2**63 - 1}")[0] == 404


def test_what_python_cannot_hold_is_read_all_the_same(client, query):
    query("INSERT INTO orders (id, created_at) VALUES (8000000001, 'infinity')")
    query("INSERT INTO orderdetails (id, product_id, price) VALUES (8000000001, 1, 'NaN')")
    status, order = client("GET", f"{ORDERS}/8000000001")
    assert status == 200
    assert order["details"] == [{"productId": 1, "quantity": None, "price": "NaN", "promotion_id": None}]
    query("DELETE FROM orders WHERE id = 8000000001")


@pytest.mark.parametrize(
    ("change", "customer", "payment", "lines", "said"),
    [
        ("SELECT", 10**9, 10**9, [("a", 1)], "Customer 1000000000 is unknown; payment 1000000000 is unknown."),
        ("UPDATE customers SET deleted_at = {} WHERE id = 5", 5, 1, [("a", 1)], "Customer 5 is unknown."),
        ("UPDATE payments SET deleted_at = {} WHERE id = 4", 1, 4, [("a", 1)], "Payment 4 is unknown."),
        ("SELECT", 1, 1, [("a", 1), (2**63 - 1, 1)], "Product 9223372036854775807 is unknown."),
        ("UPDATE products SET deleted_at = {} WHERE id = {b}", 1, 1, [("a", 1), ("b", 1)], "Product {b} is unknown."),
        ("SELECT", 1, 1, [("a", 1), ("b", 1001)], "Product {b} has 1000 left, not 1001."),
        ("UPDATE inventories SET quantity = -3 WHERE id = {b}", 1, 1, [("b", 1)], "Product {b} has 0 left, not 1."),
        ("UPDATE inventories SET quantity = NULL WHERE id = {b}", 1, 1, [("b", 1)], "Product {b} has 0 left, not 1."),
        ("UPDATE inventories SET deleted_at = {} WHERE id = {b}", 1, 1, [("b", 1)], "Product {b} has 0 left, not 1."),
        ("DELETE FROM inventories WHERE id = {b}", 1, 1, [("b", 1)], "Product {b} has 0 left, not 1."),
        ("UPDATE products SET price = NULL WHERE id = {b}", 1, 1, [("b", 1)], "Product {b} has no price."),
        ("UPDATE products SET price = 'NaN' WHERE id = {b}", 1, 1, [("b", 1)], "Product {b} has no price."),
        ("UPDATE products SET price = -1 WHERE id = {b}", 1, 1, [("b", 1)], "Product {b} has no price."),
        ("SELECT", 1, 1, [("a", 1), ("b", 1), ("a", 1)], "A product is there twice; write each once"),
    ],
)
def test_an_order_that_the_shop_cannot_fill_is_refused_whole(client, query, change, customer, payment, lines, said):
    numbers = {"a": product(query), "b": product(query)}
    query(change.format("'2026-03-30'", **numbers))
    before = query(CHECKSUM)
    asked = [(numbers.get(name, name), quantity) for name, quantity in lines]
    status, answer = client.order(*asked, customer=customer, payment=payment)
    assert (status, list(answer)) == (400, ["detail"])
    assert said.format(**numbers) in answer["detail"]
    assert query(CHECKSUM) == before


GOOD = {"customerId": 1, "payment_id": 1, "products": [{"productId": 1, "quantity": 1}]}
LINE = {"productId": 1, "quantity": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'"' + b"x" * 100_000 + b'"',
        b"[" * 30_000,
        b'{"a":' * 10_000,
        b'{"customerId": ' + b"9" * 5_000 + b"}",
        b'{"customerId": NaN, "payment_id": Infinity, "products": -Infinity}',
        b'{"\\ud800": "\\ud800"}',
        b'{"customerId\\u0000": 1}',
        GOOD | {"customerId": None},
        GOOD | {"customerId": True},
        GOOD | {"customerId": "1"},
        GOOD | {"customerId": "\0"},
        GOOD | {"customerId": 1.5},
        GOOD | {"customerId": 0},
        GOOD | {"customerId": -1},
        GOOD | {"customerId": 2**63},
        GOOD | {"customerId": 10**400},
        GOOD | {"payment_id": [1]},
        GOOD | {"payment_id": 2**64},
        GOOD | {"extra": 1},
        GOOD | {"products": []},
        GOOD | {"products": {}},
        GOOD | {"products": [LINE] * 101},
        GOOD | {"products": [[LINE]]},
        GOOD | {"products": [LINE | {"quantity": 0}]},
        GOOD | {"products": [LINE | {"quantity": -1}]},
        GOOD | {"products": [LINE | {"quantity": 10_001}]},
        GOOD | {"products": [LINE | {"quantity": False}]},
        GOOD | {"products": [LINE | {"quantity": "1; DROP TABLE orders"}]},
        GOOD | {"products": [LINE | {"productId": 2**63}]},
        GOOD | {"products": [LINE | {"price": "0.01"}]},
        GOOD | {"products": [{"productId": 1}]},
        {name: value for name, value in GOOD.items() if name != "payment_id"},
    ],
    ids=lambda body: repr(body)[:60],
)
def test_a_hostile_body_is_refused_and_changes_nothing(client, query, body):
    before = query(CHECKSUM)
    status, answer = client("POST", ORDERS, body)
    assert status in {400, 422}
    assert list(answer) == ["detail"]
    assert "\n" not in answer["detail"]
    assert query(CHECKSUM) == before


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "?limit=0", 422),
        ("GET", "?limit=101", 422),
        ("GET", "?limit=x", 422),
        ("GET", "?after=-1", 422),
        ("GET", f"?after={2**63}", 422),
        ("GET", "?after=%00", 422),
        ("GET", "/0", 422),
        ("GET", f"/{2**63}", 422),
        ("GET", "/1%00", 422),
        ("GET", "/+1", 422),
        ("GET", "/%201", 422),
        ("GET", "/1_0", 422),
        ("GET", "/1.0", 422),
        ("GET", "/%D9%A1", 422),
        ("GET", "?limit=+5", 422),
        ("GET", "?limit=1_0", 422),
        ("GET", "?after=1.0", 422),
        ("GET", "?sort=price", 422),
        ("GET", "/" + "9" * 5_000, 422),
        ("DELETE", "/1", 405),
        ("GET", "/1/details", 404),
    ],
)
def test_a_malformed_request_is_told_so(client, method, path, status):
    answered, answer = client(method, ORDERS + path)
    assert (answered, list(answer)) == (status, ["detail"])


@pytest.mark.parametrize(
    ("body", "kind", "status", "said"),
    [
        (GOOD, "text/plain", 415, "application/json"),
        (GOOD, "application/x-www-form-urlencoded", 415, "application/json"),
        (GOOD, "application/ld+json", 415, "application/json"),
        (GOOD, "text/plain; application/json", 415, "application/json"),
        (b"{", "application/json", 400, "no JSON"),
        (b"", "application/json", 422, "body"),
        (b'{"customerId": 1, "customerId": 2, "payment_id": 1, "products": []}', "application/json", 400, "customerId"),
        (b'{"customerId": 1, "products": [{"a": 1, "a": 1}]}', "application/json; charset=utf-8", 400, "'a'"),
        (b'{"customerId": NaN}', "application/json", 400, "NaN"),
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_told_so(client, query, body, kind, status, said):
    """A web page elsewhere can send what does not say that it is JSON without asking."""
    before = query(CHECKSUM)
    answered, answer = client("POST", ORDERS, body, **{"Content-Type": kind})
    assert (answered, list(answer)) == (status, ["detail"])
    assert said in answer["detail"]
    assert query(CHECKSUM) == before


def test_newest_first(client, query):
    there = [order for (order,) in query("SELECT id FROM orders WHERE deleted_at IS NULL ORDER BY id DESC")]
    read: list[int] = []
    after = ""
    while after is not None:
        page = client("GET", f"{ORDERS}?limit=7&sort=newest{after and f'&after={after}'}")[1]
        read += [order["id"] for order in page["orders"]]
        after = page["next"]
    assert read == there
    assert client("GET", f"{ORDERS}?sort=newest&after=0") == (200, {"orders": [], "next": None})


def test_a_key_places_one_order(client, query):
    one = product(query, stock=100)
    body = GOOD | {"products": [{"productId": one, "quantity": 3}]}
    key = {"Idempotency-Key": "first"}
    status, order = client("POST", ORDERS, body, **key)
    assert status == 201
    place = client.headers["location"]
    query("UPDATE orderdetails SET quantity = 2 WHERE id = %s", order["id"])
    assert client("POST", ORDERS, body, **key) == (201, order), "as it was answered then"
    assert client.headers["location"] == place
    assert client("POST", ORDERS, dict(reversed(body.items())), **key) == (201, order), "the same, said otherwise"
    before = query(CHECKSUM)
    said = {"detail": "This Idempotency-Key has placed another order."}
    assert client("POST", ORDERS, body | {"customerId": 2}, **key) == (409, said)
    assert query(CHECKSUM) == before
    assert client("POST", ORDERS, body, **{"Idempotency-Key": "second"})[1]["id"] > order["id"]
    assert query("SELECT quantity FROM inventories WHERE id = %s", one) == [(94,)]


def test_a_key_is_free_where_nothing_was_placed(client, query):
    few = product(query, stock=1)
    key = {"Idempotency-Key": "third"}
    body = GOOD | {"products": [{"productId": few, "quantity": 2}]}
    assert client("POST", ORDERS, body, **key)[0] == 400
    assert client("POST", ORDERS, body | {"products": [{"productId": few, "quantity": 1}]}, **key)[0] == 201
    query("DELETE FROM orders WHERE id = (SELECT max(id) FROM orders)")  # the shop is another one now
    query("UPDATE inventories SET quantity = 5 WHERE id = %s", few)
    assert client("POST", ORDERS, body, **key)[0] == 201


def test_a_key_of_another_shop_is_free(client, query):
    """As after `seed --replace`: the ids begin anew, and another shop's order has the id by now."""
    one = product(query, stock=10)
    body = GOOD | {"products": [{"productId": one, "quantity": 2}]}
    key = {"Idempotency-Key": "another-shop"}
    number = client("POST", ORDERS, body, **key)[1]["id"]
    query("DELETE FROM orders WHERE id = %s", number)
    query("INSERT INTO orders (id, customer_id, payment_id, created_at) VALUES (%s, 2, 2, '2026-03-29')", number)
    status, order = client("POST", ORDERS, body | {"customerId": 3}, **key)
    assert (status, order["customerId"]) == (201, 3)
    assert order["id"] > number
    assert client("POST", ORDERS, body | {"customerId": 3}, **key) == (201, order)
    assert query("SELECT quantity FROM inventories WHERE id = %s", one) == [(6,)]


def test_a_key_that_is_sent_at_once_places_one_order(port, query):
    one = product(query, stock=100)
    body = GOOD | {"products": [{"productId": one, "quantity": 1}]}
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(Client(port), "POST", ORDERS, body, **{"Idempotency-Key": "at-once"}) for _ in range(24)]
        answers = [one.result() for one in asked]
    assert {status for status, _ in answers} == {201}
    assert len({order["id"] for _, order in answers}) == 1
    assert query("SELECT quantity FROM inventories WHERE id = %s", one) == [(99,)]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\u00e9".encode().decode("latin-1")])
def test_a_key_is_visible_ascii(client, query, key):
    before = query(CHECKSUM)
    assert client("POST", ORDERS, GOOD, **{"Idempotency-Key": key})[0] == 422
    assert query(CHECKSUM) == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebound.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_another_page_is_refused(client, headers, status):
    answered, answer = client("GET", ORDERS, None, **headers)
    assert (answered, list(answer)) == (status, ["detail"])


def test_a_redirect_stays_here(port):
    """The framework takes the redirect's place from the Host."""
    client = Client(port)
    client._connection.request("GET", f"{ORDERS}/", headers={"Host": "evil.example"})
    answer = client._connection.getresponse()
    assert (answer.status, answer.getheader("location")) == (421, None)
