"""The contract's warehouse and batch views in plain Python, row by row, from the rows of raw.

Here: a second, independent reading of the contract, made to be compared with what dbt builds. It is slow and shares
nothing with the dbt project. Not here: any test.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from hashlib import md5
from itertools import pairwise
from typing import Any

Row = dict[str, Any]
Versions = dict[Any, list[Row]]

OLDEST, OPEN_END = datetime.fromisoformat("1970-01-01"), datetime.fromisoformat("2100-01-01")
UNKNOWN_SINCE = datetime.fromisoformat("1900-01-01")
KEYS = {"orderdetails": ("id", "product_id")}
TRACKED = {
    "customers": ("first_name", "last_name", "email"),
    "products": ("name", "rating_average", "review_count", "sold_count", "category", "brand"),
    "sellers": ("name", "link", "is_best_store"),
    "promotions": ("name", "type", "price_treatment", "coupon_type", "is_global", "promo_begin", "promo_end"),
    "payments": ("name", "type"),
}
MOST_PIECES, HIGHEST = 10**9, Decimal("9999999999999999.99")
COUNTED = {"orderdetails": ("quantity", "price"), "products": ("price", "original_price"), "inventories": ("quantity",)}


def is_good(table: str, row: Row) -> bool:
    """Whether staging takes the row: whole keys, believable times and amounts, nothing negative, no reserved id."""
    if any(row[column] is None for column in (*KEYS.get(table, ("id",)), "created_at", "updated_at")):
        return False
    if table in TRACKED and (row["id"] == -1 or (table == "promotions" and row["id"] == 0)):
        return False
    if row["deleted_at"] == row["updated_at"] == row.get("extracted_at"):
        return True  # made by the reconciliation: it ends its key, and nobody reads its values
    times = [value for name, value in row.items() if isinstance(value, datetime) and name != "extracted_at"]
    if any(not OLDEST <= value < OPEN_END for value in times):
        return False
    if any(row[column] is not None and row[column] < 0 for column in COUNTED.get(table, ())):
        return False
    if table == "orderdetails" and (row["quantity"] is None or row["price"] is None):
        return False
    return not (table == "orderdetails" and (row["quantity"] > MOST_PIECES or row["quantity"] * row["price"] > HIGHEST))


def versions(table: str, rows: Iterable[Row]) -> Versions:
    """The row versions of each key by `updated_at`; of several with the same one, the last extracted."""
    chosen: dict[Any, Row] = {}
    for row in rows:
        if not is_good(table, row):
            continue
        columns = [name for name in row if name not in ("extracted_at", "change_date")]
        content = [(row[name] is None, row[name]) for name in columns]
        version = (*(row[name] for name in KEYS.get(table, ("id",))), row["updated_at"])
        rank = (row["extracted_at"], [_Reversed(value) for value in content])
        if version not in chosen or rank > chosen[version]["_rank"]:
            chosen[version] = row | {"_rank": rank}
    found: Versions = defaultdict(list)
    for version in sorted(chosen):
        key = version[0] if len(version) == 2 else version[:-1]
        found[key].append(chosen[version])
    return dict(found)


class _Reversed:
    """Orders (is null, value) pairs backwards: of equally late rows the smallest content wins, NULL last."""

    def __init__(self, pair: tuple[bool, Any]) -> None:
        self.pair = pair

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and self.pair == other.pair

    def __lt__(self, other: "_Reversed") -> bool:
        if self.pair[0] != other.pair[0]:
            return self.pair[0] > other.pair[0]
        return not self.pair[0] and self.pair[1] > other.pair[1]


def intervals(history: list[Row]) -> list[Row]:
    """The versions of one key with the time in which each is valid; empty ones are left out."""
    found = []
    for position, row in enumerate(history):
        start = row["created_at"] if position == 0 else row["updated_at"]
        end = history[position + 1]["updated_at"] if position + 1 < len(history) else OPEN_END
        end = min(end, row["deleted_at"] or OPEN_END)
        if start < end:
            found.append(row | {"valid_from": start, "valid_to": end})
    return sorted(found, key=lambda row: row["valid_from"])


def name_at(history: list[Row] | None, time: datetime) -> str | None:
    """The name in the newest row version by `time`; before the first: the first."""
    if not history:
        return "Unknown"
    return ([row for row in history if row["updated_at"] <= time] or history[:1])[-1]["name"]


def split_by_names(pieces: list[Row], categories: Versions, brands: Versions) -> list[Row]:
    """A product's intervals, cut wherever its category or brand has a new row version, with both names."""
    found = []
    for piece in pieces:
        related = categories.get(piece["category_id"], []) + brands.get(piece["brand_id"], [])
        inner = {row["updated_at"] for row in related if piece["valid_from"] < row["updated_at"] < piece["valid_to"]}
        cuts = [piece["valid_from"], *sorted(inner), piece["valid_to"]]
        for start, end in pairwise(cuts):
            names = {
                "category": name_at(categories.get(piece["category_id"]), start),
                "brand": name_at(brands.get(piece["brand_id"]), start),
            }
            found.append(piece | names | {"valid_from": start, "valid_to": end})
    return found


def merged(pieces: list[Row], tracked: tuple[str, ...]) -> list[Row]:
    """Intervals that touch and agree in all tracked attributes, as one."""
    found: list[Row] = []
    for piece in pieces:
        last = found[-1] if found else None
        if last and last["valid_to"] == piece["valid_from"] and all(last[name] == piece[name] for name in tracked):
            last["valid_to"] = piece["valid_to"]
        else:
            found.append(dict(piece))
    return found


def at(timeline: list[Row] | None, time: datetime) -> Row | None:
    """The version valid at `time`; else the last that began before it; else the earliest; else none."""
    if not timeline:
        return None
    valid = [row for row in timeline if row["valid_from"] <= time < row["valid_to"]]
    before = [row for row in timeline if row["valid_from"] <= time]
    return (valid or before[-1:] or timeline[:1])[0]


def version_key(key: int, start: datetime) -> int:
    """The surrogate key of a version: 63 bits of the MD5 of the natural key and the start in microseconds."""
    text = f"{key}|{(start - OLDEST) // timedelta(microseconds=1)}"
    return int.from_bytes(md5(text.encode(), usedforsecurity=False).digest()[8:], "little") >> 1


def discount(price: Decimal, promotion: Row) -> Decimal:
    """The discount of a unit, in cents rounded half away from zero, between 0 and the price."""
    treatment = promotion["price_treatment"] or Decimal(0)
    amount = {"Percentage": price * treatment / 100, "Fixed Amount": treatment * 1000}.get(promotion["coupon_type"])
    rounded = (amount or Decimal(0)).quantize(Decimal("0.01"), ROUND_HALF_UP)  # away from zero, also below it
    return max(Decimal(0), min(price, rounded))


class Warehouse:
    """Dimensions, facts and batch views of the rows in raw: {table: [row, …]}."""

    def __init__(self, raw: dict[str, list[Row]]) -> None:
        self.staged = {table: versions(table, rows) for table, rows in raw.items()}
        self.timelines: dict[str, dict[Any, list[Row]]] = {}
        for table, tracked in TRACKED.items():
            pieces = {key: intervals(history) for key, history in self.staged[table].items()}
            if table == "products":
                names = (self.staged["categories"], self.staged["brands"])
                pieces = {key: split_by_names(rows, *names) for key, rows in pieces.items()}
            self.timelines[table] = {key: merged(rows, tracked) for key, rows in pieces.items() if rows}
            unknown = dict.fromkeys(tracked) | {"valid_from": UNKNOWN_SINCE, "valid_to": OPEN_END}
            named = {name: "Unknown" for name in ("name", "first_name", "category", "brand") if name in tracked}
            self.timelines[table][-1] = [unknown | {"id": -1} | named]
        self.timelines["promotions"][0] = [
            self.timelines["promotions"][-1][0] | {"id": 0, "name": "No promotion"},
        ]
        self.product_rows = {key: intervals(history) for key, history in self.staged["products"].items()}
        self.facts = [fact for fact in (self._fact(key) for key in self.staged["orderdetails"]) if fact]

    def dimension(self, table: str) -> list[tuple[Any, ...]]:
        """(key, id, tracked attributes…, valid_from, valid_to, is_current) of every version."""
        return [
            (
                key if key in (-1, 0) else version_key(key, row["valid_from"]),
                key,
                *(row[name] for name in TRACKED[table]),
                row["valid_from"],
                row["valid_to"],
                row["valid_to"] == OPEN_END,
            )
            for key, timeline in self.timelines[table].items()
            for row in timeline
        ]

    def _fact(self, key: tuple[int, int]) -> Row | None:
        order_id, product_id = key
        detail = self.staged["orderdetails"][key][-1]
        orders = self.staged["orders"].get(order_id)
        if not orders or orders[-1]["deleted_at"] or detail["deleted_at"]:
            return None
        order, time = orders[-1], orders[-1]["created_at"]
        product_row = at(self.product_rows.get(product_id), time)
        ids = {
            "products": product_id,
            "sellers": product_row["seller_id"] if product_row else None,
            "promotions": 0 if detail["promotion_id"] is None else detail["promotion_id"],
            "customers": order["customer_id"],
            "payments": order["payment_id"],
        }
        members = {
            table: at(self.timelines[table].get(key), time) or self.timelines[table][-1][0]
            for table, key in ids.items()
        }
        price, quantity, off = detail["price"], detail["quantity"], discount(detail["price"], members["promotions"])
        return {
            "order": order_id, "product_id": product_id, "date": time.date(), "members": members, "quantity": quantity,
            "price": price, "discount": off, "net": price - off, "amount": quantity * price, "off": quantity * off,
        }  # fmt: skip

    def fact_rows(self) -> list[tuple[Any, ...]]:
        """(order, product, date, (id, valid_from) of the five members, quantity, the five amounts) of every fact."""
        tables = ("products", "sellers", "promotions", "customers", "payments")
        return [
            (
                fact["order"], fact["product_id"], fact["date"],
                *((fact["members"][table]["id"], fact["members"][table]["valid_from"]) for table in tables),
                fact["quantity"], fact["price"], fact["discount"], fact["net"], fact["amount"], fact["off"],
            )
            for fact in self.facts
        ]  # fmt: skip

    def dates(self) -> list[date]:
        """Every day from the first year with an order to the last."""
        years = [row["created_at"].year for history in self.staged["orders"].values() for row in history]
        if not years:
            return []
        first, end = date(min(years), 1, 1), date(max(years) + 1, 1, 1)
        return [first + timedelta(days=number) for number in range((end - first).days)]

    def newest(self, table: str, key: Any) -> Row:
        """The newest version of an entity, current or not."""
        return (self.timelines[table].get(key) or self.timelines[table][-1])[-1]

    def _grouped(self, key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
        found = defaultdict(list)
        for fact in self.facts:
            found[key(fact)].append(fact)
        return found

    def views(self) -> dict[str, list[tuple[Any, ...]]]:
        """The seven batch views, each as a list of tuples in the contract's order of columns."""
        by_seller = self._grouped(lambda fact: fact["members"]["sellers"]["id"])
        by_customer = self._grouped(lambda fact: fact["members"]["customers"]["id"])
        by_payment = self._grouped(lambda fact: fact["members"]["payments"]["id"])
        by_day = self._grouped(lambda fact: fact["date"])
        by_weekday = self._grouped(lambda fact: (fact["date"].isoweekday(), fact["date"].strftime("%A")))
        orders = len({fact["order"] for fact in self.facts})
        newest = self.newest
        return {
            "total_sales": [(*measures(self.facts), max(by_day, default=None))],
            "sales_by_day": [
                (day, order_count(facts), *measures(facts)[:2], total(facts, "off"), measures(facts)[2])
                for day, facts in by_day.items()
            ],
            "sales_by_day_of_week": [
                (*weekday, order_count(facts), *measures(facts)) for weekday, facts in by_weekday.items()
            ],
            "top_sellers": [
                (key, newest("sellers", key)["name"], *measures(facts), rank(facts, by_seller))
                for key, facts in by_seller.items()
            ],
            "top_products_by_category": self._top_products(),
            "payment_methods": [
                (key, newest("payments", key)["name"], newest("payments", key)["type"], order_count(facts),
                 (Decimal(order_count(facts)) / orders).quantize(Decimal("0.000001"), ROUND_HALF_UP),
                 total(facts, "amount"))
                for key, facts in by_payment.items()
            ],
            "customer_ranking": [
                (key, full_name(newest("customers", key)), order_count(facts), *measures(facts)[:2],
                 rank(facts, by_customer))
                for key, facts in by_customer.items()
            ],
        }  # fmt: skip

    def _top_products(self) -> list[tuple[Any, ...]]:
        shelves = defaultdict(list)
        for key, facts in self._grouped(lambda fact: fact["product_id"]).items():
            product = self.newest("products", key)
            shelves[product["category"]].append((product["category"], key, product["name"], *measures(facts)))
        return [
            (*row, position)
            for rows in shelves.values()
            for position, row in enumerate(sorted(rows, key=lambda row: (-row[5], row[1]))[:5], 1)
        ]


def total(facts: list[Row], name: str) -> Decimal:
    """The sum of one amount."""
    return sum((fact[name] for fact in facts), Decimal("0.00"))


def measures(facts: list[Row]) -> tuple[int, Decimal, Decimal]:
    """Quantity, amount and profit of some facts."""
    amount = total(facts, "amount")
    return sum(fact["quantity"] for fact in facts), amount, amount - total(facts, "off")


def order_count(facts: list[Row]) -> int:
    """How many orders the facts belong to."""
    return len({fact["order"] for fact in facts})


def rank(facts: list[Row], groups: dict[Any, list[Row]]) -> int:
    """The place by amount, from 1; equals share it."""
    return 1 + sum(total(others, "amount") > total(facts, "amount") for others in groups.values())


def full_name(customer: Row) -> str:
    """First and last name, of which either may be missing."""
    return " ".join(part for part in (customer["first_name"], customer["last_name"]) if part is not None)
