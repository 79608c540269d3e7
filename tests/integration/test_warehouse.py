"""The warehouse, sentence by sentence of its definition: small histories, the expected rows written by hand."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rainbow_assets.settings import Settings
from rainbow_assets.systems import ducklake
from rainbow_assets.transform import repairs
from rainbow_assets.window import Days
from tests.integration.warehouse_driver import TABLE_NAMES, Lakehouse, at

pytestmark = pytest.mark.integration

OPEN = at("2100-01-01")


def row(
    created: str, updated: str = "", deleted: str = "", extracted: str = "2026-02-01", **columns: Any
) -> dict[str, Any]:
    """A row of the source as a run read it; `updated` is `created` unless given."""
    return columns | {
        "created_at": at(created),
        "updated_at": at(updated or created),
        "deleted_at": at(deleted) if deleted else None,
        "extracted_at": at(extracted),
    }


@pytest.fixture
def lakehouse(fresh_settings: Settings, tmp_path: Path) -> Lakehouse:
    lakehouse = Lakehouse(fresh_settings, tmp_path)
    lakehouse.create_raw()
    return lakehouse


def order(lakehouse: Lakehouse, number: int, created: str, product: int = 1, **columns: Any) -> None:
    """An order of one piece at 10.00."""
    detail = {"promotion_id": columns.pop("promotion_id", None), "quantity": 1, "price": Decimal("10.00")}
    lakehouse.add("orders", row(created, id=number, **columns))
    lakehouse.add("orderdetails", row(created, id=number, product_id=product, **detail))


def test_a_lake_without_rows_gives_valid_tables(lakehouse: Lakehouse) -> None:
    assert lakehouse.dbt("build", "--exclude-resource-type", "unit_test")
    assert lakehouse.rows("FROM lake.marts.total_sales") == [(0, Decimal("0.00"), Decimal("0.00"), None)]
    assert lakehouse.rows("FROM lake.warehouse.fact_sales") == []
    assert lakehouse.rows(
        "SELECT promotion_id, promotion_key, name, is_current FROM lake.warehouse.dim_promotions ORDER BY ALL"
    ) == [
        (-1, -1, "Unknown", True),
        (0, 0, "No promotion", True),
    ]


def test_versions_of_a_dimension(lakehouse: Lakehouse) -> None:
    lakehouse.add(
        "payments",
        # 1: the first from its created_at; an equal one is no version; the next from its updated_at
        row("2026-01-01", "2026-01-02", id=1, name="card"),
        row("2026-01-01", "2026-01-03", id=1, name="card"),
        row("2026-01-01", "2026-01-04", id=1, name="cards"),
        # 2: the row extracted last counts, whatever was registered last
        row("2026-01-01", id=2, name="late", extracted="2026-02-03"),
        row("2026-01-01", id=2, name="early", extracted="2026-02-02"),
        # 3: a soft delete closes the last version, and none is current
        row("2026-01-01", id=3, name="cash"),
        row("2026-01-01", "2026-01-05", "2026-01-05", id=3, name="cash"),
        # 4: back after a delete, with a gap; equal intervals that do not touch stay apart
        row("2026-01-01", id=4, name="gone"),
        row("2026-01-01", "2026-01-05", "2026-01-05", id=4, name="gone"),
        row("2026-01-01", "2026-01-07", id=4, name="gone"),
        # 5: a delete earlier than the next version ends its own; 6: empty intervals vanish
        row("2026-01-01", "2026-01-01", "2026-01-02", id=5, name="a"),
        row("2026-01-01", "2026-01-04", id=5, name="b"),
        row("2026-01-01", "2026-01-01", "2026-01-01", id=6, name="never"),
        # 7: the first one's created_at lies after the next version: it is empty, too
        row("2026-01-09", "2026-01-01", id=7, name="x"),
        row("2026-01-09", "2026-01-03", id=7, name="y"),
        # 8: NULL equals NULL
        row("2026-01-01", id=8),
        row("2026-01-01", "2026-01-02", id=8),
    )
    assert lakehouse.dbt("run")
    found = lakehouse.rows(
        "SELECT payment_id, name, valid_from, valid_to, is_current FROM lake.warehouse.dim_payments ORDER BY ALL"
    )
    assert found == [
        (-1, "Unknown", at("1900-01-01"), OPEN, True),
        (1, "card", at("2026-01-01"), at("2026-01-04"), False),
        (1, "cards", at("2026-01-04"), OPEN, True),
        (2, "late", at("2026-01-01"), OPEN, True),
        (3, "cash", at("2026-01-01"), at("2026-01-05"), False),
        (4, "gone", at("2026-01-01"), at("2026-01-05"), False),
        (4, "gone", at("2026-01-07"), OPEN, True),
        (5, "a", at("2026-01-01"), at("2026-01-02"), False),
        (5, "b", at("2026-01-04"), OPEN, True),
        (7, "y", at("2026-01-03"), OPEN, True),
        (8, None, at("2026-01-01"), OPEN, True),
    ]


def test_a_late_row_repairs_the_facts_of_older_days(lakehouse: Lakehouse) -> None:
    """Every kind of entity gets a version in the past, after the facts were built."""
    lakehouse.add("customers", row("2026-01-01", id=1, first_name="Ann"))
    lakehouse.add("payments", row("2026-01-01", id=1, name="card"))
    lakehouse.add("sellers", row("2026-01-01", id=1, name="one"), row("2026-01-01", id=2, name="two"))
    lakehouse.add("promotions", row("2026-01-01", id=1, coupon_type="Percentage", price_treatment=Decimal(10)))
    lakehouse.add("categories", row("2026-01-01", id=1, name="desk"))
    lakehouse.add("products", row("2026-01-01", id=1, name="pen", category_id=1, brand_id=1, seller_id=1))
    for number, day in enumerate(("2025-12-31", "2026-01-03", "2026-01-05"), 1):
        order(lakehouse, number, day, customer_id=1, payment_id=1, promotion_id=1)
    order(lakehouse, 4, "2026-01-09", product=2, customer_id=5)
    assert lakehouse.dbt("run")
    facts = """SELECT order_transaction, customers.first_name, payments.name, sellers.name,
                      products.category, products.brand, discount_unit_price
               FROM lake.warehouse.fact_sales
               JOIN lake.warehouse.dim_customers AS customers USING (customer_key)
               JOIN lake.warehouse.dim_payments AS payments USING (payment_key)
               JOIN lake.warehouse.dim_sellers AS sellers USING (seller_key)
               JOIN lake.warehouse.dim_products AS products USING (product_key) ORDER BY ALL"""
    old = ("Ann", "card", "one", "desk", "Unknown", Decimal("1.00"))
    unknown = (4, "Unknown", "Unknown", "Unknown", "Unknown", "Unknown", Decimal("0.00"))
    assert lakehouse.rows(facts) == [(1, *old), (2, *old), (3, *old), unknown]

    lakehouse.add("customers", row("2026-01-01", "2026-01-02", id=1, first_name="Eve"))
    lakehouse.add("payments", row("2026-01-01", "2026-01-05", id=1, name="wire"))
    lakehouse.add("products", row("2026-01-01", "2026-01-05", id=1, name="pen", category_id=1, brand_id=1, seller_id=2))
    lakehouse.add("categories", row("2026-01-01", "2026-01-02", id=1, name="office"))
    lakehouse.add(
        "promotions", row("2026-01-01", "2026-01-05", id=1, coupon_type="Fixed Amount", price_treatment=Decimal("0.01"))
    )
    own = Days(date(2026, 1, 5), date(2026, 1, 5))
    with ducklake.connect(lakehouse.settings) as lake:
        assert lakehouse.dbt("run")
        assert repairs.of_newest_build(lake, own) == repairs.Repairs(2, {date(2026, 1, 3): 1})
        assert lakehouse.dbt("run", "--exclude", "dim_dates")  # all the others, also without news
        assert repairs.of_newest_build(lake, own) == repairs.Repairs(0, {})
        assert lakehouse.dbt("run", "--full-refresh")
        assert repairs.of_newest_build(lake, own) is None
    assert lakehouse.rows(facts) == [
        (1, *old),
        (2, "Eve", "card", "one", "office", "Unknown", Decimal("1.00")),
        (3, "Eve", "wire", "two", "office", "Unknown", Decimal("10.00")),
        unknown,
    ]

    # what was unknown appears, and the brand that all its products lacked
    lakehouse.add("customers", row("2026-01-20", id=5, first_name="Zoe"))
    lakehouse.add("products", row("2026-01-20", id=2, name="ink", category_id=1, brand_id=1, seller_id=1))
    lakehouse.add("brands", row("2026-01-20", id=1, name="acme"))
    assert lakehouse.dbt("run")
    assert lakehouse.rows(facts) == [
        (1, "Ann", "card", "one", "desk", "acme", Decimal("1.00")),
        (2, "Eve", "card", "one", "office", "acme", Decimal("1.00")),
        (3, "Eve", "wire", "two", "office", "acme", Decimal("10.00")),
        (4, "Zoe", "Unknown", "one", "office", "acme", Decimal("0.00")),
    ]


def test_facts_follow_their_order_and_detail(lakehouse: Lakehouse) -> None:
    for number, day in enumerate(("2026-01-03", "2026-01-03", "2026-01-02"), 1):
        order(lakehouse, number, day)
    lakehouse.add("orderdetails", row("2026-01-03", id=9, product_id=1, quantity=1, price=Decimal(1)))
    assert lakehouse.dbt("run")
    facts = "SELECT date_key, order_transaction, product_id, sales_quantity FROM lake.warehouse.fact_sales ORDER BY ALL"
    assert lakehouse.rows(facts) == [(20260102, 3, 1, 1), (20260103, 1, 1, 1), (20260103, 2, 1, 1)]
    lakehouse.add(
        "orders",
        row("2026-01-03", "2026-01-08", "2026-01-08", id=1),  # deleted: its facts vanish
        row("2026-01-04", "2026-01-02", id=3, extracted="2026-02-09"),  # replaced: another day
        row("2026-01-05", id=9),  # comes after its detail
    )
    lakehouse.add(
        "orderdetails",
        row("2026-01-03", "2026-01-08", "2026-01-08", id=2, product_id=1, quantity=1, price=Decimal(10)),
        row("2026-01-03", "2026-01-08", id=2, product_id=5, quantity=7, price=Decimal(10)),
    )
    assert lakehouse.dbt("run")
    assert lakehouse.rows(facts) == [(20260103, 2, 5, 7), (20260104, 3, 1, 1), (20260105, 9, 1, 1)]
    assert lakehouse.rows("SELECT min(date), max(date), count(*) FROM lake.warehouse.dim_dates") == [
        (date(2026, 1, 1), date(2026, 12, 31), 365)
    ]


def test_faulty_rows_are_shown_and_nothing_else_suffers(lakehouse: Lakehouse) -> None:
    order(lakehouse, 1, "2026-01-03")
    lakehouse.add("orders", row("2026-01-03", id=None), row("9999-01-03", "2026-01-03", id=2), row("1969-01-03", id=3))
    detail = {"id": 1, "product_id": 2, "price": Decimal(1)}
    lakehouse.add(
        "orderdetails",
        row("2026-01-03", **detail | {"quantity": -1}),
        row("2026-01-03", **detail | {"quantity": None}),
        row("2026-01-03", **detail | {"quantity": 1, "price": Decimal("-0.01")}),
        row("2026-01-03", **detail | {"quantity": 1_000_000_000, "price": Decimal("9999999999999999.99")}),
        row("2026-01-03", **detail | {"quantity": 9_000_000_000_000_000_000, "price": Decimal(0)}),
        row("2026-01-03", **detail | {"quantity": 1, "product_id": None}),
    )
    lakehouse.add("customers", row("2026-01-03", id=-1))
    lakehouse.add("promotions", row("2026-01-03", id=0))
    assert lakehouse.dbt("build", "--exclude-resource-type", "unit_test")
    assert lakehouse.rows("SELECT count(*) FROM lake.warehouse.fact_sales") == [(1,)]
    assert lakehouse.rows("SELECT table_name, row_key, reason FROM lake.ops.quarantine ORDER BY ALL") == [
        ("customers", "-1", "id -1 is reserved for the unknown member"),
        ("orderdetails", "1", "product_id is missing"),
        ("orderdetails", "1,2", "price is negative"),
        ("orderdetails", "1,2", "quantity exceeds 9 digits"),
        ("orderdetails", "1,2", "quantity is negative"),
        ("orderdetails", "1,2", "quantity or price is missing"),
        ("orderdetails", "1,2", "the amount exceeds 18 digits"),
        ("orders", "2", "created_at lies outside 1970 to 2099"),
        ("orders", "3", "created_at lies outside 1970 to 2099"),
        ("orders", None, "id is missing"),
        ("promotions", "0", "id 0 is reserved for no promotion"),
    ]


def test_a_build_that_failed_or_broke_off_is_made_good_by_the_next(lakehouse: Lakehouse) -> None:
    order(lakehouse, 1, "2026-01-03")
    assert lakehouse.dbt("run")
    order(lakehouse, 2, "2026-01-04")
    lakehouse.rows("ALTER TABLE lake.warehouse.fact_sales RENAME COLUMN sales_quantity TO broken")
    assert not lakehouse.dbt("run")
    lakehouse.rows("ALTER TABLE lake.warehouse.fact_sales RENAME COLUMN broken TO sales_quantity")
    # what a process that was killed within a swap of tables leaves behind
    lakehouse.rows("ALTER TABLE lake.marts.sales_by_day RENAME TO sales_by_day__dbt_backup")
    lakehouse.rows("CREATE TABLE lake.marts.total_sales__dbt_tmp AS SELECT 1 AS half")
    assert lakehouse.dbt("run")
    assert lakehouse.rows("SELECT order_date FROM lake.marts.sales_by_day ORDER BY ALL") == [
        (date(2026, 1, 3),),
        (date(2026, 1, 4),),
    ]
    assert lakehouse.rows("SELECT total_sales_quantity FROM lake.marts.total_sales") == [(2,)]
    assert (
        lakehouse.rows(
            "SELECT table_name FROM information_schema.tables WHERE table_name LIKE '%\\_\\_dbt%' ESCAPE '\\'"
        )
        == []
    )


def test_a_build_without_news_writes_no_rows(lakehouse: Lakehouse) -> None:
    lakehouse.add("customers", row("2026-01-01", id=1, first_name="Ann"))
    order(lakehouse, 1, "2026-01-03", customer_id=1)
    assert lakehouse.dbt("run")
    incremental = [name for name in TABLE_NAMES if name.startswith("warehouse") and name != "warehouse.dim_dates"]
    files = {name: lakehouse.rows(_files(name)) for name in incremental}
    assert lakehouse.dbt("run", "--exclude", "dim_dates")  # all the others, also without news
    assert {name: lakehouse.rows(_files(name)) for name in incremental} == files
    lakehouse.rows("DELETE FROM lake.raw.orders")  # what raw loses, the tables lose
    assert lakehouse.dbt("run")
    assert lakehouse.rows("FROM lake.warehouse.fact_sales") == []


def _files(name: str) -> str:
    schema, table = name.split(".")
    return (
        f"SELECT data_file, delete_file FROM ducklake_list_files('lake', '{table}', schema => '{schema}') ORDER BY ALL"
    )


def test_no_password_reaches_dbt_logs_or_artifacts(lakehouse: Lakehouse) -> None:
    order(lakehouse, 1, "2026-01-03")
    assert lakehouse.dbt("run", "--log-level-file", "debug")
    written = [file for file in lakehouse.folder.rglob("*") if file.is_file()]
    assert any(file.name == "dbt.log" for file in written)
    secrets = [lakehouse.settings.secret(name) for name in ("s3_secret_key", "catalog_url")]
    for file in written:
        content = file.read_bytes()
        assert not any(secret.encode() in content for secret in secrets), file
