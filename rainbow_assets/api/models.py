"""The documents that go in and out.

Here: their fields and bounds. What comes in is strict: no other field, no text or boolean for a number. What goes out
is text where JSON has no exact type: money with two decimals, times in ISO 8601, UTC. Not here: what is refused for
what the shop holds (`service.py`).
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

BIGINT = 2**63 - 1
MOST_LINES, MOST_PIECES = 100, 10_000  # in one order; of one product in it
PAGE = 100  # the most orders on a page

Id = Annotated[int, Field(strict=True, ge=1, le=BIGINT)]
Sort = Literal["oldest", "newest"]
EXAMPLE: JsonDict = {
    "customerId": 1,
    "payment_id": 2,
    "products": [{"productId": 9, "quantity": 1}, {"productId": 3, "quantity": 2}],
}


def _digits(value: object) -> object:
    """A number in a URL is written in digits alone: no sign, point, space or underscore."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("Input should be digits only")
    return value


Digits = BeforeValidator(_digits)


class NewLine(BaseModel):
    """So many pieces of one product."""

    model_config = ConfigDict(extra="forbid")

    product_id: Id = Field(alias="productId")
    quantity: Annotated[int, Field(strict=True, ge=1, le=MOST_PIECES)]


class NewOrder(BaseModel):
    """What a customer orders; each product once."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    customer_id: Id = Field(alias="customerId")
    payment_id: Id
    products: Annotated[list[NewLine], Field(min_length=1, max_length=MOST_LINES)]


class Detail(BaseModel):
    """One product of an order, at the price that it had then."""

    product_id: int = Field(serialization_alias="productId")
    quantity: int | None
    price: str | None = Field(description="of one piece, exact", examples=["19.90"])
    promotion_id: int | None


class OrderHead(BaseModel):
    """An order without its details. What the shop does not know is null."""

    id: int
    customer_id: int | None = Field(serialization_alias="customerId")
    payment_id: int | None
    created_at: str | None = Field(examples=["2026-03-29T10:15:00.123456Z"])
    updated_at: str | None = Field(examples=["2026-03-29T10:15:00.123456Z"])


class Order(OrderHead):
    """An order with its details, by product."""

    details: list[Detail]


class OrderPage(BaseModel):
    """Some orders by id, up or down, and where the next page begins."""

    orders: list[OrderHead]
    next: int | None = Field(description="the `after` of the next page; null: this is the last")


class Problem(BaseModel):
    """Why a request was not fulfilled, in one line."""

    detail: str
