"""What is doubtful in the rows that the last build brought: reasons to look, never to leave a row out.

Here: the rules for staging, the discounts of the facts, and the open rows of the quarantine; each look reads what the
build wrote, not the history. Not here: the faults that keep a row out (`dbt_project/macros/quality.sql`), a check's
name (`defs/`).
"""

from dataclasses import dataclass, field

import duckdb

from rainbow_assets.systems import postgres
from rainbow_assets.systems.ducklake import LAKE, literal, quote

SAMPLE = 5
ASKED = 10_000  # unknown parents that are looked up in the source
COUPON = "held at the price, a coupon worth more than the product"
CLAMPED = {
    "held at 0, a negative treatment": "price_treatment < 0 AND coupon_type IN ('Percentage', 'Fixed Amount')",
    "held at the price, more than 100 per cent": "price_treatment > 100 AND coupon_type = 'Percentage'",
    COUPON: "price_treatment * 1000 > regular_unit_price AND coupon_type = 'Fixed Amount'",
}
COUPONS, COUPONS_AT_LEAST = 0.01, 10  # so many of the discounts may be such coupons


@dataclass(frozen=True)
class Staged:
    """A staging table: its key, the columns that should have a value, what its values should be, and its parents.

    `ranges`: what is wrong, to SQL that is true of such a row. `parents`: column to (staging table, its key, source).
    """

    key: tuple[str, ...]
    present: tuple[str, ...] = ()
    ranges: dict[str, str] = field(default_factory=dict)
    parents: dict[str, tuple[str, str, str]] = field(default_factory=dict)


TIMES = {
    "updated_at is before created_at": "updated_at < created_at",
    "deleted_at is before created_at": "deleted_at < created_at",
}
STAGED = {
    "stg_categories": Staged(("category_id",), ("name",), TIMES),
    "stg_brands": Staged(("brand_id",), ("name",), TIMES),
    "stg_sellers": Staged(("seller_id",), ("name",), TIMES),
    "stg_payments": Staged(("payment_id",), ("name",), TIMES),
    "stg_customers": Staged(("customer_id",), ("first_name", "last_name"), TIMES),
    "stg_promotions": Staged(
        ("promotion_id",),
        ("name", "coupon_type", "price_treatment"),
        TIMES
        | {
            "coupon_type is unknown": "coupon_type NOT IN ('Percentage', 'Fixed Amount')",
            "price_treatment is negative": "price_treatment < 0",
            "price_treatment is over 100 per cent": "coupon_type = 'Percentage' AND price_treatment > 100",
            "promo_end is before promo_begin": "promo_end < promo_begin",
        },
    ),
    "stg_products": Staged(
        ("product_id",),
        ("name", "price", "category_id", "seller_id", "brand_id"),
        TIMES
        | {
            "price is 0": "price = 0",
            "rating_average is not within 0 to 5": "rating_average NOT BETWEEN 0 AND 5",
            "review_count is negative": "review_count < 0",
            "sold_count is negative": "sold_count < 0",
        },
        {
            "category_id": ("stg_categories", "category_id", "categories"),
            "brand_id": ("stg_brands", "brand_id", "brands"),
            "seller_id": ("stg_sellers", "seller_id", "sellers"),
            "promotion_id": ("stg_promotions", "promotion_id", "promotions"),
        },
    ),
    "stg_inventories": Staged(("product_id",), ("quantity",), TIMES),
    "stg_orders": Staged(
        ("order_id",),
        ("customer_id", "payment_id"),
        TIMES,
        {
            "customer_id": ("stg_customers", "customer_id", "customers"),
            "payment_id": ("stg_payments", "payment_id", "payments"),
        },
    ),
    "stg_order_details": Staged(
        ("order_id", "product_id"),
        (),
        TIMES | {"quantity is 0": "quantity = 0", "price is 0": "price = 0"},
        {
            "order_id": ("stg_orders", "order_id", "orders"),
            "product_id": ("stg_products", "product_id", "products"),
            "promotion_id": ("stg_promotions", "promotion_id", "promotions"),
        },
    ),
}


@dataclass(frozen=True)
class Finding:
    """How many rows were looked at, are doubtful for which reason, are tolerated, and some of the doubtful."""

    rows: int
    reasons: dict[str, int]
    sample: list[str] = field(default_factory=list)
    tolerated: int = 0

    @property
    def passed(self) -> bool:
        """Nothing is doubtful."""
        return not self.reasons


@dataclass(frozen=True)
class Window:
    """The lake snapshots (from, to] of raw that the last whole build turned into tables."""

    begin: int
    end: int


def last_build(connection: duckdb.DuckDBPyConnection) -> Window:
    """The window of the last whole build; an empty one before the first."""
    row = connection.execute(f"SELECT from_snapshot, to_snapshot FROM {LAKE}.ops.last_build").fetchone()
    return Window(*row) if row else Window(-1, -1)


def present(connection: duckdb.DuckDBPyConnection, table: str, window: Window) -> Finding:
    """The rows of a staging table that lack a value which they should have."""
    return _count(connection, table, window, {f"{c} is missing": f"{quote(c)} IS NULL" for c in STAGED[table].present})


def plausible(connection: duckdb.DuckDBPyConnection, table: str, window: Window) -> Finding:
    """The rows of a staging table with a value outside of its range."""
    return _count(connection, table, window, STAGED[table].ranges)


def orphans(connection: duckdb.DuckDBPyConnection, source_url: str, table: str, window: Window) -> Finding:
    """The rows of a staging table that name a parent which neither the lake nor the source has.

    A parent that the source has is on its way: its day has not been loaded yet.

    Raises:
        TransientError: the source does not answer.
    """
    rows = f"(FROM {LAKE}.staging.{quote(table)} WHERE {_within(window)})"
    unknown: dict[str, str] = {}
    for column, (parent, key, source) in STAGED[table].parents.items():
        ids = connection.execute(
            f"SELECT DISTINCT {quote(column)} FROM {rows} AS r ANTI JOIN {LAKE}.staging.{quote(parent)} AS p "
            f"ON r.{quote(column)} = p.{quote(key)} WHERE {quote(column)} IS NOT NULL ORDER BY 1 LIMIT {ASKED}"
        ).fetchall()
        asked = [value for (value,) in ids]
        found = f"SELECT id FROM public.{quote(source)} WHERE id = ANY(%s)"
        known = (
            {value for (value,) in postgres.fetch(source_url, "RAINBOW_SOURCE_URL", found, [asked])} if ids else set()
        )
        lacking = ", ".join(str(value) for value in asked if value not in known)
        if lacking:
            unknown[f"{column} is in no row of {source}"] = f"{quote(column)} IN ({lacking})"
    return _count(connection, table, window, unknown)


def _count(connection: duckdb.DuckDBPyConnection, table: str, window: Window, reasons: dict[str, str]) -> Finding:
    """The window's rows of a staging table, and those for which the SQL of a reason is true."""
    relation = f"{LAKE}.staging.{quote(table)} WHERE {_within(window)}"
    counts = ", ".join(["count(*)", *(f"count(*) FILTER ({condition})" for condition in reasons.values())])
    row = connection.execute(f"SELECT {counts} FROM {relation}").fetchone()
    assert row is not None  # noqa: S101 - an aggregate has a row
    found = {reason: count for reason, count in zip(reasons, row[1:], strict=True) if count}
    if not found:
        return Finding(row[0], {})
    key = ", ".join(quote(name) for name in [*STAGED[table].key, "updated_at"])
    wrong = " OR ".join(f"({reasons[reason]})" for reason in found)
    sample = connection.execute(f"SELECT row({key})::VARCHAR FROM {relation} AND ({wrong}) LIMIT {SAMPLE}").fetchall()
    return Finding(row[0], found, [text for (text,) in sample])


def _within(window: Window) -> str:
    return f"raw_snapshot > {window.begin} AND raw_snapshot <= {window.end}"


def clamped(connection: duckdb.DuckDBPyConnection, window: Window) -> Finding:
    """The discounts of the facts that the last build wrote which were held at 0 or at the price.

    `rows`: those with a discount. A few coupons that are worth more than the product are no news.
    """
    first, last = _snapshots_since(connection, window)
    facts = f"ducklake_table_insertions('{LAKE}', 'warehouse', 'fact_sales', {first}, {last})"
    relation = f"FROM {facts} AS facts JOIN {LAKE}.warehouse.dim_promotions AS promotions USING (promotion_key)"
    counts = ", ".join(f"count(*) FILTER ({condition})" for condition in CLAMPED.values())
    row = connection.execute(f"SELECT count(*) FILTER (discount_unit_price <> 0), {counts} {relation}").fetchone()
    assert row is not None  # noqa: S101 - an aggregate has a row
    reasons = {reason: count for reason, count in zip(CLAMPED, row[1:], strict=True) if count}
    few = reasons.get(COUPON, 0) <= max(COUPONS_AT_LEAST, row[0] * COUPONS)
    tolerated = reasons.pop(COUPON, 0) if few else 0
    if not reasons:
        return Finding(row[0], {}, tolerated=tolerated)
    wrong = " OR ".join(f"({CLAMPED[reason]})" for reason in reasons)
    key = "row(order_transaction, product_id, promotion_id)::VARCHAR"
    sample = connection.execute(f"SELECT {key} {relation} WHERE {wrong} LIMIT {SAMPLE}").fetchall()
    return Finding(row[0], reasons, [text for (text,) in sample], tolerated)


def _snapshots_since(connection: duckdb.DuckDBPyConnection, window: Window) -> tuple[int, int]:
    """The first snapshot after the window (or the oldest that has not expired) and the newest of all."""
    row = connection.execute(
        "SELECT coalesce(min(snapshot_id) FILTER (snapshot_id > ?), max(snapshot_id)), max(snapshot_id) "
        f"FROM ducklake_snapshots({literal(LAKE)})",
        [window.end],
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has a row
    return int(row[0]), int(row[1])


def open_quarantine(connection: duckdb.DuckDBPyConnection) -> Finding:
    """The rows of the quarantine that wait for their correction, by table and reason."""
    relation = f"{LAKE}.ops.quarantine"
    row = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
    assert row is not None  # noqa: S101 - an aggregate has a row
    relation += " WHERE resolved_at IS NULL"
    reasons = connection.execute(
        f"SELECT table_name || ': ' || reason, count(*) FROM {relation} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    row_text = "row(table_name, row_key, updated_at, reason)::VARCHAR"
    sample = connection.execute(
        f"SELECT {row_text} FROM {relation} ORDER BY extracted_at DESC LIMIT {SAMPLE}"
    ).fetchall()
    return Finding(row[0], dict(reasons), [text for (text,) in sample])
