"""The publisher on the real lake and engine: what arrives, what readers see meanwhile, and what a kill leaves."""

import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import duckdb
import pytest
from clickhouse_connect.driver.client import Client

from rainbow_assets.errors import DataError, TransientError
from rainbow_assets.serving import manifest, views
from rainbow_assets.serving import store as serving_store
from rainbow_assets.serving.publish import compare, current, publish
from rainbow_assets.serving.tables import Publication, Served
from rainbow_assets.settings import Settings
from rainbow_assets.systems import clickhouse, ducklake, object_store

pytestmark = pytest.mark.integration

SERVED = (
    Served("marts", "total_sales", "v_total_sales_batch"),
    Served("warehouse", "dim_customers", "dim_customers"),
    Served("warehouse", "fact_sales", "fact_sales", slice_by="date_key"),
)
NOW = timedelta(0)
DAYS = 12
# One row: the mart's totals, and the same from the star. In one set they agree.
SET = """
SELECT (SELECT total_sales_quantity FROM v_total_sales_batch), (SELECT sum(sales_quantity) FROM fact_sales),
       (SELECT customers FROM v_total_sales_batch), (SELECT count() FROM dim_customers)
"""


class Shop:
    """A small lake of the contract's shapes, to be changed and published."""

    def __init__(self, settings: Settings, lake: duckdb.DuckDBPyConnection, client: Client) -> None:
        self.settings, self.lake, self.client = settings, lake, client
        lake.execute("CREATE SCHEMA lake.warehouse; CREATE SCHEMA lake.marts")
        self.make_facts()
        lake.execute(
            "CREATE TABLE lake.warehouse.dim_customers (customer_key BIGINT NOT NULL, name VARCHAR, "
            "valid_from TIMESTAMP, is_current BOOLEAN)"
        )
        self.sell(days=range(DAYS), rows=400)
        self.customers(10)
        self.total()

    def make_facts(self) -> None:
        self.lake.execute(
            "CREATE OR REPLACE TABLE lake.warehouse.fact_sales "
            "(date_key INTEGER NOT NULL, product_key BIGINT NOT NULL, "
            "sales_quantity BIGINT, net_unit_price DECIMAL(18,2), extended_sales_amount DECIMAL(18,2))"
        )

    def sell(self, days: range, rows: int = 10, quantity: int = 1) -> None:
        self.lake.execute(
            "INSERT INTO lake.warehouse.fact_sales SELECT 20260101 + $1 + i % $2, hash(i) >> 1, $4, "
            "CASE WHEN i % 5 > 0 THEN i / 100 END::DECIMAL(18,2), $4 * i / 100 FROM range($3) t(i)",
            [days.start, len(days), rows, quantity],
        )

    def customers(self, number: int) -> None:
        self.lake.execute(
            "INSERT INTO lake.warehouse.dim_customers SELECT hash(i) >> 1, CASE WHEN i % 3 > 0 THEN 'Zoë ''' || i END, "
            "TIMESTAMP '2026-01-01 10:11:12.123456' + INTERVAL 1 HOUR * i, i % 2 = 0 FROM range($1) t(i)",
            [number],
        )

    def total(self) -> None:
        self.lake.execute(
            "CREATE OR REPLACE TABLE lake.marts.total_sales AS "
            "SELECT sum(sales_quantity)::BIGINT AS total_sales_quantity, "
            "sum(extended_sales_amount) AS total_sales_amount, (SELECT count(*) FROM lake.warehouse.dim_customers) "
            "AS customers, DATE '2026-01-01' AS current_run_date FROM lake.warehouse.fact_sales"
        )

    def publish(self, **options: Any) -> Publication:
        return publish(self.settings, "run", self.client, served=SERVED, **options)

    def differences(self) -> list[str]:
        """Of the whole set; the facts row by row as well."""
        found = [str(difference) for difference in compare(self.settings, self.client, served=SERVED)]
        self.lake.register("served", self.client.query_arrow("SELECT * FROM fact_sales"))
        facts = "FROM lake.warehouse.fact_sales"
        for one, other in ((facts, "FROM served"), ("FROM served", facts)):
            found += map(str, self.lake.execute(f"({one}) EXCEPT ALL ({other}) LIMIT 3").fetchall())
        return found

    def stored(self) -> dict[str, int]:
        """The live rows of every store table."""
        names = self.client.query("SELECT name FROM system.tables WHERE database = 'rainbow' AND name LIKE 'store_%'")
        return {
            name.rsplit("_", 1)[0].removeprefix("store_"): self.client.command(f"SELECT count() FROM {name}")
            for (name,) in names.result_rows
        }


@pytest.fixture
def shop(fresh_settings: Settings) -> Iterator[Shop]:
    with ducklake.connect(fresh_settings) as lake, clickhouse.connect(fresh_settings) as client:
        yield Shop(fresh_settings, lake, client)


def written(publication: Publication) -> dict[str, tuple[int, int]]:
    return {table.name: (table.rows_written, table.slices_written) for table in publication.tables}


def test_what_is_published_equals_the_lake(shop: Shop) -> None:
    assert current(shop.client) is None
    publication = shop.publish()
    assert written(publication) == {"total_sales": (1, 1), "dim_customers": (10, 1), "fact_sales": (400, DAYS)}
    assert shop.differences() == []
    described = shop.client.query("DESCRIBE dim_customers").result_rows
    assert [row[:2] for row in described] == [
        ("customer_key", "Int64"),
        ("name", "Nullable(String)"),
        ("valid_from", "Nullable(DateTime64(6, 'UTC'))"),
        ("is_current", "Nullable(Bool)"),
    ]
    shop.lake.register("served", shop.client.query_arrow("SELECT * FROM dim_customers"))
    held = "SELECT customer_key, name, timezone('UTC', valid_from), is_current FROM served"
    assert shop.lake.execute(f"(FROM lake.warehouse.dim_customers) EXCEPT ({held})").fetchall() == []
    again = current(shop.client)
    assert again is not None
    assert (again.id, again.run_id, again.lake_snapshot) == (publication.id, "run", publication.lake_snapshot)


def test_only_what_changed_is_written(shop: Shop) -> None:
    shop.publish()
    assert written(shop.publish()) == {"total_sales": (0, 0), "dim_customers": (0, 0), "fact_sales": (0, 0)}
    shop.sell(days=range(3, 5), rows=7)
    shop.lake.execute("UPDATE lake.warehouse.fact_sales SET sales_quantity = 9 WHERE date_key = 20260107")
    shop.lake.execute("DELETE FROM lake.warehouse.fact_sales WHERE date_key = 20260101")
    shop.lake.execute("DELETE FROM lake.warehouse.fact_sales WHERE date_key = 20260110 AND net_unit_price < 1")
    publication = shop.publish()
    assert [table.slices_written for table in publication.tables] == [0, 0, 4]
    assert publication.tables[2].slices == DAYS - 1
    assert shop.differences() == []  # nor does the mart differ: the lake's is as old
    shop.total()
    assert written(shop.publish()) == {"total_sales": (1, 1), "dim_customers": (0, 0), "fact_sales": (0, 0)}
    assert shop.differences() == []


def test_an_empty_table_is_published_as_empty(shop: Shop) -> None:
    shop.publish()
    for table in ("marts.total_sales", "warehouse.dim_customers", "warehouse.fact_sales"):
        shop.lake.execute(f"DELETE FROM lake.{table}")
    assert [table.rows for table in shop.publish(retention=NOW).tables] == [0, 0, 0]
    assert shop.differences() == []
    shop.publish(retention=NOW)
    shop.sell(days=range(2))
    shop.publish()
    assert shop.differences() == []


def merge(shop: Shop) -> None:
    shop.lake.execute("CALL ducklake_merge_adjacent_files('lake', 'fact_sales', schema => 'warehouse')")


def rewrite(shop: Shop) -> None:
    call = "CALL ducklake_rewrite_data_files('lake', 'fact_sales', schema => 'warehouse', delete_threshold => 0)"
    shop.lake.execute(call)


def test_a_compaction_changes_no_rows(shop: Shop) -> None:
    facts = "lake.warehouse.fact_sales"
    for number in range(3):
        shop.sell(days=range(DAYS), rows=50 * (number + 1))
    shop.lake.execute(f"DELETE FROM {facts} WHERE product_key % 5 = 0")
    shop.publish()
    rewrite(shop)
    merge(shop)
    publication = shop.publish()
    assert all(done == (0, 0) for done in written(publication).values())

    rewrite(shop)
    merge(shop)
    shop.sell(days=range(1))
    shop.lake.execute(f"DELETE FROM {facts} WHERE date_key = 20260103 AND product_key % 3 = 0")
    publication = shop.publish()
    assert written(publication)["fact_sales"][1] == 2  # the first and the third day
    assert shop.differences() == []

    shop.lake.execute(f"UPDATE {facts} SET date_key = date_key + 1 WHERE product_key % 11 = 0")
    shop.lake.execute(f"DELETE FROM {facts} WHERE date_key = 20260102")
    rewrite(shop)
    merge(shop)
    shop.publish()
    assert shop.differences() == []


@pytest.mark.parametrize("seed", [1, 2])
def test_random_changes_arrive(shop: Shop, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - the same dice every time
    lake, facts = shop.lake, "lake.warehouse.fact_sales"
    changes: list[Callable[[], object]] = [
        lambda: shop.sell(days=range(dice.randrange(DAYS), DAYS + 2), rows=dice.randrange(1, 200)),
        lambda: lake.execute(f"DELETE FROM {facts} WHERE product_key % 7 = {dice.randrange(7)}"),
        lambda: lake.execute(f"DELETE FROM {facts} WHERE date_key = {20260101 + dice.randrange(DAYS)}"),
        lambda: lake.execute(f"UPDATE {facts} SET net_unit_price = 1 WHERE product_key % 11 = {dice.randrange(11)}"),
        lambda: lake.execute(
            f"UPDATE {facts} SET date_key = date_key + 1 WHERE product_key % 97 = {dice.randrange(97)}"
        ),
        lambda: merge(shop),
        lambda: rewrite(shop),
        lambda: lake.execute("CALL ducklake_expire_snapshots('lake', older_than => now())"),
        lambda: shop.customers(dice.randrange(4)),
        shop.total,
        lambda: (shop.make_facts(), shop.sell(days=range(DAYS), rows=300)),
    ]
    for _ in range(8):
        for change in dice.choices(changes, weights=[4, 3, 3, 3, 3, 2, 2, 1, 1, 1, 1], k=dice.randrange(1, 5)):
            change()
        shop.publish(retention=NOW)
        assert shop.differences() == []


def test_files_of_an_older_schema_are_read_as_the_lake_reads_them(shop: Shop) -> None:
    shop.publish()
    facts = "lake.warehouse.fact_sales"
    shop.lake.execute(f"ALTER TABLE {facts} ADD COLUMN channel VARCHAR DEFAULT 'web'")
    shop.lake.execute(f"ALTER TABLE {facts} RENAME net_unit_price TO unit_price")
    shop.lake.execute(f"INSERT INTO {facts} VALUES (20260102, 5, 1, 2.50, 2.50, 'shop')")
    shop.publish(retention=NOW)
    assert shop.differences() == []
    assert [row[0] for row in shop.client.query("DESCRIBE fact_sales").result_rows] == [
        "date_key", "product_key", "sales_quantity", "unit_price", "extended_sales_amount", "channel",
    ]  # fmt: skip
    shop.lake.execute(f"ALTER TABLE {facts} DROP COLUMN channel")
    shop.publish(retention=NOW)
    shop.publish(retention=NOW)
    assert shop.differences() == []
    assert shop.stored()["fact_sales"] == 401
    keys = object_store.keys(object_store.client(shop.settings), shop.settings.s3_bucket, "publish/")
    assert list(keys) == []  # nothing stays of the rows that were written once more


def test_a_changed_type_shows_one_set_at_every_moment(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.publish()
    (before,) = shop.client.query(SET).result_rows
    shop.lake.execute("ALTER TABLE lake.warehouse.fact_sales ALTER COLUMN date_key TYPE BIGINT")
    shop.sell(days=range(1), rows=5)
    shop.total()
    seen = []

    def look(module: Any, name: str) -> None:
        real = getattr(module, name)

        def looking(*arguments: Any) -> Any:
            seen.append(shop.client.query(SET).result_rows[0])
            answer = real(*arguments)
            seen.append(shop.client.query(SET).result_rows[0])
            return answer

        monkeypatch.setattr(module, name, looking)

    for module, name in (
        (views, "ready"),
        (serving_store, "fill"),
        (manifest, "switch"),
        (views, "settle"),
        (manifest, "remove_old"),
    ):
        look(module, name)
    shop.publish(retention=NOW)
    (after,) = shop.client.query(SET).result_rows
    assert after == (405, 405, 10, 10)
    assert list(dict.fromkeys(seen)) == [before, after]
    assert shop.client.query("SELECT DISTINCT toTypeName(date_key) FROM fact_sales").result_rows == [("Int64",)]
    assert shop.differences() == []


def test_a_wiped_clickhouse_is_filled_again(shop: Shop) -> None:
    shop.publish()
    shop.client.command("DROP TABLE publications")
    assert written(shop.publish())["fact_sales"] == (400, DAYS)
    shop.client.command("DROP DATABASE rainbow SYNC")
    shop.client.command("CREATE DATABASE rainbow ENGINE = Atomic")
    assert written(shop.publish())["fact_sales"] == (400, DAYS)
    assert shop.differences() == []
    store = shop.client.command("SELECT name FROM system.tables WHERE name LIKE 'store_fact%'")
    shop.client.command(f"DROP TABLE {store} SYNC")
    assert written(shop.publish())["fact_sales"] == (400, DAYS)
    assert shop.differences() == []


def test_damage_is_found_and_mended_by_a_full_publication(shop: Shop) -> None:
    shop.publish()
    store = shop.client.command("SELECT name FROM system.tables WHERE name LIKE 'store_fact%'")
    shop.client.command(f"DELETE FROM {store} WHERE date_key = 20260103")
    (difference,) = compare(shop.settings, shop.client, served=SERVED)
    assert (difference.name, difference.only_in_lake, difference.only_in_clickhouse) == ("fact_sales", 1, 0)
    assert "20260103" in str(difference)
    shop.publish(full=True)
    assert shop.differences() == []


def test_rows_that_differ_are_not_published(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shop.publish()
    (before,) = shop.client.query(SET).result_rows
    real = serving_store.fill

    def fill_a_cent_too_much(client: Client, settings: Settings, table: Any, version: int, *rest: Any) -> None:
        real(client, settings, table, version, *rest)
        if table.served.name == "fact_sales":
            store = serving_store.store_of(table)
            client.command(f"INSERT INTO {store} SELECT * REPLACE (0.01 AS extended_sales_amount, 0 AS sales_quantity) "
                           f"FROM {store} WHERE version = {version} LIMIT 1")  # fmt: skip

    monkeypatch.setattr(serving_store, "fill", fill_a_cent_too_much)
    shop.sell(days=range(4, 5))
    with pytest.raises(DataError, match=r"fact_sales.*1 slices \(20260105"):
        shop.publish()
    assert shop.client.query(SET).result_rows == [before]
    assert getattr(current(shop.client), "id", None) == first.id
    monkeypatch.undo()
    shop.publish(retention=NOW)
    shop.total()
    shop.publish(retention=NOW)
    assert shop.differences() == []
    store = shop.client.command("SELECT name FROM system.tables WHERE name LIKE 'store_fact%'")
    assert shop.client.command(f"SELECT uniqExact(version) FROM {store}") == 2  # and the refused rows are gone


def test_old_publications_are_removed(shop: Shop) -> None:
    shop.publish(retention=NOW)
    for _ in range(4):
        shop.lake.execute("UPDATE lake.warehouse.fact_sales SET sales_quantity = sales_quantity + 1")
        shop.total()
        shop.publish(retention=NOW)
    assert shop.stored() == {"fact_sales": 800, "total_sales": 2, "dim_customers": 10}  # this one and the one before
    assert shop.client.command("SELECT uniqExact(publication) FROM publications") == 2
    shop.publish()
    assert shop.client.command("SELECT uniqExact(publication) FROM publications") == 3  # still within the retention
    assert shop.differences() == []


def test_readers_never_see_a_mixed_set(shop: Shop) -> None:
    shop.publish()
    seen: list[tuple[int, ...]] = []
    failures: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        try:
            with clickhouse.connect(shop.settings) as client:
                while not done.is_set():
                    seen.extend(client.query(SET).result_rows)
        except Exception as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    published = [shop.client.query(SET).result_rows[0]]
    for turn in range(6):
        shop.sell(days=range(turn, turn + 2), rows=20)
        shop.lake.execute("UPDATE lake.warehouse.fact_sales SET sales_quantity = 2 WHERE product_key % 5 = 0")
        shop.customers(1 + turn % 2)
        shop.total()
        shop.publish(retention=timedelta(seconds=5))
        published.append(shop.client.query(SET).result_rows[0])
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert len(set(published)) == 7
    assert set(seen) <= set(published)
    assert len(set(seen)) > 3  # they did read while it changed
    assert all(quantity == facts and named == held for quantity, facts, named, held in seen)


def test_a_slow_query_reads_one_set_that_was_whole(shop: Shop) -> None:
    """The engine takes each of the query's snapshots late, and publications fall in between."""
    shop.publish()
    published = [shop.client.query(SET).result_rows[0]]
    results: list[tuple[int, ...]] = []

    def read() -> None:
        with clickhouse.connect(shop.settings) as client:
            results.extend(client.query(SET, settings={"merge_tree_storage_snapshot_sleep_ms": 700}).result_rows)

    reader = threading.Thread(target=read)
    reader.start()
    while reader.is_alive():
        shop.sell(days=range(2, 9), rows=50, quantity=3)
        shop.customers(5)
        shop.total()
        shop.publish()
        published.append(shop.client.query(SET).result_rows[0])
    reader.join()
    assert len(published) > 2
    assert len(results) == 1
    assert set(results) <= set(published)


KILL = """
import importlib, os, sys
from datetime import timedelta
from rainbow_assets.serving.publish import publish
from rainbow_assets.serving.tables import Served
from rainbow_assets.settings import Settings

module, name, when, call = sys.argv[1:5]
module = importlib.import_module(f"rainbow_assets.serving.{module}")
real, calls = getattr(module, name), []

def dying(*arguments):
    calls.append(name)
    if len(calls) == int(call) and when == "before":
        os._exit(9)
    answer = real(*arguments)
    if len(calls) == int(call) and when == "after":
        os._exit(9)
    return answer

setattr(module, name, dying)
served = [Served("marts", "total_sales", "v_total_sales_batch"), Served("warehouse", "dim_customers", "dim_customers"),
          Served("warehouse", "fact_sales", "fact_sales", slice_by="date_key")]
publish(Settings.load(), "killed", served=served, retention=timedelta(0))
"""
STEPS = (
    ("manifest", "announce", "after", 1),
    ("views", "ready", "after", 2),
    ("store", "fill", "after", 3),
    ("manifest", "switch", "before", 1),
    ("manifest", "switch", "after", 1),
    ("views", "settle", "after", 1),
    ("manifest", "_remove_versions", "after", 1),
)


@pytest.mark.parametrize("first", [True, False])
def test_a_publisher_that_is_killed_leaves_one_set(fresh_settings: Settings, first: bool) -> None:
    """At every step, of the first publication and of a later one with a changed schema."""
    nothing = (None, None, None, 0)
    for step in STEPS[2:4] if first else STEPS:
        with ducklake.connect(fresh_settings) as lake:
            with clickhouse.connect(fresh_settings) as client:
                client.command("DROP DATABASE rainbow SYNC")
                client.command("CREATE DATABASE rainbow ENGINE = Atomic")
                lake.execute("DROP SCHEMA IF EXISTS lake.warehouse CASCADE; DROP SCHEMA IF EXISTS lake.marts CASCADE")
                shop = Shop(fresh_settings, lake, client)
                if not first:
                    shop.publish()
                    shop.sell(days=range(4), rows=30)
                    lake.execute("ALTER TABLE lake.warehouse.dim_customers ADD COLUMN email VARCHAR")
                    lake.execute("INSERT INTO lake.warehouse.dim_customers VALUES (1, 'new', NULL, true, 'a@b')")
                    shop.total()
            run = subprocess.run(
                [sys.executable, "-c", KILL, *map(str, step)], capture_output=True, text=True, timeout=120
            )
            assert run.returncode == 9, run.stderr
            with clickhouse.connect(fresh_settings) as client:
                shop.client = client
                old, new = (nothing, (400, 400, 10, 10)) if first else ((400, 400, 10, 10), (430, 430, 11, 11))
                if client.command("EXISTS TABLE dim_customers") and client.command("EXISTS TABLE fact_sales"):
                    seen = client.query(SET).result_rows[0]
                    assert tuple(value or None for value in seen[:3]) + seen[3:] in (old, new), step
                shop.publish(retention=NOW)
                assert client.query(SET).result_rows == [new], step
                assert shop.differences() == [], step
                shop.publish(retention=NOW)
                shop.publish(retention=NOW)
                held = client.query("SELECT store, sum(rows) FROM written GROUP BY store").result_rows
                assert sum(shop.stored().values()) == sum(rows for _, rows in held), step


def test_two_publishers_leave_one_whole_set(shop: Shop) -> None:
    shop.publish()
    shop.sell(days=range(3), rows=100)
    shop.customers(3)
    shop.total()
    outcomes: list[str] = []

    def run() -> None:
        try:
            with clickhouse.connect(shop.settings) as client:
                publish(shop.settings, "rival", client, served=SERVED)
            outcomes.append("published")
        except TransientError:
            outcomes.append("late")

    rivals = [threading.Thread(target=run) for _ in range(3)]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()
    assert len(outcomes) == 3
    assert "published" in outcomes
    assert shop.differences() == []
    shop.publish(retention=NOW)
    assert shop.differences() == []
