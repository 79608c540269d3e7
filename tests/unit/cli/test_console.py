"""Progress: plain lines where no terminal is, a live bar where one is."""

import os
import pty
import subprocess
import sys

import pytest

from rainbow_assets.cli.console import progress

WORK = """
from rainbow_assets.cli.console import progress
with progress("Loading", total=4) as report:
    for part in "abcd":
        report.say(part)
        report.advance()
"""


def test_plain_lines_elsewhere(capsys: pytest.CaptureFixture[str]):
    with progress("Loading", total=40) as report:
        report.say("orders")
        for _ in range(40):
            report.advance()
    captured = capsys.readouterr()
    first, note, *tenths, last = captured.err.splitlines()
    assert (first, note) == ("Loading …", "Loading: orders")
    assert tenths == [f"Loading: {done} of 40" for done in range(4, 41, 4)]
    assert last.startswith("Loading: done in")
    assert captured.out == ""


def test_a_failure_is_not_said_to_be_done(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(ValueError, match="broken"), progress("Loading"):
        raise ValueError("broken")
    assert "done" not in capsys.readouterr().err


TAKEN = """
import os, sys
from rainbow_assets.cli.console import progress
with progress("Loading", total=4) as report:
    taken = os.open(os.devnull, os.O_WRONLY)
    os.dup2(taken, 2)  # as Dagster does for its compute log
    for part in ("step one", "step two", "step three", "step four"):
        report.say(part)
        report.advance()
        print("noise of a library", file=sys.stderr, flush=True)
        report._bar.refresh()  # what its clock does ten times a second
"""


@pytest.mark.parametrize("work", [WORK, TAKEN])
def test_a_live_bar_on_a_terminal(work: str):
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    subprocess.run([sys.executable, "-c", work], stderr=theirs, check=True, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert b"\x1b[" in shown
    assert "4/4" in shown.decode()
    assert shown.decode().rstrip().splitlines()[-1].endswith(" s")
    if work == TAKEN:
        assert all(f"step {name}" in shown.decode() for name in ("one", "two", "three", "four"))
        assert "noise" not in shown.decode()
