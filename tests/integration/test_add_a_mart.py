"""A mart that somebody adds as the documentation says, without a live twin: it comes, changes and goes.

The code with the mart is a copy of the project in processes of its own; this one has the code without, and with it what
a stream that was started before does meanwhile.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from soak import only_soak

from rainbow_assets.serving.publish import publish
from rainbow_assets.settings import PROJECT_DIR, Settings
from rainbow_assets.speed.companion import LiveViews
from rainbow_assets.speed.views.define import LIVE
from rainbow_assets.speed.views.refresh import catch_up
from rainbow_assets.systems import clickhouse
from tests.integration import live_copy
from tests.integration.shop_histories import START, Run
from tests.integration.test_any_order import QUICKLY, Company, company_of
from tests.integration.test_live_views import STOCK, line, order

pytestmark = pytest.mark.integration

MODEL = """
select
    dim.promotion_id,
    {{ sales_measures() }}
from {{ ref('fact_sales') }} as facts
inner join {{ ref('dim_promotions') }} as dim on facts.promotion_key = dim.promotion_key
group by dim.promotion_id
"""
DESCRIPTION = """
models:
  - name: sales_by_promotion
    description: "Grain: one row for each promotion with a sale."
    columns:
      - {name: promotion_id, data_type: bigint, description: The promotion.}
      - {name: sales_quantity, data_type: bigint, description: Pieces sold.}
      - {name: sales_amount, data_type: "decimal(38,2)", description: Sales before discounts.}
      - {name: profit, data_type: "decimal(38,2)", description: Sales less discounts.}
"""
ADDED = {  # CONTRIBUTING.md, "Add a mart": what is put in the place of what
    "dbt_project/models/marts/sales_by_promotion.sql": ("", MODEL),
    "dbt_project/models/marts/sales_by_promotion.yml": ("", DESCRIPTION),
    "rainbow_assets/transform/audit.py": ("KEYS = {", 'KEYS = {"marts.sales_by_promotion": ("promotion_id",),'),
    "rainbow_assets/serving/tables.py": ("MARTS = (", 'MARTS = ("sales_by_promotion",'),
}
PUBLISH = """
from rainbow_assets.serving.compare import compare
from rainbow_assets.serving.publish import publish
from rainbow_assets.settings import Settings
from rainbow_assets.speed.companion import LiveViews
from rainbow_assets.systems import clickhouse, ducklake
from rainbow_assets.transform import audit

settings = Settings.load()
with ducklake.connect(settings) as lake, clickhouse.connect(settings) as client:
    found = audit.everything(lake)
    assert found["marts.sales_by_promotion: keys_are_valid"].passed and all(one.passed for one in found.values())
    done = publish(settings, "run", client, lake, companion=LiveViews())
    assert "sales_by_promotion" in [table.name for table in done.tables]
    assert compare(settings, client, lake) == []
"""
MART, VIEW = "lake.marts.sales_by_promotion", "v_sales_by_promotion_batch"


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the mart."""
    folder = tmp_path_factory.mktemp("extended")
    for part in ("rainbow_assets", "dbt_project"):
        shutil.copytree(PROJECT_DIR / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "target"))
    for name, (old, new) in ADDED.items():
        file = folder / name
        text = file.read_text() if old else ""
        assert text.count(old) == 1
        file.write_text(text.replace(old, new))
    return folder


@pytest.fixture
def company(stack: Settings, extended: Path) -> Iterator[Company]:
    with company_of(stack) as company:
        company.project = extended / "dbt_project"
        company.put(0, STOCK)
        yield company


def build(company: Company, run: Run) -> None:
    company.run(run)
    assert company.dbt("run", *QUICKLY)


def publish_with_the_mart(code: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PUBLISH], cwd=code, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def stream(company: Company, day: int) -> None:
    with clickhouse.connect(company.settings, 60) as client:
        now = START + timedelta(days=day)
        live_copy.copy(client, company.settings, now, now)
        catch_up(client)


def rows(company: Company, *views: str) -> list[list[tuple[Any, ...]]]:
    with clickhouse.connect(company.settings, 60) as client:
        return [sorted(map(tuple, client.query(f"SELECT * FROM {view}").result_rows), key=repr) for view in views]


def views(company: Company) -> set[tuple[Any, ...]]:
    [found] = rows(company, "(SELECT name FROM system.tables WHERE engine = 'View' AND database = 'rainbow')")
    return set(found)


def live(company: Company) -> dict[str, list[tuple[Any, ...]]]:
    return dict(zip(LIVE, rows(company, *(f"v_{name}" for name in LIVE)), strict=True))


@only_soak
def test_a_mart_without_a_live_twin_comes_changes_and_goes(company: Company, extended: Path) -> None:
    company.put(0, (order(1, 1), line((1, 1), 1, promotion_id=1)))
    build(company, Run(0, 0))
    with clickhouse.connect(company.settings) as client:
        publish(company.settings, "run", client, company.lake, companion=LiveViews())
        client.command("CREATE VIEW of_somebody_else AS SELECT 1")
    stream(company, 1)
    company.put(0, (order(2, 4), line((2, 1), 4, 5, promotion_id=1), line((2, 2), 4)))
    stream(company, 2)
    there, shown = views(company), live(company)
    assert [shown["total_sales"]] != rows(company, "v_total_sales_batch"), "a sale is live"

    publish_with_the_mart(extended)
    assert views(company) == there | {(VIEW,)}
    [first] = rows(company, VIEW)
    assert first == sorted(company.rows(f"FROM {MART}"), key=repr) != []
    stream(company, 3)
    assert live(company) == shown

    build(company, Run(1, 1))
    publish_with_the_mart(extended)
    second, total = rows(company, VIEW, "v_total_sales_batch")
    assert first != second == sorted(company.rows(f"FROM {MART}"), key=repr)
    assert total == shown["total_sales"]
    stream(company, 4)
    assert live(company) == shown

    publish(company.settings, "run", companion=LiveViews())
    assert views(company) == there
    stream(company, 5)
    assert live(company) == shown
