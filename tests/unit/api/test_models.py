"""What the documents let through."""

import pytest
from pydantic import ValidationError

from rainbow_assets.api.models import BIGINT, MOST_LINES, MOST_PIECES, Detail, NewOrder

LINE = {"productId": 1, "quantity": 1}
ORDER = {"customerId": 1, "payment_id": 1, "products": [LINE]}


@pytest.mark.parametrize(
    "order",
    [
        ORDER,
        ORDER | {"customerId": BIGINT},
        ORDER | {"products": [LINE | {"quantity": MOST_PIECES}]},
        ORDER | {"products": [LINE] * MOST_LINES},
    ],
)
def test_an_order_within_the_bounds_passes(order):
    assert NewOrder.model_validate(order).model_dump(by_alias=True) == order


@pytest.mark.parametrize(
    ("order", "where"),
    [
        (ORDER | {"customerId": BIGINT + 1}, ("customerId",)),
        (ORDER | {"customerId": True}, ("customerId",)),
        (ORDER | {"payment_id": "1"}, ("payment_id",)),
        (ORDER | {"payment_id": 1.0}, ("payment_id",)),
        (ORDER | {"customer_id": 1}, ("customer_id",)),
        (ORDER | {"products": [LINE] * (MOST_LINES + 1)}, ("products",)),
        (ORDER | {"products": [LINE | {"quantity": MOST_PIECES + 1}]}, ("products", 0, "quantity")),
        (ORDER | {"products": [LINE | {"price": 1}]}, ("products", 0, "price")),
    ],
)
def test_what_leaves_them_is_named(order, where):
    with pytest.raises(ValidationError) as failure:
        NewOrder.model_validate(order)
    assert [error["loc"] for error in failure.value.errors()] == [where]


def test_money_goes_out_as_the_text_it_came_as():
    detail = Detail(product_id=7, quantity=1, price="0.10", promotion_id=None)
    assert detail.model_dump_json(by_alias=True) == '{"productId":7,"quantity":1,"price":"0.10","promotion_id":null}'
