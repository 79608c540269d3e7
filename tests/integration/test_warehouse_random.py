"""The rule above all others: the warehouse is a pure function of the rows in raw, whatever the order of the builds."""

from pathlib import Path
from random import Random

import pytest

from rainbow_assets.settings import Settings
from tests.integration.warehouse_driver import ENTITIES, VIEWS, Lakehouse
from tests.integration.warehouse_histories import history
from tests.integration.warehouse_reference import Warehouse

pytestmark = pytest.mark.integration

# Builds of some models only leave the window open: the next whole one has to make good for them.
PARTS = (["--select", "staging"], ["--exclude", "marts"], ["--exclude", "stg_products", "dim_customers"])


def sorted_rows(rows):
    return sorted(rows, key=repr)


def agrees_with_the_contract(lakehouse: Lakehouse) -> None:
    expected = Warehouse(lakehouse.raw)
    for table in ENTITIES:
        assert sorted_rows(lakehouse.dimension(table)) == sorted_rows(expected.dimension(table)), table
    assert sorted_rows(lakehouse.fact_rows()) == sorted_rows(expected.fact_rows())
    days = [day for (day,) in lakehouse.rows("SELECT date FROM lake.warehouse.dim_dates ORDER BY date")]
    assert days == expected.dates()
    views = expected.views()
    for view in VIEWS:
        assert sorted_rows(lakehouse.rows(f"FROM lake.marts.{view}")) == sorted_rows(views[view]), view


@pytest.mark.parametrize("seed", range(2))
def test_any_order_of_rows_and_builds_gives_the_rows_of_a_full_refresh(
    fresh_settings: Settings, tmp_path: Path, seed: int
) -> None:
    lakehouse, random = Lakehouse(fresh_settings, tmp_path), Random(seed)  # noqa: S311 - to be repeated
    rows = history(seed)
    # most orders come first: what arrives later meets facts that are built already
    rows.sort(key=lambda found: not (found[0].startswith("order") and random.random() < 0.8))
    cuts = [0, len(rows) // 2, *sorted(random.sample(range(len(rows) // 2, len(rows)), 4)), len(rows)]
    whole = [True, False, True, False, True]
    for begin, end, is_whole in zip(cuts, cuts[1:], whole, strict=False):
        lakehouse.add_all(rows[begin:end])
        assert lakehouse.dbt("run", *([] if is_whole else random.choice(PARTS)))
        if is_whole:
            agrees_with_the_contract(lakehouse)
    incremental = lakehouse.tables()
    assert lakehouse.dbt("run", "--full-refresh")
    assert lakehouse.tables() == incremental
