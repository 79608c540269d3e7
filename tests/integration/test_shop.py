"""The shop in a real PostgreSQL: filled, filled again, lived in for a day, and never left half-written."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import psycopg
import pytest

from rainbow_assets.errors import DataError, TransientError
from rainbow_assets.settings import PROJECT_DIR, Settings
from rainbow_assets.shop.olist import load_olist
from rainbow_assets.shop.schema import create_schema, drop_data, is_empty, transaction
from rainbow_assets.shop.seed import generate, seed
from rainbow_assets.shop.simulate import simulate
from rainbow_assets.tables import TABLES

pytestmark = pytest.mark.integration

END = date(2026, 3, 29)
NEXT_DAY = END + timedelta(days=1)
OLIST = PROJECT_DIR.parent / "shared" / "data" / "olist"

DETAILS = """SELECT count(*), sum(quantity * price), count(promotion_id), count(deleted_at), min(created_at),
    max(updated_at)"""

Query = Callable[..., list[tuple]]


@pytest.fixture
def url(fresh_settings: Settings) -> str:
    return fresh_settings.secret("source_url")


@pytest.fixture
def query(url: str) -> Iterator[Query]:
    """Runs a statement in the shop; rows where there are any."""
    with psycopg.connect(url, autocommit=True) as connection:

        def run(statement: str, *parameters: object) -> list[tuple]:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

        yield run


def checksums(query: Query) -> dict[str, tuple]:
    """Of each table: its rows and a checksum of their text."""
    return {
        name: query(f'SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C")) FROM {name} t')[0]
        for name in TABLES
    }


def fill(url: str, days: int = 14, orders: int = 60, number: int = 7, **options):
    return seed(url, days, END, orders, number, **options)


def test_the_schema_is_created_once_and_keeps_its_rows(url, query):
    assert is_empty(url)
    create_schema(url)
    assert is_empty(url)
    query("INSERT INTO orders (customer_id, payment_id) VALUES (1, 1)")
    create_schema(url)
    assert not is_empty(url)
    assert query("SELECT id, created_at = updated_at, deleted_at FROM orders") == [(1, True, None)]
    drop_data(url)
    assert is_empty(url)


def test_the_columns_are_those_of_the_registry_and_updated_at_is_indexed(url, query):
    create_schema(url)
    for name, table in TABLES.items():
        columns = "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position"
        assert [column for (column,) in query(columns, name)] == list(table.columns)
        keys = query(
            """SELECT a.attname FROM pg_index i
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
               WHERE i.indrelid = %s::regclass AND i.indisprimary ORDER BY a.attnum""",
            name,
        )
        assert tuple(key for (key,) in keys) == table.key
        assert query(
            "SELECT count(*) FROM pg_indexes WHERE tablename = %s AND indexdef LIKE '%%(updated_at)'", name
        ) == [(1,)]


def test_seeding_writes_the_generated_rows_and_nothing_else(url, query):
    heard: list[tuple[str, int, int]] = []
    summary = fill(url, report=lambda *said: heard.append(said))
    assert (summary.start, summary.end) == (END - timedelta(days=13), END)
    assert summary.rows == {name: rows for name, (rows, _) in checksums(query).items()}
    assert {table: done for table, done, _ in heard} == summary.rows
    assert all(done <= total for _, done, total in heard)
    with generate(14, END, 60, 7) as shop:
        expected = shop.execute(f"{DETAILS} FROM shop.orderdetails").fetchall()
        names = shop.execute("SELECT last_name, email FROM shop.customers ORDER BY id").fetchall()
    assert expected == query(f"{DETAILS} FROM orderdetails")
    assert names == query("SELECT last_name, email FROM customers ORDER BY id")
    assert any("'" in name for name, _ in names)  # quoting matters


def test_the_same_seed_gives_the_same_shop_and_the_next_order_the_next_id(url, query):
    fill(url)
    first = checksums(query)
    fill(url, replace=True)
    assert checksums(query) == first
    fill(url, number=8, replace=True)
    assert checksums(query)["orderdetails"] != first["orderdetails"]
    assert query("INSERT INTO orders (customer_id, payment_id) VALUES (1, 1) RETURNING id") == [(14 * 60 + 1,)]


def test_a_shop_with_rows_is_not_overwritten_unasked(url, query):
    fill(url)
    before = checksums(query)
    with pytest.raises(DataError, match=r"already holds rows \(categories, .*--replace"):
        fill(url, number=8)
    assert checksums(query) == before


def test_a_load_that_fails_late_leaves_the_shop_as_it_was(url, query):
    """Details are the last table; that it refuses them must undo the nine before it, and the emptying too."""
    fill(url)
    query("ALTER TABLE orderdetails ADD CONSTRAINT small CHECK (id < 600) NOT VALID")
    before = checksums(query)
    with pytest.raises(DataError, match=r"Seeding the shop failed: .*small.*Nothing was changed") as failure:
        fill(url, number=8, replace=True)
    assert "\n" not in str(failure.value)
    assert checksums(query) == before


def test_a_shop_of_another_shape_is_refused(url, query):
    query("CREATE TABLE orders (id bigint, updated_at timestamp, customer text)")
    with pytest.raises(DataError, match="column"):
        fill(url)
    assert query("SELECT to_regclass('brands')") == [(None,)]


def test_only_one_writer_at_a_time(url):
    with transaction(url, "Waiting"), pytest.raises(TransientError, match="being filled or simulated"):
        fill(url)


def test_a_server_that_is_not_there_is_a_transient_error():
    with pytest.raises(TransientError, match="RAINBOW_SOURCE_URL"):
        fill("postgresql://nobody:secret@127.0.0.1:1/shop")


@pytest.fixture
def lived(url: str, query: Query) -> Query:
    """A seeded shop after one more day; schema `before` holds its rows as they were."""
    fill(url, days=28, orders=100)
    query("CREATE SCHEMA before")
    for name in TABLES:
        query(f"CREATE TABLE before.{name} AS TABLE {name}")
    simulate(url, NEXT_DAY, None, 3)
    return query


def same_key(name: str) -> str:
    return " AND ".join(f"n.{column} = o.{column}" for column in TABLES[name].key)


def test_what_a_day_touches_is_dated_within_it(lived):
    for name in TABLES:
        assert lived(
            f"""SELECT count(*) FROM {name} n LEFT JOIN before.{name} o ON {same_key(name)}
                WHERE n::text IS DISTINCT FROM o::text AND NOT (
                    n.updated_at >= '{NEXT_DAY}' AND n.updated_at < date '{NEXT_DAY}' + 1
                    AND n.updated_at >= n.created_at
                    AND (o.updated_at IS NULL OR n.updated_at > o.updated_at)
                    AND (n.deleted_at IS NULL OR n.deleted_at = n.updated_at))"""
        ) == [(0,)], name
        gone = f"FROM before.{name} o WHERE NOT EXISTS (SELECT FROM {name} n WHERE {same_key(name)})"
        assert lived(f"SELECT count(*) {gone}") == [(0,)], name


def test_a_day_brings_everything_that_it_should(lived):
    def changed(name: str, condition: str) -> int:
        pairs = f"FROM {name} n JOIN before.{name} o ON {same_key(name)} WHERE {condition}"
        return lived(f"SELECT count(*) {pairs}")[0][0]

    for name in ("orders", "orderdetails", "customers", "products", "inventories"):
        assert lived(f"SELECT count(*) FROM {name}") > lived(f"SELECT count(*) FROM before.{name}"), name
    for name in ("orders", "orderdetails", "customers", "products"):
        assert changed(name, "n.deleted_at IS NOT NULL AND o.deleted_at IS NULL") > 0, name
    for column in ("price", "name", "seller_id", "brand_id", "category_id", "promotion_id"):
        assert changed("products", f"n.{column} IS DISTINCT FROM o.{column}") > 0, column
    assert changed("products", "n.sold_count > o.sold_count AND n.review_count > o.review_count") > 0
    assert changed("inventories", "n.quantity < o.quantity") > 0
    assert changed("customers", "n.email <> o.email AND n.last_name <> o.last_name") > 0
    assert changed("sellers", "n.name <> o.name") > 0
    assert changed("promotions", "n.price_treatment <> o.price_treatment OR n.promo_end <> o.promo_end") > 0
    assert changed("orders", "n.payment_id <> o.payment_id") > 0


def test_the_new_orders_are_sound(lived):
    new, first, last, most = lived(
        f"""SELECT count(*), min(id), max(id), (SELECT max(id) FROM before.orders)
            FROM orders WHERE created_at >= '{NEXT_DAY}'"""
    )[0]
    assert new == 100  # the average of the four weeks
    assert (first, last) == (most + 1, most + new)
    assert lived(
        f"""SELECT count(*) FILTER (WHERE c.id IS NULL OR c.created_at > o.created_at OR c.deleted_at IS NOT NULL),
                count(*) FILTER (WHERE m.id IS NULL), count(*) FILTER (WHERE p.id IS NULL OR p.deleted_at IS NOT NULL),
                count(*) FILTER (WHERE d.quantity < 1 OR d.price <= 0 OR d.created_at <> o.created_at), count(*) > 150
            FROM orders o JOIN orderdetails d ON d.id = o.id LEFT JOIN customers c ON c.id = o.customer_id
            LEFT JOIN payments m ON m.id = o.payment_id LEFT JOIN products p ON p.id = d.product_id
            WHERE o.created_at >= '{NEXT_DAY}'"""
    ) == [(0, 0, 0, 0, True)]
    assert lived("SELECT count(*) FROM orders o WHERE NOT EXISTS (SELECT FROM orderdetails d WHERE d.id = o.id)") == [
        (0,)
    ]
    assert lived("SELECT count(*) FROM products p WHERE NOT EXISTS (SELECT FROM inventories i WHERE i.id = p.id)") == [
        (0,)
    ]
    assert lived("SELECT nextval(pg_get_serial_sequence('orders', 'id'))") == [(last + 1,)]


def test_categories_and_brands_are_renamed_some_day(url, query):
    fill(url)
    before = query(
        "SELECT (SELECT array_agg(name ORDER BY id) FROM categories), (SELECT array_agg(name ORDER BY id) FROM brands)"
    )
    written = [simulate(url, END + timedelta(days=day), 5, 1).rows for day in range(1, 9)]
    after = query(
        "SELECT (SELECT array_agg(name ORDER BY id) FROM categories), (SELECT array_agg(name ORDER BY id) FROM brands)"
    )
    for place, name in enumerate(("categories", "brands")):
        assert before[0][place] != after[0][place]
        assert 0 < sum(rows[name] for rows in written) < 8


def test_a_simulated_day_can_be_repeated_and_depends_on_its_seed(url, query):
    def live(number: int) -> dict[str, tuple]:
        fill(url, replace=True)
        simulate(url, NEXT_DAY, 40, number)
        return checksums(query)

    first = live(3)
    assert live(3) == first
    assert live(4)["orderdetails"] != first["orderdetails"]


def test_a_day_twice_is_another_batch_and_a_past_day_leaves_newer_rows_alone(url, query):
    fill(url)
    first = simulate(url, NEXT_DAY, 40, 3)
    second = simulate(url, NEXT_DAY, 40, 3)
    assert first.orders == second.orders == 40
    assert query("SELECT count(*) FROM orders WHERE created_at >= %s", NEXT_DAY) == [(80,)]
    newer = "SELECT id, updated_at, sold_count FROM products WHERE updated_at >= %s ORDER BY id"
    before = query(newer, END)
    past = simulate(url, END - timedelta(days=5), 40, 3)
    assert query(newer, END) == before
    assert past.rows["orders"] >= 40
    assert query("SELECT count(*) FROM orders WHERE created_at::date = %s", past.day)[0][0] > 40


def test_a_shop_that_cannot_live_says_why_and_stays_as_it_is(url, query):
    with pytest.raises(DataError, match=r"no products .*rainbow seed"):
        simulate(url, NEXT_DAY, None, 1)
    fill(url)
    before = checksums(query)
    with pytest.raises(DataError, match="no products"):
        simulate(url, END - timedelta(days=100), None, 1)
    with pytest.raises(DataError, match="0 orders"):
        simulate(url, NEXT_DAY, 0, 1)
    assert checksums(query) == before


olist = pytest.mark.skipif(not OLIST.is_dir(), reason=f"the Olist files are not in {OLIST}")


@pytest.fixture(scope="module")
def files() -> Iterator[duckdb.DuckDBPyConnection]:
    """The files as they are, all text, to ask the same questions of them in other words."""
    with duckdb.connect() as connection:
        for path in OLIST.glob("*.csv.gz"):
            name = path.name.removeprefix("olist_").removesuffix(".csv.gz").removesuffix("_dataset")
            connection.read_csv(str(path), all_varchar=True, header=True).create(name)
        yield connection


@olist
def test_olist_totals_are_those_of_the_files(url, query, files):
    summary = load_olist(url, OLIST)
    assert (summary.start, summary.end) == (date(2016, 9, 4), date(2018, 10, 17))
    assert summary.rows == {
        "categories": 74, "brands": 1, "sellers": 3_095, "promotions": 0, "payments": 5, "customers": 96_096,
        "products": 34_448, "inventories": 0, "orders": 99_441, "orderdetails": 102_425,
    }  # fmt: skip
    assert (
        query("SELECT sum(quantity), sum(quantity * price) FROM orderdetails")
        == files.execute("SELECT count(*), sum(price::DECIMAL(18, 2)) FROM order_items").fetchall()
    )

    by_seller = "SELECT s.name, sum(d.quantity * d.price) FROM orderdetails d JOIN products p ON p.id = d.product_id"
    assert (
        query(f'{by_seller} JOIN sellers s ON s.id = p.seller_id GROUP BY 1 ORDER BY min(s.name) COLLATE "C"')
        == files.execute(
            "SELECT seller_id, sum(price::DECIMAL(18, 2)) FROM order_items GROUP BY 1 ORDER BY 1"
        ).fetchall()
    )

    by_customer = (
        "SELECT c.last_name, count(*), min(o.created_at) FROM orders o JOIN customers c ON c.id = o.customer_id"
    )
    assert (
        query(f'{by_customer} GROUP BY 1 ORDER BY min(c.last_name) COLLATE "C"')
        == files.execute(
            """SELECT customer_unique_id, count(*), min(order_purchase_timestamp)::TIMESTAMP
           FROM orders JOIN customers USING (customer_id) GROUP BY 1 ORDER BY 1"""
        ).fetchall()
    )

    by_category = """SELECT c.name, sum(d.quantity), sum(d.quantity * d.price) FROM orderdetails d
        JOIN orders o ON o.id = d.id JOIN products p ON p.id = d.product_id JOIN categories c ON c.id = p.category_id
        WHERE o.deleted_at IS NULL GROUP BY 1 ORDER BY min(c.name) COLLATE "C\""""
    assert (
        query(by_category)
        == files.execute(
            """SELECT coalesce(product_category_name_english, product_category_name, 'unknown') AS name,
               count(*), sum(price::DECIMAL(18, 2))
           FROM order_items JOIN orders USING (order_id) JOIN products USING (product_id)
           LEFT JOIN product_category_name_translation USING (product_category_name)
           WHERE order_status NOT IN ('canceled', 'unavailable') GROUP BY 1 ORDER BY 1"""
        ).fetchall()
    )

    payments = "SELECT p.name, count(*) FROM orders o JOIN payments p ON p.id = o.payment_id GROUP BY 1 ORDER BY 1"
    assert query(payments) == [
        ("boleto", 19_784), ("credit_card", 74_935), ("debit_card", 1_527), ("not_defined", 4), ("voucher", 3_191),
    ]  # fmt: skip
    # The day after a load is a day like any other, also without promotions and stock.
    assert simulate(url, date(2018, 10, 18), 50, 1).rows["orders"] >= 50


@olist
def test_a_broken_olist_folder_changes_nothing(url, query, tmp_path: Path):
    for path in OLIST.glob("*.csv.gz"):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "olist_sellers_dataset.csv").write_text("seller_id\nnobody\n")
    fill(url)
    before = checksums(query)
    with pytest.raises(DataError, match=r"olist_order_items_dataset.csv.gz, line 2, column seller_id: .* is unknown"):
        load_olist(url, tmp_path, replace=True)
    assert checksums(query) == before
