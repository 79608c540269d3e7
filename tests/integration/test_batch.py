"""The whole batch layer by its command line, on the real stack: source to ClickHouse, against SQL over the source."""

import json
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from soak import only_soak

from rainbow_assets.errors import DataError
from rainbow_assets.serving.lake import require_whole_build
from rainbow_assets.systems import ducklake, postgres

pytestmark = pytest.mark.integration

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 4)
RAINBOW = str(Path(sys.executable).with_name("rainbow"))
SALES = """
    SELECT sum(d.quantity), sum(d.quantity * d.price) FROM orderdetails AS d JOIN orders AS o ON o.id = d.id
    WHERE d.deleted_at IS NULL AND o.deleted_at IS NULL AND d.quantity >= 0 AND d.updated_at < '2100-01-01'"""


def rainbow(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([RAINBOW, *arguments], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def query(engine: str, text: str) -> list[dict]:
    return json.loads(rainbow("sql", "--engine", engine, "--format", "json", text).stdout)


def served_sales() -> tuple[int, str]:
    [row] = query("clickhouse", "SELECT total_sales_quantity, total_sales_amount FROM v_total_sales_batch")
    return row["total_sales_quantity"], row["total_sales_amount"]


@pytest.fixture
def shop(fresh_settings):
    """A seeded shop of four days; gives a function that runs SQL in the source."""
    rainbow("seed", "--days", "4", "--end", str(LAST), "--orders-per-day", "60")

    def sql(*statements: str):
        with postgres.connect(fresh_settings.secret("source_url"), "test") as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    return sql


def source_sales(sql) -> tuple[int, str]:
    [(quantity, amount)] = sql(SALES)
    return int(quantity), str(amount)


@only_soak
def test_days_in_any_order_come_out_like_the_source(shop):
    done = rainbow("run", str(LAST))
    assert "checks passed" in done.stdout
    rainbow("run", "--from", str(FIRST), "--to", str(LAST - timedelta(days=1)))
    assert served_sales() == source_sales(shop)

    files = (
        "SELECT count(*) AS files FROM ducklake_list_files('lake', 'orders', schema => 'raw') "
        f"WHERE data_file LIKE '%{LAST}%'"
    )
    before = query("lake", files)
    rainbow("simulate", str(LAST + timedelta(days=1)))
    rainbow("run", "--from", str(LAST), "--to", str(LAST + timedelta(days=1)))
    assert query("lake", files) == before
    assert served_sales() == source_sales(shop)


@only_soak
def test_a_run_says_which_older_days_it_repaired(shop):
    shop(
        "INSERT INTO customers (id, first_name, created_at, updated_at) "
        "VALUES (9001, 'Ann', '2025-12-01', '2025-12-01')",
        "UPDATE orders SET customer_id = 9001 WHERE id % 5 = 0",
    )
    rainbow("run", "--from", str(FIRST), "--to", str(LAST))
    shop(f"UPDATE customers SET updated_at = '{FIRST}', first_name = 'Eve' WHERE id = 9001")
    rainbow("run", str(FIRST))
    expected = shop(
        "SELECT o.created_at::date, count(*) FROM orders AS o JOIN orderdetails AS d ON d.id = o.id "
        "WHERE o.deleted_at IS NULL AND d.deleted_at IS NULL AND o.customer_id = 9001 GROUP BY 1 ORDER BY 1"
    )
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["warehouse", "fact_sales"]))
    told = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    older = [(day, rows) for day, rows in expected if day != FIRST]
    assert older
    assert (told["rows_written"], told["rows_repaired"], told["days_repaired"], told["first_days_repaired"]) == (
        sum(rows for _, rows in expected),
        sum(rows for _, rows in older),
        len(older),
        ", ".join(f"{day}: {rows}" for day, rows in older),
    )


@only_soak
def test_bad_rows_are_left_out_counted_and_can_be_mended(shop):
    shop(
        "ALTER TABLE orderdetails DROP CONSTRAINT orderdetails_pkey",
        "ALTER TABLE orderdetails ALTER COLUMN product_id DROP NOT NULL",
        "INSERT INTO orderdetails SELECT id, NULL, 1, 5.00, NULL, updated_at, updated_at FROM orders LIMIT 1",
        "UPDATE orderdetails SET quantity = -3 WHERE (id, product_id) = "
        "(SELECT id, product_id FROM orderdetails WHERE deleted_at IS NULL ORDER BY id DESC LIMIT 1)",
        "UPDATE customers SET created_at = '9999-12-31' WHERE id = (SELECT max(id) FROM customers)",
    )
    rainbow("run", "--from", str(FIRST), "--to", str(LAST))
    found = query("lake", "SELECT table_name, count(*) AS rows FROM ops.quarantine GROUP BY ALL ORDER BY ALL")
    assert found == [{"table_name": "customers", "rows": 1}, {"table_name": "orderdetails", "rows": 2}]
    mended = "UPDATE orderdetails SET quantity = 3, updated_at = '{}' WHERE quantity = -3"
    [(quantity, amount)] = shop(SALES + " AND d.product_id IS NOT NULL")
    assert served_sales() == (int(quantity), str(amount))

    shop(mended.format(f"{LAST} 23:59:59"))
    rainbow("run", str(LAST))
    [(quantity, amount)] = shop(SALES + " AND d.product_id IS NOT NULL")
    assert served_sales() == (int(quantity), str(amount))


@only_soak
def test_a_table_that_lost_a_column_stops_alone(shop):
    shop("ALTER TABLE promotions DROP COLUMN coupon_type")
    done = rainbow("run", "--from", str(FIRST), "--to", str(LAST), code=1)
    [line] = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert "promotions" in line
    assert "coupon_type" in line
    [row] = query("lake", "SELECT count(*) AS rows FROM raw.orders")
    assert row["rows"] == shop("SELECT count(*) FROM orders")[0][0]
    rainbow("sql", "--engine", "clickhouse", "SELECT * FROM v_total_sales_batch", code=1)  # nothing was published
    shop("ALTER TABLE promotions ADD COLUMN coupon_type text")
    rainbow("run", "--from", str(FIRST), "--to", str(LAST))
    assert served_sales() == source_sales(shop)


@only_soak
def test_a_run_that_was_killed_in_a_build_is_told_and_made_good(shop, fresh_settings):
    with subprocess.Popen([RAINBOW, "run", str(FIRST)], stderr=subprocess.PIPE, text=True) as killed:
        assert any("transform" in line for line in killed.stderr)
        wait_until(half_built)
        killed.kill()
    with ducklake.connect(fresh_settings) as lake, pytest.raises(DataError, match="middle of a build"):
        require_whole_build(lake)
    rainbow("run", "--from", str(FIRST), "--to", str(LAST))  # while dbt, an orphan, may still be at work
    assert served_sales() == source_sales(shop)
    statuses = postgres.fetch(fresh_settings.secret("dagster_url"), "test", "SELECT status FROM runs ORDER BY id")
    assert statuses == [("FAILURE",), ("SUCCESS",)]


def half_built() -> bool:
    done = subprocess.run(
        [RAINBOW, "sql", "SELECT * FROM ops.unfinished_builds"], capture_output=True, text=True, check=False
    )
    return done.returncode == 0 and len(done.stdout.splitlines()) > 2


def wait_until(condition, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["2026-13-45"], 2, "2026-13-45"),
        (["--from", "2026-03-03", "--to", "2026-03-01"], 1, "upside down"),
        (["--from", "2025-01-01", "--to", "2026-03-01"], 1, "outside the partitions"),
        (["2026-03-20"], 1, "outside the partitions"),
        (["--from", "2026-03-01"], 2, "go together"),
    ],
)
def test_a_wrong_day_is_one_line(fresh_settings, arguments, code, reason):
    fresh_settings.record(start_date=FIRST, end_date=LAST)
    done = rainbow("run", *arguments, code=code)
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
