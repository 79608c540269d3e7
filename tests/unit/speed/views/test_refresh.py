"""The speed part of a publication without a row: what the sink wrote, by the rules of the batch layer."""

from decimal import Decimal
from pathlib import Path

from rainbow_assets.settings import Settings
from rainbow_assets.speed.capture.sink import Sink
from rainbow_assets.speed.views.refresh import refresh
from rainbow_assets.systems import clickhouse
from tests.unit.speed.capture.test_decode import MICROS, record
from tests.unit.speed.capture.test_sink import flush

NAMED = "name Nullable(String), valid_from Nullable(DateTime64(6, 'UTC'))"
# Of the published tables, what the refresh reads.
PUBLISHED = {
    "publications": "publication UInt64, name String, store String, version UInt64",
    "batch_coverage": "day Date32, is_first Bool, verified_at DateTime64(6, 'UTC')",
    "fact_sales": "date_key Int32, order_transaction Int64, product_id Int64, seller_key Int64, customer_key Int64, "
    "payment_key Int64, sales_quantity Int64, extended_sales_amount Decimal(38, 2), "
    "extended_discount_amount Decimal(38, 2)",
    "dim_products": f"product_id Int64, category Nullable(String), {NAMED}",
    "dim_sellers": f"seller_id Int64, seller_key Int64, {NAMED}",
    "dim_customers": "customer_id Int64, customer_key Int64, first_name Nullable(String), last_name Nullable(String), "
    "valid_from Nullable(DateTime64(6, 'UTC'))",
    "dim_payments": f"payment_id Int64, payment_key Int64, type Nullable(String), {NAMED}",
    "dim_promotions": "promotion_id Int64, coupon_type Nullable(String), price_treatment Nullable(Decimal(18, 2)), "
    "valid_from DateTime64(6, 'UTC')",
    "product_sellers": "product_id Int64, seller_id Nullable(Int64), valid_from DateTime64(6, 'UTC')",
}


def test_money_that_does_not_fit_sells_nothing_and_changes_no_terms(tmp_path: Path) -> None:
    settings = Settings.model_validate({"clickhouse_url": f"chdb://{tmp_path}/clickhouse"})

    def times(after: int) -> dict[str, object]:
        return {"created_at": MICROS, "updated_at": MICROS + after}

    with clickhouse.connect(settings) as client:
        for name, columns in PUBLISHED.items():
            client.command(f"CREATE TABLE {name} ({columns}) ENGINE = MergeTree ORDER BY tuple()")
        for number in range(2):  # the second version of each, at once, has what does not fit
            terms = {"coupon_type": "Percentage", "price_treatment": ("10.00", "33.333")[number]}
            product = {"seller_id": number + 1, "price": ("1.00", "NaN")[number]}
            line = {"product_id": 2, "quantity": 1, "promotion_id": 3, "price": ("20.00", "10.005")[number]}
            lsn = 10 + number
            flush(
                Sink(settings),
                lsn,
                record("u", "promotions", {"id": 3} | terms | times(number), lsn),
                record("u", "products", {"id": 2} | product | times(number), lsn),
                record("u", "sellers", {"id": number + 1} | times(0), lsn),
                record("u", "orders", {"id": 1} | times(2), lsn),
                record("u", "orders", {"id": 4} | times(2), lsn),
                record("u", "orderdetails", {"id": 1} | line | times(number), lsn),
                record("u", "orderdetails", {"id": 4} | line | {"price": "0.005"} | times(number), lsn),
            )
        refresh(client, 1)
        sold = client.query("SELECT order_transaction, seller_id, sales_amount, discount_amount FROM speed_sales")
        assert sold.result_rows == [(1, 1, Decimal("20.00"), Decimal("2.00"))]
