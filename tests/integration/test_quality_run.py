"""The checks of a whole run, as Dagster records them: silent on a clean shop, told with samples on a bad day."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from rainbow_assets.definitions import defs
from rainbow_assets.defs.conventions import NOTHING_NEW
from rainbow_assets.ops import doctor
from rainbow_assets.serving.publish import current
from rainbow_assets.settings import Settings
from rainbow_assets.systems import clickhouse, ducklake, postgres
from tests.integration.test_batch import rainbow

pytestmark = pytest.mark.integration

MADE = set(defs.resolve_job_def("batch_job").asset_layer.executable_asset_keys)

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
FIRST, BAD = YESTERDAY - timedelta(days=4), YESTERDAY - timedelta(days=3)


def evaluations() -> list[dg.AssetCheckEvaluation]:
    """What the newest run says of its checks."""
    with dg.DagsterInstance.get() as instance:
        [run] = instance.get_runs(limit=1)
        entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return [entry.dagster_event.asset_check_evaluation_data for entry in entries]


def failed(found: list[dg.AssetCheckEvaluation]) -> dict[str, list[str]]:
    """The names of the failed checks, each with its assets."""
    names: dict[str, list[str]] = {}
    for check in found:
        if not check.passed:
            names.setdefault(check.check_name, []).append(check.asset_key.to_user_string())
    return {name: sorted(assets) for name, assets in names.items()}


def state(settings: Settings) -> tuple[list[tuple[object, ...]], int]:
    """The files of every table behind raw, and the publication."""
    with ducklake.connect(settings) as lake:
        files = lake.execute(
            """
            SELECT s.schema_name, t.table_name, f.path FROM __ducklake_metadata_lake.ducklake_data_file AS f
            JOIN __ducklake_metadata_lake.ducklake_table AS t USING (table_id)
            JOIN __ducklake_metadata_lake.ducklake_schema AS s USING (schema_id)
            WHERE f.end_snapshot IS NULL AND t.end_snapshot IS NULL
                AND (s.schema_name IN ('staging', 'warehouse', 'marts') OR t.table_name IN ('quarantine', 'coverage'))
            ORDER BY ALL"""
        ).fetchall()
    with clickhouse.connect(settings) as client:
        shown = current(client)
    assert shown
    return files, shown.id


def test_a_clean_shop_is_silent_and_a_bad_day_is_told_with_samples(fresh_settings, monkeypatch):
    rainbow("seed", "--days", "5", "--orders-per-day", "60")
    done = rainbow("run", "--from", str(FIRST), "--to", str(YESTERDAY))
    assert "Warning" not in done.stderr
    clean = evaluations()
    assert failed(clean) == {}
    assert all(check.metadata["what_to_do"].url.startswith("/rainbow/docs/data-quality#") for check in clean)

    # Nothing new: nothing is built, audited or published, and no check claims to have passed that looked at nothing.
    before = state(fresh_settings)
    done = rainbow("run", str(YESTERDAY))
    assert "tables without news left as they were" in done.stdout
    assert state(fresh_settings) == before
    assert {check.asset_key.path[0] for check in evaluations()} == {"landing", "raw", "ops"}
    with dg.DagsterInstance.get() as instance:
        [record] = instance.get_run_records(limit=1)
        made = [
            entry.asset_materialization
            for entry in instance.all_logs(record.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        ]
    assert {one.asset_key for one in made} == MADE
    assert {one.asset_key.path[0] for one in made if NOTHING_NEW not in one.metadata} == {"landing", "raw"}
    with ducklake.connect(fresh_settings) as lake:  # from the command's start, not from when Dagster was loaded
        query = "SELECT max(started_at) < to_timestamp(?)::TIMESTAMP - INTERVAL 1 SECOND FROM lake.ops.runs"
        assert lake.execute(query, [record.start_time]).fetchall() == [(True,)]

    # A part of the tables, checks alone, and a table with all that it stands on, of a lake without news.
    total, orders = dg.AssetKey(["marts", "total_sales"]), dg.AssetKey(["staging", "stg_orders"])
    every = defs.resolve_implicit_global_asset_job_def()
    graph = defs.resolve_asset_graph()
    behind = dg.AssetSelection.assets(total).upstream().materializable().resolve(graph)
    checks = {key for key in graph.asset_check_keys if key.asset_key == orders and "raw_version" in key.name}
    for assets, asked in (({total}, None), (set(), checks), (behind, None)):
        with dg.DagsterInstance.get() as instance:
            done = every.get_subset(asset_selection=assets, asset_check_selection=asked).execute_in_process(
                instance=instance, partition_key=str(YESTERDAY) if assets == behind else None
            )
        assert {event.asset_key for event in done.get_asset_materialization_events()} == assets
        found = {check.asset_check_key: check.passed for check in done.get_asset_check_evaluations()}
        assert asked is None or found == dict.fromkeys(asked, True)

    with postgres.connect(fresh_settings.secret("source_url"), "test") as source:
        for statement in (
            "ALTER TABLE brands ADD COLUMN country text",
            f"INSERT INTO orders (id, customer_id, created_at, updated_at) VALUES (900001, 900002, '{BAD}', '{BAD}')",
            "INSERT INTO promotions (id, name, coupon_type, price_treatment, created_at, updated_at) "
            f"VALUES (900, 'gift', 'Percentage', -5, '{BAD}', '{BAD}')",
            f"INSERT INTO orderdetails VALUES (900001, 1, 1, 5, 900, '{BAD}', '{BAD}')",
            f"INSERT INTO orderdetails VALUES (900001, 2, -1, 5, NULL, '{BAD}', '{BAD}')",
            "UPDATE customers SET updated_at = 'infinity' WHERE id = 1",
            "SELECT setval(pg_get_serial_sequence('orders', 'id'), 999999)",  # or the doctor finds it behind
        ):
            source.execute(statement)
    done = rainbow("run", str(BAD))
    found = evaluations()
    late = ["landing/orderdetails", "landing/orders"]
    assert {name: assets for name, assets in failed(found).items() if name != "no_rows_come_late"} == {
        "columns_are_known": ["landing/brands"],
        "discounts_are_not_clamped": ["warehouse/fact_sales"],
        "no_rows_are_open": ["ops/quarantine"],
        "no_rows_lie_ahead": ["landing/customers"],
        "parents_exist": ["staging/stg_orders"],
        "rows_arrive_in_time": [*late, "landing/promotions"],
        "values_are_plausible": ["staging/stg_promotions"],
        "values_are_present": ["staging/stg_orders"],
    }
    assert set(failed(found)["no_rows_come_late"]) >= set(late)
    for check in found:
        if not check.passed:
            assert check.severity == dg.AssetCheckSeverity.WARN
            assert check.description
            assert check.metadata.get("sample", check.metadata.get("unknown_columns")).value, check.check_name
    assert "Warning: staging/stg_orders: parents_exist customer_id is in no row of customers: 1" in done.stderr

    with ducklake.connect(fresh_settings) as lake:
        lake.execute("INSERT INTO lake.warehouse.dim_payments FROM lake.warehouse.dim_payments")
        batch = defs.resolve_job_def("batch_job")
        # Nothing faulty is published: not where nobody looked, not by the run that did, and not by one after it.
        for steps, failing in (
            (["transform"], []),
            (["serving"], ["serving"]),
            (["audit", "serving"], ["audit"]),
            (["serving"], ["serving"]),
        ):
            with dg.DagsterInstance.get() as instance:
                done = batch.execute_in_process(
                    instance=instance, op_selection=steps, partition_key=str(BAD), raise_on_error=False
                )
            assert [event.step_key for event in done.filter_events(lambda event: event.is_step_failure)] == failing
            assert not (failing and done.get_asset_materialization_events())
        # A row that raw lacks of a day that no run looks back on: no run publishes, though its own day is well.
        with postgres.connect(fresh_settings.secret("source_url"), "test") as source:
            source.execute(
                f"INSERT INTO orders (id, customer_id, created_at, updated_at) VALUES (900003, 1, '{FIRST}', '{FIRST}')"
            )
        with dg.DagsterInstance.get() as instance:
            assert not batch.execute_in_process(
                instance=instance, op_selection=["raw__orders"], partition_key=str(FIRST), raise_on_error=False
            ).success
        monkeypatch.setenv("RAINBOW_LOOKBACK_DAYS", "0")
        open_check = f"raw/orders: holds_every_source_row_once of {FIRST} (1 rows missing, 0 repeated)"
        done = rainbow("run", str(BAD), code=1)  # it makes everything anew
        assert f"serving: Nothing was published: {open_check}. `rainbow run {FIRST}`" in done.stderr
        lacking = [finding.detail for finding in doctor.examine() if not finding.usable and not finding.optional]
        assert [open_check in detail for detail in lacking] == [True], lacking
        rainbow("run", str(FIRST))
        assert all(finding.usable for finding in doctor.examine() if not finding.optional)
        lake.execute("DELETE FROM lake.warehouse.fact_sales WHERE order_transaction = 900001")
    done = rainbow("run", str(BAD), code=1)
    assert "assert_consistent_total_sales" in done.stderr
    [check] = [check for check in evaluations() if check.check_name == "assert_consistent_total_sales"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "'expected_details':" in check.metadata["sample"].value[0]
