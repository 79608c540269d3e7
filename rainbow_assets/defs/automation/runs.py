"""What is asked of runs that ended badly: why a step failed, and whether a run's process is still there.

Not here: the running of a job (`cli/launch.py`).
"""

import re
import socket

import dagster as dg
import psutil

# The tags of a run that has no launcher; their prefix keeps them out of the runs page.
BEGAN = ".dagster/rainbow_began"  # when its command began, which loads much before it
PROCESS = ".dagster/rainbow_process"  # host, process and when it began


def fail_dead_runs(instance: dg.DagsterInstance) -> None:
    """Report the runs of this host as failed whose process has ended without a word: they would block the queue."""
    going = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
    for run in instance.get_runs(going):
        host, _, rest = run.tags.get(PROCESS, "").partition(" ")
        if host != socket.gethostname() or f"{host} {rest}" == process(int(rest.split()[0])):
            continue
        now = instance.get_run_by_id(run.run_id)
        if now and not now.is_finished:  # it may have ended well meanwhile, and its process with it
            instance.report_run_failed(run, f"The process of run {run.run_id[:8]} was killed.")


def process(pid: int) -> str:
    """Host, pid and start of a process: a pid alone may be another's later. Without the start if it is gone."""
    try:
        return f"{socket.gethostname()} {pid} {psutil.Process(pid).create_time():.0f}"
    except psutil.NoSuchProcess:
        return f"{socket.gethostname()} {pid}"


def step_failure(event: dg.DagsterEvent) -> str:
    """One line on a step's failure: what the step said itself, else the innermost error, without its class."""
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return " ".join(failure.user_failure_data.description.split())
    error = failure.error
    while error and error.cause:
        error = error.cause
    return re.sub(r"^[\w.]+: ", "", " ".join(error.message.split())) if error else "see the log"
