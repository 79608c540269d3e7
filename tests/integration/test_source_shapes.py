"""Columns and values that the lake cannot take as they are: none stops a table, none is replaced, none is silent."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from rainbow_assets.defs.landing.checks import known_result
from rainbow_assets.landing import drift, unplaced
from rainbow_assets.raw import compare
from rainbow_assets.raw.fsck import content as fsck_content
from rainbow_assets.raw.register import known_columns
from rainbow_assets.shop.schema import create_schema
from rainbow_assets.systems import ducklake
from rainbow_assets.systems.ducklake import quote
from rainbow_assets.tables import TABLES, SourceTable
from rainbow_assets.window import Days
from tests.integration.test_raw import DETAILS, MARCH_1, MARCH_2, MARCH_3, Shop, day
from tests.integration.warehouse_driver import Lakehouse, at

pytestmark = pytest.mark.integration

ODD = [
    "a.b", "..", "a.", " ", "x ", " x", "é", '"', '""', 'a"."b', "it's", "%s", "$1", "?", ":x", "{x}", "{{ x }}",
    "select", "null", "row", "key", "element", "*", "1", "-", "#", "a,b", "(x)", "[0]", "a/b", "a\\b", "a=b", "a\nb",
    "日本", "\u200b", "x" * 63, "_row_id", "_file", "_partition", "e", "t", "r", "q", "raw_snapshot",
    "first_raw_snapshot", "valid_from", "reason", "row_key", "table_name",
]  # fmt: skip
TAKEN = [
    "snapshot_id",
    "rowid",
    "filename",
    "file_row_number",
    "file_index",
    "change_date",
    "EXTRACTED_AT",
    "Price",
    "É",
]


@pytest.fixture
def shop(fresh_settings):
    create_schema(fresh_settings.secret("source_url"))
    with ducklake.connect(fresh_settings) as connection:
        yield Shop(fresh_settings, connection)


def detail(number: int, day_of_march: int, /, **columns: str) -> str:
    """An INSERT of an order detail."""
    full = {"id": str(number), "product_id": "1", "quantity": "1", "price": "5.00"}
    full |= dict.fromkeys(("created_at", "updated_at"), f"'2026-03-0{day_of_march} 10:00'")
    full |= columns
    return f"INSERT INTO orderdetails ({', '.join(quote(name) for name in full)}) VALUES ({', '.join(full.values())})"


def verdict(shop: Shop, table: SourceTable = DETAILS) -> drift.Columns:
    return drift.check(shop.url, table, known_columns(shop.lake, table))


def complete(shop: Shop, *days: date) -> compare.Completeness:
    looked_at = Days(days[0], days[-1])
    return compare.source_in_raw(shop.lake, shop.url, DETAILS, verdict(shop), looked_at)


def told(shop: Shop) -> str:
    return known_result(DETAILS, verdict(shop)).description or ""


def test_every_name_that_postgresql_allows_arrives_or_is_told(shop):
    shop.sql(detail(1, 1))
    shop.ingest(day(MARCH_1))
    shop.sql(*(f"ALTER TABLE orderdetails ADD COLUMN {quote(name)} text" for name in [*ODD, *TAKEN]))
    shop.sql(detail(2, 2, **{name: f"'v{place}'" for place, name in enumerate([*ODD, *TAKEN])}))
    landed, registered = shop.ingest(day(MARCH_2))
    assert set(registered.added_columns) == set(ODD)
    names = ", ".join(quote(name) for name in ODD)
    values = tuple(f"v{place}" for place in range(len(ODD)))
    assert shop.rows(f"SELECT {names} FROM lake.raw.orderdetails ORDER BY id") == [(None,) * len(ODD), values]
    arrow = shop.iceberg.load_table("raw.orderdetails").scan().to_arrow().sort_by("id")
    assert tuple(arrow[name].to_pylist()[1] for name in ODD) == values
    [(rescued,)] = shop.rows("SELECT rescued_data FROM lake.raw.orderdetails WHERE id = 2")
    assert json.loads(rescued) == {name: f"v{len(ODD) + place}" for place, name in enumerate(TAKEN)}
    assert all(name in told(shop) for name in TAKEN)
    # what they are named hides nothing of ours
    assert shop.rows(
        "SELECT count(DISTINCT snapshot_id), count(filename), count(extracted_at) FROM lake.raw.orderdetails"
    ) == [(2, 2, 2)]
    content = fsck_content.read(shop.lake, shop.s3, list(landed.files))
    assert [item.is_altered for item in content.values()] == [False]
    assert complete(shop, MARCH_1, MARCH_2).passed
    assert shop.ingest(Days(MARCH_1, MARCH_2))[0].files == {}
    shop.sql("UPDATE orderdetails SET price = price + 1 WHERE id = 2")  # nor blinds what compares rows
    assert complete(shop, MARCH_2).missing == 1
    shop.sql("UPDATE orderdetails SET snapshot_id = 'other' WHERE id = 2")
    assert shop.ingest(day(MARCH_2))[0].rows_written == 1


def test_a_lake_that_took_a_virtual_name_is_freed_of_it(shop):
    shop.sql("ALTER TABLE orderdetails ADD COLUMN source_snapshot_id bigint", detail(1, 1, source_snapshot_id="7"))
    shop.ingest(day(MARCH_1))
    # as a version of before took it
    with ducklake.transaction(shop.lake):
        shop.lake.execute("ALTER TABLE lake.raw.orderdetails RENAME COLUMN source_snapshot_id TO snapshot_id")
    with shop.iceberg.load_table("raw.orderdetails").update_schema() as update:
        update.rename_column("source_snapshot_id", "snapshot_id")
    shop.sql("ALTER TABLE orderdetails RENAME COLUMN source_snapshot_id TO snapshot_id", detail(2, 2, snapshot_id="8"))
    assert shop.rows("SELECT snapshot_id FROM lake.raw.orderdetails") == [(7,)]
    shop.ingest(day(MARCH_2))
    rows = shop.rows("SELECT source_snapshot_id, rescued_data, snapshot_id > 7 FROM lake.raw.orderdetails ORDER BY id")
    assert [row[:2] for row in rows] == [(7, None), (None, '{"snapshot_id": "8"}')]
    assert shop.rows("SELECT count(DISTINCT snapshot_id) FROM lake.raw.orderdetails") == [(2,)]
    arrow = shop.iceberg.load_table("raw.orderdetails").scan().to_arrow().sort_by("id")
    assert arrow["source_snapshot_id"].to_pylist() == [7, None]
    assert shop.ingest(Days(MARCH_1, MARCH_2))[0].rows_written == 1  # the first row's number now stands elsewhere
    assert shop.ingest(Days(MARCH_1, MARCH_2))[0].files == {}
    assert complete(shop, MARCH_1, MARCH_2).passed


def test_a_temporary_column_stops_nothing_and_may_come_again_as_something_else(shop):
    kinds = {
        "note": ("text", "'n'", "integer", "3"),
        "number": ("integer", "1", "text", "'one'"),
        "amount": ("numeric(10,2)", "1.50", "numeric(12,4)", "1.5001"),
        "whole": ("numeric(10,2)", "1.50", "bigint", "2"),
        "flag": ("boolean", "true", "smallint", "1"),
        "moment": ("timestamp", "'2026-03-01 11:00'", "timestamptz", "'2026-03-01 11:00+00'"),
        "gone": ("text", "'n'", "", ""),
    }
    shop.sql(*(f"ALTER TABLE orderdetails ADD COLUMN {name} {kind[0]}" for name, kind in kinds.items()))
    shop.sql(detail(1, 1, **{name: kind[1] for name, kind in kinds.items()}))
    shop.ingest(day(MARCH_1))
    shop.sql(*(f"ALTER TABLE orderdetails DROP COLUMN {name}" for name in kinds), detail(2, 2))
    assert verdict(shop).lost == tuple(kinds)
    assert f"Lost: {', '.join(kinds)}." in told(shop)
    shop.ingest(Days(MARCH_1, MARCH_2))
    assert complete(shop, MARCH_1, MARCH_2).passed

    again = {name: kind[2:] for name, kind in kinds.items() if kind[2]}
    shop.sql(*(f"ALTER TABLE orderdetails ADD COLUMN {name} {kind}" for name, (kind, _) in again.items()))
    shop.sql(detail(3, 3, **{name: value for name, (_, value) in again.items()}))
    landed, _ = shop.ingest(day(MARCH_3))
    assert complete(shop, MARCH_3).passed
    held = shop.rows(f"SELECT {', '.join(kinds)} FROM lake.raw.orderdetails ORDER BY id")
    first = ("n", 1, Decimal("1.50"), Decimal("1.50"), True, at("2026-03-01 11:00"), "n")
    assert held == [first, (None,) * 7, ("3", None, None, Decimal("2.00"), None, None, None)]
    [(rescued,)] = shop.rows("SELECT rescued_data FROM lake.raw.orderdetails WHERE id = 3")
    expected = {"number": "one", "amount": "1.5001", "flag": "1", "moment": "2026-03-01 11:00:00+00"}
    assert json.loads(rescued) == expected
    assert landed.rescued == dict.fromkeys(expected, 1)
    assert "Left out: number (INTEGER in the lake, text in the source)" in told(shop)
    arrow = shop.iceberg.load_table("raw.orderdetails").scan().to_arrow().sort_by("id")
    assert arrow["whole"].to_pylist() == [Decimal("1.50"), None, Decimal("2.00")]
    # The first row's note is NULL in the source by now, though `gone` is not known to be.
    assert shop.ingest(Days(MARCH_1, MARCH_3))[0].rows_written == 1
    assert complete(shop, MARCH_1, MARCH_3).passed


MONEY = {
    "NaN": None, "Infinity": None, "-Infinity": None, "4.125": None, "10000000000000000": None, "1e30": None,
    "-12345678901234567.89": None, "4.1000": "4.10", "9999999999999999.99": "9999999999999999.99", "-0.01": "-0.01",
    "1e-18": None,
}  # fmt: skip


def test_a_number_is_exact_or_null_and_rescued(shop):
    shop.sql(
        "ALTER TABLE orderdetails ALTER COLUMN price TYPE numeric",
        "ALTER TABLE orderdetails ADD COLUMN short numeric(10,2), ADD COLUMN free numeric, "
        "ADD COLUMN round numeric(5,-2), "
        "ADD COLUMN small numeric(3,5), ADD COLUMN long numeric(60,30), ADD COLUMN old numeric",
    )
    known = {"free": "VARCHAR", "round": "VARCHAR", "small": "VARCHAR", "long": "VARCHAR", "short": "DECIMAL(10,2)"}
    ducklake.ensure_table(
        shop.lake, "raw", "orderdetails", DETAILS.columns | {"old": "DECIMAL(38,10)", "change_date": "DATE"}
    )
    for number, value in enumerate(MONEY):
        shop.sql(detail(number, 1, price=f"'{value}'"))
    free = {"NaN": None, "1e30": None, "1e-18": None, "0.0000000001": Decimal("1E-10")}
    for number, value in enumerate(free):
        others = dict.fromkeys(("free", "old"), f"'{value}'")
        shop.sql(detail(100 + number, 1, **others, short="'NaN'", round="12345", small="0.00123", long="1e-30"))
    assert verdict(shop).added == known
    landed, _ = shop.ingest(day(MARCH_1))
    prices = shop.rows(
        "SELECT price::VARCHAR, rescued_data ->> 'price' FROM lake.raw.orderdetails WHERE id < 100 ORDER BY id"
    )
    exact = {"1e30": "1" + "0" * 30, "1e-18": "0." + "0" * 17 + "1"}
    assert prices == [(held, None if held else exact.get(value, value)) for value, held in MONEY.items()]
    rows = shop.rows(
        "SELECT free, old, short, round, small, long FROM lake.raw.orderdetails WHERE id >= 100 ORDER BY id"
    )
    assert [row[:2] for row in rows] == [(exact.get(value, value), held) for value, held in free.items()]
    assert {row[2:] for row in rows} == {(None, "12300", "0.00123", "0." + "0" * 29 + "1")}
    unfit = sum(held is None for held in MONEY.values())
    assert landed.rescued == {"price": unfit, "old": 3, "short": 4}
    assert complete(shop, MARCH_1).passed
    assert shop.ingest(day(MARCH_1))[0].files == {}

    shop.sql(
        "UPDATE orderdetails SET price = 'Infinity' WHERE id = 0", "UPDATE orderdetails SET price = 4.12 WHERE id = 3"
    )
    assert (complete(shop, MARCH_1).missing, shop.ingest(day(MARCH_1))[0].rows_written) == (2, 2)
    assert complete(shop, MARCH_1).passed


def test_a_rating_is_rounded_or_null_and_rescued(shop):
    products = TABLES["products"]
    shop.sql("ALTER TABLE products ALTER COLUMN rating_average TYPE numeric")
    ratings = {
        "NaN": None,
        "Infinity": None,
        "4.567": "4.57",
        "9999999.994": "9999999.99",
        "9999999.995": None,
        "1e9": None,
    }
    for number, value in enumerate(ratings):
        shop.sql(
            "INSERT INTO products (id, rating_average, created_at, updated_at) "
            f"VALUES ({number}, '{value}', '2026-03-01', '2026-03-01')"
        )
    landed, _ = shop.ingest(day(MARCH_1), products)
    assert [row for (row,) in shop.rows("SELECT rating_average::VARCHAR FROM lake.raw.products ORDER BY id")] == list(
        ratings.values()
    )
    assert landed.rescued == {"rating_average": 6}
    assert "NaN" in landed.sample[0]


@pytest.mark.parametrize("open_start", [False, True])
def test_times_that_no_calendar_has_are_bounded_alike_on_both_sides(shop, open_start):
    times = [
        "-infinity",
        "infinity",
        "4713-01-01 BC",
        "294276-12-31 23:59:59",
        "294247-01-11",
        "12026-01-01",
        "0001-01-01",
    ]
    for number, value in enumerate(times):
        shop.sql(detail(number, 1, created_at=f"'{value}'", deleted_at=f"'{value}'"))
    if open_start:
        for number, value in enumerate(["-infinity", "4713-01-01 BC", "0001-01-01", "1500-05-05 12:34:56.789012"], 100):
            shop.sql(detail(number, 1, updated_at=f"'{value}'"))
    days = day(MARCH_1, open_start=open_start)
    shop.ingest(days)
    rows = shop.rows(
        "SELECT created_at::VARCHAR, deleted_at::VARCHAR FROM lake.raw.orderdetails WHERE id < 100 ORDER BY id"
    )
    first, last = "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"
    assert rows == [(bound, bound) for bound in (first, last, first, last, last, last, first)]
    found = compare.source_in_raw(shop.lake, shop.url, DETAILS, verdict(shop), days)
    assert (found.passed, found.rows) == (True, len(rows) + 4 * open_start)
    assert shop.ingest(days)[0].files == {}


def test_rows_of_which_raw_or_build_can_make_nothing_are_quarantined_and_the_rest_goes_on(shop, tmp_path: Path):
    lakehouse = Lakehouse(shop.settings, tmp_path)
    lakehouse.create_raw()
    with ducklake.transaction(shop.lake):  # a lake from before
        shop.lake.execute("ALTER TABLE lake.raw.brands DROP COLUMN rescued_data")
    orders, products = TABLES["orders"], TABLES["products"]
    march = "'2026-03-01', '2026-03-01'"
    shop.sql(
        "ALTER TABLE orderdetails ALTER COLUMN price TYPE numeric, ALTER COLUMN updated_at DROP NOT NULL, "
        "DROP CONSTRAINT orderdetails_pkey, ALTER COLUMN id DROP NOT NULL",
        "ALTER TABLE products ALTER COLUMN rating_average TYPE numeric",
        *(f"ALTER TABLE orderdetails ADD COLUMN {quote(name)} text DEFAULT 'x'" for name in [*ODD, *TAKEN]),
        f"INSERT INTO orders VALUES (1, 1, 1, {march}, NULL), (2, 1, 1, '-infinity', '-infinity', NULL)",
        "INSERT INTO products (id, name, price, rating_average, created_at, updated_at) "
        f"VALUES (1, 'pen', 3, 'NaN', {march}), (2, 'ink', 'NaN', 4, {march})",
        detail(1, 1),
        detail(1, 1, product_id="2", price="'NaN'"),
        detail(1, 1, product_id="3", price="4.125"),
        detail(1, 1, product_id="4", updated_at="NULL"),
        detail(1, 1, product_id="5", updated_at="'infinity'"),
        *(detail(1, 1, product_id="6", id="NULL", quantity=quantity) for quantity in "12"),
    )
    first = day(MARCH_1, open_start=True)

    def run() -> unplaced.Unplaced:
        for table in (orders, products, DETAILS):
            shop.ingest(first, table)
            assert compare.source_in_raw(shop.lake, shop.url, table, verdict(shop, table), first).passed
        return unplaced.note(shop.lake, shop.url, DETAILS, verdict(shop), "run-1")

    found = run()
    assert (found.without_time, found.too_late, found.sample) == (1, 1, ("(1,4)",))
    snapshot = ducklake.current_snapshot(shop.lake)
    run()
    assert ducklake.current_snapshot(shop.lake) == snapshot
    assert lakehouse.dbt("build", "--exclude-resource-type", "unit_test")
    sold = "SELECT order_transaction, product_id, extended_sales_amount FROM lake.warehouse.fact_sales ORDER BY ALL"
    assert lakehouse.rows(sold) == [(1, 1, Decimal("5.00"))]
    assert lakehouse.rows("SELECT product_id, rating_average FROM lake.staging.stg_products") == [(1, None)]
    listed = "SELECT table_name, row_key, reason, resolved_at IS NULL FROM lake.ops.quarantine ORDER BY ALL"
    assert lakehouse.rows(listed) == [
        ("orderdetails", "1,2", "price is not a number", True),
        ("orderdetails", "1,3", "price does not fit 18 digits with 2 decimals", True),
        ("orderdetails", "1,4", "updated_at is missing", True),
        ("orderdetails", "1,5", "updated_at lies outside 1970 to 2099", True),
        ("orderdetails", "6", "id is missing", True),
        ("orderdetails", "6", "id is missing", True),
        ("orders", "2", "created_at lies outside 1970 to 2099", True),
        ("products", "2", "price is not a number", True),
    ]
    content = "SELECT row_content ->> 'price' FROM lake.ops.quarantine WHERE row_key IN ('1,2', '1,3') ORDER BY row_key"
    assert lakehouse.rows(content) == [("NaN",), ("4.125",)]

    shop.sql(
        "UPDATE orderdetails SET price = 7 WHERE product_id = 2",
        "UPDATE orderdetails SET updated_at = '2026-03-01 11:00' WHERE product_id = 4",
    )
    found = run()
    assert (found.without_time, found.too_late) == (0, 1)
    assert lakehouse.dbt("run")
    assert lakehouse.rows(sold) == [(1, 1, Decimal("5.00")), (1, 2, Decimal("7.00")), (1, 4, Decimal("5.00"))]
    still_open = [row[1] for row in lakehouse.rows(listed) if row[3]]
    assert still_open == ["1,3", "1,5", "6", "6", "2", "2"]
