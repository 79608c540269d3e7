"""The live views: at every moment what the contract says of all that the source ever held, every sale once.

One shop lives through a history of changes, flushes, runs and publications on a clock of its own; after every step each
view is compared with an independent reading of the contract (`warehouse_reference.py`). The speed tables are filled
without a stream (`live_copy.py`), the batch layer by the pipeline's own functions and dbt.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from isolation import new_lake

from rainbow_assets.raw import coverage
from rainbow_assets.serving.compare import compare
from rainbow_assets.serving.publish import publish
from rainbow_assets.serving.tables import SERVED, Agreement, Served
from rainbow_assets.settings import Settings
from rainbow_assets.speed.companion import LiveViews
from rainbow_assets.speed.views import refresh as speed
from rainbow_assets.speed.views.agreement import DayDifference
from rainbow_assets.speed.views.refresh import catch_up, refresh
from rainbow_assets.systems import clickhouse
from rainbow_assets.tables import TABLES
from rainbow_assets.window import Days
from tests.integration import live_copy
from tests.integration.shop_histories import SLOT, START, Put, Run
from tests.integration.test_any_order import QUICKLY, Company
from tests.integration.warehouse_driver import VIEWS, Row
from tests.integration.warehouse_reference import Warehouse

pytestmark = pytest.mark.integration

UNREAD = "a sale that the stream has not read yet, and the run"
LATER = START.replace(year=2150)
SECOND = 1 / 28800  # of a slot
BY_DAY = """
    SELECT orders.created_at::date, count(DISTINCT id), sum(quantity)::bigint, sum(quantity * price)
    FROM orders JOIN orderdetails AS details USING (id)
    WHERE orders.deleted_at IS NULL AND details.deleted_at IS NULL
    GROUP BY 1
"""
TOTAL = (
    f"SELECT coalesce(sum(sum)::bigint, 0), coalesce(sum(amount), 0) FROM ({BY_DAY}) AS days (day, count, sum, amount)"
)
MODELS = ("staging", "warehouse", "marts", "batch_coverage")


@dataclass(frozen=True)
class Step:
    """Something that happens at a time (in slots after START), and the orders that are in the speed part then.

    In this order: rows are put and `gone` ones deleted, committed `at`; a flush follows, unless `is_read` is false,
    into empty tables if it `is_anew`; then a run with its build, and a publication.
    """

    name: str
    at: float
    puts: tuple[Put, ...] = ()
    gone: tuple[tuple[str, tuple[int, ...]], ...] = ()
    is_read: bool = True
    is_anew: bool = False
    run: Run | None = None
    is_published: bool = False
    live: frozenset[int] = frozenset()


def put(table: str, key: int | tuple[int, ...], updated: int, **columns: Any) -> Put:
    times = {name: columns.pop(name) for name in ("created", "deleted") if name in columns}
    return Put(table, key if isinstance(key, tuple) else (key,), updated, columns, **times)


def order(key: int, updated: int, customer: int | None = 1, payment: int | None = 1, **times: Any) -> Put:
    return put("orders", key, updated, customer_id=customer, payment_id=payment, **times)


def line(key: tuple[int, int], updated: int, quantity: int = 1, price: str = "10.00", **others: Any) -> Put:
    return put("orderdetails", key, updated, quantity=quantity, price=Decimal(price), **others)


def product(key: int, updated: int, seller: int | None, **others: Any) -> Put:
    named = {"name": f"product {key}", "category_id": key, "brand_id": 1}
    return put("products", key, updated, seller_id=seller, **(named | others))


def terms(key: int, updated: int, kind: str, treatment: str) -> Put:
    return put("promotions", key, updated, coupon_type=kind, price_treatment=Decimal(treatment))


STOCK = (
    *(put(table, key, -1, name=f"{table} {key}") for table in ("categories", "brands", "sellers") for key in (1, 2)),
    *(put("payments", key, -1, name=f"payment {key}", type="card") for key in (1, 2)),
    put("customers", 1, -1, first_name="Ada", last_name="L."),
    put("customers", 2, 0, last_name="Only"),
    terms(1, 0, "Percentage", "12.35"),
    terms(2, 0, "Fixed Amount", "0.01"),
    terms(3, 0, "Percentage", "5.00"),
    *(product(key, 0, seller=key) for key in (1, 2)),
    product(8, 0, seller=1),
)

STEPS = (
    Step("the first copy", 1, STOCK),
    Step("a publication without a sale", 3.1, run=Run(0, 0), is_published=True),
    Step(
        "orders, with discounts to round",
        5.5,
        (
            *(order(1, 3), line((1, 1), 3, 3, "4.33", promotion_id=1), line((1, 2), 3, 1, "0.05", promotion_id=2)),
            *(order(2, 4), line((2, 1), 4, 2, "2000.00", promotion_id=2), order(3, 5, customer=2)),
            *(line((3, 2), 5, 7, "10.50", promotion_id=1), order(12, 5), order(13, 5), line((13, 1), 5)),
        ),
        live=frozenset({1, 2, 3, 12, 13}),
    ),
    Step("a run without a publication", 6.1, run=Run(1, 1), live=frozenset({1, 2, 3, 12, 13})),
    Step("its publication", 6.2, is_published=True),
    Step(
        "other terms, another seller, a deleted product",
        6.3,
        (terms(1, 6, "Percentage", "20.10"), terms(2, 6, "Fixed Amount", "0.03"), product(1, 6, seller=2),
         product(2, 6, seller=2, deleted=0)),
    ),
    Step(
        "orders by those",
        7.1,
        (order(4, 7), line((4, 1), 7, 3, "33.33", promotion_id=1), line((4, 2), 7, 1, "50.00", promotion_id=2)),
        live=frozenset({4}),
    ),
    Step("more of an old detail", 7.2, (line((1, 1), 7, 30, "4.35", promotion_id=1),), live=frozenset({1, 4})),
    Step("an old order is deleted", 7.3, (order(2, 7, deleted=0),), live=frozenset({1, 2, 4})),
    Step("the only detail of one is", 7.4, (line((3, 2), 7, 7, deleted=0),), live=frozenset({1, 2, 3, 4})),
    Step("both are back", 7.5, (order(2, 8), line((3, 2), 8, 6, "10.50")), live=frozenset({1, 2, 3, 4})),
    Step("two changes in one transaction", 7.6, (line((3, 2), 8, 5, "10.50"),), live=frozenset({1, 2, 3, 4})),
    Step("… the second", 7.6, (line((3, 2), 8, 4, "10.50"),), live=frozenset({1, 2, 3, 4})),
    Step("another customer and payment", 7.7, (order(1, 8, customer=2, payment=2),), live=frozenset({1, 2, 3, 4})),
    Step("another day, by the terms of then", 7.8, (order(4, 8, created=4),), live=frozenset({1, 2, 3, 4})),
    Step(
        "nothing but new names",
        7.9,
        (put("categories", 1, 8, name="books"), put("sellers", 2, 7, name=None), product(2, 8, seller=2, name="lamp"),
         put("customers", 1, 8, first_name="Eve"), put("payments", 1, 8, name="cash", type=None)),
        live=frozenset({1, 2, 3, 4}),
    ),
    Step(
        "what nobody knows is sold",
        7.95,
        (order(5, 8, customer=9, payment=None), line((5, 3), 8, 2, "1000.00", promotion_id=9),
         product(4, 8, seller=None, category_id=9), line((5, 4), 8),
         product(5, 8, seller=1, created=6, deleted=0), line((5, 5), 8),
         product(6, 8, seller=1, deleted=0), line((5, 6), 8),
         put("customers", 3, 8, first_name="Gone", deleted=0), order(14, 8, customer=3), line((14, 1), 8)),
        live=frozenset({1, 2, 3, 4, 5, 14}),
    ),
    Step(
        "bad versions",
        7.96,
        (line((2, 1), 8, -5, "1.00"), line((13, 1), 8, 10**9, "9999999999999999.00"),
         put("promotions", 3, 8, coupon_type="Fixed Amount", price_treatment=Decimal("0.01"), promo_end=LATER),
         terms(0, 8, "Percentage", "50.00"), product(8, 8, seller=2, price=Decimal(-1)),
         line((14, 2), 8, promotion_id=0), order(15, 8, created=8), line((15, 8), 8, promotion_id=3)),
        live=frozenset({1, 2, 3, 4, 5, 13, 14, 15}),
    ),
    Step(UNREAD, 9.1, (order(6, 8), line((6, 1), 8),
         put("sellers", 2, 8, name="newest")), is_read=False,
         run=Run(2, 2), is_published=True),
    Step("the stream catches up", 9.1, live=frozenset({6})),
    Step("the good version", 9.3, (line((2, 1), 9, 5, "1.00"), line((13, 1), 9), order(13, 9, created=9)),
         is_anew=True, live=frozenset({2, 13})),
    Step("a commit a moment before", 12.2 - 59 * SECOND, (order(7, 10), line((7, 2), 10)),
         live=frozenset({2, 7, 13})),
    Step("… the run", 12.2, run=Run(2, 3), is_published=True, live=frozenset({7})),
    Step("late rows of a day that was run", 12.4, (order(8, 4), line((8, 1), 4, promotion_id=1)),
         live=frozenset({7, 8})),
    Step("… older than the first day", 12.5, (order(9, -2), line((9, 2), -2)), live=frozenset({7, 8, 9})),
    Step("a sale of the day after next", 16.1, (order(10, 16), line((10, 2), 16)), live=frozenset({7, 8, 9, 10})),
    Step("… and of tomorrow", 16.2, (order(11, 13), line((11, 1), 13), line((1, 2), 13, 2)),
         live=frozenset({1, 7, 8, 9, 10, 11})),
    Step("a run of that day first", 18.1, run=Run(5, 5), is_published=True, live=frozenset({1, 7, 8, 9, 11})),
    Step("a killed run", 18.2, run=Run(0, 4, registered=False), is_published=True, live=frozenset({1, 7, 8, 9, 11})),
    Step("rows vanish", 18.3, gone=(("orders", (10,)), ("orderdetails", (1, 2)), ("orderdetails", (4, 2))),
         live=frozenset({1, 4, 7, 8, 9, 10, 11})),
    Step("… for good", 18.4, run=Run(0, 4), is_published=True, live=frozenset({1, 4, 10})),
    Step("one comes back", 18.5, (order(10, 18),), is_published=True, live=frozenset({1, 4, 10})),
)  # fmt: skip


class LiveCompany(Company):
    """A company with a speed part; `known` is what either part has seen of the source."""

    def __init__(self, found: Settings, folder: Path, resources: ExitStack) -> None:
        super().__init__(found, folder, resources)
        self.client = resources.enter_context(clickhouse.connect(found))
        self.known: dict[str, list[Row]] = {name: [] for name in TABLES}
        self.is_level = False
        self.agreements: dict[str, Agreement | None] = {}

    def take(self, step: Step) -> None:
        now = START + SLOT * step.at
        self.put(0, step.puts)
        for table, key in step.gone:
            self.delete(table, key)
        if step.is_anew:
            live_copy.forget(self.client)
        if step.is_read:
            live_copy.copy(self.client, self.settings, now, now)
            catch_up(self.client)
        if step.run:
            self.run(step.run)
            if step.run.registered:
                days = Days(
                    *(START.date() + timedelta(days=n) for n in (step.run.first, step.run.last)), step.run.first == 0
                )
                for table in coverage.TABLES:
                    coverage.note(self.lake, table, days, now, "run")
                assert self.dbt("run", "--select", *MODELS, *QUICKLY)
        if step.is_published:
            self.publish(step.name)
        if step.is_read or step.is_published:
            self.learn(now)
        self.is_level = step.is_read

    def publish(self, occasion: str) -> Agreement | None:
        """Publish, and keep what was found of the live views before."""
        done = publish(self.settings, "run", self.client, self.lake, companion=LiveViews())
        self.agreements[occasion] = done.agreement
        return done.agreement

    def delete(self, table: str, key: tuple[int, ...]) -> None:
        """Delete a row of the source: as if it had never been."""
        names = TABLES[table].key
        self.source.execute(f"DELETE FROM {table} WHERE {' AND '.join(f'{name} = %s' for name in names)}", key)
        del self.held[table, key]
        self.known[table] = [row for row in self.known[table] if tuple(row[name] for name in names) != key]

    def learn(self, now: datetime) -> None:
        for (table, _), row in self.held.items():
            self.known[table].append(row | {"extracted_at": now})

    def rows_of(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query on ClickHouse."""
        return [tuple(row) for row in self.client.query(query).result_rows]

    def live_orders(self) -> set[int]:
        """The orders in the speed part."""
        publication = "(SELECT max(publication) FROM publications)"
        newest = f"(SELECT max(refresh) FROM speed_refreshes WHERE publication = {publication})"
        return {row[0] for row in self.rows_of(f"SELECT id FROM speed_changed WHERE refresh = {newest}")}

    def differences(self, live: frozenset[int]) -> list[str]:
        """Where a live view is not what the contract says of all that is known, or of the source: a line each."""
        found, warehouse = [], Warehouse(self.known)
        for name, rows in warehouse.views().items():
            found += compared(f"v_{name}", self.rows_of(f"SELECT * FROM v_{name}"), rows)
            columns, there = (
                [row[:2] for row in self.rows_of(f"DESCRIBE {view}")] for view in (f"v_{name}", f"v_{name}_batch")
            )
            found += [f"v_{name} is of {columns}, the batch view of {there}"] if columns != there else []
        found += compared("v_sales", self.rows_of("SELECT * FROM v_sales"), sales(warehouse, live))
        if self.is_comparable():
            days = "SELECT order_date, order_count, sales_quantity, sales_amount FROM v_sales_by_day"
            found += compared(
                "by the source, v_sales_by_day", self.rows_of(days), self.source.execute(BY_DAY).fetchall()
            )
            total = "SELECT total_sales_quantity, total_sales_amount FROM v_total_sales"
            found += compared(
                "by the source, v_total_sales", self.rows_of(total), self.source.execute(TOTAL).fetchall()
            )
        if (orders := self.live_orders()) != live:
            found.append(f"in the speed part are {sorted(orders)}, not {sorted(live)}")
        return found

    def is_comparable(self) -> bool:
        """Whether all of the source was read, and all of it is good."""
        quantities = [row["quantity"] for (table, _), row in self.held.items() if table == "orderdetails"]
        return self.is_level and min(quantities, default=0) >= 0


def sales(warehouse: Warehouse, live: frozenset[int]) -> list[tuple[Any, ...]]:
    """The rows of `v_sales`."""
    return [
        (
            fact["date"], fact["order"], fact["product_id"],
            *(warehouse.newest("products", fact["product_id"])[name] for name in ("category", "name")),
            *(seller := fact["members"]["sellers"]["id"], warehouse.newest("sellers", seller)["name"]),
            fact["members"]["customers"]["id"],
            *(payment := fact["members"]["payments"]["id"], warehouse.newest("payments", payment)["name"]),
            fact["quantity"], fact["amount"], fact["off"], fact["amount"] - fact["off"], fact["order"] in live,
        )
        for fact in warehouse.facts
    ]  # fmt: skip


def compared(view: str, rows: list[tuple[Any, ...]], expected: list[tuple[Any, ...]]) -> list[str]:
    here, there = Counter(rows), Counter(expected)
    surplus = [f"{view} has {count} too many of {row}" for row, count in (here - there).items()]
    return surplus + [f"{view} lacks {count} of {row}" for row, count in (there - here).items()]


@pytest.fixture(scope="module")
def company(stack: Settings) -> Iterator[LiveCompany]:
    with (
        TemporaryDirectory(prefix="rb-", dir="/tmp") as folder,
        pytest.MonkeyPatch.context() as patch,
        new_lake(stack, patch, Path(folder)) as found,
        ExitStack() as resources,
    ):
        yield LiveCompany(found, Path(folder), resources)


@pytest.fixture(scope="module")
def wrong(company: LiveCompany) -> list[str]:
    """What was wrong after any step of the history."""
    found = []
    for step in STEPS:
        company.take(step)
        if company.agreements:
            found += [f"{step.name}: {line}" for line in company.differences(step.live)]
    return found


def test_every_sale_is_counted_once_at_every_moment(wrong: list[str]) -> None:
    assert not wrong, "\n".join(wrong)


@pytest.mark.usefixtures("wrong")
def test_publications_agree_with_what_was_live(company: LiveCompany) -> None:
    first, *others = company.agreements.items()
    assert first == ("a publication without a sale", None)
    assert all(found is not None and not found.differences for _, found in others)
    reasons = {name: found.reason for name, found in others if found and found.reason}
    assert list(reasons) == [UNREAD]
    assert "not read as far" in reasons[UNREAD]


@pytest.mark.usefixtures("wrong")
def test_a_wrong_speed_part_is_told_by_day(company: LiveCompany) -> None:
    company.client.command(
        "INSERT INTO speed_sales SELECT max(refresh), 1, '2026-01-06', 999, 1, 1, 1, 1, 2, 7.50, 0.50 "
        "FROM speed_refreshes"
    )
    found = company.publish("a wrong part")
    assert found == Agreement((DayDifference(date(2026, 1, 6), -1, -2, Decimal("-7.50"), Decimal("-7.00")),))
    assert str(found.differences[0]) == "2026-01-06: -1 orders, -2 pieces, -7.50 sales, -7.00 profit"
    assert company.publish("a right part") == Agreement()


@pytest.mark.usefixtures("wrong")
def test_only_refreshes_that_a_reader_may_have_found_are_kept(
    company: LiveCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = f"SELECT partition FROM system.parts WHERE active AND table IN {speed.OF_A_REFRESH} GROUP BY partition"
    last = [refresh(company.client) for _ in range(4)]
    assert {(str(number),) for number in last} <= set(company.rows_of(parts))
    monkeypatch.setattr(speed, "KEPT", "INTERVAL 0 SECOND")
    publish(company.settings, "run", company.client, company.lake, companion=LiveViews(), retention=timedelta(0))
    newest = refresh(company.client)
    publications = company.rows_of("SELECT DISTINCT publication FROM publications")
    assert (str(newest),) in company.rows_of(parts)
    assert len(company.rows_of(parts)) == len(publications) == 2
    assert company.rows_of("SELECT uniqExact(publication) FROM speed_product_sales") == [(2,)]
    assert not company.differences(STEPS[-1].live)


@pytest.mark.usefixtures("wrong")
def test_a_mart_without_a_live_twin_is_served_and_leaves_the_others_alone(
    company: LiveCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = (*SERVED, Served("marts", "returns", "v_returns_batch"))
    monkeypatch.setattr(speed, "SERVED", served)
    company.lake.execute("CREATE TABLE lake.marts.returns AS SELECT 1 AS product_id, 2.50::DECIMAL(18, 2) AS amount")
    for amount in ("2.50", "3.75"):
        company.lake.execute("UPDATE lake.marts.returns SET amount = ?", [amount])
        done = publish(company.settings, "run", company.client, company.lake, served=served, companion=LiveViews())
        assert done.agreement == Agreement()
        assert company.rows_of("SELECT * FROM v_returns_batch") == [(1, Decimal(amount))]
        assert not company.differences(STEPS[-1].live)
    assert not compare(company.settings, company.client, company.lake, served=served)
    assert company.rows_of("EXISTS VIEW v_returns") == [(0,)]
    assert company.publish("without it again") == Agreement()
    assert company.rows_of("EXISTS VIEW v_returns_batch") == [(0,)]  # nobody would know that its rows are old
    assert not company.differences(STEPS[-1].live)


@pytest.mark.usefixtures("wrong")
def test_what_is_flushed_and_in_no_view_is_not_live(company: LiveCompany) -> None:
    def live_until() -> datetime:
        ((until,),) = company.rows_of("SELECT live_until FROM v_watermark")
        return until.replace(tzinfo=None)

    def flush(changes: int, hours: int) -> datetime:
        until = START + timedelta(days=60, hours=hours)
        company.client.command(
            f"INSERT INTO speed_flushes (flush, lsn, changes, live_until, lag_seconds, lag_bytes, position) SELECT "
            f"max(flush) + 1, 1, {changes}, toDateTime64('{until:%F %T}', 6, 'UTC'), 0, 0, '{live_copy.COPIED}' "
            "FROM speed_flushes"
        )
        return until

    catch_up(company.client)
    first = flush(changes=0, hours=1)
    assert live_until() == first
    flush(changes=3, hours=2)
    flush(changes=0, hours=3)
    assert live_until() == first
    catch_up(company.client)
    assert live_until() == START + timedelta(days=60, hours=3)


@pytest.mark.usefixtures("wrong")
def test_without_a_stream_the_live_views_are_the_batch_views(company: LiveCompany) -> None:
    live_copy.forget(company.client)
    found = company.publish("no stream")
    assert found is not None
    assert found.reason == "No stream has run."
    for name in VIEWS:
        batch = company.rows_of(f"SELECT * FROM v_{name}_batch")
        assert not compared(f"v_{name}", company.rows_of(f"SELECT * FROM v_{name}"), batch)
