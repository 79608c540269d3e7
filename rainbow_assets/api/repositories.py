"""What the API reads and writes in the shop's tables, each method one statement.

Here: SQL, within the transaction of a unit of work. Not here: what is allowed (`service.py`).

Text leaves PostgreSQL as it goes out: money exact, times in ISO 8601; also what Python cannot hold (`infinity`, `NaN`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import class_row

from rainbow_assets.api.models import Detail, OrderHead

HEAD = """id, customer_id, payment_id,
    to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at,
    to_char(updated_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS updated_at"""

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

PAGE = f"SELECT {HEAD} FROM orders WHERE id > %s AND deleted_at IS NULL ORDER BY orders.id LIMIT %s"

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

    async def page(self, after: int, limit: int) -> list[OrderHead]:
        """The next orders after an id, by id."""
        cursor = self._connection.cursor(row_factory=class_row(OrderHead))
        await cursor.execute(PAGE, [after, limit])
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
