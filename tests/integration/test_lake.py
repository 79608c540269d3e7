"""The public door: each engine gives what the source has, whatever else the process has set, and only reads."""

import shlex
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from real_stack import rainbow

from rainbow_assets import lake
from rainbow_assets.errors import DataError
from rainbow_assets.settings import Settings
from rainbow_assets.stack.environment import shell_environment
from rainbow_assets.systems import ducklake
from tests.integration.test_quickstart import ingest

pytestmark = pytest.mark.integration

TABLE = "raw.orderdetails"
TOTAL = "SELECT count(*), sum(quantity), sum(quantity * price)::DECIMAL(38, 2) FROM"


@pytest.fixture
def sold(fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    """The number, pieces and worth of the source's order details, which are in the lake."""
    for name, value in shell_environment(fresh_settings).items():
        monkeypatch.setenv(name, value)
    return ingest(fresh_settings)


@pytest.fixture
def hostile() -> Iterator[None]:
    """What the machine may have set for other programs; during the test alone."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "PGSSLMODE": "require",
            "PGUSER": "nobody",
            "PYICEBERG_CATALOG__RAINBOW__URI": "no",
        }.items():
            patch.setenv(name, value)
        yield


def test_every_engine_gives_what_the_source_has(sold: tuple[object, ...], hostile: None) -> None:
    details = lake.polars(TABLE)
    worth = sum((row["quantity"] * row["price"] for row in details.iter_rows(named=True)), Decimal(0))
    assert (len(details), details["quantity"].sum(), worth) == sold
    with lake.duckdb() as connection:
        assert connection.execute(f"{TOTAL} lake.{TABLE}").fetchone() == sold
        arrow = lake.iceberg(TABLE).scan().to_arrow()
        connection.register("details", arrow)
        assert connection.execute(f"{TOTAL} details").fetchone() == sold
    with lake.clickhouse() as client:
        assert client.command("SELECT currentDatabase()") == client.database


def test_a_table_is_read_as_it_was(fresh_settings: Settings, sold: tuple[object, ...]) -> None:
    with ducklake.connect(fresh_settings) as own:
        own.execute("CREATE SCHEMA IF NOT EXISTS lake.marts")
        own.execute('CREATE TABLE lake.marts."odd \'name" AS SELECT 2.50::DECIMAL(18, 2) AS amount')
        [(then,)] = own.execute("SELECT max(snapshot_time)::VARCHAR FROM lake.snapshots()").fetchall()
        own.execute('UPDATE lake.marts."odd \'name" SET amount = 3.75')
    assert lake.polars("marts.odd 'name").rows() == [(Decimal("3.75"),)]
    assert lake.polars("marts.odd 'name", as_of=then).rows() == [(Decimal("2.50"),)]


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda: lake.polars("marts.none"), "no table marts.none"),
        (lambda: lake.polars("orders"), "'orders' is no table's name"),
        (lambda: lake.polars(TABLE, as_of="yesterday"), "neither a run id nor a time"),
        (lambda: lake.iceberg("marts.total_sales"), "no table marts.total_sales"),
    ],
)
def test_what_there_is_not_is_told(sold: tuple[object, ...], ask: Callable[[], object], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        ask()


def test_what_the_hint_says_lists_the_tables(sold: tuple[object, ...]) -> None:
    with pytest.raises(DataError) as caught:
        lake.polars("marts.none")
    name, *arguments = shlex.split(caught.value.hint.split("`")[1])
    assert name == "rainbow"
    done = rainbow(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "orderdetails" in done.stdout


def test_it_only_reads(sold: tuple[object, ...]) -> None:
    import duckdb

    with lake.duckdb() as connection, pytest.raises(duckdb.Error, match="read-only"):
        connection.execute(f"DELETE FROM lake.{TABLE}")
