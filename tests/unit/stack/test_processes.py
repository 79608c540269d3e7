"""Real processes: found by their command line, detached, stopped by the first signal that works."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rainbow_assets.errors import StackError
from rainbow_assets.stack import processes

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A `sleep` whose time is its mark: no other process has the same."""
    sleep = shutil.which("sleep") or "sleep"
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Dagster ignores it where SIGINT is ignored
    process = processes.start_detached([sleep, f"600.{os.getpid()}"], tmp_path / "log", tmp_path, {"ONLY": "this"})
    signal.signal(signal.SIGTERM, before)
    yield process
    process.kill()
    process.wait()


def test_a_process_is_found_by_program_and_argument(sleeper: "subprocess.Popen[bytes]"):
    mark = f"600.{os.getpid()}"
    found = processes.find("sleep", mark)
    assert found is not None
    assert found.pid == sleeper.pid
    assert processes.find("postgres", mark) is None
    assert processes.find("sleep", mark + "0") is None


def test_it_is_detached_and_has_only_the_given_environment(sleeper: "subprocess.Popen[bytes]"):
    assert os.getsid(sleeper.pid) == sleeper.pid
    assert psutil.Process(sleeper.pid).environ() == {"ONLY": "this"}


def test_stop_waits_and_does_not_mind_the_dead(sleeper: "subprocess.Popen[bytes]"):
    found = processes.find("sleep", f"600.{os.getpid()}")
    assert found is not None
    processes.stop(found, [(signal.SIGTERM, 10)])
    assert sleeper.wait(10) == -signal.SIGTERM
    processes.stop(found, [(signal.SIGTERM, 10)])
    assert processes.find("sleep", f"600.{os.getpid()}") is None


def test_stop_goes_on_to_the_next_signal():
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        found = next(one for one in psutil.process_iter(["name"]) if one.pid == stubborn.pid)
        with pytest.raises(StackError, match="does not end"):
            processes.stop(found, [(signal.SIGTERM, 0.2)])
        processes.stop(found, [(signal.SIGTERM, 0.2), (signal.SIGKILL, 10)])
        assert stubborn.wait(10) == -signal.SIGKILL


def test_logs_are_private_and_set_aside_when_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log = tmp_path / "logs" / "x.log"
    with processes.open_log(log) as output:
        output.write(b"first FATAL: no space\nlast\n\n")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert processes.last_line(log, ["FATAL"]) == "first FATAL: no space"
    assert processes.last_line(log, ["PANIC"]) == "last"
    monkeypatch.setattr(processes, "LOG_LIMIT", 5)
    processes.open_log(log).close()
    assert log.read_text() == ""
    assert "first" in log.with_name("x.log.1").read_text()
