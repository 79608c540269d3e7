"""Write, audit, publish and what is recorded of it: one lake through a good run, a bad one, a mended one and a killed
one.
"""

import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from rainbow_assets.cli.formats import write_json
from rainbow_assets.definitions import defs
from rainbow_assets.defs.automation.records import record_finished, records_sensor
from rainbow_assets.errors import DataError, TransientError
from rainbow_assets.ops import records
from rainbow_assets.ops.query import ask
from rainbow_assets.ops.records import CheckResult, FinishedRun
from rainbow_assets.ops.versions import Version, served
from rainbow_assets.settings import Settings
from rainbow_assets.stack import credentials as stored
from rainbow_assets.systems import ducklake, object_store, postgres
from rainbow_assets.version import code_version

pytestmark = pytest.mark.integration

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 2)
RAINBOW = str(Path(sys.executable).with_name("rainbow"))
SOLD = "SELECT total_sales_quantity AS sold FROM {}"
FACTS = "SELECT sum(sales_quantity)::BIGINT AS sold FROM warehouse.fact_sales"


def rainbow(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([RAINBOW, *arguments], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def query(text: str, engine: str = "lake", as_of: str | None = None) -> list[dict[str, Any]]:
    """What `rainbow sql --format json` shows."""
    shown = StringIO()
    with ask(Settings.load(), engine, text, as_of) as answer:
        write_json(answer, shown)
    return json.loads(shown.getvalue())


def lake(settings: Settings, *statements: str) -> list[tuple[Any, ...]]:
    with ducklake.connect(settings) as connection:
        return [connection.execute(statement) for statement in statements][-1].fetchall()


def newest_run(settings: Settings) -> str:
    return lake(settings, "SELECT run_id FROM lake.ops.runs ORDER BY started_at DESC LIMIT 1")[0][0]


@dataclass
class Story:
    """A good run; a failed one, after new sales came in and a fact was corrupted; a run after the fact was mended."""

    settings: Settings
    good: str
    between: datetime
    failed: str
    said: str
    shown_meanwhile: list[Version]
    sold_meanwhile: int
    mended: str


@pytest.fixture(scope="module")
def story(shared_settings: Settings) -> Story:
    settings = shared_settings
    rainbow("seed", "--days", "2", "--end", str(LAST), "--orders-per-day", "20")
    rainbow("run", "--from", str(FIRST), "--to", str(LAST))
    good = newest_run(settings)
    [(between,)] = lake(settings, "SELECT now()::TIMESTAMP")
    with postgres.connect(settings.secret("source_url"), "test") as connection:
        connection.execute(
            "UPDATE orderdetails SET quantity = quantity + 7, updated_at = '2026-03-02 23:59:59' "
            "WHERE (id, product_id) = (SELECT id, product_id FROM orderdetails "
            "WHERE deleted_at IS NULL ORDER BY 1 DESC, 2 LIMIT 1)"
        )
    corrupt = """
        UPDATE lake.warehouse.fact_sales SET sales_quantity = sales_quantity {} WHERE (order_transaction, product_id) IN
            (SELECT (order_transaction, product_id) FROM lake.warehouse.fact_sales ORDER BY ALL LIMIT 1)"""
    lake(settings, corrupt.format("+ 1000"))
    said = rainbow("run", str(LAST), code=1).stderr
    shown = list(served(settings))
    [meanwhile] = query(SOLD.format("v_total_sales_batch"), "clickhouse")
    failed = newest_run(settings)
    lake(settings, corrupt.format("- 1000"))
    rainbow("run", str(LAST))
    return Story(settings, good, between, failed, said, shown, meanwhile["sold"], newest_run(settings))


def sold(as_of: str, text: str) -> int:
    return query(text, as_of=as_of)[0]["sold"]


def runs_of(versions: list[Version]) -> dict[str, str]:
    return {version.part: version.run_id for version in versions}


def test_a_failed_check_keeps_the_last_good_version_in_clickhouse(story: Story):
    assert "assert_consistent_total_sales" in story.said
    before = sold(story.good, SOLD.format("marts.total_sales"))
    assert story.sold_meanwhile == before
    assert runs_of(story.shown_meanwhile) == {
        "lake: whole build": story.good,
        "lake: registration": story.failed,
        "Iceberg": story.failed,
        "ClickHouse": story.good,
    }
    [now] = query(SOLD.format("v_total_sales_batch"), "clickhouse")
    assert now["sold"] == before + 7
    assert runs_of(list(served(story.settings))) == {
        "lake: whole build": story.mended,
        "lake: registration": story.failed,
        "Iceberg": story.failed,
        "ClickHouse": story.mended,
    }


def test_the_lake_is_read_as_of_a_run_or_a_time(story: Story):
    before = sold(story.good, SOLD.format("marts.total_sales"))
    assert sold(story.good[:8], FACTS) == before
    assert sold(f"{story.between.isoformat()}Z", FACTS) == before
    east = story.between + timedelta(hours=2)
    assert sold(f"{east.isoformat()}+02:00", FACTS) == before
    assert sold(story.failed, FACTS) == before + 1000 + 7
    assert sold(story.failed, SOLD.format("marts.total_sales")) == before
    assert sold(story.mended, FACTS) == before + 7
    [row] = query("SELECT count(*) AS runs FROM ops.runs", as_of=story.failed)
    assert row == {"runs": 1}, "a run is recorded after its end"


@pytest.mark.parametrize(
    ("as_of", "said"),
    [
        ("deadbeef-0000", "no snapshot of a run deadbeef-0000"),
        ("deadbee", "'deadbee' is neither a run id nor a time"),
        ("2026-02-30", "'2026-02-30' is neither a run id nor a time"),
        ("2020-01-01", "The lake's past begins at 20"),
        ("aaaaaaaa", "Several runs begin with aaaaaaaa"),
    ],
)
def test_a_past_that_there_is_not_is_told(story: Story, as_of: str, said: str):
    if as_of == "aaaaaaaa":
        with ducklake.connect(story.settings) as connection:
            for number in (1, 2):
                with ducklake.transaction(connection, "test", f"aaaaaaaa-000{number}"):
                    connection.execute(f"CREATE TABLE lake.ops.test_{number} (a INTEGER)")
    with pytest.raises(DataError, match=re.escape(said)):
        query("SELECT 1", as_of=as_of)


def test_on_the_command_line_the_past_is_rows_or_one_line(story: Story):
    done = rainbow("sql", "--as-of", story.good, "--format", "csv", SOLD.format("marts.total_sales"))
    assert done.stdout.split() == ["sold", str(story.sold_meanwhile)]
    done = rainbow("sql", "--as-of", story.good, "--engine", "clickhouse", "SELECT 1", code=1)
    assert (
        done.stderr == "Error: Only the lake keeps its past; clickhouse does not. Ask the lake, or leave --as-of out.\n"
    )


def test_every_snapshot_that_changes_a_table_of_the_build_names_its_run(story: Story):
    named = """
        SELECT commit_extra_info->>'run_id' AS run_id,
            count(*) FILTER (starts_with(commit_message, 'build ')) AS models,
            count(*) FILTER (commit_message = 'close the build') AS closed
        FROM ducklake_snapshots('lake') WHERE run_id IN (?, ?, ?) GROUP BY ALL"""
    with ducklake.connect(story.settings) as connection:
        found = {
            run_id: counts
            for run_id, *counts in connection.execute(named, [story.good, story.failed, story.mended]).fetchall()
        }
        unnamed = """
            SELECT changes::VARCHAR FROM ducklake_snapshots('lake')
            WHERE commit_extra_info IS NULL AND changes['tables_inserted_into'] IS NOT NULL"""
        others = connection.execute(unnamed).fetchall()
    assert found[story.good][0] >= 26, "every model, and each of its own"
    assert (found[story.good][1], found[story.failed][1], found[story.mended][1]) == (1, 0, 1)
    assert len(others) == 2, "the two corruptions of the test itself"


def test_runs_and_checks_are_recorded_in_the_lake_and_in_clickhouse(story: Story):
    rows = query("SELECT * FROM ops.runs ORDER BY started_at")
    assert [row["run_id"] for row in rows[:3]] == [story.good, story.failed, story.mended]
    good, failed, mended = rows[:3]
    [held] = query(
        "SELECT sum(n)::BIGINT AS n FROM (SELECT record_count AS n FROM __ducklake_metadata_lake.ducklake_data_file "
        "JOIN __ducklake_metadata_lake.ducklake_table USING (table_id) "
        "JOIN __ducklake_metadata_lake.ducklake_schema USING (schema_id) WHERE schema_name = 'raw')"
    )
    assert good["rows_written"] + failed["rows_written"] == held["n"]
    told = {"job": "batch_job", "code_version": code_version(), "environment": "local"}
    assert good.items() >= (told | {
        "partitions": "2026-03-01..2026-03-02", "load_type": "full", "status": "SUCCESS",
        "data_min_date": "2026-03-01", "data_max_date": "2026-03-02", "previous_max_date": None,
    }).items()  # fmt: skip
    assert good["rows_read"] == good["rows_written"]
    assert failed.items() >= (told | {
        "partitions": "2026-03-02", "load_type": "daily", "status": "FAILURE", "rows_written": 1,
        "data_min_date": "2026-03-02", "data_max_date": "2026-03-02", "previous_max_date": "2026-03-02",
    }).items()  # fmt: skip
    assert failed["rows_read"] > 1
    assert mended.items() >= (told | {"status": "SUCCESS", "rows_written": 0, "data_min_date": None}).items()
    assert good["started_at"] < good["ended_at"] < story.between.isoformat() < failed["started_at"]

    checks = query("SELECT * FROM ops.check_results")
    [wrong] = [check for check in checks if not check["passed"] and check["severity"] == "ERROR"]
    assert (wrong["run_id"], wrong["asset"], wrong["check_name"], wrong["severity"]) == (
        story.failed, "warehouse/fact_sales", "assert_consistent_total_sales", "ERROR",
    )  # fmt: skip
    assert json.loads(wrong["metadata"])["dagster_dbt/failed_row_count"] == 1
    assert len({check["asset"] for check in checks if check["run_id"] == story.good}) > 50
    assert failed["started_at"] < wrong["evaluated_at"] < failed["ended_at"]

    for table, held in (("runs", rows), ("check_results", checks)):
        served = query(f"SELECT * FROM ops_{table}", "clickhouse")
        assert sorted(served, key=str) == sorted(held, key=str)


def test_a_killed_run_is_recorded_once_dagster_gives_it_up(story: Story):
    settings = story.settings
    process = subprocess.Popen([RAINBOW, "run", str(LAST)], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    next(line for line in process.stderr if "landing/" in line)
    process.kill()
    process.wait()
    process.stderr.close()
    with dg.DagsterInstance.get() as instance:
        [killed] = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        assert record_finished(instance, settings) == 0, "nobody knows yet that it is dead"
        instance.report_run_failed(killed)
        away = settings.model_copy(update={"clickhouse_url": SecretStr("clickhouse://u:p@127.0.0.1:1/rainbow")})
        with pytest.raises(TransientError, match="ClickHouse"):
            record_finished(instance, away)
        [(status, load)] = lake(
            settings, f"SELECT status, load_type FROM lake.ops.runs WHERE run_id = '{killed.run_id}'"
        )
        assert (status, load) == ("FAILURE", "daily")
        first = records_sensor(dg.build_sensor_context(instance, cursor=None))
        assert isinstance(first, dg.SkipReason)
        assert first.skip_message == "Runs recorded: 0.", "the lake had it; ClickHouse lacked it"
        ids = f"SELECT count() AS found FROM ops_runs WHERE run_id = '{killed.run_id}'"
        assert query(ids, "clickhouse") == [{"found": 1}]
        context = dg.build_sensor_context(instance, cursor=None)
        records_sensor(context)
        again = records_sensor(context)
        assert isinstance(again, dg.SkipReason)
        assert again.skip_message == "No run has ended since the last time."
    shown = rainbow("history").stdout.splitlines()
    assert max(len(line) for line in shown) <= 80
    assert [line.split()[0] for line in shown if re.match(r"[0-9a-f]{8} ", line)] == [
        run_id[:8] for run_id in (killed.run_id, story.mended, story.failed, story.good)
    ]
    assert len([line for line in rainbow("history", "--limit", "1").stdout.splitlines() if "FAILURE" in line]) == 1
    versions = rainbow("version").stdout
    assert versions.startswith("Rainbow ")
    assert max(len(line) for line in versions.splitlines()) <= 80
    assert story.mended[:8] in versions


def test_a_catalog_that_is_away_while_a_build_begins_is_asked_again(story: Story, stack: Settings):
    settings = story.settings
    name = conninfo_to_dict(settings.secret("catalog_url"))["dbname"]
    server = f"postgresql://postgres:{stored.ensure(stack.home).postgres}@127.0.0.1:{stack.pg_port}/postgres"
    run_id = str(uuid.uuid4())
    told = "SELECT event FROM event_logs WHERE run_id = %s AND dagster_event_type = 'STEP_UP_FOR_RETRY'"
    deadline = time.monotonic() + 120

    def answer(yes: bool) -> None:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS {yes}')

    def come_back() -> str:
        found = []
        while not found and time.monotonic() < deadline:
            time.sleep(0.1)
            found = postgres.fetch(settings.secret("dagster_url"), "test", told, [run_id])
        answer(True)
        return str(found)

    batch = defs.resolve_job_def("batch_job")
    assert batch.partitions_def is not None
    any_day = batch.partitions_def.get_last_partition_key()
    answer(False)
    with ThreadPoolExecutor(1) as beside, dg.DagsterInstance.get() as instance:
        reason = beside.submit(come_back)
        done = batch.execute_in_process(
            instance=instance, run_id=run_id, op_selection=["transform"], partition_key=any_day
        )
    assert done.success
    assert "not currently accepting connections" in reason.result()


def test_a_failed_check_of_raw_keeps_the_last_good_version_too(story: Story):
    settings = story.settings
    store, bucket, before = object_store.client(settings), settings.s3_bucket, runs_of(list(served(settings)))
    key = next(key for key in object_store.keys(store, bucket, "raw/orders/") if str(LAST) in key)
    copy = key.replace(".parquet", "-copy.parquet")  # the run registers it: each of its versions is there twice
    store.copy_object(Bucket=bucket, Key=copy, CopySource={"Bucket": bucket, "Key": key})
    said = rainbow("run", str(LAST), code=1).stderr
    assert "raw/orders: holds_every_source_row_once" in said
    after = runs_of(list(served(settings)))
    assert {part for part in before if after[part] != before[part]} == {"lake: registration", "Iceberg"}
    [now] = query(SOLD.format("v_total_sales_batch"), "clickhouse")
    assert now["sold"] == sold(story.mended, SOLD.format("marts.total_sales"))


MORNING = datetime.fromisoformat("2026-03-10T06:00:00")


def finished(number: int, first: str | None = None, last: str | None = None) -> FinishedRun:
    """The run of the hour `number`."""
    begin = MORNING + timedelta(hours=number)
    days = [date.fromisoformat(day) if day else None for day in (first, last or first)]
    return FinishedRun(f"run-{number}", "job", *days, begin, begin + timedelta(minutes=5), "SUCCESS", "1")


def landed(number: int, **metadata: object) -> CheckResult:
    at = MORNING + timedelta(hours=number)
    return CheckResult(f"run-{number}", "landing/orders", "check", True, "ERROR", at, None, json.dumps(metadata))


@pytest.fixture
def own_lake(fresh_settings: Settings) -> Iterator[tuple[Settings, Any]]:
    fresh_settings.record(start_date="2026-03-01")
    with ducklake.connect(fresh_settings) as connection:
        records.prepare(connection)
        records.prepare(connection)
        yield Settings.load(), connection


def test_what_a_run_loaded_follows_from_its_days_and_what_was_there(own_lake: tuple[Settings, Any]):
    settings, connection = own_lake
    assert records.horizon(connection) is None
    written = {"rows_read": 9, "rows_written": 2, "data_min_date": "2026-03-01", "data_max_date": "2026-03-03"}
    records.write(settings, connection, [finished(0, "2026-03-01", "2026-03-03")], [landed(0, **written)])
    records.write(
        settings,
        connection,
        [
            finished(1, "2026-03-04"),
            finished(2, "2026-03-04"),
            finished(3, "2026-03-03"),
            finished(4, "2026-03-05", "2026-03-06"),
            finished(5),
            finished(6, "2026-03-01", "2026-03-09"),
        ],
        [
            landed(1, rows_read=5, rows_written=5, data_min_date="2026-03-04", data_max_date="2026-03-04"),
            landed(1, rows_read=1, rows_written=0, data_min_date=None, data_max_date=None),
            landed(2, files=0),
        ],
    )
    query = """
        SELECT load_type, rows_read, rows_written, data_max_date::VARCHAR, previous_max_date::VARCHAR, partitions
        FROM lake.ops.runs ORDER BY started_at"""
    assert connection.execute(query).fetchall() == [
        ("full", 9, 2, "2026-03-03", None, "2026-03-01..2026-03-03"),
        ("daily", 6, 5, "2026-03-04", "2026-03-03", "2026-03-04"),
        ("daily", None, None, None, "2026-03-04", "2026-03-04"),
        ("backfill", None, None, None, "2026-03-04", "2026-03-03"),
        ("backfill", None, None, None, "2026-03-04", "2026-03-05..2026-03-06"),
        ("other", None, None, None, "2026-03-04", None),
        ("full", None, None, None, "2026-03-04", "2026-03-01..2026-03-09"),
    ]
    assert records.recorded(connection, ["run-1", "run-9"]) == {"run-1"}
    horizon = records.horizon(connection)
    assert horizon is not None
    assert horizon.isoformat() == "2026-03-09T12:05:00+00:00"
