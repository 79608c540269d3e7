"""The made-up shop, as DuckDB generates it: reproducible, whole, and believable. No PostgreSQL is needed."""

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from rainbow_assets.errors import DataError
from rainbow_assets.shop.seed import generate
from rainbow_assets.tables import TABLES

START, END = date(2026, 3, 2), date(2026, 3, 29)  # four weeks, from a Monday to a Sunday
ORDERS_A_DAY = 300

REFERENCES = [
    ("orders", "customer_id", "customers"),
    ("orders", "payment_id", "payments"),
    ("orderdetails", "id", "orders"),
    ("orderdetails", "product_id", "products"),
    ("orderdetails", "promotion_id", "promotions"),
    ("products", "category_id", "categories"),
    ("products", "brand_id", "brands"),
    ("products", "seller_id", "sellers"),
    ("products", "promotion_id", "promotions"),
    ("inventories", "id", "products"),
    ("products", "id", "inventories"),
]


@pytest.fixture(scope="module")
def shop() -> Iterator[duckdb.DuckDBPyConnection]:
    with generate(28, END, ORDERS_A_DAY, 7) as connection:
        for name, table in TABLES.items():
            connection.execute(f"CREATE TABLE {name}_rows AS SELECT {', '.join(table.columns)} FROM shop.{name}")
        yield connection


def one(shop: duckdb.DuckDBPyConnection, query: str) -> tuple:
    return shop.execute(query).fetchall()[0]


def checksums(shop: duckdb.DuckDBPyConnection) -> dict[str, tuple]:
    """Of each table: its rows and a checksum that does not depend on their order."""
    return {
        name: one(
            shop, f"SELECT count(*), bit_xor(hash(t)) FROM (SELECT {', '.join(table.columns)} FROM shop.{name}) t"
        )
        for name, table in TABLES.items()
    }


def test_same_arguments_give_the_same_rows_and_another_seed_gives_others():
    def sums(seed: int) -> dict[str, tuple]:
        with generate(5, END, 40, seed) as shop:
            return checksums(shop)

    first, again, other = sums(7), sums(7), sums(8)
    assert first == again
    assert {name for name in TABLES if first[name] != other[name]} == TABLES.keys() - {"payments"}


def test_the_number_of_threads_does_not_matter(shop):
    shop.execute("SET threads = 1")
    single = checksums(shop)
    shop.execute("SET threads = 4")
    assert checksums(shop) == single


def test_dice_fall_as_they_fell_when_this_was_written(shop):
    """A pin: another machine, or another version of DuckDB, must not change the rows of a seed unnoticed."""
    thrown = one(shop, "SELECT dice('time', 1, 1000000), dice('time', 2, 1000000), dice('place', 1, 1000000)")
    assert thrown == (962299, 22604, 813401)


def test_streams_of_dice_are_even_and_independent(shop):
    spread = shop.execute("SELECT dice('a', i, 10), count(*) FROM range(100000) t(i) GROUP BY 1").fetchall()
    assert len(spread) == 10
    assert all(9_500 < count < 10_500 for _, count in spread)
    (relation,) = one(shop, "SELECT corr(dice('a', i, 100), dice('b', i, 100)) FROM range(100000) t(i)")
    assert abs(relation) < 0.02


@pytest.mark.parametrize("table", TABLES)
def test_keys_are_unique_and_the_audit_columns_sound(shop, table):
    key = ", ".join(TABLES[table].key)
    rows, keys = one(shop, f"SELECT count(*), count(DISTINCT ({key})) FROM {table}_rows")
    assert rows == keys > 0
    assert one(
        shop,
        f"""SELECT count(*) FROM {table}_rows
            WHERE NOT coalesce(
                created_at >= '{START}' AND created_at <= updated_at AND updated_at <= '{END} 23:59:59.999999'
                AND (deleted_at IS NULL OR deleted_at = updated_at), false)""",
    ) == (0,)


@pytest.mark.parametrize("table", ["orders", "orderdetails", "products", "customers", "sellers", "promotions"])
def test_some_rows_are_deleted_some_changed_and_most_are_neither(shop, table):
    rows, deleted, changed = one(
        shop,
        f"""SELECT count(*), count(deleted_at), count(*) FILTER (updated_at > created_at AND deleted_at IS NULL)
            FROM {table}_rows""",
    )
    assert 0 < deleted < max(rows / 20, 6)
    assert 0 < changed < rows * (0.7 if table == "products" else 0.4)


@pytest.mark.parametrize(("table", "column", "target"), REFERENCES)
def test_references_hold(shop, table, column, target):
    lost = f"FROM {table}_rows t ANTI JOIN {target}_rows r ON r.id = t.{column} WHERE t.{column} IS NOT NULL"
    assert one(shop, f"SELECT count(*) {lost}") == (0,)


def test_ids_are_dense_and_follow_the_time_of_creation(shop):
    for table in ("orders", "products", "customers", "sellers", "promotions"):
        rows, first, last, disorder = one(
            shop,
            f"""SELECT count(*), min(id), max(id), count(*) FILTER (created_at < before)
                FROM (SELECT *, lag(created_at) OVER (ORDER BY id) AS before FROM {table}_rows)""",
        )
        assert (first, last, disorder) == (1, rows, 0), table


def test_volume_is_exact_in_orders_and_near_in_details(shop):
    orders, details = one(shop, "SELECT (SELECT count(*) FROM orders_rows), (SELECT count(*) FROM orderdetails_rows)")
    assert orders == 28 * ORDERS_A_DAY
    assert 2.4 < details / orders < 2.6


def test_the_week_and_the_day_have_their_rhythm(shop):
    weekdays = dict(shop.execute("SELECT isodow(created_at), count(*) FROM orders_rows GROUP BY 1").fetchall())
    assert weekdays[6] == max(weekdays.values()) > 1.25 * weekdays[2]
    hours = dict(shop.execute("SELECT hour(created_at), count(*) FROM orders_rows GROUP BY 1").fetchall())
    assert hours[20] > 10 * hours[3]


def test_the_shop_grows():
    with generate(364, END, 30, 7) as long:
        first, last = one(
            long,
            f"""SELECT count(*) FILTER (created_at < DATE '{END}' - 272),
                    count(*) FILTER (created_at >= DATE '{END}' - 90)
                FROM shop.orders""",
        )
    assert 1.15 * first < last < 1.6 * first


@pytest.mark.parametrize(
    ("table", "column", "share"), [("orderdetails", "product_id", 0.3), ("orders", "customer_id", 0.3)]
)
def test_a_tenth_has_far_more_than_a_tenth(shop, table, column, share):
    (top,) = one(
        shop,
        f"""WITH counted AS (SELECT {column}, count(*) AS n FROM {table}_rows GROUP BY 1),
                 ranked AS (SELECT n, percent_rank() OVER (ORDER BY n DESC) AS place FROM counted)
            SELECT sum(n) FILTER (place < 0.1) / sum(n) FROM ranked""",
    )
    assert top > share


def test_demand_falls_like_one_through_rank(shop):
    """Zipf's law: from the 10th to the 100th product, sales fall by about ten."""
    counts = [
        n
        for (n,) in shop.execute(
            "SELECT count(*) n FROM orderdetails_rows GROUP BY product_id ORDER BY n DESC"
        ).fetchall()
    ]
    assert 4 < sum(counts[6:18]) / sum(counts[96:108]) < 16


def test_prices_have_cents_and_change(shop):
    rows, with_cents, low, high = one(
        shop, "SELECT count(*), count(*) FILTER (price <> trunc(price)), min(price), max(price) FROM products_rows"
    )
    assert with_cents > 0.9 * rows
    assert low >= 17_000
    assert high > 5_000_000
    old, wrong = one(
        shop,
        """SELECT count(*) FILTER (d.price <> p.price),
               count(*) FILTER (d.price <> p.price AND d.created_at >= p.updated_at)
           FROM orderdetails_rows d JOIN products_rows p ON p.id = d.product_id""",
    )
    assert old > 0
    assert wrong == 0


def test_counters_are_those_at_the_last_change_of_the_row(shop):
    assert one(
        shop,
        """SELECT count(*) FROM products_rows p
           LEFT JOIN (SELECT product_id, quantity, created_at AS sold_at FROM orderdetails_rows) d
               ON d.product_id = p.id AND d.sold_at < p.updated_at
           GROUP BY p.id, p.sold_count HAVING p.sold_count <> coalesce(sum(d.quantity), 0)
           UNION ALL SELECT 0 ORDER BY ALL DESC LIMIT 1""",
    ) == (0,)
    assert one(
        shop,
        """SELECT count(*) FROM products_rows
           WHERE review_count > sold_count OR original_price < price
               OR (rating_average BETWEEN 3 AND 5) <> (review_count > 0)""",
    ) == (0,)
    assert one(shop, "SELECT max(sold_count) > 100, max(review_count) > 10 FROM products_rows") == (True, True)
    assert one(shop, "SELECT count(*) FILTER (quantity < 0) FROM inventories_rows") == (0,)


def test_nothing_is_used_before_it_exists_or_after_it_is_gone(shop):
    assert one(
        shop,
        """SELECT
               count(*) FILTER (c.created_at > o.created_at OR c.deleted_at < o.created_at),
               count(*) FILTER (p.created_at > o.created_at OR p.deleted_at < o.created_at),
               count(*) FILTER (s.created_at > o.created_at OR s.deleted_at < o.created_at),
               count(*) FILTER (d.created_at <> o.created_at OR d.quantity < 1)
           FROM orderdetails_rows d JOIN orders_rows o ON o.id = d.id JOIN customers_rows c ON c.id = o.customer_id
           JOIN products_rows p ON p.id = d.product_id JOIN sellers_rows s ON s.id = p.seller_id""",
    ) == (0, 0, 0, 0)
    assert one(
        shop,
        """SELECT count(*) FROM products_rows p JOIN sellers_rows s ON s.id = p.seller_id
           WHERE s.created_at > p.created_at""",
    ) == (0,)


def test_promotions_of_every_kind_are_used_where_they_run(shop):
    kinds = shop.execute("SELECT DISTINCT coupon_type, is_global FROM promotions_rows ORDER BY ALL").fetchall()
    assert kinds == [("Fixed Amount", False), ("Fixed Amount", True), ("Percentage", False), ("Percentage", True)]
    assert one(
        shop,
        f"""SELECT count(*) FILTER (promo_end < '{END}') > 0,
                max(price_treatment) FILTER (coupon_type = 'Percentage') <= 100 FROM promotions_rows""",
    ) == (True, True)
    without, fixed, percentage, everywhere, outside = one(
        shop,
        """SELECT count(*) FILTER (d.promotion_id IS NULL), count(*) FILTER (m.coupon_type = 'Fixed Amount'),
               count(*) FILTER (m.coupon_type = 'Percentage'), count(*) FILTER (m.is_global),
               count(*) FILTER (d.created_at < greatest(m.promo_begin, m.created_at) OR d.created_at >= m.promo_end)
           FROM orderdetails_rows d LEFT JOIN promotions_rows m ON m.id = d.promotion_id""",
    )
    assert min(without, fixed, percentage, everywhere) > 100
    assert outside == 0


def test_a_fixed_amount_is_mostly_below_the_price(shop):
    rows, above = one(
        shop,
        """SELECT count(*), count(*) FILTER (m.price_treatment * 1000 > d.price)
           FROM orderdetails_rows d JOIN promotions_rows m ON m.id = d.promotion_id
           WHERE m.coupon_type = 'Fixed Amount'""",
    )
    assert above < rows / 5


def test_the_smallest_shop_is_a_shop():
    with generate(1, END, 1, 1) as shop:
        assert one(shop, "SELECT count(*), min(created_at)::DATE FROM shop.orders") == (1, END)
        assert one(shop, "SELECT count(*) BETWEEN 1 AND 6 FROM shop.orderdetails") == (True,)


@pytest.mark.parametrize(
    ("days", "end", "orders", "said"),
    [
        (0, END, 10, "0 days"),
        (10, END, 0, "0 orders"),
        (-3, END, 10, "-3 days"),
        (1000, END, 10_000_000, "too many"),
        (40_000, END, 1, "before 1970"),
    ],
)
def test_impossible_arguments_are_refused(days, end, orders, said):
    with pytest.raises(DataError, match=said), generate(days, end, orders, 1):
        pass
