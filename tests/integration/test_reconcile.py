"""rainbow reconcile on the real stack: what no run saw is found, landed and built; what is gone ends."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import psycopg
import pytest
from real_stack import rainbow

from rainbow_assets.defs.automation import reconciliation as reconciliation_module
from rainbow_assets.defs.resources import Lake
from rainbow_assets.errors import DataError, TransientError
from rainbow_assets.landing import arrival, drift
from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.write import extract
from rainbow_assets.raw import compare as raw_compare
from rainbow_assets.raw import volume
from rainbow_assets.raw.reconcile import land, state
from rainbow_assets.raw.reconcile.land import Systems
from rainbow_assets.raw.reconcile.source import all_days
from rainbow_assets.raw.reconcile.source import reconcile as reconcile_source
from rainbow_assets.raw.reconcile.state import Found
from rainbow_assets.raw.register import known_columns, register
from rainbow_assets.settings import Settings
from rainbow_assets.shop.schema import create_schema
from rainbow_assets.shop.seed import seed
from rainbow_assets.systems import clickhouse, ducklake, iceberg, object_store, postgres
from rainbow_assets.systems.ducklake import quote
from rainbow_assets.tables import TABLES
from rainbow_assets.transform import open_checks
from rainbow_assets.window import Days
from tests.integration.test_source_shapes import ODD
from tests.integration.warehouse_driver import Lakehouse

pytestmark = pytest.mark.integration

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 4)
DETAILS, CUSTOMERS = TABLES["orderdetails"], TABLES["customers"]
# What the statements of the comparison call things.
OURS = [
    "day", "content", "rows", "hashes", "r", "s", "v", "source", "raw", "late", "back", "gone", "made", "raw_state",
    "is_made", "is_gone", "is_alive", "held", "before", "now", "extract", "lake", "memory", "main", "customers",
]  # fmt: skip


class Shop:
    """A source of two tables over four days, and the steps of the pipeline on it."""

    def __init__(self, settings: Settings, connection: duckdb.DuckDBPyConnection) -> None:
        self.settings, self.lake = settings, connection
        self.url, self.bucket = settings.secret("source_url"), settings.s3_bucket
        self.systems = Systems(settings, connection, iceberg.connect(settings), object_store.client(settings))

    def sql(self, *statements: str) -> None:
        with postgres.connect(self.url, "test") as connection:
            for statement in statements:
                connection.execute(statement)

    def ingest(self, days: Days, *tables) -> None:
        for table in tables or (DETAILS, CUSTOMERS):
            columns = drift.check(self.url, table, known_columns(self.lake, table))
            held = landing_files.files(self.systems.s3, self.bucket, table.name, days)
            done = extract(self.lake, self.url, table, columns, days, held, self.bucket, "run-1")
            register(self.lake, self.systems.catalog, table, [*held, *done.files], days, "run-1")

    def reconcile(self, first: date | None = None, last: date | None = None, **options: Any) -> dict[str, Found]:
        days = all_days(self.settings, first, last)
        options = {"tables": (DETAILS, CUSTOMERS)} | options
        found = reconcile_source(self.systems, days, "run-2", lambda note: None, **options)
        return {item.table: item for item in found}

    def counts(self, **options: Any) -> dict[str, tuple[int, int, int]]:
        return {name: (item.late, item.back, item.gone) for name, item in self.reconcile(**options).items()}

    def objects(self) -> set[str]:
        return set(object_store.keys(self.systems.s3, self.bucket, ""))

    def files(self) -> set[str]:
        return {name for name in self.objects() if name.startswith(landing_files.PREFIX)}

    def break_off(self, monkeypatch: pytest.MonkeyPatch, place: str = "register", **options: Any) -> None:
        """A reconciliation that ends between landing and registration, or at another place."""
        with monkeypatch.context() as patch:
            patch.setattr(land, place, broken_off)
            with pytest.raises(TransientError):
                self.reconcile(**options)

    def current(self, table) -> list[tuple[Any, ...]]:
        """What raw says of each key that is not deleted: its newest version, without its time."""
        key, names = ", ".join(table.key), ", ".join(name for name in table.columns if name != "updated_at")
        return self.lake.execute(
            f"SELECT {names} FROM lake.raw.{table.name} "
            f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY updated_at DESC, extracted_at DESC) = 1 "
            "AND deleted_at IS NULL ORDER BY ALL"
        ).fetchall()

    def source(self, table) -> list[tuple[Any, ...]]:
        names = ", ".join(name for name in table.columns if name != "updated_at")
        query = f"SELECT {names} FROM {table.name} WHERE deleted_at IS NULL ORDER BY {', '.join(table.key)}"
        return postgres.fetch(self.url, "test", query)

    def is_level(self) -> bool:
        """Whether raw's current rows are the source's, in both catalogs."""
        for table in (DETAILS, CUSTOMERS):
            assert self.current(table) == self.source(table), table.name
            every = Days(FIRST, datetime.now(UTC).date())
            held = landing_files.files(self.systems.s3, self.bucket, table.name, every)
            assert raw_compare.catalogs_agree(self.lake, self.systems.catalog, table, held, every).wrong == []
        return True


NOTHING = {"orderdetails": (0, 0, 0), "customers": (0, 0, 0)}


@pytest.fixture
def shop(fresh_settings: Settings) -> Iterator[Shop]:
    settings = fresh_settings.record(start_date=FIRST, end_date=LAST)
    create_schema(settings.secret("source_url"))
    with ducklake.connect(settings) as connection:
        shop = Shop(settings, connection)
        shop.sql(
            "INSERT INTO orderdetails SELECT i, i % 7, 1 + i % 3, 5.01 + i % 9, NULL, t, t, NULL FROM "
            "(SELECT i, timestamp '2026-02-27' + i * interval '30 minutes' AS t FROM generate_series(0, 280) AS i)",
            "INSERT INTO customers SELECT i, 'first ' || i, NULL, 'mail ' || i, t, t, NULL FROM "
            "(SELECT i, timestamp '2026-03-01' + i * interval '1 hour' AS t FROM generate_series(0, 95) AS i)",
        )
        shop.ingest(Days(FIRST, LAST, open_start=True))
        yield shop


def test_what_no_run_saw_is_landed_once(shop: Shop) -> None:
    assert shop.counts() == NOTHING
    shop.sql(
        # late: a transaction over midnight; before the first day; a row of a day that was run
        "INSERT INTO orderdetails VALUES (900, 1, 1, 1.00, NULL, '2026-03-02', '2026-03-02 23:59:58', NULL)",
        "INSERT INTO orderdetails VALUES (901, 1, 1, 1.00, NULL, '2019-05-05', '2019-05-05', NULL)",
        # changed in silence: money, NULL, text, a soft delete and the time of a day alone
        "UPDATE orderdetails SET price = price + 0.01 WHERE id = 150",
        "UPDATE orderdetails SET promotion_id = 7 WHERE id = 151",
        "UPDATE orderdetails SET deleted_at = updated_at WHERE id = 152",
        "UPDATE customers SET email = NULL WHERE id = 5",
        "UPDATE customers SET first_name = '' WHERE id = 6",
        "UPDATE customers SET created_at = created_at - interval '1 microsecond' WHERE id = 7",
        # two rows of a day exchange their prices: every sum of a column stays
        "UPDATE orderdetails AS d SET price = o.price FROM orderdetails AS o "
        "WHERE (d.id = 160 AND o.id = 161) OR (d.id = 161 AND o.id = 160)",
    )
    objects = shop.objects()
    expected = {"orderdetails": (7, 0, 0), "customers": (3, 0, 0)}
    assert shop.counts(dry_run=True) == expected
    assert shop.objects() == objects
    found = shop.reconcile()
    assert {name: (item.late, item.back, item.gone) for name, item in found.items()} == expected
    assert found["customers"].days == [FIRST]
    assert found["orderdetails"].rows == 283
    assert shop.is_level()
    assert shop.counts() == NOTHING


def test_what_is_gone_ends_and_comes_back_when_it_returns(shop: Shop) -> None:
    shop.sql(
        "CREATE TABLE kept AS SELECT * FROM orderdetails WHERE id BETWEEN 100 AND 102",
        "DELETE FROM orderdetails WHERE id BETWEEN 100 AND 102",
        "UPDATE customers SET id = 500 WHERE id = 8",  # another key
        "UPDATE customers SET deleted_at = updated_at WHERE id = 9",
    )
    objects = shop.objects()
    expected = {"orderdetails": (0, 0, 3), "customers": (2, 0, 1)}
    assert shop.counts(dry_run=True) == expected
    assert shop.objects() == objects
    assert shop.counts() == expected
    assert shop.is_level()
    gone = shop.lake.execute(
        "SELECT id, deleted_at = updated_at AND updated_at = extracted_at, change_date = updated_at::DATE, "
        "now()::TIMESTAMP - updated_at < INTERVAL 1 HOUR, price FROM lake.raw.orderdetails "
        "WHERE id BETWEEN 100 AND 102 AND deleted_at IS NOT NULL ORDER BY id"
    ).fetchall()
    assert [row[:4] for row in gone] == [(number, True, True, True) for number in (100, 101, 102)]
    every = Days(FIRST, datetime.now(UTC).date())
    held = landing_files.files(shop.systems.s3, shop.bucket, DETAILS.name, every)
    [made] = [file for file in held if file.is_made]
    assert made.day > LAST
    assert volume.volumes(shop.lake, DETAILS.name, every, shop.settings).newest == LAST, (
        "its day was not loaded by that"
    )
    late = arrival.late(
        shop.lake, DETAILS, [made], {replace(made, key=made.key.replace(landing_files.MADE, "")): 3}, every
    )
    assert late.rows == 0
    assert shop.counts() == NOTHING

    shop.sql("DELETE FROM customers WHERE id = 9")  # purged after its soft delete: raw has that already
    assert shop.counts() == NOTHING

    shop.sql("INSERT INTO orderdetails SELECT * FROM kept WHERE id < 102")  # from a backup, with its old time
    assert shop.counts() == {"orderdetails": (0, 2, 0), "customers": (0, 0, 0)}
    assert shop.is_level()
    assert shop.counts() == NOTHING
    assert shop.reconcile()["orderdetails"].days == [], "what came back keeps no day apart"
    shop.sql("UPDATE orderdetails SET quantity = 9 WHERE id = 100")  # and changed in silence since
    assert shop.counts() == {"orderdetails": (1, 1, 0), "customers": (0, 0, 0)}
    assert shop.is_level()
    today = "UPDATE orderdetails SET quantity = 7, updated_at = now() AT TIME ZONE 'UTC' WHERE id = 101"
    shop.sql("DELETE FROM orderdetails WHERE id = 100", today)  # gone again; the other is left to today's run
    assert shop.counts() == {"orderdetails": (0, 0, 1), "customers": (0, 0, 0)}
    assert shop.counts() == NOTHING


def test_what_is_gone_ends_whatever_is_wrong_with_its_newest_version(shop: Shop, tmp_path: Path) -> None:
    orders, changed = TABLES["orders"], "updated_at = '2026-03-04 12:00'"
    shop.sql(
        "ALTER TABLE orderdetails ALTER COLUMN price TYPE numeric",
        "INSERT INTO orders SELECT i, 1, 1, '2026-03-01', '2026-03-01', NULL FROM generate_series(100, 110) AS i",
    )
    shop.ingest(Days(FIRST, LAST, open_start=True), orders)
    lakehouse = Lakehouse(shop.settings, tmp_path)
    lakehouse.create_raw()
    shop.sql(
        f"UPDATE orderdetails SET price = 'NaN', {changed} WHERE id = 100",
        f"UPDATE orderdetails SET price = -5, {changed} WHERE id = 101",
        f"UPDATE orderdetails SET quantity = -1, {changed} WHERE id = 102",
        f"UPDATE orderdetails SET created_at = 'infinity', {changed} WHERE id = 103",
        f"UPDATE orderdetails SET quantity = 2000000000, {changed} WHERE id = 104",
        f"UPDATE orders SET created_at = '-infinity', {changed} WHERE id = 105",
    )
    shop.ingest(Days(LAST, LAST), DETAILS, orders)
    assert lakehouse.dbt("run")
    sold = "SELECT list(order_transaction ORDER BY order_transaction) FROM lake.warehouse.fact_sales"
    assert lakehouse.rows(sold) == [(list(range(100, 111)),)]  # of the faulty ones, as they were before

    shop.sql("DELETE FROM orderdetails WHERE id BETWEEN 100 AND 104", "DELETE FROM orders WHERE id = 105")
    assert shop.counts(tables=(DETAILS, orders)) == {"orderdetails": (0, 0, 5), "orders": (0, 0, 1)}
    assert lakehouse.dbt("build", "--exclude-resource-type", "unit_test")
    assert lakehouse.rows(sold) == [(list(range(106, 111)),)]
    still_open = "SELECT count(*), count(*) FILTER (resolved_at IS NULL) FROM lake.ops.quarantine"
    assert lakehouse.rows(still_open) == [(6, 0)]
    assert shop.counts(tables=(DETAILS, orders)) == {"orderdetails": (0, 0, 0), "orders": (0, 0, 0)}


def test_a_row_whose_time_went_back_counts_again(shop: Shop) -> None:
    shop.sql("UPDATE customers SET email = 'new', updated_at = '2026-03-04 12:00' WHERE id = 10")
    shop.ingest(Days(LAST, LAST), CUSTOMERS)
    shop.sql("UPDATE customers SET email = 'mail 10', updated_at = '2026-03-01 10:00' WHERE id = 10")
    assert shop.counts()["customers"] == (0, 1, 0)
    assert shop.is_level()
    assert shop.counts() == NOTHING
    assert shop.reconcile()["customers"].days == []


def test_what_changed_since_the_last_day_is_left_to_its_run(shop: Shop) -> None:
    shop.sql("UPDATE customers SET email = 'today', updated_at = now() AT TIME ZONE 'UTC' WHERE id < 50")
    found = shop.reconcile()["customers"]
    assert (found.days, found.is_news) == ([], False)


def test_a_transaction_that_is_open_deletes_nothing(shop: Shop) -> None:
    with psycopg.connect(shop.url) as other:
        other.execute("DELETE FROM orderdetails WHERE id < 50")
        other.execute("INSERT INTO customers VALUES (700, 'x', 'y', 'z', '2026-03-02', '2026-03-02', NULL)")
        assert shop.counts() == NOTHING
        other.rollback()
    assert shop.counts() == NOTHING


def test_a_range_looks_at_its_days_alone(shop: Shop) -> None:
    shop.sql(
        "DELETE FROM customers WHERE id IN (1, 30)",  # of March 1 and 2
        "UPDATE customers SET updated_at = '2026-03-04 13:00' WHERE id = 31",  # moved out of the range: not gone
    )
    assert shop.reconcile(first=FIRST + timedelta(days=1), last=FIRST + timedelta(days=1))["customers"].gone == 1
    assert shop.counts()["customers"] == (1, 0, 1)
    assert shop.is_level()


def test_what_a_broken_off_try_had_landed_is_registered_by_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sql(
        "UPDATE customers SET email = 'new' WHERE id = 5",
        "INSERT INTO customers VALUES (700, 'x', 'y', 'z', '2026-03-02', '2026-03-02', NULL)",
        "DELETE FROM customers WHERE id = 8",
    )
    files, expected = shop.files(), {"orderdetails": (0, 0, 0), "customers": (2, 0, 1)}
    shop.break_off(monkeypatch)
    assert len(shop.files() - files) == 3, "two days and the day of finding"
    assert shop.counts() == expected
    assert len(shop.files() - files) == 3, "nothing is landed twice"
    assert shop.is_level()
    ends = "SELECT count(*) FROM lake.raw.customers WHERE id = 8 AND deleted_at IS NOT NULL"
    assert shop.lake.execute(ends).fetchone() == (1,)
    assert shop.counts() == NOTHING


def test_what_is_landed_is_looked_at_as_the_files_of_a_run_are(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.sql("UPDATE customers SET email = 'new' WHERE id IN (5, 90)", "DELETE FROM customers WHERE id = 8")
    shop.break_off(monkeypatch, "look", tables=(CUSTOMERS,))
    asked = {(check.check, check.first, check.last, check.reason) for check in open_checks.standing(shop.lake)}
    today = datetime.now(UTC).date()
    assert asked == {
        (open_checks.COMPLETE, FIRST, LAST, open_checks.UNCHECKED),  # of two days
        (open_checks.AGREE, FIRST, today, open_checks.UNCHECKED),
    }
    assert shop.counts() == NOTHING
    assert open_checks.standing(shop.lake) == [], "the next one has looked"

    shop.sql("UPDATE customers SET email = 'newer' WHERE id = 5")
    with monkeypatch.context() as patch:
        patch.setattr(raw_compare, "source_in_raw", lambda *_: raw_compare.Completeness(9, 1, 0, []))
        shop.reconcile()
    [check] = open_checks.standing(shop.lake)
    assert str(check) == f"raw/customers: {open_checks.COMPLETE} of {FIRST} (1 rows missing, 0 repeated)"
    shop.reconcile()
    assert open_checks.standing(shop.lake) == []

    shop.sql("UPDATE customers SET email = 'newest' WHERE id = 5")
    with monkeypatch.context() as patch:
        patch.setattr(raw_compare, "broken_files", lambda _, files: [file.uri for file in files])
        assert "have not the rows that were written" in shop.reconcile()["customers"].reason
    [check] = open_checks.standing(shop.lake)
    assert (check.asset, check.check, check.first) == ("landing/customers", open_checks.WHOLE, FIRST)


def test_what_became_again_what_it_was_since_a_try_broke_off_counts(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sql("UPDATE customers SET email = 'new' WHERE id IN (5, 6)", "DELETE FROM customers WHERE id = 90")
    shop.break_off(monkeypatch)
    shop.sql(
        "UPDATE customers SET email = 'mail 5' WHERE id = 5",
        "INSERT INTO customers SELECT i, 'first ' || i, NULL, 'mail ' || i, t, t, NULL FROM "
        "(SELECT 90 AS i, timestamp '2026-03-01' + 90 * interval '1 hour' AS t)",
    )
    shop.reconcile()
    assert shop.is_level()
    assert shop.counts() == NOTHING


def test_a_run_that_tries_again_tells_what_all_its_tries_found(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.sql("DELETE FROM orderdetails WHERE id = 8", "UPDATE customers SET email = 'new' WHERE id IN (5, 6)")
    tries = []

    def register_once(connection: Any, catalog: Any, table: Any, *others: Any, **options: Any) -> Any:
        if table == CUSTOMERS and not tries:
            tries.append(1)
            raise TransientError("The catalog is away.")
        return register(connection, catalog, table, *others, **options)

    monkeypatch.setattr(land, "register", register_once)
    monkeypatch.setattr(reconciliation_module, "reconcile", partial(reconcile_source, tables=(DETAILS, CUSTOMERS)))
    done = dg.materialize([reconciliation_module.reconciliation], resources={"lake": Lake()})
    [check] = [item for item in done.get_asset_check_evaluations() if item.check_name == reconciliation_module.MISSED]
    found = {item["table"]: item for item in check.metadata[reconciliation_module.TABLES_FOUND].value}
    assert (tries, found["orderdetails"]["gone"], found["customers"]["late"]) == ([1], 1, 2)
    assert (check.passed, check.description) == (False, "customers: 2 rows")
    assert shop.is_level()


def broken_off(*_: Any, **__: Any) -> Any:
    raise TransientError("It is away.")


def test_a_table_that_cannot_be_compared_keeps_no_other_back(shop: Shop) -> None:
    shop.sql("ALTER TABLE orderdetails DROP COLUMN price", "DELETE FROM customers WHERE id = 1")
    found = shop.reconcile()
    assert "lost price" in found["orderdetails"].reason
    assert found["customers"].gone == 1


def test_values_that_do_not_fit_keep_no_other_table_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = state.compare

    def compare_others(connection: Any, url: Any, table: Any, *others: Any) -> Found:
        if table == DETAILS:
            raise DataError("It does not fit.", "Correct it.")
        return compare(connection, url, table, *others)

    monkeypatch.setattr(state, "compare", compare_others)
    shop.sql("DELETE FROM customers WHERE id = 1")
    found = shop.reconcile()
    assert (found["orderdetails"].reason, found["customers"].gone) == ("It does not fit. Correct it.", 1)


@pytest.mark.parametrize("kind", ["text", "date"])
def test_columns_of_any_name_are_compared(shop: Shop, kind: str) -> None:
    first, second = {"text": ("v", "w"), "date": ("2020-01-01", "2020-01-02")}[kind]
    every = list(dict.fromkeys([*ODD, *OURS])) if kind == "text" else OURS
    shop.sql(*(f"ALTER TABLE customers ADD COLUMN {quote(name)} {kind} DEFAULT '{first}'" for name in every))
    shop.ingest(Days(FIRST, LAST, open_start=True), CUSTOMERS)
    assert shop.counts() == NOTHING
    shop.sql(
        *(f"UPDATE customers SET {quote(name)} = '{second}' WHERE id = {number}" for number, name in enumerate(every)),
        "DELETE FROM customers WHERE id = 95",
        "UPDATE customers SET email = 'new', updated_at = '2026-03-04 23:30' WHERE id = 94",
    )
    shop.ingest(Days(LAST, LAST), CUSTOMERS)
    shop.sql("UPDATE customers SET email = 'mail 94', updated_at = '2026-03-01 01:00' WHERE id = 94")
    found = shop.reconcile()["customers"]
    assert (found.late, found.back, found.gone) == (len(every[:72]) + 1, 1, 1), "customer 72 is of the last day"
    assert shop.is_level()
    assert shop.counts() == NOTHING
    days = Days(FIRST, LAST, open_start=True)
    columns = drift.check(shop.url, CUSTOMERS, known_columns(shop.lake, CUSTOMERS))
    shop.sql(f"UPDATE customers SET {quote(every[-1])} = NULL WHERE id = 1")
    assert raw_compare.source_in_raw(shop.lake, shop.url, CUSTOMERS, columns, days).missing == 1


def test_the_command_lands_builds_and_publishes(fresh_settings: Settings) -> None:
    seed(fresh_settings.secret("source_url"), 3, LAST, 20, 42)
    settings = fresh_settings.record(start_date=LAST - timedelta(days=2), end_date=LAST)
    with ducklake.connect(settings) as connection:
        shop = Shop(settings, connection)
        shop.ingest(Days(settings.start_date, LAST, open_start=True), *TABLES.values())
    shop.sql(
        "DELETE FROM orderdetails WHERE id = (SELECT min(id) FROM orders)",
        "DELETE FROM orders WHERE id = (SELECT min(id) FROM orders)",
        "UPDATE orderdetails SET price = price + 1 WHERE id = (SELECT max(id) FROM orders)",
        "INSERT INTO orderdetails SELECT id, 999999, 3, 7.77, NULL, created_at, updated_at, NULL FROM orders "
        "WHERE id = (SELECT max(id) FROM orders)",
        "UPDATE customers SET id = 777777 WHERE id = (SELECT max(id) FROM customers)",
    )
    told = rainbow("reconcile", "--dry-run")
    assert told.returncode == 1, told.stdout + told.stderr
    assert "would be landed; nothing was written" in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80
    done = rainbow("reconcile")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "landed, built and published" in done.stdout
    assert told.stdout.splitlines()[:-1] == done.stdout.splitlines()[:-1]
    assert "no_row_was_missed" in done.stderr
    [expected] = postgres.fetch(
        shop.url,
        "test",
        "SELECT count(*), sum(d.quantity), sum(d.quantity * d.price) FROM orderdetails AS d "
        "JOIN orders AS o USING (id) WHERE d.deleted_at IS NULL AND o.deleted_at IS NULL",
    )
    query = "SELECT count(*), sum(sales_quantity), sum(extended_sales_amount) FROM "
    with ducklake.connect(settings, read_only=True) as lake, clickhouse.connect(settings) as client:
        assert lake.execute(query + "lake.warehouse.fact_sales").fetchone() == expected
        assert tuple(client.query(query + "fact_sales").result_rows[0]) == expected
    again = rainbow("reconcile", "--dry-run")
    assert (again.returncode, "Source and raw agree" in again.stdout) == (0, True), again.stdout + again.stderr

    # what something else than a build did to the facts is found by comparing all of them, and made good
    with ducklake.connect(settings) as lake:
        lake.execute("DELETE FROM lake.warehouse.fact_sales WHERE order_transaction % 7 = 0")
    done = rainbow("reconcile")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "facts_hold_all_of_raw" in done.stderr
    with ducklake.connect(settings, read_only=True) as lake:
        assert lake.execute(query + "lake.warehouse.fact_sales").fetchone() == expected
