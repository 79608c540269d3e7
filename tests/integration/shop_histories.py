"""Histories of shops and of the runs over them, as hypothesis draws them.

Here: what may happen to a shop, and in which order its days may be run. Not here: how it is carried out and judged.
Times lie on a coarse grid and keys are few on purpose: the rules meet where times are equal and rows are the same.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

START = datetime.fromisoformat("2026-01-05")
SLOT = timedelta(hours=8)
DAYS = 5  # partitions, from START on
SHOPS = 17  # shops in one example: their keys are apart, so each is a history of its own
KEYS = 100  # of a shop: shop 3 has the ids 300 to 399


@dataclass(frozen=True)
class Put:
    """A row as the source holds it from now on: inserted, or changed in every column.

    `updated_at` is that many slots after START (older than the first partition before 0), `created_at` what it was, or
    `created`; `deleted` is that many slots after the update. References go to the keys of the same shop.
    """

    table: str
    key: tuple[int, ...]
    updated: int
    columns: dict[str, Any]
    created: int | None = None
    deleted: int | None = None


@dataclass(frozen=True)
class Run:
    """A run over partitions; one that is not `registered` was killed between landing and raw."""

    first: int
    last: int
    registered: bool = True


@dataclass(frozen=True)
class Round:
    """What the shops do (shop 0, shop 1, …), the runs that follow, and how dbt builds at their end."""

    puts: tuple[list[Put], ...]
    runs: list[Run]
    build: str


# dbt's arguments for a build. One of some models leaves the window open: the next whole one makes good for it.
BUILDS = {
    "whole": (),
    "anew": ("--full-refresh",),
    "staging": ("--select", "staging"),
    "no marts": ("--exclude", "marts"),
    "some": ("--exclude", "stg_products", "dim_customers", "stg_orders"),
}
WHOLE = {"whole", "anew"}

NAMES = st.sampled_from(["a", "b", None])
CENTS = st.sampled_from([Decimal(text) for text in ("10.00", "0.05", "4.33", "2000.00", "-0.01")])
TREATMENTS = st.sampled_from([None, *(Decimal(text) for text in ("10.00", "12.35", "-5.00", "0.01", "150.00"))])
REFERENCES = st.sampled_from([1, 2, 3, None])  # 3 is not in stock: it may come later, or never

COLUMNS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "payments": {"name": NAMES},
    "customers": {"first_name": NAMES, "last_name": NAMES},
    "categories": {"name": NAMES},
    "brands": {"name": NAMES},
    "sellers": {"name": NAMES, "is_best_store": st.sampled_from([True, False, None])},
    "promotions": {
        "name": NAMES,
        "coupon_type": st.sampled_from(["Percentage", "Fixed Amount", "Other", None]),
        "price_treatment": TREATMENTS,
    },
    "products": {
        "name": NAMES,
        "price": CENTS,
        "category_id": REFERENCES,
        "brand_id": REFERENCES,
        "seller_id": REFERENCES,
    },
    "orders": {"customer_id": REFERENCES, "payment_id": REFERENCES},
    "orderdetails": {
        "quantity": st.sampled_from([1, 2, 0, -1]),
        "price": CENTS,
        "promotion_id": REFERENCES,
    },
}
REFERS = {"category_id", "brand_id", "seller_id", "customer_id", "payment_id", "promotion_id"}

# What every shop begins with: two of everything, known from the first to the third day on, and five details.
STOCK = (
    *(Put(table, (number,), 3 * number - 3, {"name": "a"}) for table in ("payments", "categories", "brands", "sellers")
      for number in (1, 2)),
    *(Put("customers", (number,), 3 * number - 3, {"first_name": "a"}) for number in (1, 2)),
    Put("promotions", (1,), 0, {"coupon_type": "Percentage", "price_treatment": Decimal("10.00")}),
    Put("promotions", (2,), 3, {"coupon_type": "Fixed Amount", "price_treatment": Decimal("0.01")}),
    *(Put("products", (number,), 3 * number - 3, {"name": "a", "category_id": number, "brand_id": number,
                                                  "seller_id": number}) for number in (1, 2)),
    *(Put("orders", (number,), slot, {"customer_id": customer, "payment_id": 1})
      for number, slot, customer in ((1, -1, 1), (2, 4, 1), (3, 7, 2), (4, 12, 1))),
    *(Put("orderdetails", (order, product), slot, {"quantity": 1, "price": Decimal("10.00"), "promotion_id": promotion})
      for order, product, slot, promotion in ((1, 1, -1, 1), (2, 1, 4, None), (3, 2, 7, 2), (4, 1, 12, 1),
                                              (4, 2, 12, 2))),
)  # fmt: skip


def _puts(table: str) -> st.SearchStrategy[Put]:
    numbers = st.integers(1, 4 if table == "orders" else 3)
    keys = st.tuples(st.integers(1, 4), numbers) if table == "orderdetails" else st.tuples(numbers)
    return st.builds(
        Put,
        st.just(table),
        keys,
        st.integers(-2, DAYS * 3 - 1),
        st.fixed_dictionaries(COLUMNS[table]),
        created=st.sampled_from([None, None, None, -4, 0, 5, 40]),
        deleted=st.sampled_from([None, None, None, 0, -1, 2]),
    )


def _run(ends: tuple[int, int], registered: bool) -> Run:
    return Run(min(ends), max(ends), registered)


DAY = st.integers(0, DAYS - 1)
RUNS = st.builds(_run, st.tuples(DAY, DAY), st.sampled_from([True, True, True, False]))
# Half of the stories are of one table: only there do keys and times meet often enough. None is empty.
STORIES = st.one_of(
    st.lists(st.one_of(*map(_puts, COLUMNS)), min_size=1, max_size=8),
    st.sampled_from(list(COLUMNS)).flatmap(lambda table: st.lists(_puts(table), min_size=1, max_size=12)),
)
ROUNDS = st.builds(
    Round,
    st.tuples(*[STORIES] * SHOPS),
    st.lists(RUNS, min_size=1, max_size=3),
    st.sampled_from(["whole", "whole", "whole", *BUILDS]),
)
HISTORIES = st.lists(ROUNDS, min_size=2, max_size=3)

# What is too rare to be drawn: an attribute that is NULL for a while and then again what it was, each time seen by a
# run, with a new `updated_at` or (number 2) under the old one; a soft delete that is taken back under its `updated_at`;
# and an order that gets another day under its old one.
ALL_DAYS = Run(0, DAYS - 1)
TOLD = [
    Round(
        tuple(
            [
                Put("customers", (1,), at, {"first_name": first, "last_name": last}),
                Put("sellers", (1,), at, {"name": "a", "is_best_store": best}),
                Put("products", (1,), at, {"name": first, "category_id": 1, "brand_id": brand, "seller_id": 1}),
                Put("categories", (1,), at, {"name": first}),
                Put("promotions", (1,), at, {"coupon_type": "Percentage", "price_treatment": treatment}),
                Put("orders", (2,), 4, {"customer_id": 1, "payment_id": 1}, created=created),
                Put("promotions", (2,), 3, {"coupon_type": "Fixed Amount", "price_treatment": treatment}),
                Put("customers", (2,), 3, {"first_name": first, "last_name": last}),
                Put("payments", (2,), 3, {"name": first}, deleted=None if best else 1),
            ]
            for _ in range(SHOPS)
        ),
        [ALL_DAYS],
        build,
    )
    for at, first, last, best, brand, treatment, created, build in (
        (2, "a", None, True, 1, Decimal("10.00"), 4, "whole"),
        (5, None, "b", None, None, None, 10, "whole"),
        (8, "a", None, True, 1, Decimal("10.00"), 1, "some"),
    )
]
