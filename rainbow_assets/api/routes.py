"""The endpoints: which request asks for what, and what its answer looks like.

Not here: rules (`service.py`), and what becomes of errors (`problems.py`).
"""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, Response, status

from rainbow_assets.api.models import BIGINT, PAGE, Digits, NewOrder, Order, OrderPage, Problem, Sort
from rainbow_assets.api.service import OrderService
from rainbow_assets.api.strict import StrictRoute
from rainbow_assets.version import package_version

Responses = dict[int | str, dict[str, Any]]

INVALID: Responses = {422: {"model": Problem, "description": "The request is malformed"}}
AWAY: Responses = {503: {"model": Problem, "description": "The shop's database is away or busy; try again"}}
UNKNOWN: Responses = {404: {"model": Problem, "description": "There is no such order"}}
REFUSED: Responses = {400: {"model": Problem, "description": "The order is refused, and nothing was changed"}}
REUSED: Responses = {409: {"model": Problem, "description": "The Idempotency-Key belongs to another order"}}
NO_JSON: Responses = {415: {"model": Problem, "description": "The body is not said to be application/json"}}
PLACED: Responses = {201: {"headers": {"Location": {"description": "the order", "schema": {"type": "string"}}}}}

router = APIRouter(route_class=StrictRoute)


async def _service(request: Request) -> OrderService:
    return cast(OrderService, request.app.state.orders)


async def _is_json(request: Request) -> None:
    """A page elsewhere can send any other body without asking."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send application/json.")


Orders = Annotated[OrderService, Depends(_service)]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern="^[!-~]+$",
        description="sent again with the same body, it gives the same order again instead of another",
        examples=["5f0c8a4e-1c0b-4c57-9f0e-1f6f1a1d2b3c"],
    ),
]


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
    limit: Annotated[int, Digits, Query(ge=1, le=PAGE, description="how many orders")] = 20,
    after: Annotated[
        int | None,
        Digits,
        Query(ge=0, le=BIGINT, description="only orders that come after this id in the order of `sort`"),
    ] = None,
    sort: Annotated[Sort, Query(description="by id, from the oldest or from the newest on")] = "oldest",
) -> OrderPage:
    """Orders by id, a page at a time."""
    return await orders.page(after, limit, newest_first=sort == "newest")


@router.get("/api/v1/orders/{order_id}", responses=UNKNOWN | INVALID | AWAY)
async def read_order(orders: Orders, order_id: Annotated[int, Digits, Path(ge=1, le=BIGINT)]) -> Order:
    """One order with its details."""
    return await orders.find(order_id)


@router.post(
    "/api/v1/orders",
    status_code=status.HTTP_201_CREATED,
    responses=PLACED | REFUSED | REUSED | NO_JSON | INVALID | AWAY,
    dependencies=[Depends(_is_json)],
)
async def place_order(orders: Orders, order: NewOrder, response: Response, key: Key = None) -> Order:
    """Place an order: all of it or nothing. Price and promotion are the products' own, the stock is reduced."""
    placed = await orders.place(order, key)
    response.headers["Location"] = f"/api/v1/orders/{placed.id}"
    return placed
