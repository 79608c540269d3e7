"""Maintenance on the real stack: what it does, that it is safe beside a run, and that no landing file feels it."""

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from real_stack import RAINBOW, rainbow
from soak import only_soak

from rainbow_assets.definitions import defs
from rainbow_assets.errors import DataError
from rainbow_assets.landing.files import files, new_key
from rainbow_assets.ops.maintain import lake as maintain_lake
from rainbow_assets.ops.maintain import maintain
from rainbow_assets.raw.register import register
from rainbow_assets.serving.publish import compare
from rainbow_assets.settings import Settings
from rainbow_assets.systems import clickhouse, ducklake, ducklake_books, iceberg, object_store
from rainbow_assets.tables import TABLES
from rainbow_assets.window import Days
from tests.integration.warehouse_driver import TABLE_NAMES, Lakehouse

pytestmark = pytest.mark.integration

DAYS = Days(date(2026, 3, 1), date(2026, 3, 12))
DETAILS = TABLES["orderdetails"]
TOTAL = "SELECT count(*), sum(n) FROM lake.warehouse.facts"


class Lake:
    """A lake with twelve landing files and a table of twelve small files; half of that table is replaced."""

    def __init__(self, settings: Settings, connection: duckdb.DuckDBPyConnection) -> None:
        self.settings, self.connection = settings, connection
        self.s3, self.bucket = object_store.client(settings), settings.s3_bucket
        catalog = iceberg.connect(settings)
        names = ", ".join(f"NULL::{kind} AS {name}" for name, kind in DETAILS.columns.items())
        for number in range(12):
            day = DAYS.first + timedelta(days=number)
            connection.execute(
                f"COPY (SELECT {names}, DATE '{day}' AS change_date, TIMESTAMP '2026-03-20' AS extracted_at) "
                f"TO 's3://{self.bucket}/{new_key(DETAILS.name, day, 'x')}' (FORMAT parquet)"
            )
            landed = files(self.s3, self.bucket, DETAILS.name, Days(day, day))
            register(connection, catalog, DETAILS, landed, Days(day, day), "test")
        connection.execute("CREATE SCHEMA lake.warehouse; CREATE TABLE lake.warehouse.facts (n BIGINT)")
        for number in range(12):
            connection.execute(f"INSERT INTO lake.warehouse.facts SELECT {number} FROM range(100)")
        connection.execute("CREATE TABLE lake.warehouse.gone AS SELECT 1 AS one; DROP TABLE lake.warehouse.gone")
        self.table = catalog.load_table(("raw", DETAILS.name))

    def objects(self, prefix: str = "") -> dict[str, str]:
        return {entry["Key"]: entry["ETag"] for entry in object_store.objects(self.s3, self.bucket, prefix)}

    def maintain(self, **options) -> dict[tuple[str, str], int]:
        steps = maintain(self.settings, lambda note: None, **options)
        return {(step.where, step.what): len(step.items) for step in steps}

    def total(self) -> list[tuple[int, int]]:
        return self.connection.execute(TOTAL).fetchall()


@pytest.fixture
def lake(fresh_settings: Settings) -> Iterator[Lake]:
    with ducklake.connect(fresh_settings) as connection:
        yield Lake(fresh_settings, connection)


def test_files_are_merged_and_the_old_ones_go_but_no_landing_file_does(lake: Lake) -> None:
    landing, total = lake.objects("raw/"), lake.total()
    assert len(landing) == 12
    done = lake.maintain(keep_days=0)
    assert done["lake.warehouse.facts", "small files merged"] == 12
    assert done["lake", "snapshots expired"] >= 30
    assert done["Iceberg raw.orderdetails", "snapshots expired"] == 11
    assert done["Iceberg raw.orderdetails", "metadata files deleted"] >= 11
    assert len(lake.objects("lake/")) == 12 + 1 + 1  # the replaced, the dropped, the merged
    assert lake.objects("raw/") == landing
    assert lake.total() == total
    assert lake.maintain(keep_days=0) == {("lake", "replaced files deleted"): 13}
    assert len(lake.objects("lake/")) == 1
    assert lake.total() == total
    assert lake.maintain(keep_days=0) == {}
    assert lake.objects("raw/") == landing
    assert len(ducklake_books.registrations(lake.settings.secret("catalog_url"), "raw", DETAILS.name)) == 12
    lake.table.refresh()
    assert lake.table.scan().to_arrow().num_rows == 12
    lake.connection.execute(f"LOAD '{ducklake.extension_file('avro')}'; LOAD '{ducklake.extension_file('iceberg')}'")
    scan = f"SELECT count(*) FROM iceberg_scan('{lake.table.metadata_location}')"
    assert lake.connection.execute(scan).fetchall() == [(12,)]


def test_worn_files_are_rewritten_and_older_versions_still_read_right(lake: Lake) -> None:
    lake.connection.execute("CREATE TABLE lake.warehouse.worn (n BIGINT, note VARCHAR)")
    for number in range(12):
        lake.connection.execute(
            "INSERT INTO lake.warehouse.worn SELECT $1 * 10 + i, CASE WHEN i < 9 THEN 'x' END FROM range(10) t(i)",
            [number],
        )
    [(version,)] = lake.connection.execute("SELECT id FROM ducklake_current_snapshot('lake')").fetchall()
    lake.connection.execute("DELETE FROM lake.warehouse.worn WHERE note IS NULL OR n % 10 = 0")
    count = "SELECT count(*), count(note), min(n), max(n) FROM lake.warehouse.worn"
    nulls = f"SELECT count(*) FROM lake.warehouse.worn AT (VERSION => {version}) WHERE note IS NULL"
    done = lake.maintain()
    assert done["lake.warehouse.worn", "files with deleted rows rewritten"] == 12
    listed = "SELECT count(*), count(delete_file) FROM ducklake_list_files('lake', 'worn', schema => 'warehouse')"
    with ducklake.connect(lake.settings, read_only=True) as fresh:
        assert fresh.execute(listed).fetchall() == [(1, 0)]
        assert fresh.execute(count).fetchall() == [(96, 96, 1, 118)]
        assert fresh.execute(f"{count} AT (VERSION => {version})").fetchall() == [(120, 108, 0, 119)]
        assert fresh.execute(nulls).fetchall() == [(12,)]
    assert not [where for where, _ in lake.maintain() if where.endswith("worn")]


def test_a_dry_run_tells_the_same_and_changes_nothing(lake: Lake) -> None:
    def state() -> tuple[object, ...]:
        snapshots = lake.connection.execute("SELECT count(*) FROM ducklake_snapshots('lake')").fetchall()
        lake.table.refresh()
        return lake.objects(), snapshots, lake.table.metadata_location

    before = state()
    told = lake.maintain(keep_days=0, dry_run=True)
    assert state() == before
    shown = rainbow("maintain", "--dry-run", "--keep-days", "0")
    assert shown.returncode == 0, shown.stderr
    assert "lake.warehouse.facts: 12 small files merged\n  ducklake-" in shown.stdout
    assert "nothing was changed" in shown.stdout
    assert state() == before
    done = lake.maintain(keep_days=0)
    for what in (("lake.warehouse.facts", "small files merged"), ("Iceberg raw.orderdetails", "snapshots expired")):
        assert told[what] == done[what]


def test_what_is_young_stays(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    orphan = "lake/warehouse/facts/orphan.parquet"
    lake.connection.execute(f"COPY (SELECT 1 AS n) TO 's3://{lake.bucket}/{orphan}'")
    before = lake.objects()
    assert lake.maintain() == {("lake.warehouse.facts", "small files merged"): 12}
    assert before.items() <= lake.objects().items()
    lake.maintain(keep_days=0)
    assert orphan in lake.objects()
    monkeypatch.setattr(maintain_lake, "GRACE", timedelta(0))
    assert lake.maintain(keep_days=0)["lake", "orphaned files deleted"] == 1
    assert orphan not in lake.objects()
    assert len(lake.objects("raw/")) == 12


def test_landing_files_that_ducklake_would_delete_stop_it(lake: Lake) -> None:
    lake.connection.execute("DELETE FROM lake.raw.orderdetails WHERE change_date < '2026-03-03'")
    objects = lake.objects("raw/")
    with pytest.raises(DataError, match=r"delete 2 landing files. Run `rainbow fsck --repair`"):
        lake.maintain(keep_days=0)
    assert lake.objects("raw/") == objects
    rainbow("fsck", "--repair")
    lake.maintain(keep_days=0)
    assert lake.objects("raw/") == objects
    assert lake.connection.execute("SELECT count(*) FROM lake.raw.orderdetails").fetchall() == [(12,)]


def test_old_logs_go_but_not_those_of_servers(lake: Lake) -> None:
    home = lake.settings.home
    names = ["logs/run-1.log", "logs/postgres.log", "dagster/storage/abc/compute_logs/step.err",
             "dagster/storage/def/compute_logs/step.err", "dagster/storage/abc/other"]  # fmt: skip
    for name in names:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        if "def" not in name:
            os.utime(path, (time.time() - 8 * 86400,) * 2)
    done = lake.maintain()
    assert done[str(home / "logs"), "logs deleted"] == 1
    assert done[str(home / "dagster/storage"), "logs deleted"] == 1
    assert [name for name in names if (home / name).exists()] == [names[1], names[3], names[4]]


def test_the_job_does_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAINBOW_RETENTION_DAYS", "0")
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            assert defs.resolve_job_def("maintenance_job").execute_in_process(instance=instance).success
    assert len(lake.objects("lake/")) == 1


def everything(lakehouse: Lakehouse) -> dict[str, list[tuple[Any, ...]]]:
    return {name: lakehouse.rows(f"FROM lake.{name} ORDER BY ALL") for name in TABLE_NAMES}


@only_soak
def test_a_run_beside_it_comes_out_like_a_full_rebuild(
    fresh_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in (
        ["seed", "--days", "2", "--end", "2026-03-03", "--orders-per-day", "20"],
        ["run", "--from", "2026-03-02", "--to", "2026-03-03"],
        ["simulate", "2026-03-04"],
    ):
        done = rainbow(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    settings, s3 = Settings.load(), object_store.client(fresh_settings)
    landed = {e["Key"]: e["ETag"] for e in object_store.objects(s3, settings.s3_bucket, "raw/")}
    steps = maintain(settings, lambda note: None, keep_days=0)  # the build window's snapshot expires with this
    assert ("lake", "snapshots expired") in {(step.where, step.what) for step in steps}

    monkeypatch.setattr(maintain_lake, "MANY", 2)
    done_beside: set[str] = set()
    with subprocess.Popen([RAINBOW, "run", "2026-03-04"], stdout=subprocess.PIPE, text=True) as run:
        while run.poll() is None:
            done_beside |= {step.what for step in maintain(settings, lambda note: None, keep_days=0)}
            time.sleep(0.5)
        assert run.returncode == 0, run.stdout and run.stdout.read()
    assert {"small files merged", "snapshots expired"} <= done_beside
    done_after = {step.what for _ in range(2) for step in maintain(settings, lambda note: None, keep_days=0)}
    assert "replaced files deleted" in done_beside | done_after
    after = {e["Key"]: e["ETag"] for e in object_store.objects(s3, settings.s3_bucket, "raw/")}
    assert landed.items() < after.items()
    assert rainbow("fsck").returncode == 0

    with ducklake.connect(settings) as lake, clickhouse.connect(settings) as client:
        assert compare(settings, client, lake) == []
    lakehouse = Lakehouse(settings, tmp_path)
    incremental = everything(lakehouse)
    assert lakehouse.dbt("run", "--full-refresh")
    assert everything(lakehouse) == incremental
