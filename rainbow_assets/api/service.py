"""What can be done with orders, and what is refused.

Here: the rules. Not here: HTTP (`routes.py`), SQL (`repositories.py`), transactions (`unit_of_work.py`).
"""

from collections.abc import Sequence

from psycopg.errors import UndefinedTable

from rainbow_assets.api.models import Detail, NewOrder, Order, OrderPage
from rainbow_assets.api.pool import Pools
from rainbow_assets.api.repositories import HeldLine
from rainbow_assets.api.unit_of_work import READ, WRITE, UnitOfWork, within
from rainbow_assets.errors import DataError


class RefusedOrderError(DataError):
    """The order cannot be placed, for what the shop holds; nothing was changed. Permanent."""


class UnknownOrderError(DataError):
    """There is no such order, or it was deleted. Permanent."""


class OtherOrderError(DataError):
    """Another order was placed by this Idempotency-Key; nothing was changed. Permanent."""


class OrderService:
    """Orders of one shop. Every method raises what `within` does, beside its own."""

    def __init__(self, pools: Pools) -> None:
        """On the connections of `pools`."""
        self._pools = pools

    async def place(self, order: NewOrder, key: str | None = None) -> Order:
        """Write the order and take its products from the stock, in one transaction.

        Each detail has the price and the promotion that its product has now. With a `key` that has placed this order
        already, it is that order, as it was answered then.

        Raises:
            OtherOrderError: the key has placed another order.
            RefusedOrderError: a product stands there twice; customer, payment or a product is unknown or deleted; a
                product has no price, or too few pieces are left.
        """
        products = [line.product_id for line in order.products]
        quantities = [line.quantity for line in order.products]
        if len(set(products)) < len(products):
            raise RefusedOrderError("A product is there twice; write each once, with its whole quantity.")

        request = order.model_dump_json()

        async def once(unit: UnitOfWork) -> Order:
            if key is None:
                return await work(unit)
            first, given = await unit.keys.claim(key, request)
            if first != request:
                raise OtherOrderError("This Idempotency-Key has placed another order.")
            if given is None:
                given = await work(unit)
                await unit.keys.keep(key, given)
            return given

        async def work(unit: UnitOfWork) -> Order:
            is_customer, is_payment = await unit.buyers.known(order.customer_id, order.payment_id)
            _refuse(
                ([] if is_customer else [f"customer {order.customer_id} is unknown"])
                + ([] if is_payment else [f"payment {order.payment_id} is unknown"])
            )
            lines = await unit.stock.hold(products, quantities)
            _refuse([reason for line in lines if (reason := _reason(line))])
            head = await unit.orders.add(order.customer_id, order.payment_id, lines)
            await unit.stock.take(lines)
            details = [
                Detail(
                    product_id=line.product_id, quantity=line.quantity, price=line.price, promotion_id=line.promotion_id
                )
                for line in lines
            ]
            return Order(**head.model_dump(), details=details)

        try:
            return await within(self._pools.writers, WRITE, once)
        except UndefinedTable:
            if key is None:
                raise
        await within(self._pools.writers, WRITE, lambda unit: unit.keys.prepare())
        return await within(self._pools.writers, WRITE, once)

    async def find(self, order_id: int) -> Order:
        """An order with its details.

        Raises:
            UnknownOrderError: there is none, or it was deleted.
        """

        async def work(unit: UnitOfWork) -> Order:
            head = await unit.orders.find(order_id)
            if head is None:
                raise UnknownOrderError(f"There is no order {order_id}.")
            return Order(**head.model_dump(), details=await unit.orders.details(order_id))

        return await within(self._pools.readers, READ, work)

    async def page(self, after: int | None, limit: int, newest_first: bool = False) -> OrderPage:
        """The next `limit` orders after the id `after`, up or down, and whether there are more."""

        async def work(unit: UnitOfWork) -> OrderPage:
            heads = await unit.orders.page(after, limit + 1, newest_first)
            return OrderPage(orders=heads[:limit], next=heads[limit - 1].id if len(heads) > limit else None)

        return await within(self._pools.readers, READ, work)


def _reason(line: HeldLine) -> str | None:
    """Why the shop cannot sell this line."""
    if not line.is_known:
        return f"product {line.product_id} is unknown"
    if not line.is_priced:
        return f"product {line.product_id} has no price"
    if line.stock < line.quantity:
        return f"product {line.product_id} has {max(0, line.stock)} left, not {line.quantity}"
    return None


def _refuse(reasons: Sequence[str]) -> None:
    """Stop where there is a reason to."""
    if reasons:
        text = "; ".join(reasons)
        raise RefusedOrderError(f"{text[0].upper()}{text[1:]}.")
