"""The promises of the graph: what it holds, and that nothing in it is anonymous or unguarded."""

import ast

import dagster as dg
import pytest
import yaml

from rainbow_assets.definitions import defs
from rainbow_assets.defs.automation.days import PARTITIONED
from rainbow_assets.defs.automation.jobs import CODE_VERSION, RECONCILIATION, default_status
from rainbow_assets.defs.automation.runs import BEGAN, PROCESS
from rainbow_assets.defs.partitions import DAILY, daily_partitions
from rainbow_assets.defs.transform.project import DBT_DIR, dbt_tests
from rainbow_assets.serving.tables import SERVED
from rainbow_assets.settings import PROJECT_DIR, Settings
from rainbow_assets.tables import TABLES
from rainbow_assets.transform.quality import STAGED
from rainbow_assets.ui.documents import PLACE, answer

GRAPH = defs.resolve_asset_graph()
MADE = sorted(GRAPH.materializable_asset_keys, key=lambda key: key.path)
LAYERS = ("source", "landing", "raw", "staging", "warehouse", "marts", "ops", "serving")
MARTS = {
    "total_sales",
    "sales_by_day",
    "sales_by_day_of_week",
    "top_sellers",
    "top_products_by_category",
    "payment_methods",
    "customer_ranking",
}
STAR = {"fact_sales"} | {
    f"dim_{name}" for name in ("dates", "customers", "products", "sellers", "promotions", "payments")
}


def names(layer: str) -> set[str]:
    return {key.path[1] for key in GRAPH.get_all_asset_keys() if key.path[0] == layer}


def test_every_source_table_is_in_source_landing_and_raw():
    for layer in ("source", "landing", "raw"):
        assert names(layer) == set(TABLES)


def test_source_tables_are_described_though_others_write_them():
    for name in TABLES:
        node = GRAPH.get(dg.AssetKey(["source", name]))
        assert node.is_external
        assert (node.group_name, node.kinds) == ("source", {"postgres"})
        assert node.owners
        assert node.description


def test_staging_has_every_table_under_its_name():
    staged = {f"stg_{'order_details' if name == 'orderdetails' else name}" for name in TABLES}
    assert staged <= names("staging")


def test_warehouse_marts_and_serving_have_what_the_contract_names():
    assert names("warehouse") >= STAR
    assert names("marts") >= MARTS
    assert names("warehouse") | names("marts") >= names("serving") >= STAR | MARTS


def test_served_views_have_the_names_of_the_contract():
    views = {item.name: item.view for item in SERVED}
    assert views.keys() >= MARTS | STAR
    assert views == {name: f"v_{name}_batch" if name in names("marts") else name for name in views}


@pytest.mark.parametrize("key", MADE, ids=lambda key: key.to_user_string())
def test_every_asset_has_a_layer_an_owner_kinds_a_description_and_a_check(key):
    node = GRAPH.get(key)
    assert key.path[0] in LAYERS
    assert node.group_name == key.path[0]
    assert node.owners
    assert node.kinds
    assert node.description
    assert GRAPH.get_check_keys_for_assets({key}), "no check guards it"


@pytest.mark.parametrize("key", [key for key in MADE if key != RECONCILIATION], ids=lambda key: key.to_user_string())
def test_every_asset_should_be_fresh_by_three_every_night(key):
    policy = GRAPH.get(key).freshness_policy
    assert isinstance(policy, dg.FreshnessPolicy)
    assert policy.deadline_cron == "0 3 * * *"


def test_every_check_has_a_section_that_says_what_to_do():
    headings = {
        line.strip("# `")
        for line in (PROJECT_DIR / "docs" / "data-quality.md").read_text().splitlines()
        if "##" in line
    }
    links = [GRAPH.get_check_spec(key).metadata["what_to_do"] for key in GRAPH.asset_check_keys]
    own = {link.url.partition("#")[2] for link in links}
    tests = {test.section for test in dbt_tests().values()}
    assert len(own | tests) > 20
    assert own | tests <= headings


@pytest.mark.parametrize("key", sorted(GRAPH.asset_check_keys, key=str), ids=str)
def test_every_check_says_what_it_checks_and_links_to_what_to_do(key):
    spec = GRAPH.get_check_spec(key)
    assert len(spec.description or "") > 20
    link = spec.metadata["what_to_do"]
    assert isinstance(link, dg.UrlMetadataValue)
    place, _, section = link.url.partition("#")
    assert place.startswith(PLACE)
    page = answer(place.removeprefix(PLACE))
    assert page.status_code == 200
    assert f'id="{section}"' in page.body.decode()


def test_what_runs_are_tagged_with_does_not_fill_the_runs_page():
    assert set(defs.resolve_job_def("batch_job").run_tags) == {CODE_VERSION}
    assert all(tag.startswith(".dagster/") for tag in (CODE_VERSION, BEGAN, PROCESS))


def test_lineage_runs_in_one_direction():
    order = {layer: place for place, layer in enumerate(LAYERS)} | {"ops": LAYERS.index("staging")}
    for key in MADE:
        for parent in GRAPH.get(key).parent_keys:
            assert order[parent.path[0]] <= order[key.path[0]], f"{parent} is behind {key}"


def test_batch_job_holds_every_asset():
    assert set(defs.resolve_job_def("batch_job").asset_layer.executable_asset_keys) == set(MADE) - {RECONCILIATION}


def test_reconcile_job_holds_what_follows_from_its_news():
    job = defs.resolve_job_def("reconcile_job")
    keys = set(job.asset_layer.executable_asset_keys)
    assert RECONCILIATION in keys
    assert {key.path[0] for key in keys} == {"ops", "staging", "warehouse", "marts", "serving"}
    assert keys >= {key for key in MADE if key.path[0] in {"staging", "warehouse", "marts", "serving"}}
    steps = defs.resolve_job_def("reconcile_job").graph.dependencies
    assert {node.name for node in steps} >= {"ops__reconciliation", "transform", "serving"}
    schedule = defs.resolve_schedule_def("weekly_reconcile_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone, schedule.job_name) == (
        "0 4 * * 0",
        "UTC",
        "reconcile_job",
    )


@pytest.mark.parametrize(
    ("url", "has_data", "on"),
    [
        ("postgresql://u:p@127.0.0.1:5499/rainbow", True, True),
        ("postgresql://u:p@127.0.0.1:5499/rainbow", False, False),
        ("postgresql://u:p@127.0.0.1:5432/rainbow", True, False),
        ("postgresql://u:p@db.example:5499/rainbow", True, False),
        (None, True, False),
    ],
)
def test_schedules_are_on_from_the_start_on_the_embedded_stack_alone(monkeypatch, tmp_path, url, has_data, on):
    monkeypatch.setenv("RAINBOW_HOME", str(tmp_path))
    monkeypatch.setenv("RAINBOW_PG_PORT", "5499")
    if url:
        monkeypatch.setenv("RAINBOW_SOURCE_URL", url)
    else:
        monkeypatch.delenv("RAINBOW_SOURCE_URL", raising=False)
    if has_data:
        (tmp_path / "postgres").mkdir()
    expected = dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED
    assert default_status() == expected


def test_the_schedule_runs_the_day_before_at_midnight_utc():
    schedule = defs.resolve_schedule_def("daily_batch_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone or "UTC") == ("0 0 * * *", "UTC")
    assert schedule.job_name == "batch_job"


def test_every_sensor_runs_from_the_start():
    sensors = {sensor.name: sensor.default_status for sensor in defs.sensors}
    assert set(sensors) == {"alerts", "records_sensor"}
    assert set(sensors.values()) == {dg.DefaultSensorStatus.RUNNING}
    assert defs.resolve_sensor_def("alerts").minimum_interval_seconds == 30


def test_the_alerts_know_what_is_partitioned():
    assert set(PARTITIONED) == {key for key in MADE if GRAPH.get(key).partitions_def}


def test_maintenance_is_daily_after_the_run():
    schedule = defs.resolve_schedule_def("daily_maintenance_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone or "UTC") == ("0 3 * * *", "UTC")
    assert schedule.job_name == "maintenance_job"


def test_landing_and_raw_are_daily_and_take_a_range_in_one_run():
    for key in MADE:
        node = GRAPH.get(key)
        if key.path[0] in {"landing", "raw"}:
            assert node.partitions_def == DAILY
            assert node.backfill_policy == dg.BackfillPolicy.single_run()
        else:
            assert node.partitions_def is None


def test_partitions_reach_from_the_first_to_the_last_day_of_the_settings(monkeypatch):
    monkeypatch.setenv("RAINBOW_START_DATE", "2016-09-04")
    monkeypatch.setenv("RAINBOW_END_DATE", "2018-10-17")
    keys = daily_partitions(Settings.load()).get_partition_keys()
    assert (keys[0], keys[-1], len(keys)) == ("2016-09-04", "2018-10-17", 774)


def test_the_registry_and_the_dbt_sources_agree():
    sources = yaml.safe_load((DBT_DIR / "models" / "sources.yml").read_text())["sources"]
    assert {table["name"] for source in sources for table in source["tables"]} == set(TABLES)


def test_the_registry_and_the_rules_for_bad_and_doubtful_rows_agree():
    text = (DBT_DIR / "macros" / "quality.sql").read_text()
    staged = ast.literal_eval(text.split("macro staged_tables() %}")[1].split("return(")[1].split(") }}")[0])
    assert {name: tuple(found["columns"]) for name, found in staged.items()} == {
        name: tuple(table.own_columns) for name, table in TABLES.items()
    }
    assert {name: tuple(found.get("money", ())) for name, found in staged.items()} == {
        name: table.money for name, table in TABLES.items()
    }
    assert {name: tuple(found["key"].values()) for name, found in staged.items()} == {
        name: table.key for name, table in TABLES.items()
    }
    assert {found["staging"]: tuple(found["key"]) for found in staged.values()} == {
        name: rules.key for name, rules in STAGED.items()
    }
