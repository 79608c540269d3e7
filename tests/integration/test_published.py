"""What is published is looked at: each change that the log does not tell is seen, and what it tells is no change."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from streams import shop

from rainbow_assets.errors import RainbowError
from rainbow_assets.settings import Settings
from rainbow_assets.speed.capture import published, source
from rainbow_assets.systems import postgres
from rainbow_assets.tables import TABLES

pytestmark = pytest.mark.integration

# `orders`, built again as a partitioned table: what a shop that grew does over night.
PARTITIONED = """
    CREATE TABLE orders_new (LIKE orders INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE orders_old PARTITION OF orders_new FOR VALUES FROM (MINVALUE) TO (1000);
    CREATE TABLE orders_late PARTITION OF orders_new FOR VALUES FROM (1000) TO (2000);
    INSERT INTO orders_new SELECT * FROM orders;
    INSERT INTO orders_new (id, customer_id, payment_id) VALUES (1500, 1, 1);
    CREATE TABLE orders_more (LIKE orders INCLUDING DEFAULTS, PRIMARY KEY (id));
    INSERT INTO orders_more (id, customer_id, payment_id) VALUES (2500, 1, 1);
    DROP TABLE orders;
    ALTER TABLE orders_new RENAME TO orders"""
ALL = ", ".join(TABLES)
OTHERS = ", ".join(name for name in TABLES if name != "orders")

SEEN = {
    "the publication is dropped": ("DROP PUBLICATION rainbow", "publication rainbow is gone"),
    "… and made again": (
        f"DROP PUBLICATION rainbow; CREATE PUBLICATION rainbow FOR TABLE {ALL} WITH (publish_via_partition_root)",
        "publication rainbow changed",
    ),
    "a table is taken out": ("ALTER PUBLICATION rainbow DROP TABLE brands", "brands: other place"),
    "… and put back": (
        "ALTER PUBLICATION rainbow DROP TABLE brands; ALTER PUBLICATION rainbow ADD TABLE brands",
        "brands: other place",
    ),
    "updates are left out, and are back": (
        "ALTER PUBLICATION rainbow SET (publish = 'insert'); "
        "ALTER PUBLICATION rainbow SET (publish = 'insert, update, delete, truncate')",
        "publication rainbow changed",
    ),
    "truncates are left out": (
        "ALTER PUBLICATION rainbow SET (publish = 'insert, update, delete')",
        "publication rainbow changed",
    ),
    "partitions are published by themselves": (
        "ALTER PUBLICATION rainbow SET (publish_via_partition_root = false)",
        "publication rainbow changed",
    ),
    "a column list": (f"ALTER PUBLICATION rainbow SET TABLE {OTHERS}, orders (id, customer_id)", "orders: other place"),
    "a row filter": (f"ALTER PUBLICATION rainbow SET TABLE {OTHERS}, orders WHERE (id > 5)", "orders: other place"),
    "a rebuilt table has its name": (
        "CREATE TABLE other (LIKE brands INCLUDING ALL); ALTER TABLE brands RENAME TO former; "
        "ALTER TABLE other RENAME TO brands; ALTER PUBLICATION rainbow ADD TABLE brands",
        "brands: other .*table",
    ),
    "a table is gone": ("DROP TABLE brands", "brands: other"),
    "a needed column is dropped": ("ALTER TABLE customers DROP COLUMN last_name", "customers: other columns"),
    "… and added again": (
        "ALTER TABLE customers DROP COLUMN last_name; ALTER TABLE customers ADD COLUMN last_name varchar DEFAULT 'x'",
        "customers: other columns",
    ),
    "two columns change their names": (
        "ALTER TABLE customers RENAME first_name TO x; ALTER TABLE customers RENAME last_name TO first_name; "
        "ALTER TABLE customers RENAME x TO last_name",
        "customers: other columns",
    ),
    "another type": ("ALTER TABLE products ALTER COLUMN price TYPE numeric(20, 1)", "products: other columns"),
    "the same type, other values": (
        "ALTER TABLE products ALTER COLUMN price TYPE numeric(18, 2) USING price * 2",
        "products: other columns",
    ),
    "generated from now on": (
        "ALTER TABLE products DROP COLUMN price; "
        "ALTER TABLE products ADD COLUMN price numeric GENERATED ALWAYS AS (original_price) STORED",
        "products: other columns",
    ),
    "… in the moment in which its default changes": (
        "ALTER TABLE products ALTER COLUMN price TYPE numeric(18, 2) USING price * 2, ALTER price SET DEFAULT 1",
        "products: other columns",
    ),
    "two columns change their names, and change them back": (
        "ALTER TABLE customers RENAME first_name TO x; ALTER TABLE customers RENAME last_name TO first_name; "
        "ALTER TABLE customers RENAME x TO last_name; ALTER TABLE customers RENAME first_name TO x; "
        "ALTER TABLE customers RENAME last_name TO first_name; ALTER TABLE customers RENAME x TO last_name",
        "customers: other columns",
    ),
    "another replica identity": ("ALTER TABLE brands REPLICA IDENTITY FULL", "brands: other replica identity"),
    "… of a partition": ("ALTER TABLE orders_old REPLICA IDENTITY FULL", "orders: other replica identity"),
    "a partition with rows is attached": (
        "ALTER TABLE orders ATTACH PARTITION orders_more FOR VALUES FROM (2000) TO (3000)",
        "orders: other .*partitions",
    ),
    "a new partition is filled and emptied": (
        "CREATE TABLE orders_next PARTITION OF orders FOR VALUES FROM (3000) TO (4000); "
        "INSERT INTO orders (id, customer_id, payment_id) VALUES (3001, 1, 1); "
        "DELETE FROM orders WHERE id = 3001",
        "orders: other .*partitions",
    ),
    "… detached": ("ALTER TABLE orders DETACH PARTITION orders_late", "orders: other .*partitions"),
    "… detached, and attached again": (
        "ALTER TABLE orders DETACH PARTITION orders_late; "
        "ALTER TABLE orders ATTACH PARTITION orders_late FOR VALUES FROM (1000) TO (2000)",
        "orders: other partitions",
    ),
    "… truncated": ("TRUNCATE orders_late", "orders: other partitions"),
    "… dropped": ("DROP TABLE orders_late", "orders: other .*partitions"),
    "… exchanged for another": (
        "DROP TABLE orders_late; ALTER TABLE orders ATTACH PARTITION orders_more FOR VALUES FROM (1000) TO (3000)",
        "orders: other .*partitions",
    ),
    "the index of the key is made anew": (
        "ALTER TABLE brands DROP CONSTRAINT brands_pkey; ALTER TABLE brands ADD PRIMARY KEY (id)",
        "brands: other .*replica identity",
    ),
}
UNSEEN = (
    "UPDATE brands SET name = 'x'; DELETE FROM orders WHERE id = 1",
    "TRUNCATE brands",
    "ALTER TABLE brands ADD COLUMN colour text DEFAULT 'red'",
    "ALTER TABLE customers DROP COLUMN email",
    "ALTER TABLE sellers ALTER COLUMN link SET NOT NULL",
    "CREATE INDEX ON brands (name)",
    "ALTER TABLE brands SET (fillfactor = 70)",
    "COMMENT ON TABLE brands IS 'brands'",
    "CREATE TABLE brands_of_others (LIKE brands); DROP TABLE orders_more",
    "CREATE PUBLICATION another FOR TABLE brands, orders",
    "ANALYZE",
    "ALTER TABLE products ALTER COLUMN price SET STATISTICS 500",
    "ALTER TABLE products ALTER COLUMN price SET DEFAULT 1",
    "ALTER TABLE products ALTER COLUMN price SET NOT NULL",
    "GRANT UPDATE (price) ON products TO public",
    "TRUNCATE products; ALTER TABLE brands ALTER COLUMN updated_at SET DEFAULT now()",
    "CREATE TABLE orders_next PARTITION OF orders FOR VALUES FROM (3000) TO (4000)",
    "CREATE TABLE orders_next (LIKE orders INCLUDING DEFAULTS, PRIMARY KEY (id)); "
    "ALTER TABLE orders ATTACH PARTITION orders_next FOR VALUES FROM (3000) TO (4000)",
    "CREATE TABLE orders_next PARTITION OF orders FOR VALUES FROM (3000) TO (4000) PARTITION BY RANGE (id); "
    "CREATE TABLE orders_of_next PARTITION OF orders_next FOR VALUES FROM (3000) TO (3500)",
)
REFUSED = {
    "ALTER TABLE customers DROP COLUMN last_name": "customers has no column last_name",
    "ALTER TABLE products RENAME price TO cost": "products has no column price",
    "ALTER TABLE orders DROP COLUMN payment_id": "orders has no column payment_id",
    "ALTER TABLE promotions DROP COLUMN coupon_type": "promotions has no column coupon_type",
    "ALTER TABLE products ALTER COLUMN price TYPE text": "products.price is text",
    "ALTER TABLE orders ALTER COLUMN customer_id TYPE text": "orders.customer_id is text",
    "ALTER TABLE orders ALTER COLUMN created_at TYPE timestamptz": "orders.created_at is timestamp with time zone",
    "ALTER TABLE products DROP COLUMN price; ALTER TABLE products ADD COLUMN price numeric "
    "GENERATED ALWAYS AS (original_price) VIRTUAL": "products.price is a virtual generated column",
    "ALTER TABLE brands DROP CONSTRAINT brands_pkey": "brands has no primary key",
    "ALTER TABLE orders_old REPLICA IDENTITY NOTHING": "orders_old has no primary key",
    "CREATE TABLE brands_of_old () INHERITS (brands)": "Rows of the source's brands are in brands_of_old",
    "CREATE UNLOGGED TABLE orders_next PARTITION OF orders FOR VALUES FROM (3000) TO (4000)": "are in orders_next",
}


@pytest.fixture(scope="module")
def owner(shared_settings: Settings) -> Iterator[psycopg.Connection]:
    """The shop's owner; every test ends in a rollback."""
    with shop(shared_settings) as connection:
        connection.execute(PARTITIONED.encode())
        assert source.prepare(shared_settings)
        connection.autocommit = False
        yield connection


@pytest.fixture(autouse=True)
def _undone(owner: psycopg.Connection) -> Iterator[None]:
    yield
    owner.rollback()


@pytest.mark.parametrize("name", SEEN)
def test_what_the_log_does_not_tell_is_seen(owner: psycopg.Connection, name: str) -> None:
    statements, expected = SEEN[name]
    before = published.look(owner)
    owner.execute(statements.encode())
    now = published.look(owner)
    assert re.search(expected, published.difference(before, now))
    assert not published.fits(published.mark(before), published.mark(now))


@pytest.mark.parametrize("statements", UNSEEN)
def test_what_the_log_tells_and_what_is_not_of_the_shop_is_no_change(
    owner: psycopg.Connection, statements: str
) -> None:
    before = published.look(owner)
    owner.execute(statements.encode())
    now = published.look(owner)
    assert published.difference(before, now) == ""
    # Of all tables together less can be told: what comes while no stream looks may cost a copy.
    if not re.search("orders_next|TRUNCATE products", statements):
        assert published.fits(published.mark(before), published.mark(now))


def test_a_key_whose_index_is_built_again_is_no_change(shared_settings: Settings, owner: psycopg.Connection) -> None:
    before = published.look(owner)
    owner.rollback()
    with psycopg.connect(shared_settings.secret("source_url"), autocommit=True) as another:
        another.execute("REINDEX INDEX CONCURRENTLY brands_pkey")
    assert published.difference(before, published.look(owner)) == ""


def test_a_new_partition_is_known_from_then_on(owner: psycopg.Connection) -> None:
    owner.execute("CREATE TABLE orders_next PARTITION OF orders FOR VALUES FROM (3000) TO (4000)")
    empty = published.look(owner)
    owner.execute("INSERT INTO orders (id, customer_id, payment_id) VALUES (3001, 1, 1)")
    filled = published.look(owner)
    assert published.difference(empty, filled) == ""
    assert published.fits(published.mark(empty), published.mark(filled))
    assert not published.fits("0123456789abcdef", published.mark(filled))  # as an earlier version wrote it


@pytest.mark.parametrize("statements", REFUSED)
def test_what_cannot_be_told_is_refused(owner: psycopg.Connection, statements: str) -> None:
    published.check(owner)
    owner.execute(statements.encode())
    with pytest.raises(RainbowError, match=REFUSED[statements]):
        published.check(owner)


@pytest.mark.parametrize(
    ("columns", "exact"),
    [
        ("", True),
        (" (id, first_name, last_name, created_at, updated_at, deleted_at)", True),
        (" (id, first_name, created_at, updated_at, deleted_at)", False),
        (" WHERE (id > 5)", False),
    ],
)
def test_a_publication_has_what_is_needed(owner: psycopg.Connection, columns: str, exact: bool) -> None:
    others = ", ".join(name for name in TABLES if name != "customers")
    owner.execute(f"ALTER PUBLICATION rainbow SET TABLE {others}, customers{columns}".encode())
    assert published.is_exact(owner) == exact


def test_the_stream_role_sees_the_same(shared_settings: Settings, owner: psycopg.Connection) -> None:
    here = published.look(owner)
    with postgres.connect(shared_settings.secret("stream_url"), "RAINBOW_STREAM_URL") as reader:
        assert published.look(reader) == here
    assert source.trouble(shared_settings) == ""  # no stream, no trouble
