"""ClickHouse's tables of the speed layer.

Here: their names and columns. Not here: who fills them (`capture/sink.py`, `views/refresh.py`) and the views over them
(`views/define.py`).

Everything that a flush writes carries its number; a flush counts once it stands in `speed_flushes`, which is written
last. So a reader never sees half of one. What a process that died left behind comes again with the next flush, as the
same rows.
"""

from clickhouse_connect.driver.client import Client

from rainbow_assets.systems.clickhouse import column_type, quote
from rainbow_assets.tables import TABLES, SourceTable

# When a change was committed, by the source's clock; of a row that the first copy found: its `updated_at`.
MOMENT = "DateTime64(6, 'UTC')"
CHANGE = {"lsn": "UInt64", "is_deleted": "Bool", "committed_at": MOMENT, "flush": "UInt64"}
# Of tables with money: whether the source's amount is one that its column cannot hold exactly; it is NULL there then.
UNFIT = "is_unfit"
# A hard delete is on no day: no run of the batch layer can see it.
NO_DAY = "1900-01-01"

# The columns that the live views are made of; the source may lack the others.
AUDIT = ("created_at", "updated_at", "deleted_at")
NEEDED = {table.name: (*table.key, "updated_at") for table in TABLES.values()} | {
    "categories": ("id", "name", *AUDIT),
    "sellers": ("id", "name", *AUDIT),
    "promotions": ("id", "price_treatment", "coupon_type", "promo_begin", "promo_end", *AUDIT),
    "payments": ("id", "name", "type", *AUDIT),
    "customers": ("id", "first_name", "last_name", *AUDIT),
    "products": ("id", "name", "price", "original_price", "category_id", "seller_id", *AUDIT),
    "orders": ("id", "customer_id", "payment_id", *AUDIT),
    "orderdetails": ("id", "product_id", "quantity", "price", "promotion_id", *AUDIT),
}

TOUCHED = "speed_touched"
FLUSHES = "speed_flushes"
VISIBLE = "speed_visible"
OTHERS = (
    # Which orders, products, … changed: the queue of what the batch layer may not know yet.
    f"""
    CREATE TABLE IF NOT EXISTS {TOUCHED} (
        table_name LowCardinality(String), id Int64, change_date Date32, committed_at {MOMENT}, flush UInt64
    ) ENGINE = MergeTree ORDER BY (table_name, flush)
    """,
    # How far the log has been read: everything committed until `live_until` is in flushes up to `flush`. `position`
    # is where the stream goes on (`sink.Position`), durable exactly when the flush is. `lag_seconds`: from the first
    # commit to the flush. `skipped`: records of the log that are not ours.
    f"""
    CREATE TABLE IF NOT EXISTS {FLUSHES} (
        flush UInt64, lsn UInt64, changes UInt64, live_until {MOMENT}, lag_seconds Float64, lag_bytes UInt64,
        position String, flushed_at {MOMENT} DEFAULT now64(6), skipped UInt64 DEFAULT 0
    ) ENGINE = MergeTree ORDER BY flush
    """,
    f"ALTER TABLE {FLUSHES} ADD COLUMN IF NOT EXISTS skipped UInt64 DEFAULT 0",
    # When the views had the changes of all flushes up to `flush`; `lag_seconds`: since the first commit among them.
    f"""
    CREATE TABLE IF NOT EXISTS {VISIBLE} (flush UInt64, lag_seconds Float64, visible_at {MOMENT} DEFAULT now64(6))
    ENGINE = MergeTree ORDER BY flush
    """,
    # The speed part as of a refresh: it goes with one publication, and a refresh counts once it stands here.
    f"""
    CREATE TABLE IF NOT EXISTS speed_refreshes (
        refresh UInt64, publication UInt64, flush UInt64, refreshed_at {MOMENT} DEFAULT now64(6)
    ) ENGINE = MergeTree PARTITION BY refresh ORDER BY publication
    """,
    """
    CREATE TABLE IF NOT EXISTS speed_changed (refresh UInt64, id Int64)
    ENGINE = MergeTree PARTITION BY refresh ORDER BY id
    """,
    """
    CREATE TABLE IF NOT EXISTS speed_details (
        refresh UInt64, order_transaction Int64, product_id Int64, customer Int64, payment Int64,
        created_at DateTime64(6, 'UTC'), quantity Int64, price Decimal(38, 2), promotion Int64
    ) ENGINE = MergeTree PARTITION BY refresh ORDER BY (order_transaction, product_id)
    """,
    """
    CREATE TABLE IF NOT EXISTS speed_sales (
        refresh UInt64, sign Int8, order_date Date32, order_transaction Int64, product_id Int64, seller_id Int64,
        customer_id Int64, payment_id Int64, sales_quantity Int64, sales_amount Decimal(38, 2),
        discount_amount Decimal(38, 2)
    ) ENGINE = MergeTree PARTITION BY refresh ORDER BY (order_date, order_transaction, product_id)
    """,
    """
    CREATE TABLE IF NOT EXISTS speed_wanted (refresh UInt64, kind LowCardinality(String), id Int64)
    ENGINE = MergeTree PARTITION BY refresh ORDER BY (kind, id)
    """,
    """
    CREATE TABLE IF NOT EXISTS speed_names (
        refresh UInt64, kind LowCardinality(String), id Int64, name Nullable(String), detail Nullable(String)
    ) ENGINE = MergeTree PARTITION BY refresh ORDER BY (kind, id)
    """,
    """
    CREATE TABLE IF NOT EXISTS speed_product_sales (
        publication UInt64, product_id Int64, category Nullable(String), product_name Nullable(String),
        sales_quantity Int64, sales_amount Decimal(38, 2), profit Decimal(38, 2)
    ) ENGINE = MergeTree PARTITION BY publication ORDER BY product_id
    """,
)

# The newest flush that may be shown: not one within a first copy, which has some of the rows only.
SHOWN = f"SELECT maxIf(flush, JSONExtractBool(position, 'copied')) FROM {FLUSHES}"


def changes_of(table: SourceTable) -> str:
    """The table that holds the changes of a source table."""
    return f"speed_{table.name}"


def columns_of(table: SourceTable) -> dict[str, str]:
    """Its columns: the source's, the key never NULL, and those of a change."""
    own = {name: column_type(kind, name not in table.key) for name, kind in table.columns.items()}
    return own | CHANGE | ({UNFIT: "Bool"} if table.money else {})


def prepare(client: Client) -> None:
    """Create the tables that are missing.

    One row a change: `lsn` is its place in the log, so that a change that is delivered twice is one row. The current
    row of a key is the one with the highest `lsn`.
    """
    for table in TABLES.values():
        columns = ", ".join(f"{quote(name)} {kind}" for name, kind in columns_of(table).items())
        key = ", ".join(map(quote, table.key))
        client.command(
            f"CREATE TABLE IF NOT EXISTS {quote(changes_of(table))} ({columns}) "
            f"ENGINE = ReplacingMergeTree(flush) ORDER BY ({key}, lsn)"
        )
        complete(client, table)
    for statement in OTHERS:
        client.command(statement)


def complete(client: Client, table: SourceTable) -> None:
    """Add what a table of an earlier version lacks."""
    if table.money:
        client.command(f"ALTER TABLE {quote(changes_of(table))} ADD COLUMN IF NOT EXISTS {UNFIT} Bool")
