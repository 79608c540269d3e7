"""The embedded stack on real processes: started, killed, moved, started again, two side by side."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from real_stack import RAINBOW, kill, pids, rainbow, read_everywhere, servers, start_stack, use_home, write_everywhere

from rainbow_assets.errors import StackError
from rainbow_assets.settings import Settings
from rainbow_assets.stack import credentials as stored
from rainbow_assets.stack import lifecycle
from rainbow_assets.stack.ports import free_ports
from rainbow_assets.stack.seaweedfs import SeaweedServer

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def second_home() -> Iterator[Path]:
    """The home of a second stack beside the session's, for tests that kill and move it."""
    folder = Path(tempfile.mkdtemp(prefix="rb-", dir="/tmp")).resolve()
    try:
        with pytest.MonkeyPatch.context() as patch:
            write_everywhere(start_stack(patch, folder / "home"))
        yield folder / "home"
    finally:
        with pytest.MonkeyPatch.context() as patch:
            use_home(patch, folder / "home")
            lifecycle.down(Settings.load())
        shutil.rmtree(folder)


@pytest.fixture
def own_stack(second_home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The second stack, up, with a row and an object in it."""
    use_home(monkeypatch, second_home)
    return lifecycle.up(Settings.load())


def test_up_again_changes_nothing(stack: Settings):
    running, recorded = pids(stack), stack.env_file.read_text()
    again = lifecycle.up(Settings.load())
    assert pids(stack) == running
    assert again == Settings.load()
    assert stack.env_file.read_text() == recorded
    assert all(part.usable for part in lifecycle.status(stack))


@pytest.mark.parametrize("parts", [(0,), (1,), (0, 1)], ids=["postgres", "seaweedfs", "both"])
def test_up_mends_what_was_killed(own_stack: Settings, parts: tuple[int, ...]):
    before = pids(own_stack)
    for part in parts:
        kill(own_stack, part)
    assert [state.usable for state in lifecycle.status(own_stack)[:2]] == [part not in parts for part in (0, 1)]
    mended = lifecycle.up(Settings.load())
    assert [old != new for old, new in zip(before, pids(own_stack), strict=True)] == [p in parts for p in (0, 1)]
    assert mended == own_stack, "the credentials stay"
    assert read_everywhere(mended) == ([(42,)], b"x" * 100_000)


def test_up_mends_an_s3_server_that_is_ending(own_stack: Settings):
    kill(own_stack, 1, signal.SIGTERM)  # it stops its volumes at once and itself much later
    deadline = time.monotonic() + 30
    while servers(own_stack)[1].state() == "up" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert read_everywhere(lifecycle.up(Settings.load())) == ([(42,)], b"x" * 100_000)


def test_up_closes_the_doors_of_an_older_version(own_stack: Settings, monkeypatch: pytest.MonkeyPatch):
    """A server that was started without certificates is restarted once, with its data; afterwards it is let be."""
    kill(own_stack, 1)
    server = servers(own_stack)[1]
    with monkeypatch.context() as older:
        older.setattr("rainbow_assets.stack.certificates.write", lambda folder: None)
        older.setattr("rainbow_assets.stack.seaweedfs._security", lambda: "")
        older.setattr("rainbow_assets.stack.seaweedfs.CLOSED", "-s3")
        older.setattr(SeaweedServer, "_wait", lambda self, *_: True)
        command = SeaweedServer._command
        older.setattr(SeaweedServer, "_command", lambda self, ports: [
            part for part in command(self, ports) if part != "-filer.disableHttp=true"
        ])  # fmt: skip
        server.start(stored.ensure(own_stack.home))
    for name in ("ca.pem", "certificate.pem", "key.pem", "security.toml"):
        (server.data / name).unlink()
    old = pids(own_stack)
    assert [state.state for state in lifecycle.status(own_stack)[:2]] == ["up", "outdated"]
    mended = lifecycle.up(Settings.load())
    assert [state.state for state in lifecycle.status(mended)[:2]] == ["up", "up"]
    assert [before == now for before, now in zip(old, pids(mended), strict=True)] == [True, False]
    assert read_everywhere(mended) == ([(42,)], b"x" * 100_000)
    running = pids(mended)
    lifecycle.up(Settings.load())
    assert pids(mended) == running


HOSTILE_PG = {  # each would let libpq's own ping fail, or ask another server
    "PGSSLMODE": "require",
    "PGSERVICE": "another",
    "PGHOST": "192.0.2.1",
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "9",
    "PGOPTIONS": "-c nonsense=1",
    "PGCHANNELBINDING": "require",
    "PGREQUIREAUTH": "none",
    "PGTARGETSESSIONATTRS": "standby",
}


def test_variables_of_libpq_stop_nothing(own_stack: Settings, monkeypatch: pytest.MonkeyPatch):
    running = pids(own_stack)
    for name, value in HOSTILE_PG.items():
        monkeypatch.setenv(name, value)
    for verb in ("status", "up"):
        done = rainbow(verb)
        assert (done.returncode, done.stderr) == (0, ""), verb
    for name in HOSTILE_PG:  # also where the code is called past the door
        monkeypatch.delenv(name)
    for name, value in HOSTILE_PG.items():
        with monkeypatch.context() as alone:
            alone.setenv(name, value)
            assert servers(own_stack)[0].state() in {"up", "silent"}, name
    assert pids(own_stack) == running


@pytest.mark.parametrize("part", [0, 1], ids=["postgres", "seaweedfs"])
def test_what_does_not_answer_is_not_stopped(own_stack: Settings, part: int, monkeypatch: pytest.MonkeyPatch):
    running = pids(own_stack)
    monkeypatch.setitem(lifecycle.PATIENCE, "silent", 0.5)
    kill(own_stack, part, signal.SIGSTOP)  # as a machine that is far too busy looks from outside
    try:
        assert lifecycle.status(own_stack)[part].state == "silent"
        with pytest.raises(StackError, match=f"process {running[part]}.*has not answered.*rainbow down"):
            lifecycle.up(Settings.load())
        assert pids(own_stack) == running
    finally:
        kill(own_stack, part, signal.SIGCONT)
    assert lifecycle.up(Settings.load()) == own_stack
    assert pids(own_stack) == running


def test_a_recycled_pid_is_not_ours(own_stack: Settings):
    kill(own_stack, 0)
    file = own_stack.home / "postgres" / "postmaster.pid"
    with subprocess.Popen(["sleep", "600"], user=file.stat().st_uid) as stranger:
        _pid, *rest = file.read_text().splitlines(keepends=True)
        file.write_text(f"{stranger.pid}\n" + "".join(rest))
        lifecycle.down(own_stack)
        assert stranger.poll() is None
        lifecycle.up(Settings.load())
        assert stranger.poll() is None
        stranger.kill()
    assert lifecycle.status(own_stack)[0].usable


@pytest.mark.parametrize("left", [b"", b"9" * 40 + b"\n\xff\0"], ids=["empty", "garbled"])
def test_up_mends_what_a_power_loss_left(own_stack: Settings, left: bytes):
    kill(own_stack, 0)
    (own_stack.home / "postgres" / "postmaster.pid").write_bytes(left)
    assert read_everywhere(lifecycle.up(Settings.load())) == ([(42,)], b"x" * 100_000)


def test_down_leaves_nothing_and_may_be_repeated(own_stack: Settings):
    running = [psutil.Process(pid) for pid in pids(own_stack) if pid]
    family = running + [child for process in running for child in process.children(recursive=True)]
    assert len(family) > 2
    lifecycle.down(own_stack)
    assert not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert not [part for part in lifecycle.status(own_stack)[:2] if part.usable]
    lifecycle.down(own_stack)


def test_another_port_moves_the_stack(own_stack: Settings, monkeypatch: pytest.MonkeyPatch):
    pg_port, s3_port = free_ports(2)
    monkeypatch.setenv("RAINBOW_PG_PORT", str(pg_port))
    monkeypatch.setenv("RAINBOW_S3_PORT", str(s3_port))
    moved = lifecycle.up(Settings.load())
    assert f":{pg_port}/" in moved.secret("source_url")
    assert read_everywhere(moved) == ([(42,)], b"x" * 100_000)
    monkeypatch.delenv("RAINBOW_PG_PORT")
    assert Settings.load().pg_port == pg_port, "recorded for the next command"


def test_two_stacks_side_by_side(stack: Settings, own_stack: Settings):
    assert not set(pids(stack)) & set(pids(own_stack))
    with pytest.raises(psycopg.errors.UndefinedTable):
        read_everywhere(stack)
    lifecycle.down(own_stack)
    assert all(part.usable for part in lifecycle.status(stack))


@pytest.mark.parametrize("setting", ["RAINBOW_PG_PORT", "RAINBOW_S3_PORT"])
def test_a_port_in_use_is_named_and_nothing_starts(
    stack: Settings, short_dir: Path, monkeypatch: pytest.MonkeyPatch, setting: str
):
    taken = stack.pg_port if setting == "RAINBOW_PG_PORT" else stack.s3_port
    use_home(monkeypatch, short_dir / "home")
    for name, port in zip(("RAINBOW_PG_PORT", "RAINBOW_S3_PORT"), free_ports(2), strict=True):
        monkeypatch.setenv(name, str(taken if name == setting else port))
    result = rainbow("up")
    assert result.returncode == 1
    assert f"Port {taken} ({setting}) is in use" in result.stderr
    assert result.stderr.count("\n") == 1
    assert pids(Settings.load()) == [None, None]
    assert not (short_dir / "home" / "rainbow.env").exists()


def test_two_ups_at_once_make_one_stack(short_dir: Path, monkeypatch: pytest.MonkeyPatch):
    use_home(monkeypatch, short_dir / "home")
    for name, port in zip(("RAINBOW_PG_PORT", "RAINBOW_S3_PORT"), free_ports(2), strict=True):
        monkeypatch.setenv(name, str(port))
    try:
        both = [subprocess.Popen([str(RAINBOW), "up"], stdout=subprocess.DEVNULL) for _ in range(2)]
        assert [process.wait(120) for process in both] == [0, 0]
        assert all(part.usable for part in lifecycle.status(Settings.load()))
    finally:
        lifecycle.down(Settings.load())


def test_an_interrupted_first_start_leaves_nothing_in_the_way(short_dir: Path, monkeypatch: pytest.MonkeyPatch):
    (short_dir / "home" / "postgres.new" / "base").mkdir(parents=True)
    settings = start_stack(monkeypatch, short_dir / "home")
    try:
        assert all(part.usable for part in lifecycle.status(settings))
    finally:
        lifecycle.down(settings)


def test_lost_credentials_are_an_error(own_stack: Settings):
    (own_stack.home / "credentials.json").rename(own_stack.home / "elsewhere")
    with pytest.raises(StackError, match=r"credentials\.json is missing"):
        lifecycle.up(Settings.load())
    (own_stack.home / "elsewhere").rename(own_stack.home / "credentials.json")
