"""What a build does when code or raw has changed, in part or not at all: one lake, and a dbt project that changes."""

import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from soak import only_soak

from rainbow_assets.errors import DataError, TransientError
from rainbow_assets.serving.lake import require_whole_build
from rainbow_assets.settings import PROJECT_DIR, Settings
from rainbow_assets.systems import ducklake
from rainbow_assets.transform import builds, dbt_failures, open_checks
from tests.integration.test_warehouse import order, row
from tests.integration.warehouse_driver import Lakehouse

pytestmark = pytest.mark.integration

BUILD = ("build", "--exclude-resource-type", "unit_test")
FACTS = {"fact_sales", "total_sales", "sales_by_day", "sales_by_day_of_week", "top_sellers", "customer_ranking",
         "top_products_by_category", "payment_methods", "assert_consistent_total_sales"}  # fmt: skip


class Project:
    """A copy of the dbt project, and its builds on one lake."""

    def __init__(self, lakehouse: Lakehouse) -> None:
        self.lakehouse = lakehouse
        self.number = 0
        self.source = lakehouse.folder / "source"
        shutil.copytree(PROJECT_DIR / "dbt_project", self.source, ignore=shutil.ignore_patterns("target", "logs"))

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.source / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def build(self, *arguments: str) -> bool:
        """Build with the project as it is now (the driver keeps what it parsed of a folder)."""
        self.number += 1
        self.lakehouse.project = self.lakehouse.folder / f"project{self.number}"
        shutil.copytree(self.source, self.lakehouse.project)
        return self.lakehouse.dbt(*BUILD, *arguments)

    def tables(self) -> dict[str, str]:
        """The tables of the lake: another uuid where one was made anew."""
        query = """
            SELECT t.table_name, t.table_uuid::VARCHAR FROM __ducklake_metadata_lake.ducklake_table AS t
            JOIN __ducklake_metadata_lake.ducklake_schema AS s USING (schema_id)
            WHERE t.end_snapshot IS NULL AND s.schema_name IN ('staging', 'warehouse')"""
        return dict(self.lakehouse.rows(query))

    def discounts(self) -> list[tuple[int, Decimal]]:
        return self.lakehouse.rows(
            "SELECT order_transaction, discount_unit_price FROM lake.warehouse.fact_sales ORDER BY ALL"
        )

    def left_out(self) -> set[str] | None:
        """What the newest build left out; None where it was whole."""
        rows = self.lakehouse.rows("SELECT left_out FROM lake.ops.unfinished_builds ORDER BY begun_at DESC LIMIT 1")
        return set(builds.names(rows[0][0] or [])) if rows else None

    def refused(self) -> str:
        """Why nothing may be published; "" where it may."""
        with ducklake.connect(self.lakehouse.settings) as lake:
            try:
                open_checks.require_none(lake, self.lakehouse.settings)
                require_whole_build(lake)
            except DataError as error:
                return str(error)
        return ""


@pytest.fixture(scope="module")
def project(shared_settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    lakehouse = Lakehouse(shared_settings, Path(tmp_path_factory.mktemp("builds")))
    lakehouse.create_raw()
    lakehouse.add("promotions", row("2026-01-01", id=1, coupon_type="Percentage", price_treatment=Decimal(10)))
    order(lakehouse, 1, "2026-01-03", promotion_id=1)
    project = Project(lakehouse)
    assert project.build()
    return project


def test_what_other_code_makes_is_built_anew_and_only_that(project: Project) -> None:
    before = project.tables()
    # A new build of old code, to the letter; then a macro, a comment elsewhere, a description and a new column.
    project.edit("macros/discount.sql", "cast(0.01 as decimal(2, 2))", "cast(0.02 as decimal(3, 2))")
    project.edit("models/warehouse/dim_customers.sql", "{{ config(", "{# a note #}\n\n{{ config(")
    project.edit("models/warehouse/dim_sellers.yml", "Grain: one row", "Truly: one row")
    project.edit("models/warehouse/dim_dates.sql", "as day_of_year,", "as day_of_year, 7 as lucky,")
    project.edit(
        "models/warehouse/dim_dates.yml",
        "      - name: day_of_year",
        "      - name: lucky\n        data_type: integer\n        description: Lucky.\n      - name: day_of_year",
    )
    project.edit("models/staging/stg_inventories.sql", "'bigint'", "'integer'")  # a leaf of staging
    order(project.lakehouse, 2, "2026-01-04", promotion_id=1)
    assert project.build()
    assert project.discounts() == [(1, Decimal("2.00")), (2, Decimal("2.00"))]
    after = project.tables()
    anew = {name for name in after if after[name] != before[name]}
    assert anew == {"fact_sales", "dim_dates", "stg_inventories"}
    assert (project.left_out(), project.refused()) == (None, "")


@only_soak
def test_a_build_of_other_code_that_failed_leaves_no_trace(project: Project) -> None:
    """The code goes back to what the last whole build had: the tables that the failed one made are built anew."""
    project.edit("macros/discount.sql", "cast(0.02 as decimal(3, 2))", "cast(0.03 as decimal(3, 2))")
    away = "(from read_parquet('http://127.0.0.1:9/away.parquet')) as away,"
    project.edit("models/marts/total_sales.sql", "select", f"select {away}")
    assert not project.build()
    error = dbt_failures.failure(project.lakehouse.folder / "target", "")
    assert isinstance(error, TransientError)
    assert str(error).startswith("dbt broke off: model total_sales: ")
    assert "127.0.0.1:9" in str(error)
    assert project.discounts()[0] == (1, Decimal("3.00"))
    assert "in the middle of a build" in project.refused()
    project.edit("macros/discount.sql", "cast(0.03 as decimal(3, 2))", "cast(0.02 as decimal(3, 2))")
    project.edit("models/marts/total_sales.sql", f"select {away}", "select")
    assert project.build()
    assert project.discounts()[0] == (1, Decimal("2.00"))
    assert project.refused() == ""


@only_soak
def test_a_test_that_fails_holds_back_until_it_passes_also_one_of_a_last_table(project: Project) -> None:
    test = project.source / "tests" / "assert_lucky.sql"
    test.write_text("select 1 as a from {{ ref('total_sales') }}")
    assert not project.build()
    assert "marts/total_sales: assert_lucky (1 rows)" in project.refused()
    test.write_text("select 1 as a from {{ ref('total_sales') }} where false")
    assert project.build()
    assert project.refused() == ""


@only_soak
@pytest.mark.parametrize(
    ("selection", "left"),
    [
        (("stg_orders+",), set()),  # all that the news touches
        (("fact_sales", "total_sales"), {"stg_orders", "sales_by_day"}),
    ],
)
def test_a_build_of_a_part_is_whole_when_nothing_with_news_is_left_out(
    project: Project, selection: tuple[str, ...], left: set[str]
) -> None:
    number = 10 + len(left)
    detail = {"promotion_id": None, "quantity": 1, "price": Decimal("10.00")}
    project.lakehouse.add("orders", row("2026-01-05", id=number))
    assert project.build("--select", *selection)
    if not left:
        assert (project.left_out(), project.refused()) == (None, "")
        project.lakehouse.add("orderdetails", row("2026-01-05", id=number, product_id=1, **detail))
        assert project.build()
        return
    assert project.left_out() is not None
    assert (project.left_out() or set()) >= left
    assert "the build left out what has to be built, too" in project.refused()
    # The rest of the same window makes it whole; the facts, built before their staging, are done again.
    assert project.build("--select", "stg_orders", "batch_coverage", "quarantine")
    assert "fact_sales" in (project.left_out() or set())
    assert project.build("--select", "stg_orders+")
    assert (project.left_out(), project.refused()) == (None, "")


def test_a_build_of_a_part_without_news_changes_nothing_and_is_whole(project: Project) -> None:
    query = "SELECT build_id, from_snapshot, to_snapshot, code FROM lake.ops.last_build"
    before = project.lakehouse.rows(query)
    assert project.build("--select", "total_sales")
    assert project.lakehouse.rows(query) == before
    assert (project.left_out(), project.refused()) == (None, "")


@only_soak
def test_what_was_refused_or_made_by_unknown_code_is_all_built_anew(project: Project) -> None:
    """So it is after the audit's refusal, after a repair that took rows from raw, and on an older lake."""
    with ducklake.connect(project.lakehouse.settings) as lake:
        lake.execute("DELETE FROM lake.raw.orders WHERE id = 1")
        with ducklake.transaction(lake, "refuse", "test"):
            builds.refuse(lake, "test")
    assert "in the middle of a build" in project.refused()
    before = project.tables()
    assert project.build()
    after = project.tables()
    assert {name for name in after if after[name] == before[name]} == set()
    assert 1 not in {number for number, _ in project.discounts()}
    assert project.refused() == ""


def test_the_orders_that_a_build_touches_are_compared_with_raw(fresh_settings: Settings, tmp_path: Path) -> None:
    """A project that loses the sales of order 7, or counts those of order 8 twice: the build that meets them fails."""
    lakehouse = Lakehouse(fresh_settings, tmp_path)
    lakehouse.create_raw()
    project = Project(lakehouse)
    lines = "where orders.deleted_at is null and details.deleted_at is null"
    project.edit("models/warehouse/fact_sales.sql", lines, f"{lines} and orders.order_id <> 7")
    project.edit("models/warehouse/fact_sales.sql", "quantity as sales", "if(order_id = 8, 2, 1) * quantity as sales")
    order(lakehouse, 1, "2026-01-03")
    order(lakehouse, 2, "2026-01-03", product=2)
    assert project.build()
    order(lakehouse, 1, "2026-01-03", product=2)  # beside what staging has of it already
    lakehouse.add("orders", row("2026-01-03", "2026-01-04", "2026-01-04", id=2))
    assert project.build()
    order(lakehouse, 7, "2026-01-05")
    order(lakehouse, 8, "2026-01-05")
    assert not project.build()
    results = json.loads((lakehouse.folder / "target" / "run_results.json").read_text())["results"]
    [failed] = [result for result in results if result["status"] == "fail"]
    compiled = next((lakehouse.folder / "target" / "compiled").rglob("assert_consistent_total_sales.sql")).read_text()
    assert (failed["unique_id"].split(".")[2], failed["failures"]) == ("assert_consistent_total_sales", 2)
    assert "ducklake_table_insertions('lake', 'raw', 'orderdetails'" in compiled  # the window's files alone
