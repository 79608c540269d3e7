"""The real Olist orders, whole: every batch view in ClickHouse equals SQL over the CSV files, to the cent."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from rainbow_assets.settings import PROJECT_DIR

pytestmark = pytest.mark.integration

OLIST = PROJECT_DIR.parent / "shared" / "data" / "olist"
RAINBOW = str(Path(sys.executable).with_name("rainbow"))

# The mapping of the Olist files to a sale, written again from their description; shares no code with the project.
SALES = """
    CREATE TABLE orders AS SELECT * FROM read_csv('{0}/olist_orders_dataset.csv.gz', all_varchar = true);
    CREATE TABLE items AS SELECT * FROM read_csv('{0}/olist_order_items_dataset.csv.gz', all_varchar = true);
    CREATE TABLE payments AS SELECT * FROM read_csv('{0}/olist_order_payments_dataset.csv.gz', all_varchar = true);
    CREATE TABLE people AS SELECT * FROM read_csv('{0}/olist_customers_dataset.csv.gz', all_varchar = true);
    CREATE TABLE products AS SELECT * FROM read_csv('{0}/olist_products_dataset.csv.gz', all_varchar = true);
    CREATE TABLE names AS SELECT * FROM read_csv('{0}/product_category_name_translation.csv.gz', all_varchar = true);
    CREATE TABLE methods AS
        SELECT order_id, arg_min(payment_type, (-total, payment_type)) AS method FROM (
            SELECT order_id, payment_type, sum(payment_value::DECIMAL(18,2)) AS total FROM payments GROUP BY ALL)
        GROUP BY order_id;
    CREATE TABLE sales AS
        SELECT order_id, product_id, seller_id, customer_unique_id AS customer,
            coalesce(method, 'not_defined') AS method,
            coalesce(english, category, 'unknown') AS category, order_purchase_timestamp::DATE AS day, quantity, amount
        FROM (SELECT order_id, product_id, seller_id, count(*) AS quantity, sum(price::DECIMAL(18,2)) AS amount
              FROM items GROUP BY ALL)
        JOIN orders USING (order_id) JOIN people USING (customer_id) LEFT JOIN methods USING (order_id)
        JOIN (SELECT product_id, product_category_name AS category FROM products) USING (product_id)
        LEFT JOIN (SELECT product_category_name AS category, product_category_name_english AS english FROM names)
            USING (category)
        WHERE order_status NOT IN ('canceled', 'unavailable')"""

# View: (columns of the view, the same over the CSV files). Rows are compared as sets.
VIEWS = {
    "total_sales": (
        "total_sales_quantity, total_sales_amount, total_profit, current_run_date",
        "SELECT sum(quantity), sum(amount), sum(amount), max(day) FROM sales",
    ),
    "sales_by_day": (
        "order_date, order_count, sales_quantity, sales_amount, discount_amount, profit",
        "SELECT day, count(DISTINCT order_id), sum(quantity), sum(amount), 0.00::DECIMAL(38,2), sum(amount) FROM sales "
        "GROUP BY day",
    ),
    "sales_by_day_of_week": (
        "day_of_week, day_name, order_count, sales_quantity, sales_amount, profit",
        "SELECT isodow(day), dayname(day), count(DISTINCT order_id), sum(quantity), sum(amount), sum(amount) "
        "FROM sales GROUP BY ALL",
    ),
    "top_sellers": (
        "seller_name, sales_quantity, sales_amount, profit, seller_rank",
        "SELECT seller_id, sum(quantity), sum(amount), sum(amount), rank() OVER (ORDER BY sum(amount) DESC) FROM sales "
        "GROUP BY seller_id",
    ),
    "top_products_by_category": (
        "category, sales_quantity, sales_amount, profit, profit_rank",
        "SELECT category, sum(quantity), sum(amount), sum(amount), row_number() OVER (PARTITION BY category ORDER BY "
        "sum(amount) DESC, product_id, seller_id) AS place FROM sales GROUP BY category, product_id, seller_id "
        "QUALIFY place <= 5",
    ),
    "payment_methods": (
        "payment_name, payment_type, order_count, sales_amount",
        "SELECT method, method, count(DISTINCT order_id), sum(amount) FROM sales GROUP BY method",
    ),
    "customer_ranking": (
        "split_part(customer_name, ' ', -1), order_count, sales_quantity, sales_amount, customer_rank",
        "SELECT customer, count(DISTINCT order_id), sum(quantity), sum(amount), "
        "rank() OVER (ORDER BY sum(amount) DESC) FROM sales GROUP BY customer",
    ),
}


def rainbow(*arguments: str) -> str:
    done = subprocess.run([RAINBOW, *arguments], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(not OLIST.is_dir(), reason="the Olist files are not beside the project")
def test_every_batch_view_equals_sql_over_the_csv_files(fresh_settings, tmp_path):
    rainbow("load-olist", str(OLIST))
    rainbow("run", "--from", "2016-09-04", "--to", "2018-10-17")
    with duckdb.connect() as connection:
        connection.execute(SALES.format(OLIST))
        for name, (columns, expected) in VIEWS.items():
            served = tmp_path / f"{name}.json"
            served.write_text(
                rainbow("sql", "--engine", "clickhouse", "--format", "json", f"SELECT * FROM v_{name}_batch")
            )
            connection.execute(f"CREATE TABLE expected AS {expected}")
            kinds = [kind for _, kind, *_ in connection.execute("DESCRIBE expected").fetchall()]
            typed = ", ".join(f"c{place}::{kind}" for place, kind in enumerate(kinds))
            names = ", ".join(f"c{place}" for place in range(len(kinds)))
            shown = f"SELECT {columns} FROM read_json('{served}')"
            connection.execute(f"CREATE TABLE served AS SELECT {typed} FROM ({shown}) AS t({names})")
            [(rows,)] = connection.execute("SELECT count(*) FROM expected").fetchall()
            [(same,)] = connection.execute("SELECT count(*) FROM (FROM expected INTERSECT ALL FROM served)").fetchall()
            [(held,)] = connection.execute("SELECT count(*) FROM served").fetchall()
            assert (same, held) == (rows, rows), name
            assert len(json.loads(served.read_text())) == rows
            connection.execute("DROP TABLE expected; DROP TABLE served")
