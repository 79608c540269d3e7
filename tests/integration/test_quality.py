"""Each data quality check fails for its own reason, and passes on clean rows: on the real stack, without Dagster."""

import json
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rainbow_assets.landing import arrival
from rainbow_assets.raw import compare, volume
from rainbow_assets.settings import PROJECT_DIR, Settings
from rainbow_assets.shop.schema import create_schema
from rainbow_assets.systems import ducklake, postgres
from rainbow_assets.tables import TABLES
from rainbow_assets.transform import audit, quality
from rainbow_assets.window import Days
from tests.integration.test_raw import Shop
from tests.integration.test_warehouse import order, row
from tests.integration.warehouse_driver import Lakehouse, at

pytestmark = pytest.mark.integration

ORDERS = TABLES["orders"]
TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)
FIRST = YESTERDAY - timedelta(days=39)


def orders(shop: Shop, first: date, last: date, number: int) -> None:
    """So many orders on each of some days."""
    shop.sql(
        "INSERT INTO orders (customer_id, payment_id, created_at, updated_at) SELECT 1, 1, t, t "
        f"FROM generate_series(timestamp '{first}', '{last}', '1 day') AS day, "
        f"LATERAL (SELECT day + i * interval '10 minutes' AS t FROM generate_series(1, {number}) AS i)"
    )


@pytest.fixture
def shop(fresh_settings: Settings):
    """Forty days of a hundred orders up to yesterday, in the source only."""
    settings = fresh_settings.record(start_date=FIRST)
    create_schema(settings.secret("source_url"))
    with ducklake.connect(settings) as connection:
        shop = Shop(settings, connection)
        orders(shop, FIRST, YESTERDAY, 100)
        yield shop


def volumes(shop: Shop, first: date, last: date) -> volume.Volumes:
    shop.ingest(Days(first, last, open_start=first == FIRST), ORDERS)
    return volume.volumes(shop.lake, "orders", Days(first, last), shop.settings)


def test_volume_gaps_and_freshness(shop: Shop) -> None:
    empty, small = YESTERDAY - timedelta(days=3), YESTERDAY - timedelta(days=5)
    shop.sql(f"DELETE FROM orders WHERE updated_at::date = '{empty}'")
    shop.sql(f"DELETE FROM orders WHERE updated_at::date = '{small}' AND id % 10 > 2")
    early = volumes(shop, FIRST, YESTERDAY - timedelta(days=10))
    assert (early.gaps, early.unusual, early.is_fresh) == ([], [], False)
    assert early.newest == YESTERDAY - timedelta(days=10)

    orders(shop, YESTERDAY, YESTERDAY, 61)
    late = volumes(shop, YESTERDAY - timedelta(days=1), YESTERDAY)
    unloaded = [YESTERDAY - timedelta(days=back) for back in range(9, 1, -1)]
    assert late.gaps == unloaded
    assert [(day.day, day.rows, day.usual) for day in late.unusual] == [(YESTERDAY, 161, 100)]
    assert late.is_fresh

    filled = volumes(shop, unloaded[0], unloaded[-1])
    assert filled.gaps == [empty]
    assert [(day.day, day.rows) for day in filled.unusual] == [(small, 30), (empty, 0)]


def test_a_day_that_is_not_due_yet_is_not_missed(shop: Shop) -> None:
    found = volumes(shop, YESTERDAY - timedelta(days=8), YESTERDAY - timedelta(days=1))
    assert found.due >= YESTERDAY - timedelta(days=1)
    assert found.is_fresh is (found.due < YESTERDAY)  # yesterday is due three hours after its end
    assert (found.gaps, found.unusual) == ([], [])


def test_arrival_late_rows_and_rows_that_lie_ahead(shop: Shop) -> None:
    settings, day = shop.settings, YESTERDAY - timedelta(days=6)
    days = Days(day, day)

    def look(looked_at: Days = days):
        landed = shop.files(looked_at, ORDERS)
        files = shop.land(looked_at, ORDERS).files
        delay = arrival.delay(shop.lake, ORDERS, files, looked_at, settings)
        return delay, arrival.late(shop.lake, ORDERS, landed, files, looked_at)

    delay, late = look(Days(YESTERDAY, YESTERDAY))
    assert (delay.rows, delay.passed, late.by_day) == (100, True, {})
    assert timedelta() < delay.median <= delay.longest < timedelta(days=2)
    delay, late = look()
    assert (delay.passed, len(delay.sample), late.by_day) == (False, 5, {})
    assert timedelta(days=6) < delay.median < timedelta(days=8)
    assert look()[0].passed  # nothing new
    orders(shop, day, day, 3)
    delay, late = look(Days(FIRST, YESTERDAY, open_start=True))
    assert delay.passed  # a range is filled later on purpose
    assert (late.by_day, late.rows, len(late.sample)) == ({day: 3}, 3, 3)

    assert arrival.ahead(shop.url, ORDERS, settings).rows == 0
    shop.sql(
        f"UPDATE orders SET updated_at = '{TODAY}' WHERE id = 1",  # its partition comes tomorrow
        "UPDATE orders SET updated_at = 'infinity' WHERE id = 2",
        "UPDATE orders SET updated_at = now() AT TIME ZONE 'UTC' + interval '2 days' WHERE id = 3",
    )
    ahead = arrival.ahead(shop.url, ORDERS, settings)
    assert (ahead.rows, ahead.sample[1]) == (2, "(2,infinity)")
    ended = settings.record(end_date=YESTERDAY - timedelta(days=3))
    assert arrival.delay(shop.lake, ORDERS, dict.fromkeys(shop.files(days, ORDERS), 1), days, ended).passed
    assert arrival.behind(shop.url, ORDERS, settings).rows == 0
    behind = arrival.behind(shop.url, ORDERS, ended)
    assert (behind.rows, len(behind.sample), behind.after.date()) == (3 * 100 + 1, 5, YESTERDAY - timedelta(days=2))
    assert arrival.ahead(shop.url, ORDERS, ended).rows == 2
    assert arrival.behind(shop.url, ORDERS, settings.record(end_date=TODAY + timedelta(days=1))).rows == 0


def test_files_that_are_broken_or_known_to_one_catalog(shop: Shop) -> None:
    days = Days(YESTERDAY, YESTERDAY)
    landed, _ = shop.ingest(days, ORDERS)
    assert compare.broken_files(shop.lake, landed.files) == []
    [file] = landed.files
    assert compare.broken_files(shop.lake, {file: 99}) == [file.uri]  # it has 100 rows

    files = shop.files(days, ORDERS)
    assert compare.catalogs_agree(shop.lake, shop.iceberg, ORDERS, files, days).wrong == []
    shop.lake.execute("DELETE FROM lake.raw.orders WHERE change_date = ?", [YESTERDAY])
    assert compare.catalogs_agree(shop.lake, shop.iceberg, ORDERS, files, days).wrong == [file.uri]


@pytest.fixture
def lakehouse(fresh_settings: Settings, tmp_path: Path) -> Lakehouse:
    """Two orders of a customer and a product that are all there."""
    create_schema(fresh_settings.secret("source_url"))
    lakehouse = Lakehouse(fresh_settings, tmp_path)
    lakehouse.create_raw()
    first = "2026-01-01"
    lakehouse.add("customers", row(first, id=1, first_name="Ann", last_name="Lee"))
    lakehouse.add("payments", row(first, id=1, name="card", type="card"))
    lakehouse.add("sellers", row(first, id=1, name="one"))
    lakehouse.add("categories", row(first, id=1, name="desk"))
    lakehouse.add("brands", row(first, id=1, name="acme"))
    lakehouse.add("promotions", promotion(1, price_treatment=Decimal(10)))
    lakehouse.add("products", product(1))
    for number in (1, 2):
        order(lakehouse, number, "2026-01-03", customer_id=1, payment_id=1, promotion_id=1)
    return lakehouse


def promotion(number: int, **columns):
    full = {"name": "sale", "coupon_type": "Percentage", "price_treatment": Decimal(5)} | columns
    return row("2026-01-01", id=number, **full)


def product(number: int, **columns):
    full = {"name": "pen", "price": Decimal(3), "category_id": 1, "brand_id": 1, "seller_id": 1} | columns
    return row("2026-01-01", id=number, **full)


def looks(lakehouse: Lakehouse) -> dict[str, dict[str, int]]:
    """Every look at the last build that is not content, with its reasons."""
    url = lakehouse.settings.secret("source_url")
    with ducklake.connect(lakehouse.settings) as lake:
        window = quality.last_build(lake)
        found = {"clamped": quality.clamped(lake, window), "open": quality.open_quarantine(lake)}
        for table in quality.STAGED:
            found[f"present {table}"] = quality.present(lake, table, window)
            found[f"plausible {table}"] = quality.plausible(lake, table, window)
            found[f"orphans {table}"] = quality.orphans(lake, url, table, window)
    for finding in found.values():
        assert bool(finding.sample) is not finding.passed
    return {name: finding.reasons for name, finding in found.items() if not finding.passed}


def test_doubtful_rows_of_a_build_are_told_by_reason(lakehouse: Lakehouse) -> None:
    assert lakehouse.dbt("run")
    assert looks(lakehouse) == {}

    lakehouse.add("customers", row("2026-01-04", "2026-01-03", id=2, first_name=None, last_name="Poe"))
    lakehouse.add(
        "promotions",
        promotion(2, price_treatment=Decimal(-5)),
        promotion(3, price_treatment=Decimal(150)),
        promotion(4, coupon_type="Gift"),
        promotion(5, promo_begin=at("2026-01-05"), promo_end=at("2026-01-04")),
        promotion(6, coupon_type="Fixed Amount", price_treatment=Decimal(1)),
    )
    lakehouse.add(
        "products",
        product(2, rating_average=Decimal("5.01"), sold_count=-1),
        product(3, name=None, seller_id=77, category_id=None),
        product(4, price=Decimal(0), review_count=-1, brand_id=78, promotion_id=79),
    )
    order(lakehouse, 3, "2026-01-04", customer_id=80, payment_id=81, promotion_id=2)
    order(lakehouse, 4, "2026-01-04", product=82, customer_id=None, payment_id=1, promotion_id=3)
    for number in range(100, 111):
        order(lakehouse, number, "2026-01-04", customer_id=1, payment_id=1, promotion_id=6)
    detail = {"id": 4, "price": Decimal(0), "promotion_id": 83}
    lakehouse.add("orderdetails", row("2026-01-04", **detail, product_id=1, quantity=0))
    lakehouse.add("orderdetails", row("2026-01-04", **detail, product_id=2, quantity=-1))
    lakehouse.add("orderdetails", row("2026-01-04", id=84, product_id=1, quantity=1, price=Decimal(1)))
    # on its way: the source has it, its day is not loaded
    order(lakehouse, 5, "2026-01-04", customer_id=85, payment_id=1)
    with postgres.connect(lakehouse.settings.secret("source_url"), "test") as source:
        source.execute("INSERT INTO customers (id, first_name) VALUES (85, 'Zoe')")
    assert lakehouse.dbt("run")
    assert looks(lakehouse) == {
        "clamped": {
            "held at 0, a negative treatment": 1,
            "held at the price, more than 100 per cent": 1,
            "held at the price, a coupon worth more than the product": 11,
        },
        "open": {"orderdetails: quantity is negative": 1},
        "plausible stg_customers": {"updated_at is before created_at": 1},
        "present stg_customers": {"first_name is missing": 1},
        "plausible stg_promotions": {
            "coupon_type is unknown": 1,
            "price_treatment is negative": 1,
            "price_treatment is over 100 per cent": 1,
            "promo_end is before promo_begin": 1,
        },
        "present stg_products": {"name is missing": 1, "category_id is missing": 1},
        "plausible stg_products": {
            "price is 0": 1,
            "rating_average is not within 0 to 5": 1,
            "review_count is negative": 1,
            "sold_count is negative": 1,
        },
        "orphans stg_products": {
            "seller_id is in no row of sellers": 1,
            "brand_id is in no row of brands": 1,
            "promotion_id is in no row of promotions": 1,
        },
        "present stg_orders": {"customer_id is missing": 1},
        "orphans stg_orders": {
            "customer_id is in no row of customers": 1,
            "payment_id is in no row of payments": 1,
        },
        "plausible stg_order_details": {"quantity is 0": 1, "price is 0": 1},
        "orphans stg_order_details": {
            "order_id is in no row of orders": 1,
            "product_id is in no row of products": 1,
            "promotion_id is in no row of promotions": 1,
        },
    }


def test_a_bad_row_is_resolved_by_its_correction_or_by_another_rule(lakehouse: Lakehouse, tmp_path: Path) -> None:
    detail = {"product_id": 9, "price": Decimal(1), "promotion_id": None}
    lakehouse.add(
        "orderdetails",
        row("2026-01-03", **detail, id=1, quantity=-1),
        row("2026-01-03", **detail, id=2, quantity=5),
        row("2026-01-03", **detail, id=4, quantity=-4),
    )
    strict = tmp_path / "strict"
    shutil.copytree(PROJECT_DIR / "dbt_project", strict, ignore=shutil.ignore_patterns("target", "logs"))
    rules = strict / "macros" / "quality.sql"
    rules.write_text(
        rules.read_text().replace("when quantity is null", "when quantity = 5 then 'five' when quantity is null")
    )
    listed = "SELECT row_key, reason, resolved_at FROM lake.ops.quarantine ORDER BY ALL"
    sold = "SELECT order_transaction, sales_quantity FROM lake.warehouse.fact_sales WHERE product_id = 9 ORDER BY ALL"
    lakehouse.project = strict
    assert lakehouse.dbt("run")
    negative = "quantity is negative"
    assert lakehouse.rows(listed) == [("1,9", negative, None), ("2,9", "five", None), ("4,9", negative, None)]

    lakehouse.add(
        "orderdetails",
        row("2026-01-03", **detail, id=1, quantity=1, extracted="2026-02-03"),
        row("2026-01-02", **detail, id=4, quantity=4, extracted="2026-02-03"),  # an older version mends nothing
    )
    assert lakehouse.dbt("run")
    mended = ("1,9", negative, at("2026-02-03"))
    assert lakehouse.rows(listed) == [mended, ("2,9", "five", None), ("4,9", negative, None)]
    assert lakehouse.rows(sold) == [(1, 1)]

    # the same bad row once more is open again, until it is corrected again
    lakehouse.add("orderdetails", row("2026-01-03", **detail, id=1, quantity=-1, extracted="2026-02-04"))
    assert lakehouse.dbt("run")
    assert lakehouse.rows(listed) == [("1,9", negative, None), ("2,9", "five", None), ("4,9", negative, None)]
    lakehouse.add("orderdetails", row("2026-01-03", **detail, id=1, quantity=1, extracted="2026-02-05"))
    assert lakehouse.dbt("run")
    mended = ("1,9", negative, at("2026-02-05"))
    assert lakehouse.rows(listed) == [mended, ("2,9", "five", None), ("4,9", negative, None)]

    lakehouse.project = PROJECT_DIR / "dbt_project"
    assert lakehouse.dbt("run")
    first, (_, _, relaxed), last = lakehouse.rows(listed)
    assert (first, last) == (mended, ("4,9", negative, None))
    assert relaxed is not None
    assert lakehouse.rows(sold) == [(1, 1), (2, 5)]

    lakehouse.project = strict  # and back: what is refused again goes
    assert lakehouse.dbt("run")
    assert lakehouse.rows(listed) == [mended, ("2,9", "five", None), ("4,9", negative, None)]
    assert lakehouse.rows(sold) == [(1, 1)]


def test_layers_that_disagree_are_told_by_the_tests_that_stop_a_build(lakehouse: Lakehouse) -> None:
    lakehouse.add("orders", row("2026-01-03", id=None))
    assert lakehouse.dbt("build", "--exclude-resource-type", "unit_test")
    lakehouse.rows("DELETE FROM lake.staging.stg_orders WHERE order_id = 1")
    lakehouse.rows("INSERT INTO lake.staging.stg_brands FROM lake.staging.stg_brands")
    lakehouse.rows("DELETE FROM lake.ops.quarantine")
    lakehouse.rows("DELETE FROM lake.warehouse.fact_sales WHERE order_transaction = 2")
    assert not lakehouse.dbt("test", "--exclude-resource-type", "unit_test")
    results = json.loads((lakehouse.folder / "target" / "run_results.json").read_text())["results"]
    failed = [result["unique_id"] for result in results if result["status"] == "fail"]
    assert sorted(name.split(".")[2] for name in failed) == [
        "assert_consistent_total_sales",
        "assert_faulty_rows_are_quarantined",
        "holds_each_raw_version_stg_brands_id__brands",
        "holds_each_raw_version_stg_orders_id__orders",
    ]


def test_faulty_tables_are_told_by_the_audit(lakehouse: Lakehouse) -> None:
    assert lakehouse.dbt("build", "--exclude-resource-type", "unit_test")
    with ducklake.connect(lakehouse.settings) as lake:

        def failing(
            look: Callable[[duckdb.DuckDBPyConnection, str], quality.Finding], tables: Iterable[str]
        ) -> dict[str, Any]:
            found = {table: look(lake, table) for table in tables}
            return {table: (finding.rows, finding.sample[0]) for table, finding in found.items() if not finding.passed}

        assert failing(audit.keys_are_valid, audit.KEYS) == failing(audit.intervals_are_apart, audit.VERSIONS) == {}
        assert audit.keys_exist(lake).passed
        assert audit.total_is_the_sum_of_days(lake).passed

        lake.execute("INSERT INTO lake.warehouse.dim_payments FROM lake.warehouse.dim_payments")
        lake.execute("INSERT INTO lake.marts.top_sellers FROM lake.marts.top_sellers")
        lake.execute("UPDATE lake.warehouse.dim_sellers SET valid_to = valid_from WHERE seller_id = -1")
        lake.execute("DELETE FROM lake.warehouse.dim_customers")
        lake.execute("UPDATE lake.marts.total_sales SET total_profit = 1")
        [(sellers,)] = lake.execute("SELECT count(DISTINCT seller_id) FROM lake.marts.top_sellers").fetchall()
        [(payments,)] = lake.execute("SELECT count(DISTINCT payment_key) FROM lake.warehouse.dim_payments").fetchall()
        [(facts,)] = lake.execute("SELECT count(*) FROM lake.warehouse.fact_sales").fetchall()
        twice = failing(audit.keys_are_valid, audit.KEYS)
        assert {table: rows for table, (rows, _) in twice.items()} == {
            "warehouse.dim_payments": payments,
            "marts.top_sellers": sellers,
        }
        assert "'row_count': 2" in twice["marts.top_sellers"][1]
        overlapping = failing(audit.intervals_are_apart, audit.VERSIONS)
        assert overlapping.keys() == {"warehouse.dim_payments", "warehouse.dim_sellers"}
        assert (audit.keys_exist(lake).rows, facts > 0) == (facts, True)
        assert "'profit': 1" in audit.total_is_the_sum_of_days(lake).sample[0]
