"""What the API reads and writes in the shop's tables, each method one statement.

Here: SQL, within the transaction of a unit of work. Not here: what is allowed (`service.py`).

Text leaves PostgreSQL as it goes out: money exact, times in ISO 8601; also what Python cannot hold (`infinity`, `NaN`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import class_row

from rainbow_assets.api.models import BIGINT, Detail, Order, OrderHead

ISO = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
HEAD = f"""id, customer_id, payment_id,
    to_char(created_at, {ISO}) AS created_at,
    to_char(updated_at, {ISO}) AS updated_at"""

KNOWN = """
SELECT
    EXISTS (SELECT FROM customers WHERE id = %s AND deleted_at IS NULL),
    EXISTS (SELECT FROM payments WHERE id = %s AND deleted_at IS NULL)
"""

# One statement locks, by key: two orders of the same products wait for each other, and never in a circle.
HOLD = """
WITH held AS (
    SELECT id, quantity FROM inventories
    WHERE id = ANY(%(products)s::bigint[]) AND deleted_at IS NULL
    ORDER BY id
    FOR UPDATE
)
SELECT
    line.product_id,
    line.quantity,
    p.id IS NOT NULL AS is_known,
    coalesce(p.price >= 0 AND p.price < 'Infinity', false) AS is_priced,
    round(p.price, 2)::text AS price,
    p.promotion_id,
    coalesce(held.quantity, 0) AS stock
FROM unnest(%(products)s::bigint[], %(quantities)s::bigint[]) AS line (product_id, quantity)
LEFT JOIN products AS p ON p.id = line.product_id AND p.deleted_at IS NULL
LEFT JOIN held ON held.id = line.product_id
ORDER BY line.product_id
"""

# The clock, not now(): a row's `updated_at` never falls behind that of the transaction it waited for.
TAKE = """
UPDATE inventories AS i
SET quantity = i.quantity - line.quantity, updated_at = clock_timestamp() AT TIME ZONE 'utc'
FROM unnest(%s::bigint[], %s::bigint[]) AS line (product_id, quantity)
WHERE i.id = line.product_id
"""

ADD = f"""
WITH placed AS (
    INSERT INTO orders (customer_id, payment_id, created_at, updated_at)
    SELECT %(customer)s, %(payment)s, moment, moment FROM (SELECT clock_timestamp() AT TIME ZONE 'utc') AS c (moment)
    RETURNING *
),
detailed AS (
    INSERT INTO orderdetails (id, product_id, quantity, price, promotion_id, created_at, updated_at)
    SELECT placed.id, line.*, placed.created_at, placed.updated_at
    FROM placed, unnest(
        %(products)s::bigint[], %(quantities)s::bigint[], %(prices)s::numeric[], %(promotions)s::bigint[]
    ) AS line
)
SELECT {HEAD} FROM placed
"""

OLDEST = f"SELECT {HEAD} FROM orders WHERE id > %s AND deleted_at IS NULL ORDER BY orders.id LIMIT %s"
NEWEST = f"SELECT {HEAD} FROM orders WHERE id < %s AND deleted_at IS NULL ORDER BY orders.id DESC LIMIT %s"

# In a schema of its own: the shop's tables are what its owner made them. A key is forgotten after a while.
KEYS = """
CREATE SCHEMA IF NOT EXISTS rainbow_api;
CREATE TABLE IF NOT EXISTS rainbow_api.idempotency_keys (
    key text PRIMARY KEY,
    request text NOT NULL,
    order_id bigint,
    answer text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS idempotency_keys_created_at ON rainbow_api.idempotency_keys (created_at)
"""

# Who comes second waits here until the first has committed, or has not.
CLAIM = "INSERT INTO rainbow_api.idempotency_keys (key, request) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING key"

# The shop may have been emptied since, and another one's order may have the id: it was not made at that moment.
GIVEN = f"""
SELECT k.request, o.id IS NULL AS is_void, k.answer
FROM rainbow_api.idempotency_keys AS k
LEFT JOIN orders AS o ON o.id = k.order_id AND to_char(o.created_at, {ISO}) = k.answer::json ->> 'created_at'
WHERE k.key = %s
FOR UPDATE OF k
"""

RECLAIM = "UPDATE rainbow_api.idempotency_keys SET request = %s, created_at = clock_timestamp() WHERE key = %s"

KEEP = "UPDATE rainbow_api.idempotency_keys SET order_id = %s, answer = %s WHERE key = %s"

FORGET = """
DELETE FROM rainbow_api.idempotency_keys WHERE key IN (
    SELECT key FROM rainbow_api.idempotency_keys WHERE created_at < now() - interval '7 days'
    ORDER BY created_at LIMIT 10 FOR UPDATE SKIP LOCKED
)
"""

ONE = f"SELECT {HEAD} FROM orders WHERE id = %s AND deleted_at IS NULL"

DETAILS = """
SELECT product_id, quantity, price::text AS price, promotion_id FROM orderdetails
WHERE id = %s AND deleted_at IS NULL
ORDER BY product_id
"""


@dataclass(frozen=True)
class HeldLine:
    """A line of a new order beside what the shop has: its product, and its stock, which is locked."""

    product_id: int
    quantity: int
    is_known: bool
    is_priced: bool
    price: str | None
    promotion_id: int | None
    stock: int


class Buyers:
    """Customers and their means of payment."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Within the transaction of `connection`."""
        self._connection = connection

    async def known(self, customer_id: int, payment_id: int) -> tuple[bool, bool]:
        """Whether the customer is there and not deleted, and whether the payment is."""
        cursor = await self._connection.execute(KNOWN, [customer_id, payment_id])
        [(is_customer, is_payment)] = await cursor.fetchall()
        return is_customer, is_payment


class Stock:
    """Products, and how many pieces of each there are."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Within the transaction of `connection`."""
        self._connection = connection

    async def hold(self, products: Sequence[int], quantities: Sequence[int]) -> list[HeldLine]:
        """Lock the stock of the products until the transaction ends; the lines by product, each product once."""
        cursor = self._connection.cursor(row_factory=class_row(HeldLine))
        await cursor.execute(HOLD, {"products": products, "quantities": quantities})
        return await cursor.fetchall()

    async def take(self, lines: Sequence[HeldLine]) -> None:
        """Reduce the stock that is held by what is ordered."""
        await self._connection.execute(TAKE, [[line.product_id for line in lines], [line.quantity for line in lines]])


class Orders:
    """Orders and their details."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Within the transaction of `connection`."""
        self._connection = connection

    async def add(self, customer_id: int, payment_id: int, lines: Sequence[HeldLine]) -> OrderHead:
        """Write an order with its details; PostgreSQL gives it the next id and the time."""
        cursor = self._connection.cursor(row_factory=class_row(OrderHead))
        await cursor.execute(
            ADD,
            {
                "customer": customer_id,
                "payment": payment_id,
                "products": [line.product_id for line in lines],
                "quantities": [line.quantity for line in lines],
                "prices": [line.price for line in lines],
                "promotions": [line.promotion_id for line in lines],
            },
        )
        [head] = await cursor.fetchall()
        return head

    async def page(self, after: int | None, limit: int, newest_first: bool) -> list[OrderHead]:
        """The next orders after an id, by id, up or down; without an id from the first on."""
        cursor = self._connection.cursor(row_factory=class_row(OrderHead))
        if newest_first:
            await cursor.execute(NEWEST, [BIGINT if after is None else after, limit])
        else:
            await cursor.execute(OLDEST, [after or 0, limit])
        return await cursor.fetchall()

    async def find(self, order_id: int) -> OrderHead | None:
        """An order that is not deleted."""
        cursor = self._connection.cursor(row_factory=class_row(OrderHead))
        await cursor.execute(ONE, [order_id])
        return await cursor.fetchone()

    async def details(self, order_id: int) -> list[Detail]:
        """Its details that are not deleted, by product."""
        cursor = self._connection.cursor(row_factory=class_row(Detail))
        await cursor.execute(DETAILS, [order_id])
        return await cursor.fetchall()


class Keys:
    """What clients name their orders by, so that one that is sent twice is placed once."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Within the transaction of `connection`."""
        self._connection = connection

    async def prepare(self) -> None:
        """Make the table, where there is none."""
        await self._connection.execute(KEYS)

    async def claim(self, key: str, request: str) -> tuple[str, Order | None]:
        """The request that has the key, and what it was answered; this one and nothing where the key is new."""
        cursor = await self._connection.execute(CLAIM, [key, request])
        if await cursor.fetchone():
            await self._connection.execute(FORGET)
            return request, None
        cursor = await self._connection.execute(GIVEN, [key])
        held = await cursor.fetchone()
        if held and not held[1]:
            return held[0], Order.model_validate_json(held[2])
        await self._connection.execute(RECLAIM, [request, key])
        return request, None

    async def keep(self, key: str, order: Order) -> None:
        """Remember what was answered."""
        await self._connection.execute(KEEP, [order.id, order.model_dump_json(), key])
