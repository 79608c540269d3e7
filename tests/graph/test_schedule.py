"""The daily schedule on a clock that these tests set: by the scheduler's own function, and by the schedule alone."""

import logging
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time, instance_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._scheduler.scheduler import launch_scheduled_runs

from rainbow_assets.definitions import defs
from rainbow_assets.defs.automation import days
from rainbow_assets.defs.automation.days import PARTITIONED, not_run
from rainbow_assets.defs.automation.jobs import daily_batch_schedule
from rainbow_assets.settings import Settings, yesterday
from rainbow_assets.window import PARTITION, of_tags, range_tags

ORIGIN = InProcessCodeLocationOrigin(
    LoadableTargetOrigin(module_name="rainbow_assets.definitions", attribute="defs"), location_name="rainbow"
)
QUEUED = {"run_coordinator": {"module": "dagster.core.run_coordinator", "class": "QueuedRunCoordinator"}}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ran(instance: dg.DagsterInstance, *names: str) -> None:
    for name in names:
        for key in days.PARTITIONED:
            instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=name))


def asked(instance: dg.DagsterInstance, night: str) -> str:
    """What the schedule asks for in this night: `first..last`, or why it asks for nothing."""
    request = daily_batch_schedule(dg.build_schedule_context(instance=instance, scheduled_execution_time=at(night)))
    if isinstance(request, dg.SkipReason):
        return str(request.skip_message)
    return str(of_tags({PARTITION: request.partition_key} if request.partition_key else request.tags))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance whose runs are queued, and stay so."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # SQLite waits for a disk at each event
    with (
        tempfile.TemporaryDirectory(dir=memory) as folder,
        instance_for_test(overrides=QUEUED, temp_dir=folder) as made,
    ):
        yield made


def test_the_scheduler_takes_an_absence_of_a_week_in_one_run(instance: dg.DagsterInstance, monkeypatch):
    """Over the end of a month."""
    monkeypatch.setenv("RAINBOW_START_DATE", "2026-02-20")
    with create_test_daemon_workspace_context(InProcessWorkspaceLoadTarget(ORIGIN), instance) as workspace:
        ran(instance, "2026-02-20", "2026-02-21")
        with freeze_time(at("2026-02-22T00:10")):
            [location] = workspace.create_request_context().code_locations
            [repository] = location.get_repositories().values()
            instance.start_schedule(repository.get_schedule(daily_batch_schedule.name))
        with freeze_time(at("2026-03-01T09:30")):
            assert not any(launch_scheduled_runs(workspace, logging.getLogger("test"), at("2026-03-01T09:30"), {}))
        [run] = instance.get_runs()
        assert str(of_tags(run.tags)) == "2026-02-22..2026-02-28"
        assert run.status == dg.DagsterRunStatus.QUEUED
        assert asked(instance, "2026-03-02") == "2026-03-01"  # the queued run's days are not asked for twice
        instance.report_run_canceled(run)
        assert asked(instance, "2026-03-02") == "2026-02-22..2026-03-01"


@pytest.mark.parametrize(
    ("start", "end", "done", "night", "wanted"),
    [
        ("2026-02-20", None, ["2026-02-20"], "2026-02-22", "2026-02-21"),
        ("2026-02-20", None, ["2026-02-20", "2026-02-22"], "2026-02-24", "2026-02-21..2026-02-23"),  # a gap
        ("2026-02-20", None, [], "2026-02-23", "2026-02-20..2026-02-22"),
        ("2025-12-30", None, ["2025-12-30"], "2026-01-02", "2025-12-31..2026-01-01"),
        ("2028-02-27", None, ["2028-02-27"], "2028-03-01", "2028-02-28..2028-02-29"),
        ("2026-02-20", None, ["2026-02-20"], "2026-02-21", "Every day up to 2026-02-20 was run, or is being run."),
        ("2026-02-23", None, [], "2026-02-22", "Every day up to 2026-02-21 was run, or is being run."),
        ("2026-02-20", "2026-02-21", ["2026-02-20"], "2026-02-22", "2026-02-21"),  # the last one
        ("2026-02-20", "2026-02-21", [], "2026-02-23", "the days end with RAINBOW_END_DATE 2026-02-21"),
        ("2026-02-20", "2099-01-01", ["2026-02-20"], "2026-02-22", "2026-02-21"),
    ],
)
def test_what_a_night_asks_for(instance, monkeypatch, start, end, done, night, wanted):
    monkeypatch.setenv("RAINBOW_START_DATE", start)
    monkeypatch.setenv("RAINBOW_END_DATE", end or "")
    monkeypatch.setattr(days, "PARTITIONED", PARTITIONED[9::10])  # of one table, for the sake of time
    ran(instance, *done)
    assert wanted in asked(instance, night)


def test_a_day_lacks_what_one_table_lacks(monkeypatch):
    monkeypatch.setenv("RAINBOW_START_DATE", "2026-02-20")
    first = date(2026, 2, 20)
    with dg.DagsterInstance.ephemeral() as instance:
        for place, key in enumerate(PARTITIONED):
            for number in range(3):
                if (place, number) != (7, 1):
                    partition = str(first + timedelta(days=number))
                    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition))
        assert not_run(instance, Settings.load(), first + timedelta(days=2)) == [first + timedelta(days=1)]
        assert not_run(instance, Settings.load(), first - timedelta(days=1)) == []


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (range_tags(date(2026, 3, 3), date(2026, 3, 1)), "upside down"),
        (range_tags(yesterday(), yesterday() + timedelta(days=2)), "outside the partitions"),
        ({}, "names no partition"),
    ],
)
def test_a_run_over_no_days_fails(tags, said):
    """Its checks would pass over nothing."""
    job = defs.resolve_job_def("batch_job").get_subset(asset_selection={dg.AssetKey(["landing", "orders"])})
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
        assert not result.success
        assert result.get_asset_check_evaluations() == []
        [failed] = [event for event in result.all_events if event.is_step_failure]
        assert said in failed.step_failure_data.user_failure_data.description
