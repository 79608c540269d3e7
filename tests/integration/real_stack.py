"""What the tests of the stack share: starting one, killing its parts, writing and reading everywhere."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from rainbow_assets.errors import StackError
from rainbow_assets.settings import PREFIX, Settings
from rainbow_assets.stack import lifecycle
from rainbow_assets.stack.ports import free_ports
from rainbow_assets.stack.postgres import PostgresServer
from rainbow_assets.stack.seaweedfs import SeaweedServer
from rainbow_assets.systems import object_store, postgres

RAINBOW = Path(sys.executable).with_name("rainbow")


def start_stack(patch: pytest.MonkeyPatch, home: Path) -> Settings:
    """`rainbow up` in `home` on free ports; another try where somebody was faster to take one."""
    for attempt in range(3):
        use_home(patch, home)
        pg_port, s3_port = free_ports(2)
        patch.setenv("RAINBOW_PG_PORT", str(pg_port))
        patch.setenv("RAINBOW_S3_PORT", str(s3_port))
        try:
            settings = lifecycle.up(Settings.load())
        except StackError as error:
            if "in use" not in str(error) or attempt == 2:
                raise
            continue
        patch.delenv("RAINBOW_PG_PORT")  # they are in rainbow.env now
        patch.delenv("RAINBOW_S3_PORT")
        return settings
    raise AssertionError("unreachable")


def use_home(patch: pytest.MonkeyPatch, home: Path) -> None:
    """RAINBOW_HOME alone decides: nothing of the caller's environment does."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        patch.delenv(name)
    patch.setenv("RAINBOW_HOME", str(home))


def servers(settings: Settings) -> tuple[PostgresServer, SeaweedServer]:
    return PostgresServer(settings.home, settings.pg_port), SeaweedServer(settings.home, settings.s3_port)


def pids(settings: Settings) -> list[int | None]:
    return [process.pid if (process := server.process()) else None for server in servers(settings)]


def kill(settings: Settings, part: int, number: signal.Signals = signal.SIGKILL) -> None:
    process = servers(settings)[part].process()
    assert process is not None
    process.send_signal(number)
    if number == signal.SIGKILL:
        psutil.wait_procs([process], timeout=10)


def write_everywhere(settings: Settings) -> None:
    with postgres.connect(settings.secret("source_url"), "test") as connection:
        connection.execute("CREATE TABLE kept (a int)")
        connection.execute("INSERT INTO kept VALUES (42)")
    object_store.client(settings).put_object(Bucket=settings.s3_bucket, Key="kept", Body=b"x" * 100_000)


def read_everywhere(settings: Settings) -> tuple[object, bytes]:
    rows = postgres.fetch(settings.secret("source_url"), "test", "SELECT a FROM kept")
    body = object_store.client(settings).get_object(Bucket=settings.s3_bucket, Key="kept")["Body"].read()
    return rows, body


def rainbow(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(RAINBOW), *arguments], capture_output=True, text=True, check=False, **options)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
