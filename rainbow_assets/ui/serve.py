"""Starting the Dagster UI, waiting until it serves, and ending it: three of Dagster's programs under one of ours.

Here: the parts, and their life. What they print goes to a log file. Not here: what a part runs (`part.py`).
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from rainbow_assets.errors import RainbowError
from rainbow_assets.settings import PROJECT_DIR, Settings
from rainbow_assets.stack import processes
from rainbow_assets.stack.ports import LOOPBACK
from rainbow_assets.ui.part import GRACE, WEBSERVER

START = 300.0  # seconds; it takes 20 as a rule
PAUSE = 0.1
ENDS = (signal.SIGINT, signal.SIGTERM)

Parts = dict[str, "subprocess.Popen[bytes]"]


class _Ended(Exception):  # noqa: N818 - no error: somebody asked for it
    """A signal asked for the end."""


def run(settings: Settings, port: int, say: Callable[[str], None]) -> None:
    """Serve until a signal asks for the end; `say` gets a line at the start and one with the address.

    Raises:
        RainbowError: a part ended by itself, or the page does not come; the message holds the last line of the log.
    """
    log = settings.home / "logs" / "ui.log"
    with suppress(_Ended), _signals(), tempfile.TemporaryDirectory(prefix="rainbow-ui-") as folder, _parts() as parts:
        say(f"Starting the Dagster UI: the graph, its daemon and the page, in about 20 s. Log: {log}")
        socket, workspace = Path(folder) / "graph.sock", Path(folder) / "workspace.yaml"
        server = {"socket": str(socket), "location_name": "rainbow"}
        workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}), encoding="utf-8")  # JSON is YAML
        graph = ["-m", "rainbow_assets.definitions", "-d", str(PROJECT_DIR), "--location-name", "rainbow"]
        parts["graph"] = _start(log, "dagster", "code-server", "start", "-s", str(socket), *graph)
        _wait(parts, log, lambda: _answers(socket))
        told = ["-w", str(workspace)]
        parts["daemon"] = _start(log, "dagster-daemon", "run", *told)
        parts["page"] = _start(log, WEBSERVER, "-h", LOOPBACK, "-p", str(port), *told)
        _wait(parts, log, lambda: _serves(port))
        say(f"Dagster UI on http://{LOOPBACK}:{port}. Ctrl-C ends it.")
        _wait(parts, log, lambda: False, limit=float("inf"))
    say("The Dagster UI has ended.")


def _start(log: Path, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """A part in a process group of its own, which ends when this process does."""
    with processes.open_log(log) as output:
        return subprocess.Popen(
            [sys.executable, "-m", "rainbow_assets.ui.part", program, *arguments],
            cwd=PROJECT_DIR,
            env=_environment(os.environ),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
        )


def _environment(caller: Mapping[str, str]) -> dict[str, str]:
    """The caller's, with dbt and Dagster to be found; what libraries warn of is for those who wrote this."""
    path = os.pathsep.join([str(Path(sys.executable).parent), caller.get("PATH", "")])
    return dict(caller) | {"PATH": path, "PYTHONWARNINGS": "ignore"}


def _wait(parts: Parts, log: Path, done: Callable[[], bool], limit: float = START) -> None:
    """Wait until `done`, while all parts live."""
    deadline = time.monotonic() + limit
    while not done():
        if ended := [name for name, part in parts.items() if part.poll() is not None]:
            reason = processes.last_line(log, ("Error", "error", "Exception"))
            raise RainbowError(f"The Dagster UI's {ended[0]} ended by itself: {reason.rstrip('.')}.", f"Log: {log}.")
        if time.monotonic() > deadline:
            raise RainbowError(f"The Dagster UI did not come within {limit:.0f} s.", f"See {log}.")
        time.sleep(PAUSE)


def _answers(socket: Path) -> bool:
    """Whether the graph's server is ready, by its health service."""
    if not socket.exists():
        return False
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(f"unix:{socket}") as channel, suppress(grpc.RpcError):
        check = health_pb2.HealthCheckRequest(service="DagsterApi")
        answer = health_pb2_grpc.HealthStub(channel).Check(check, timeout=3)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
    return False


def _serves(port: int) -> bool:
    """Whether the page is there."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=3)
    try:
        connection.request("GET", "/server_info")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def _parts() -> Iterator[Parts]:
    """The parts, none of which outlives the block: asked to end together, and made to after a while."""
    parts: Parts = {}
    try:
        yield parts
    finally:
        for part in parts.values():
            _signal(part, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for part in parts.values():
            with suppress(subprocess.TimeoutExpired):
                part.wait(max(0.0, deadline - time.monotonic()))
            _signal(part, signal.SIGKILL)  # also of children that it left
            part.wait()


def _signal(part: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(part.pid, number)


@contextmanager
def _signals() -> Iterator[None]:
    """SIGINT and SIGTERM ask for the end, also where the caller ignores them; a second one changes nothing."""

    def ended(_number: int, _frame: FrameType | None) -> None:
        for number in ENDS:
            signal.signal(number, signal.SIG_IGN)
        raise _Ended

    before = {number: signal.signal(number, ended) for number in ENDS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
