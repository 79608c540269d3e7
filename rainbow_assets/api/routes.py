"""The endpoints: which request asks for what, and what its answer looks like.

Not here: rules (`service.py`), and what becomes of errors (`problems.py`).
"""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status

from rainbow_assets.api.models import BIGINT, PAGE, NewOrder, Order, OrderPage, Problem
from rainbow_assets.api.service import OrderService
from rainbow_assets.version import package_version

Responses = dict[int | str, dict[str, Any]]

INVALID: Responses = {422: {"model": Problem, "description": "The request is malformed"}}
AWAY: Responses = {503: {"model": Problem, "description": "The shop's database is away or busy; try again"}}
UNKNOWN: Responses = {404: {"model": Problem, "description": "There is no such order"}}
REFUSED: Responses = {400: {"model": Problem, "description": "The order is refused, and nothing was changed"}}

router = APIRouter()


async def _service(request: Request) -> OrderService:
    return cast(OrderService, request.app.state.orders)


Orders = Annotated[OrderService, Depends(_service)]


@router.get("/ping")
async def ping() -> dict[str, str]:
    """Whether the API itself answers; the database is not asked."""
    return {"ping": "pong"}


@router.get("/")
async def about() -> dict[str, str]:
    """What this is, and where its description lies."""
    return {
        "name": "Rainbow API",
        "version": package_version(),
        "orders": "/api/v1/orders",
        "openapi": "/openapi.json",
    }


@router.get("/api/v1/orders", responses=INVALID | AWAY)
async def list_orders(
    orders: Orders,
    limit: Annotated[int, Query(ge=1, le=PAGE, description="how many orders")] = 20,
    after: Annotated[int, Query(ge=0, le=BIGINT, description="only orders with a greater id")] = 0,
) -> OrderPage:
    """Orders by id, a page at a time."""
    return await orders.page(after, limit)


@router.get("/api/v1/orders/{order_id}", responses=UNKNOWN | INVALID | AWAY)
async def read_order(orders: Orders, order_id: Annotated[int, Path(ge=1, le=BIGINT)]) -> Order:
    """One order with its details."""
    return await orders.find(order_id)


@router.post("/api/v1/orders", status_code=status.HTTP_201_CREATED, responses=REFUSED | INVALID | AWAY)
async def place_order(orders: Orders, order: NewOrder, response: Response) -> Order:
    """Place an order: all of it or nothing. Price and promotion are the products' own, the stock is reduced."""
    placed = await orders.place(order)
    response.headers["Location"] = f"/api/v1/orders/{placed.id}"
    return placed
