"""dbt's own unit tests of the models: each is a test here, under its name."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from rainbow_assets.defs.transform.project import DBT_DIR
from rainbow_assets.settings import Settings
from tests.integration.warehouse_driver import Lakehouse

pytestmark = pytest.mark.integration

NAMES = sorted(
    f"{test['model']}.{test['name']}"
    for file in (DBT_DIR / "models").rglob("*.yml")
    for test in yaml.safe_load(file.read_text()).get("unit_tests", ())
)


@pytest.fixture(scope="module")
def lakehouse(shared_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    """The tables that the models read: dbt takes the types of the given rows from them."""
    lakehouse = Lakehouse(shared_settings, tmp_path_factory.mktemp("units"))
    lakehouse.create_raw()
    assert lakehouse.dbt("run")
    return lakehouse


def outcomes(lakehouse: Lakehouse) -> dict[str, str]:
    """What became of each unit test, by its model and name: "pass", or what dbt says of it."""
    lakehouse.dbt("test", "--select", "test_type:unit")
    results = json.loads((lakehouse.folder / "target" / "run_results.json").read_text())["results"]
    tests = [one for one in results if one["unique_id"].startswith("unit_test.")]
    return {one["unique_id"].split(".", 2)[2]: str(one["message"] or one["status"]) for one in tests}


@pytest.fixture(scope="module")
def found(lakehouse: Lakehouse) -> dict[str, str]:
    return outcomes(lakehouse)


def test_all_of_them_are_run(found: dict[str, str]) -> None:
    assert NAMES
    assert sorted(found) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_test_of_dbt(found: dict[str, str], name: str) -> None:
    assert found[name] == "pass"


@pytest.fixture
def altered(lakehouse: Lakehouse, tmp_path: Path) -> Iterator[Path]:
    """A copy of the project for a model of other code."""
    before = lakehouse.project
    lakehouse.project = tmp_path / "dbt_project"
    shutil.copytree(DBT_DIR, lakehouse.project, ignore=shutil.ignore_patterns("target", "logs"))
    yield lakehouse.project
    lakehouse.project = before


def test_a_wrong_model_fails_them(lakehouse: Lakehouse, altered: Path) -> None:
    macro = altered / "macros" / "scd2.sql"
    macro.write_text(macro.read_text().replace("timestamp '2100-01-01'", "timestamp '2099-12-31'"))
    told = outcomes(lakehouse)["dim_customers.a_version_lasts_until_the_next_one_or_its_own_delete"]
    assert "differs from" in told
    assert "2099-12-31" in told
