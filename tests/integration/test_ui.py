"""The Dagster UI as `rainbow ui` serves it: what it says, what other pages cannot do with it, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection

import psutil
import pytest
from real_stack import RAINBOW, rainbow

from rainbow_assets.settings import Settings
from rainbow_assets.stack.ports import LOOPBACK, free_ports

pytestmark = pytest.mark.integration

LIMIT = 240  # seconds; it serves after 20 as a rule
JSON = {"Content-Type": "application/json"}
VERSION = b'{"query": "{ version }"}'
START = "mutation{startSchedule(scheduleSelector:{repositoryLocationName:%22x%22}){__typename}}"


@dataclass
class Ui:
    process: "subprocess.Popen[str]"
    port: int
    said: list[str]

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        connection = HTTPConnection(LOOPBACK, self.port, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def shake_hands(self, **headers: str) -> int:
        """The status that a WebSocket of /graphql begins with."""
        told = {"Host": f"{LOOPBACK}:{self.port}", "Upgrade": "websocket", "Connection": "Upgrade"} | headers
        told |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}
        told |= {"Sec-WebSocket-Protocol": "graphql-ws"}
        with socket.create_connection((LOOPBACK, self.port), timeout=60) as client:
            lines = ["GET /graphql HTTP/1.1", *(f"{name}: {value}" for name, value in told.items()), "", ""]
            client.sendall("\r\n".join(lines).encode())
            return int(client.recv(100).split()[1])


def start(port: int) -> "subprocess.Popen[str]":
    """As a background job of a script has it: SIGINT is ignored."""
    return subprocess.Popen(
        [RAINBOW, "ui", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )


@pytest.fixture(scope="module")
def ui(shared_settings: Settings) -> Iterator[Ui]:
    [port] = free_ports(1)
    process = start(port)
    watch = threading.Timer(LIMIT, process.kill)
    watch.start()
    try:
        assert process.stdout is not None
        said = [process.stdout.readline(), process.stdout.readline()]
        yield Ui(process, port, said)
    finally:
        watch.cancel()
        process.kill()
        process.wait()


def test_it_says_what_it_does_and_where_it_is(ui: Ui, shared_settings: Settings):
    assert ui.said[0].startswith("Starting the Dagster UI")
    assert str(shared_settings.home / "logs" / "ui.log") in ui.said[0]
    assert ui.said[1] == f"Dagster UI on http://{LOOPBACK}:{ui.port}. Ctrl-C ends it.\n"
    assert ui.ask("POST", "/graphql", VERSION, **JSON)[0] == 200
    status, page = ui.ask("GET", "/runs")
    assert (status, 'id="root"' in page) == (200, True)
    locations = b'{"query": "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"}'
    found = json.loads(ui.ask("POST", "/graphql", locations, **JSON)[1])
    assert found["data"]["workspaceOrError"]["locationEntries"] == [{"name": "rainbow", "loadStatus": "LOADED"}]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", f"/graphql?query={START}", None, {}, 405),  # an <img>
        ("GET", f"/graphql?query={START}", None, {"Accept": "text/html"}, 405),  # a link
        ("POST", f"/graphql?query={START}", b"", {"Content-Type": "text/plain"}, 415),  # a form
        ("POST", "/graphql", VERSION, {"Content-Type": "text/plain"}, 415),
        ("POST", "/graphql", b"{ version }", {"Content-Type": "application/graphql"}, 415),
        ("POST", "/report_asset_materialization/raw/orders", b"", {"Content-Type": "text/plain"}, 415),
        ("POST", "/graphql", VERSION, JSON | {"Origin": "https://evil.example"}, 403),
        ("POST", "/graphql", VERSION, JSON | {"Origin": "null"}, 403),
        ("GET", "/logs/x", None, {"Sec_Fetch_Site": "cross-site"}, 403),
        ("POST", "/graphql", VERSION, JSON | {"Host": "rebound.example"}, 421),  # DNS rebinding
        ("GET", "/", None, {"Host": "rebound.example"}, 421),
    ],
)
def test_another_page_cannot_use_it(ui: Ui, method, path, body, headers, status):
    answered, page = ui.ask(method, path, body, **headers)
    assert (answered, list(json.loads(page))) == (status, ["detail"])


def test_another_page_cannot_listen(ui: Ui):
    assert ui.shake_hands(Origin="https://evil.example") == 403
    assert ui.shake_hands(Host="rebound.example") == 403
    assert ui.shake_hands(Origin=f"http://{LOOPBACK}:{ui.port}") == 101


def test_what_to_do_is_a_page(ui: Ui):
    status, page = ui.ask("GET", "/rainbow/docs/data-quality")
    assert (status, 'id="written_files_are_whole"' in page) == (200, True)
    for other in ("../README", "../.rainbow/credentials.json", "..%2FREADME.md", "/etc/passwd", "nothing", ""):
        assert ui.ask("GET", f"/rainbow/docs/{other}")[0] == 404, other


def test_a_second_ui_of_the_same_home_refuses(ui: Ui, shared_settings: Settings):
    done = rainbow("ui", "--port", str(free_ports(1)[0]), timeout=60)
    assert done.returncode == 1
    told = f"Error: `rainbow ui` runs already for {shared_settings.home}: process {ui.process.pid}."
    assert done.stderr.startswith(told)
    assert done.stderr.count("\n") == 1


def test_it_ends_and_leaves_nothing(ui: Ui):
    """Last in this file: Ctrl-C ends it where it serves, and SIGTERM one that is only starting."""
    family = psutil.Process(ui.process.pid).children(recursive=True)
    assert len(family) >= 4, "the graph and its workers, the daemon, the page"
    os.kill(ui.process.pid, signal.SIGINT)
    rest, said = ui.process.communicate(timeout=30)
    assert (ui.process.returncode, rest, said) == (0, "The Dagster UI has ended.\n", "")
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]

    again = start(ui.port)
    assert again.stdout is not None
    assert again.stdout.readline().startswith("Starting")
    again.terminate()
    rest, said = again.communicate(timeout=30)
    assert (again.returncode, rest, said) == (0, "The Dagster UI has ended.\n", "")
