"""Processes of the stack: started detached, found by their command line, stopped and waited for.

A server is the process whose command line names its program and its own data directory. The process table is
the only record: there is no pid file that could be stale or name a recycled pid, and psutil compares the
creation time again before it sends a signal. Not here: what is started.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import psutil

from rainbow_assets.errors import StackError

# busy: it starts or recovers, and will be up. ending: it was told to stop, or has lost a part. silent: it runs and does
# not answer now, for whatever reason, and nothing says that it never will. outdated: its doors are open.
State = Literal["up", "busy", "ending", "silent", "outdated", "down"]
LOG_LIMIT = 20_000_000  # bytes; a log larger than this is set aside at the next start


def find(program: str, argument: str) -> psutil.Process | None:
    """The oldest running process named `program` that has `argument` among its arguments.

    Its `info` holds `name`, `cmdline` and `create_time` (seconds since the epoch), read at once.
    """
    running = psutil.process_iter(["name", "cmdline", "create_time"])
    found = [one for one in running if one.info["name"] == program and argument in (one.info["cmdline"] or ())]
    return min(found, key=lambda process: float(process.info["create_time"]), default=None)


def start_detached(command: Sequence[str], log: Path, cwd: Path, env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start a process that outlives this one: a session of its own, no terminal, output to `log`."""
    with open_log(log) as output:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
        )


def stop(process: psutil.Process, steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn and wait for the end of the process, that many seconds each.

    Raises:
        StackError: the process outlived the last signal.
    """
    for number, seconds in steps:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            return
        except psutil.AccessDenied:
            owner = f"Process {process.pid} ({process.info['name']}) belongs to {process.username()}"
            raise StackError(f"{owner} and cannot be stopped by this user.", "Stop it as that user.") from None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if _ended(process):
                return
            time.sleep(0.02)
    raise StackError(f"Process {process.pid} ({process.info['name']}) does not end.", f"Try `kill -9 {process.pid}`.")


def _ended(process: psutil.Process) -> bool:
    """Whether it is gone, or dead and only not yet buried by its parent (in a container for ever, perhaps)."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def open_log(log: Path) -> BinaryIO:
    """`log` to append to (mode 600), after setting an overlong one aside as `<name>.1`."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_name(f"{log.name}.1"))
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def last_line(log: Path, words: Sequence[str]) -> str:
    """The newest line of `log` that holds one of `words`, else its newest line; at most 300 characters."""
    lines = [
        line.strip()
        for line in log.read_text(encoding="utf-8", errors="replace")[-20_000:].splitlines()
        if line.strip()
    ]
    telling = [line for line in lines if any(word in line for word in words)]
    return (telling or lines or ["nothing"])[-1][:300]
