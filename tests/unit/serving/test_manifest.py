"""The publisher's decisions and its manifest, without a lake."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from rainbow_assets.errors import DataError, RainbowError
from rainbow_assets.serving import manifest, views
from rainbow_assets.serving import store as serving_store
from rainbow_assets.serving.compare import Difference
from rainbow_assets.serving.plan import Plan
from rainbow_assets.serving.publish import current
from rainbow_assets.serving.tables import SERVED, Column, Entry, LakeTable, Served, Slice
from rainbow_assets.settings import Settings
from rainbow_assets.systems import clickhouse

FACTS = Served("warehouse", "fact_sales", "fact_sales", slice_by="date_key")
SALES = LakeTable(
    FACTS,
    7,
    "uuid",
    3,
    (Column("date_key", "INTEGER", True), Column("amount", "DECIMAL(18,2)", True), Column("note", "VARCHAR", False)),
)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    settings = Settings.model_validate({"clickhouse_url": f"chdb://{tmp_path}/clickhouse"})
    with clickhouse.connect(settings) as connected:
        manifest.prepare(connected)
        yield connected


def entry(slice_: int, version: int, rows: int = 1) -> Entry:
    return Entry("fact_sales", serving_store.store_of(SALES), slice_, version, rows, "", "uuid", 1, 1)


def store(client: Client, version: int, *slices: int) -> None:
    manifest.announce(client, version, {serving_store.store_of(SALES): [Slice(key, 1) for key in slices]})
    values = ", ".join(f"({key}, 1, 'n', {version})" for key in slices)
    client.command(f"INSERT INTO {serving_store.store_of(SALES)} VALUES {values}")


def test_the_set_has_what_the_contract_names() -> None:
    assert {served.view for served in SERVED if served.schema == "marts"} >= {
        "v_total_sales_batch",
        "v_sales_by_day_batch",
        "v_sales_by_day_of_week_batch",
        "v_top_sellers_batch",
        "v_top_products_by_category_batch",
        "v_payment_methods_batch",
        "v_customer_ranking_batch",
    }
    star = {served.view: served.slice_by for served in SERVED if served.schema == "warehouse"}
    assert len(star) >= 7
    assert star["fact_sales"] == "date_key"


def test_a_slice_is_never_null_and_money_is_found() -> None:
    assert serving_store.columns_of(SALES) == {
        "date_key": "Int32",
        "amount": "Nullable(Decimal(18, 2))",
        "note": "String",
    }
    assert SALES.money == ("amount",)


def test_other_columns_are_another_store() -> None:
    wider = LakeTable(FACTS, 7, "uuid", 4, (*SALES.columns, Column("extra", "BIGINT", True)))
    assert serving_store.store_of(wider) != serving_store.store_of(SALES)
    assert serving_store.store_of(LakeTable(FACTS, 8, "other", 9, SALES.columns)) == serving_store.store_of(SALES)


def test_a_type_without_an_equal_names_its_column() -> None:
    odd = LakeTable(FACTS, 7, "uuid", 3, (Column("big", "HUGEINT", True),))
    with pytest.raises(DataError, match=r"fact_sales\.big: .*HUGEINT"):
        serving_store.columns_of(odd)


def test_entries_of_a_plan_carry_the_new_snapshot() -> None:
    plan = Plan(SALES, "s", "s", (2,), (Slice(2, 5, (), "f"),), (entry(1, 10),))
    kept, fresh = plan.entries(11, 99, 1234)
    assert (kept.slice, kept.version, kept.lake_snapshot, kept.lake_time) == (1, 10, 99, 1234)
    assert fresh == Entry("fact_sales", "s", 2, 11, 5, "f", "uuid", 99, 1234)


def test_a_switch_shows_exactly_its_list(client: Client) -> None:
    serving_store.create_store(client, SALES)
    views.ready(client, SALES, None)
    query = "SELECT date_key FROM fact_sales ORDER BY ALL"
    store(client, 5, 1, 2)
    assert client.query(query).result_rows == []
    assert current(client) is None
    manifest.switch(client, 5, "run", [entry(1, 5), entry(2, 5)])
    store(client, 6, 2, 3)
    assert client.query(query).result_rows == [(1,), (2,)]
    manifest.switch(client, 6, "run", [entry(1, 5), entry(3, 6)])
    assert client.query(query).result_rows == [(1,), (3,)]
    assert manifest.newest(client) == (6, [entry(1, 5), entry(3, 6)])
    described = [row[:2] for row in client.query("DESCRIBE fact_sales").result_rows]
    assert described == list(serving_store.columns_of(SALES).items())
    assert client.command("SELECT max(rows) FROM (SELECT count() AS rows FROM system.parts WHERE database = 'rainbow' "
                          "AND table = 'publications' AND active GROUP BY partition)") == 1  # fmt: skip


def test_numbers_only_grow(client: Client) -> None:
    first = manifest.next_number(client, 0)
    assert manifest.next_number(client, first) > first
    assert manifest.next_number(client, 2**63) == 2**63 + 1  # the clock went back


@pytest.mark.parametrize(("dead", "left"), [(1, 21), (3, 20)])
def test_a_sliced_store_is_cleared_of_a_tenth_or_more(client: Client, dead: int, left: int) -> None:
    serving_store.create_store(client, SALES)
    store(client, 5, *range(20))
    manifest.switch(client, 5, "run", [entry(key, 5) for key in range(20)])
    store(client, 6, *range(dead))
    listed = [entry(key, 6 if key < dead else 5) for key in range(20)]
    for number in (6, 7, 8):
        manifest.switch(client, number, "run", listed)
        manifest.remove_old(client, number, number - 1, timedelta(0), {serving_store.store_of(SALES)})
    assert client.command(f"SELECT count() FROM {serving_store.store_of(SALES)}") == left
    assert client.command("SELECT count() FROM written") == left
    assert client.command("SELECT uniqExact(publication) FROM publications") == 2


def test_what_a_dead_publisher_left_is_removed_and_a_running_one_keeps_its_rows(client: Client) -> None:
    serving_store.create_store(client, SALES)
    store(client, 5, *range(20))
    manifest.switch(client, 5, "run", [entry(key, 5) for key in range(20)])
    store(client, 6, 1)  # died
    store(client, 8, 2)  # is still running
    manifest.switch(client, 7, "run", [entry(key, 5) for key in range(20)])
    manifest.remove_old(client, 7, 5, timedelta(hours=1), {serving_store.store_of(SALES)})
    versions = client.query(f"SELECT DISTINCT version FROM {serving_store.store_of(SALES)} ORDER BY 1").result_rows
    assert versions == [(5,), (8,)]


def test_a_server_that_could_mix_two_publications_is_refused(client: Client) -> None:
    client.set_client_setting("enable_shared_storage_snapshot_in_query", 0)
    with pytest.raises(RainbowError, match="mix two publications"):
        manifest.prepare(client)


def test_a_difference_is_one_line() -> None:
    assert str(Difference("total_sales", 1, 2, "{'a': 1}")) == (
        "total_sales: 1 only in the lake, 2 only in ClickHouse, such as {'a': 1}"
    )
