"""Nothing is lost or doubled by faults: kills, servers that go away, and runs at once.

After each of them one ordinary run must leave what a run without faults leaves: in the source's own words (SQL over
it), row for row in raw, warehouse, marts and ClickHouse, each file registered once, and no rubbish. `make test` has
one lake with a few of all of these faults, held against the contract; `make soak` has them all, each kind on lakes of
its own, held against an undisturbed lake.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from isolation import new_lake
from real_stack import RAINBOW, kill, rainbow
from soak import only_soak

from rainbow_assets.serving.compare import compare
from rainbow_assets.settings import Settings
from rainbow_assets.stack import lifecycle
from rainbow_assets.systems import clickhouse, ducklake, iceberg, object_store, postgres
from rainbow_assets.tables import TABLES
from tests.integration.warehouse_driver import TABLE_NAMES, Lakehouse

pytestmark = pytest.mark.integration

FIRST, MIDDLE, LAST = (date(2026, 3, day) for day in (1, 2, 3))
RANGE = ("--from", str(FIRST), "--to", str(LAST))

# A run is killed again and again, each time further on: in the middle of landing, between landing and raw, between the
# two catalogs, within dbt (which lives on; which dies too), and before and after serving switches.
KILLS = (
    "landing.write:new_key,2,before,self",
    "raw.compare:broken_files,4,before,self",
    "raw.register:register,2,before,self",
    "systems.iceberg:add_files,3,after,self",
    "systems.ducklake:add_files,4,after,self",
    "defs.transform.assets:_described,6,before,self",
    "defs.transform.assets:_described,22,before,group",
    "serving.store:fill,3,before,self",
    "serving.manifest:switch,1,after,self",
)
STEPS = (
    *(f"step:{layer}/{table}" for layer in ("landing", "raw") for table in TABLES),
    "step:transform",
    "step:serving",
)


SOME_KILLS = (KILLS[0], KILLS[3], KILLS[5].replace("self", "group"))


@contextmanager
def shop_of(stack: Settings, days: int = 3, orders: int = 40) -> Iterator[Settings]:
    """A lakehouse of its own on the session's servers, with the same days of a shop in its source."""
    with (
        TemporaryDirectory(prefix="rb-", dir="/tmp") as folder,
        pytest.MonkeyPatch.context() as patch,
        new_lake(stack, patch, Path(folder)),
    ):
        done("seed", "--days", str(days), "--end", str(LAST), "--orders-per-day", str(orders))
        yield Settings.load()


def done(*arguments: str) -> None:
    """Run `rainbow` to a good end."""
    result = rainbow(*arguments, timeout=900)
    assert result.returncode == 0, result.stdout + result.stderr


def contents(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of raw (but for when it was read), warehouse and marts."""
    with ducklake.connect(settings) as lake:
        found = {name: lake.execute(f"FROM lake.{name} ORDER BY ALL").fetchall() for name in TABLE_NAMES}
        return found | {
            name: lake.execute(f"SELECT * EXCLUDE (extracted_at) FROM lake.raw.{name} ORDER BY ALL").fetchall()
            for name in TABLES
        }


def faults_of(settings: Settings) -> list[str]:
    """What is not as it should be after an ordinary run, whatever happened before it."""
    store, bucket, found = object_store.client(settings), settings.s3_bucket, []
    keys = list(object_store.keys(store, bucket, ""))
    catalog = iceberg.connect(settings)
    with ducklake.connect(settings) as lake:
        for table in TABLES:
            landed = sorted(f"s3://{bucket}/{key}" for key in keys if key.startswith(f"raw/{table}/"))
            query = f"SELECT data_file FROM ducklake_list_files('lake', '{table}', schema => 'raw')"
            in_lake = sorted(file for (file,) in lake.execute(query).fetchall())
            tasks = catalog.load_table(("raw", table)).scan().plan_files()
            in_iceberg = sorted(task.file.file_path for task in tasks)
            if not landed == in_lake == in_iceberg:
                found.append(f"{table}: {len(landed)} landed, {len(in_lake)} in DuckLake, {len(in_iceberg)} in Iceberg")
        query = "SELECT table_name FROM information_schema.tables WHERE contains(table_name, '__dbt')"
        found += [f"relation {name}" for (name,) in lake.execute(query).fetchall()]
        with clickhouse.connect(settings) as client:
            found += map(str, compare(settings, client, lake))
            [(quantity, amount)] = client.query("SELECT * EXCEPT (total_profit, current_run_date) FROM "
                                                "v_total_sales_batch").result_rows  # fmt: skip
    sales = postgres.fetch(
        settings.secret("source_url"),
        "test",
        "SELECT sum(d.quantity), sum(d.quantity * d.price) FROM orderdetails AS d JOIN orders AS o ON o.id = d.id "
        "WHERE d.deleted_at IS NULL AND o.deleted_at IS NULL",
    )
    if sales != [(quantity, amount)]:
        found.append(f"the source sold {sales}, ClickHouse has {quantity, amount}")
    found += [f"scratch {key}" for key in keys if key.startswith("publish/")]
    uploads = store.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    found += [f"upload {upload['Key']}" for upload in uploads]
    return found + [f"folder {path}" for path in settings.home.glob("tmp/dbt-*")]


@pytest.fixture(scope="module")
def undisturbed(stack: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """The contents of a lake that one run has filled without any fault."""
    with shop_of(stack) as settings:
        done("run", *RANGE)
        assert faults_of(settings) == []
        return contents(settings)


def killed(first: date, last: date, *points: str) -> None:
    """Runs that are killed, one at each point."""
    program = Path(__file__).with_name("killed_runs.py")
    command = [sys.executable, str(program), str(first), str(last), *points]
    result = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    ends = [line for line in result.stdout.splitlines() if "killed by" in line or "ended by" in line]
    assert ends == [f"{point} killed by {signal.SIGKILL.value}" for point in points], result.stdout + result.stderr


def leave_uploads(settings: Settings) -> None:
    """What a writer leaves that is killed in the middle of a file."""
    store = object_store.client(settings)
    for key in (f"raw/orders/change_date={FIRST}/half.parquet", "publish/1/half.parquet"):
        upload = store.create_multipart_upload(Bucket=settings.s3_bucket, Key=key)["UploadId"]
        part = {"Bucket": settings.s3_bucket, "Key": key, "UploadId": upload, "PartNumber": 1}
        store.upload_part(**part, Body=b"x" * 100)


def test_a_few_of_all_faults_are_made_good(stack: Settings, tmp_path: Path) -> None:
    with shop_of(stack, days=2, orders=20) as settings:
        killed(MIDDLE, LAST, *SOME_KILLS)
        leave_uploads(settings)

        run = start("run", str(LAST))
        begun(settings, run, LAST)
        kill(stack, 1)
        lifecycle.up(stack)  # S3 is back: the run has waited, or fails
        at_step(settings, run, "transform")
        kill(stack, 0)
        lifecycle.up(stack)
        run.wait(900)  # it may fail, it must end

        at_once(("run", str(LAST)), ("run", str(LAST)), ("run", "--from", str(MIDDLE), "--to", str(LAST)))
        assert faults_of(settings) == []
        lakehouse = Lakehouse(settings, tmp_path)
        raw = lakehouse.raw_rows()
        assert {name: len(rows) for name, rows in raw.items()} == rows_of_source(settings)
        assert lakehouse.differences(raw) == []


def rows_of_source(settings: Settings) -> dict[str, int]:
    """How many rows each table of the source has: versions, as none of them has changed."""
    counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in TABLES)
    return dict(postgres.fetch(settings.secret("source_url"), "test", counts))


@only_soak
def test_a_run_killed_again_and_again_is_made_good_by_one_run(stack: Settings, undisturbed: dict[str, Any]) -> None:
    with shop_of(stack) as settings:
        killed(FIRST, LAST, *KILLS)
        leave_uploads(settings)
        done("run", *RANGE)
        assert faults_of(settings) == []
        assert contents(settings) == undisturbed


@only_soak
def test_a_run_killed_at_any_point_is_made_good_by_one_run(stack: Settings, undisturbed: dict[str, Any]) -> None:
    for point in STEPS + KILLS:
        with shop_of(stack) as settings:
            killed(FIRST, LAST, point)
            done("run", *RANGE)
            assert faults_of(settings) == [], point
            assert contents(settings) == undisturbed, point


def start(*arguments: str) -> "subprocess.Popen[str]":
    """`rainbow` beside this process."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([str(RAINBOW), *arguments], **streams)  # type: ignore[call-overload]


def at_once(*runs: tuple[str, ...]) -> None:
    """Several `rainbow`, which all must end well."""
    ends = [(run.wait(900), run.stdout.read() if run.stdout else "") for run in [start(*run) for run in runs]]
    assert [code for code, _ in ends] == [0] * len(runs), ends


def begun(settings: Settings, process: "subprocess.Popen[str]", day: date) -> None:
    """Wait until a run has landed something of the day, and is at work on the rest."""
    store = object_store.client(settings)
    while process.poll() is None:
        if any(f"change_date={day}" in key for key in object_store.keys(store, settings.s3_bucket, "raw/")):
            return
        time.sleep(0.05)


def at_step(settings: Settings, process: "subprocess.Popen[str]", step: str) -> None:
    """Wait until the newest run is at that step."""
    query = (
        "SELECT count(*) FROM event_logs WHERE dagster_event_type = 'STEP_START' AND step_key = %s "
        "AND run_id = (SELECT run_id FROM runs ORDER BY id DESC LIMIT 1)"
    )
    while process.poll() is None:
        if postgres.fetch(settings.secret("dagster_url"), "test", query, [step]) != [(0,)]:
            return
        time.sleep(0.05)


@only_soak
def test_servers_that_go_away_under_a_run(stack: Settings, undisturbed: dict[str, Any]) -> None:
    with shop_of(stack) as settings:
        run = start("run", str(FIRST))
        begun(settings, run, FIRST)
        kill(stack, 1, signal.SIGSTOP)  # S3 stands still for seconds: the run waits
        time.sleep(6)
        kill(stack, 1, signal.SIGCONT)
        assert run.wait(900) == 0, run.stdout and run.stdout.read()

        run = start("run", str(MIDDLE))
        begun(settings, run, MIDDLE)
        kill(stack, 1)
        lifecycle.up(stack)
        run.wait(900)  # it may fail, it must end

        run = start("run", str(LAST))
        at_step(settings, run, "transform")
        kill(stack, 0)
        lifecycle.up(stack)
        assert run.wait(900) != 0, "Dagster's own records were cut off"

        done("run", *RANGE)
        assert faults_of(settings) == []
        assert contents(settings) == undisturbed


@only_soak
def test_the_same_days_run_at_once(stack: Settings, undisturbed: dict[str, Any]) -> None:
    with shop_of(stack) as settings:
        at_once(("run", str(MIDDLE)), ("run", str(MIDDLE)), ("run", *RANGE))
        assert faults_of(settings) == []
        assert contents(settings) == undisturbed
