"""The registry of source tables. Adding a table starts here.

Here: names, keys, columns and the column that holds money. Not here: how rows are read or written.
"""

from dataclasses import dataclass

AUDIT_COLUMNS = {"created_at": "TIMESTAMP", "updated_at": "TIMESTAMP", "deleted_at": "TIMESTAMP"}
MONEY = "DECIMAL(18,2)"
RATING = "DECIMAL(9,2)"  # no money: rounded, where the source has more decimals


@dataclass(frozen=True)
class SourceTable:
    """One table of the shop: its key and its columns with their types in the lake (DuckDB's names).

    `acknowledged`: columns outside of these of which no run need say anything: taken along, or lost on purpose.
    """

    name: str
    key: tuple[str, ...]
    own_columns: dict[str, str]
    grain: str
    acknowledged: frozenset[str] = frozenset()

    @property
    def columns(self) -> dict[str, str]:
        """All columns in the source's order, with the audit columns at the end."""
        return self.own_columns | AUDIT_COLUMNS

    @property
    def money(self) -> tuple[str, ...]:
        """The columns whose sums must agree between the layers."""
        return tuple(name for name, kind in self.own_columns.items() if kind == MONEY)


TABLES: dict[str, SourceTable] = {
    table.name: table
    for table in (
        SourceTable(
            "categories", ("id",), {"id": "INTEGER", "name": "VARCHAR", "description": "VARCHAR"}, "a product category"
        ),
        SourceTable("brands", ("id",), {"id": "INTEGER", "name": "VARCHAR"}, "a brand"),
        SourceTable(
            "sellers",
            ("id",),
            {"id": "INTEGER", "name": "VARCHAR", "link": "VARCHAR", "is_best_store": "BOOLEAN"},
            "a seller",
        ),
        SourceTable(
            "promotions",
            ("id",),
            {
                "id": "INTEGER",
                "name": "VARCHAR",
                "type": "VARCHAR",
                "price_treatment": MONEY,
                "coupon_type": "VARCHAR",
                "is_global": "BOOLEAN",
                "promo_begin": "TIMESTAMP",
                "promo_end": "TIMESTAMP",
            },
            "a promotion",
        ),
        SourceTable("payments", ("id",), {"id": "INTEGER", "name": "VARCHAR", "type": "VARCHAR"}, "a payment method"),
        SourceTable(
            "customers",
            ("id",),
            {"id": "INTEGER", "first_name": "VARCHAR", "last_name": "VARCHAR", "email": "VARCHAR"},
            "a customer",
        ),
        SourceTable(
            "products",
            ("id",),
            {
                "id": "BIGINT",
                "name": "VARCHAR",
                "price": MONEY,
                "original_price": MONEY,
                "rating_average": RATING,
                "review_count": "BIGINT",
                "sold_count": "BIGINT",
                "category_id": "BIGINT",
                "seller_id": "BIGINT",
                "brand_id": "BIGINT",
                "promotion_id": "BIGINT",
            },
            "a product",
        ),
        SourceTable("inventories", ("id",), {"id": "BIGINT", "quantity": "BIGINT"}, "the stock of a product"),
        SourceTable("orders", ("id",), {"id": "BIGINT", "customer_id": "BIGINT", "payment_id": "BIGINT"}, "an order"),
        SourceTable(
            "orderdetails",
            ("id", "product_id"),
            {"id": "BIGINT", "product_id": "BIGINT", "quantity": "BIGINT", "price": MONEY, "promotion_id": "BIGINT"},
            "a product in an order",
        ),
    )
}
