"""Running a job from the command line: in this process, recorded in the Dagster instance like every other run.

A process that is killed cannot say that its run ended: the next one, or the alerts, says it (`runs.py`).

Not here: what the job does (`jobs.py`) and how its progress looks (`cli/`).
"""

import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg

from rainbow_assets.definitions import defs
from rainbow_assets.defs.automation.jobs import RECONCILIATION
from rainbow_assets.defs.automation.reconciliation import MISSED, TABLES_FOUND
from rainbow_assets.defs.automation.records import record_finished
from rainbow_assets.defs.automation.runs import BEGAN, PROCESS, fail_dead_runs, process, step_failure
from rainbow_assets.defs.conventions import BUILT_ANEW, NOTHING_NEW
from rainbow_assets.defs.storage import storage_errors
from rainbow_assets.errors import RainbowError
from rainbow_assets.settings import Settings
from rainbow_assets.systems import postgres_locks
from rainbow_assets.window import range_tags

LONG_STEPS = {"transform", "serving"}  # of many assets, each of which is told
# The command line tells the progress itself; the whole log is in the Dagster UI.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Outcome:
    """How a run ended. `failures`, `warnings`, `notes`: what went wrong, should be seen, is good to know, and where.

    `idle`: the tables that were left as they were, as there was no news. `found`: of a reconciliation, what it found of
    each table (`raw.reconcile.state.Found`).
    """

    run_id: str
    success: bool = False
    checks_passed: int = 0
    failures: dict[str, list[str]] = field(default_factory=dict)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    idle: int = 0
    found: list[dict[str, Any]] = field(default_factory=list)

    def judge(self, check: dg.AssetCheckEvaluation) -> None:
        """Take down how a check went."""
        if check.check_name == MISSED:
            told: Any = check.metadata[TABLES_FOUND].value
            self.found = told
        if check.passed:
            self.checks_passed += 1
            return
        place = self.failures if check.severity == dg.AssetCheckSeverity.ERROR else self.warnings
        what = f"{check.check_name} {check.description or ''}".strip()
        place.setdefault(what, []).append(check.asset_key.to_user_string())

    def add(self, made: dg.AssetMaterialization) -> None:
        """Take down what is good to know of a table."""
        self.idle += NOTHING_NEW in made.metadata
        if BUILT_ANEW in made.metadata:
            what = f"built anew: {made.metadata[BUILT_ANEW].value}"
            self.notes.setdefault(what, []).append(made.asset_key.to_user_string())


class _Waits(logging.Handler):
    """Tells `report` whom the run waits for: what the steps print goes to files."""

    def __init__(self, report: Callable[[str], None]) -> None:
        super().__init__()
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        self._report(record.getMessage())


@contextmanager
def heard(report: Callable[[str], None]) -> Iterator[None]:
    """Let `report` hear each wait for a lock."""
    handler, log = _Waits(report), postgres_locks.log
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


@storage_errors()
def run_batch(first: date, last: date, report: Callable[[str], None], began: float | None = None) -> Outcome:
    """Run `batch_job` for the days `first` to `last` in one run; `report` hears of each step that starts, or waits.

    The environment says where the Dagster instance is (`stack.environment`). `began`: when the command did (epoch).

    Raises:
        TransientError, SettingsError: Dagster's storage went away in the middle; what was written is whole.
    """
    one_day = first.isoformat() if first == last else None
    return _run("batch_job", report, began, range_tags(first, last), QUIET, one_day)


@storage_errors()
def run_reconcile(first: date, last: date, report: Callable[[str], None], began: float | None = None) -> Outcome:
    """Run `reconcile_job` over the days `first` to `last`, as `run_batch` does its own.

    Raises:
        TransientError, SettingsError: as `run_batch`.
    """
    days = {"config": {"first": first.isoformat(), "last": last.isoformat()}}
    return _run("reconcile_job", report, began, {}, QUIET | {"ops": {"__".join(RECONCILIATION.path): days}})


def _run(
    job: str,
    report: Callable[[str], None],
    began: float | None,
    tags: dict[str, str],
    config: dict[str, Any],
    partition: str | None = None,
) -> Outcome:
    outcome = Outcome(str(uuid.uuid4()))

    def listen(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            if isinstance(entry.level, int) and entry.level >= logging.WARNING:  # what a step waits for, or tries again
                report(entry.user_message)
            return
        if event.event_type == dg.DagsterEventType.STEP_START:
            report(str(event.step_key).replace("__", "/"))
        elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            made = event.step_materialization_data.materialization
            outcome.add(made)
            if event.step_key in LONG_STEPS:
                report(f"{event.step_key}: {made.asset_key.to_user_string()}")
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            outcome.judge(event.asset_check_evaluation_data)
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE:
            outcome.failures.setdefault(step_failure(event), []).append(str(event.step_key).replace("__", "/"))

    with dg.DagsterInstance.get() as instance, heard(report):
        fail_dead_runs(instance)
        instance.add_event_listener(outcome.run_id, listen)
        result = defs.resolve_job_def(job).execute_in_process(
            instance=instance,
            run_id=outcome.run_id,
            run_config=config,
            partition_key=partition,
            tags={PROCESS: process(os.getpid()), BEGAN: str(began or time.time())} | tags,
            raise_on_error=False,
        )
        outcome.success = result.success
        report("records")
        try:
            record_finished(instance, Settings.load())
        except RainbowError as error:  # the run is what it is; its record comes with the next one's
            outcome.warnings[f"{error} The next run completes them."] = ["records"]
    return outcome
