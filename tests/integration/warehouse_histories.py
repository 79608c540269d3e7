"""Random histories of the shop as raw may hold them: versions, replacements, duplicates, faults, in any order.

Here: the generator, the same rows for the same seed. Not here: how they are loaded or judged.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

Row = dict[str, Any]
START = datetime.fromisoformat("2026-01-01")
GRID = timedelta(hours=4)  # coarse on purpose: equal times are where the rules meet
STEPS = 40

# How many keys each table has; references go a little beyond, to rows that the source lacks.
SIZES = {"categories": 6, "brands": 6, "sellers": 12, "payments": 5, "promotions": 20, "customers": 30, "products": 50,
         "inventories": 5, "orders": 120}  # fmt: skip


def history(seed: int) -> list[tuple[str, Row]]:
    """All rows of one history, shuffled."""
    random = Random(seed)  # noqa: S311 - to be repeated
    keys: list[tuple[str, Row]] = [
        (table, {"id": number}) for table, size in SIZES.items() for number in range(1, size + 1)
    ]
    details = {(random.randint(1, SIZES["orders"] + 3), random.randint(1, SIZES["products"] + 3)) for _ in range(300)}
    keys += [("orderdetails", {"id": order, "product_id": product}) for order, product in sorted(details)]
    rows = [(table, row) for table, key in keys for row in _versions(random, table, key)]
    rows += [random.choice(rows) for _ in range(len(rows) // 30)]  # the same row, registered again
    random.shuffle(rows)
    return rows


def _time(random: Random) -> datetime:
    moved = timedelta(days=random.choice([-800, -365, 400])) if random.random() < 0.03 else timedelta()
    return START + GRID * random.randint(0, STEPS) + moved


def _versions(random: Random, table: str, key: Row) -> list[Row]:
    """The rows of one key, of which some replace others and some are faulty."""
    born = _time(random)
    found = []
    for updated in sorted({born + GRID * random.randint(0, STEPS // 2) for _ in range(random.choice([1, 1, 2, 3, 5]))}):
        for extracted in [1] + [random.randint(1, 2)] * (random.random() < 0.15):
            row = key | _content(random, table)
            row["created_at"] = _time(random) if random.random() < 0.1 else born
            row["updated_at"] = updated
            row["deleted_at"] = random.choice([None] * 12 + [updated, updated, updated - GRID, updated + GRID])
            row["extracted_at"] = datetime.fromisoformat("2026-03-01") + timedelta(days=extracted)
            found.append(_spoiled(random, row) if random.random() < 0.03 else row)
    return found


def _reference(random: Random, table: str) -> int | None:
    return None if random.random() < 0.05 else random.choice([random.randint(1, SIZES[table] + 2), 1, 2])


def _content(random: Random, table: str) -> Row:
    few = ["a", "b", None]
    cents = Decimal(random.randint(0, 2000)) / 100
    match table:
        case "sellers":
            return {"name": random.choice(few), "link": "l", "is_best_store": random.choice([True, False, None])}
        case "promotions":
            return {
                "name": random.choice(few),
                "price_treatment": random.choice([None, cents, -cents, cents * 10, Decimal("12.35"), Decimal("0.01")]),
                "coupon_type": random.choice(["Percentage", "Percentage", "Fixed Amount", "Other", None]),
                "is_global": random.choice([True, False]),
            }
        case "customers":
            return {"first_name": random.choice(few), "last_name": random.choice(few)}
        case "products":
            return {
                "name": random.choice(few),
                "price": cents,
                "category_id": _reference(random, "categories"),
                "brand_id": _reference(random, "brands"),
                "seller_id": _reference(random, "sellers"),
            }
        case "orders":
            return {"customer_id": _reference(random, "customers"), "payment_id": _reference(random, "payments")}
        case "orderdetails":
            promotion = _reference(random, "promotions") if random.random() < 0.7 else None
            return {"quantity": random.randint(0, 4), "price": cents, "promotion_id": promotion}
        case "inventories":
            return {"quantity": random.randint(0, 9)}
        case _:
            return {"name": random.choice(few)}


def _spoiled(random: Random, row: Row) -> Row:
    faults: list[Row] = [{"id": None}, {"updated_at": None}, {"created_at": datetime.fromisoformat("9999-01-01")},
                         {"deleted_at": datetime.fromisoformat("1969-12-31")}]  # fmt: skip
    if "quantity" in row:
        faults += [{"quantity": -1}]
    if "price" in row:
        faults += [{"price": Decimal("-0.01")}]
    return row | random.choice(faults)
