"""Up, down and status of the embedded stack as a whole.

`up` is safe to repeat: it starts what does not run, restarts what is ending, runs on another port or was started by an
older version with open doors, and creates what is missing. What merely does not answer is never stopped but by `down`:
a run may be at work in it. A file lock keeps a second `up` or `down` of the same home waiting. Not here: how a server
works (`postgres.py`, `seaweedfs.py`).
"""

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rainbow_assets import clickhouse_url
from rainbow_assets.errors import StackError
from rainbow_assets.settings import Settings
from rainbow_assets.stack import credentials as stored
from rainbow_assets.stack.buckets import endpoint, ensure_bucket
from rainbow_assets.stack.databases import ensure_databases
from rainbow_assets.stack.environment import prepare_dagster_home
from rainbow_assets.stack.ports import LOOPBACK, require_free
from rainbow_assets.stack.postgres import RECOVERY, PostgresServer
from rainbow_assets.stack.seaweedfs import SeaweedServer

Server = PostgresServer | SeaweedServer
Report = Callable[[str], None]
PATIENCE = {"busy": RECOVERY, "silent": 30.0}  # seconds that `up` waits for a server in such a state
ROOM = 300_000_000  # bytes: an empty PostgreSQL is 40 MB, and writes 64 MB of log at once; a full one loses commits
FORBIDDEN = ',"$`\\?#%\n'  # characters of a path that a shell, a URL or SeaweedFS would read otherwise


@dataclass(frozen=True)
class PartStatus:
    """One part of the stack: `state` is one of `processes.State`, on another port, or embedded (in each process)."""

    part: str
    state: str
    where: str
    pid: int | None = None
    uptime: float | None = None  # seconds

    @property
    def usable(self) -> bool:
        """Whether the part can be used now."""
        return self.state in {"up", "embedded"}


def up(settings: Settings, report: Report = lambda _line: None) -> Settings:
    """Start the stack, record its settings in `rainbow.env`, and return them.

    Raises:
        StackError: a port is taken, the disk is full, or a server does not start; what this call started is stopped
            again.
    """
    if set(FORBIDDEN) & set(str(settings.home)):
        raise StackError(f"RAINBOW_HOME {str(settings.home)!r} holds one of {FORBIDDEN!r}.", "Choose a plainer path.")
    with _lock(settings.home):
        credentials = stored.ensure(settings.home)
        to_start = [server for server in _servers(settings) if not _runs(server)]
        if to_start:
            _require_room(settings.home)
        for server in to_start:
            require_free(server.port, server.setting)
        try:
            for server in to_start:
                report(f"Starting {server.part} on {LOOPBACK}:{server.port}")
                server.start(credentials)
            urls = ensure_databases(settings.pg_port, credentials)
            ensure_bucket(settings.s3_port, credentials, settings.s3_region, settings.s3_bucket)
            prepare_dagster_home(settings)
            return _record(settings, credentials, urls)
        except BaseException:  # also Ctrl-C: nothing half-started is left
            for server in to_start:
                server.stop()
            raise


def down(settings: Settings, report: Report = lambda _line: None) -> None:
    """Stop the stack and wait for its end. Nothing to stop is fine.

    Raises:
        StackError: a process belongs to somebody else, or does not end.
    """
    if not settings.home.exists():
        return
    with _lock(settings.home):
        for server in reversed(_servers(settings)):
            if server.process():
                report(f"Stopping {server.part}")
                server.stop()


def status(settings: Settings) -> list[PartStatus]:
    """The state of every part of the embedded stack."""
    parts = []
    for server in _servers(settings):
        process = server.process()
        uptime = time.time() - process.info["create_time"] if process else None
        state = server.state() if process is None or server.on_port(process) else "on another port"
        where = f"{LOOPBACK}:{server.port}"
        parts.append(PartStatus(server.part, state, where, process.pid if process else None, uptime))
    parts.append(PartStatus("ClickHouse", "embedded", str(settings.home / "clickhouse")))
    return parts


def _servers(settings: Settings) -> tuple[Server, Server]:
    return PostgresServer(settings.home, settings.pg_port), SeaweedServer(settings.home, settings.s3_port)


def _runs(server: Server) -> bool:
    """Whether the server is up on its port; one that is ending, elsewhere or outdated is stopped.

    Raises:
        StackError: it runs and does not answer.
    """
    process = server.process()
    if process and server.on_port(process):
        began = time.monotonic()
        while (state := server.state()) in PATIENCE and time.monotonic() < began + PATIENCE[state]:
            time.sleep(0.2)
        if state == "up":
            return True
        if state in PATIENCE:
            raise StackError(
                f"{server.part} (process {process.pid}) runs and has not answered on {LOOPBACK}:{server.port} for "
                f"{PATIENCE[state]:.0f} s; it is left as it is. See {server.log}.",
                "Where it hangs for good, stop it with `rainbow down`, then start it with `rainbow up`.",
            )
    server.stop()
    return False


def _require_room(home: Path) -> None:
    free = shutil.disk_usage(home).free
    if free < ROOM:
        raise StackError(
            f"Only {free / 1e6:,.0f} MB are free at {home}, and the stack needs {ROOM / 1e6:,.0f} MB to start.",
            "Free some, or set RAINBOW_HOME to a larger disk.",
        )


def _record(settings: Settings, credentials: stored.Credentials, urls: dict[str, str]) -> Settings:
    """Write what changed to `rainbow.env`; a ClickHouse that the user has chosen stays."""
    values = urls | {
        "pg_port": str(settings.pg_port),
        "s3_port": str(settings.s3_port),
        "s3_endpoint": endpoint(settings.s3_port),
        "s3_access_key": credentials.s3_access_key,
        "s3_secret_key": credentials.s3_secret_key,
        "s3_region": settings.s3_region,
        "s3_bucket": settings.s3_bucket,
    }
    if settings.clickhouse_url is None:
        values["clickhouse_url"] = clickhouse_url.embedded(settings.home / "clickhouse")
    return settings.record(**values)


@contextmanager
def _lock(home: Path) -> Iterator[None]:
    """One `up` or `down` of a home at a time; the lock ends with the process that holds it."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / ".lock").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise StackError(
                f"{home} cannot be locked: {error.strerror}.", "Put RAINBOW_HOME on a local disk."
            ) from None
        yield
