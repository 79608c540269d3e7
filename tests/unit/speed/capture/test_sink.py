"""What the sink writes into an embedded ClickHouse, and what of it counts by the rules of the refresh."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from rainbow_assets.settings import Settings
from rainbow_assets.speed import tables
from rainbow_assets.speed.capture.sink import Batch, Position, Sink
from rainbow_assets.speed.capture.unsent import MARKER
from rainbow_assets.speed.views import prune
from rainbow_assets.speed.views.refresh import RULES
from rainbow_assets.systems import clickhouse
from rainbow_assets.tables import TABLES
from tests.unit.speed.capture.test_decode import MICROS, record

TIMES = {"created_at": MICROS, "updated_at": MICROS}
GOOD = {"orderdetails": "good_detail", "products": "good_product", "promotions": "good_promotion"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"clickhouse_url": f"chdb://{tmp_path}/clickhouse"})


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    with clickhouse.connect(settings) as connected:
        yield connected


def flush(sink: Sink, lsn: int, *records: dict[str, object]) -> None:
    lines = "\n".join(json.dumps(one) for one in records).encode()
    sink.flush(Batch(lines, "ours", Position("1", 5, True, lsn, lsn), datetime.now(UTC), time.monotonic(), 0), 1)


def test_a_version_with_money_that_does_not_fit_does_not_count(settings: Settings, client: Client) -> None:
    sink = Sink(settings)
    for number, (name, column, sent) in enumerate(
        (
            ("orderdetails", "price", "10.00"),
            ("orderdetails", "price", "10.005"),
            ("products", "price", None),
            ("products", "price", "NaN"),
            ("products", "original_price", "0.001"),
            ("promotions", "price_treatment", None),
            ("promotions", "price_treatment", "33.333"),
            ("promotions", "price_treatment", "NaN"),
        ),
        1,
    ):
        row = TIMES | {column: sent} | ({"quantity": 1, "product_id": 1} if name == "orderdetails" else {})
        flush(sink, number, record("c", name, row | {"id": number}, number))
    good = {
        name: f"SELECT id FROM {tables.changes_of(TABLES[name])} WHERE {RULES[rule]}" for name, rule in GOOD.items()
    }
    found = {name: [row[0] for row in client.query(query).result_rows] for name, query in good.items()}
    assert found == {"orderdetails": [1], "products": [3], "promotions": [6]}


@pytest.mark.parametrize("name", GOOD)
def test_a_table_of_an_earlier_version_is_completed(settings: Settings, client: Client, name: str) -> None:
    """By the stream, by a publication (`tables.prepare`) and by maintenance; what it holds counts as before."""
    table, sink = TABLES[name], Sink(settings)
    row = TIMES | {"id": 1, "product_id": 1, "quantity": 1, "price": "1.00"}
    flush(sink, 10, record("c", name, row, 10))
    changes, good = tables.changes_of(table), f"SELECT countIf({RULES[GOOD[name]]}) FROM {tables.changes_of(table)}"

    def earlier() -> None:
        client.command(f"ALTER TABLE {changes} DROP COLUMN is_unfit")

    earlier()
    tables.prepare(client)
    assert client.command(good) == 1
    earlier()
    Sink(settings).position(1)
    flush(Sink(settings), 11, record("u", name, row | {table.money[0]: "NaN"}, 11))
    assert client.command(good) == 1
    earlier()
    client.command("CREATE TABLE batch_coverage (day Date32) ENGINE = MergeTree ORDER BY day")
    assert prune.superseded(client, table, datetime.now(UTC), is_dry=True) == []
    assert client.command(good) >= 1


def test_one_update_of_many_rows_whose_long_text_is_not_logged(settings: Settings, client: Client) -> None:
    """As Debezium hands over at most; their keys make a statement that is longer than ClickHouse takes by itself."""
    sink, first, many = Sink(settings), 10**12, 32_768
    row = TIMES | {"price": "1.00"}
    flush(sink, 1, *(record("c", "products", row | {"id": first + n, "name": f"name {n}"}, 1) for n in range(many)))
    others = [record("u", "products", row | {"id": n, "name": "whole"}, 3) for n in range(9)]
    moved = record("d", "products", {"id": first}, 3), record("c", "products", row | {"id": 77, "name": MARKER}, 3)
    lacking = (record("u", "products", row | {"id": first + n, "name": MARKER}, 2) for n in range(1, many))
    flush(sink, 3, *lacking, *others, *moved)
    same = "countIf(name = concat('name ', toString(id - 1000000000000)))"
    assert client.query(f"SELECT count(), {same} FROM speed_products WHERE lsn = 2").result_rows == [(many - 1,) * 2]
    assert client.command("SELECT name FROM speed_products WHERE id = 77") == "name 0"
