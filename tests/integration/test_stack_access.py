"""Who may do what with the embedded stack: users, roles, modes, ports, secrets; and what Dagster is told."""

import os
import pwd
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from real_stack import (
    RAINBOW,
    mode,
    pids,
    rainbow,
    read_everywhere,
    servers,
    use_home,
    write_everywhere,
)

from rainbow_assets.cli import batch
from rainbow_assets.errors import SettingsError
from rainbow_assets.settings import PROJECT_DIR, Settings
from rainbow_assets.stack import credentials as stored
from rainbow_assets.stack import lifecycle
from rainbow_assets.stack.databases import DATABASES
from rainbow_assets.stack.ports import free_ports
from rainbow_assets.systems import clickhouse, object_store, postgres

pytestmark = pytest.mark.integration


def test_every_port_is_on_loopback(stack: Settings):
    for server in servers(stack):
        process = server.process()
        assert process is not None
        listening = [one for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN]
        assert listening
        assert {one.laddr.ip for one in listening} == {"127.0.0.1"}


def test_what_is_secret_is_private(stack: Settings):
    for name in ("rainbow.env", "credentials.json", "s3.json", "logs/postgres.log", "logs/seaweedfs.log"):
        assert mode(stack.home / name) == 0o600, name
    (stack.home / "clickhouse").mkdir(exist_ok=True)
    (stack.home / "clickhouse").chmod(0o755)  # as an earlier version left it
    with clickhouse.connect(stack):
        pass
    for name in ("postgres", "seaweedfs", "logs", "dagster", "clickhouse"):
        assert mode(stack.home / name) == 0o700, name
    assert mode(stack.home) & 0o066 == 0, "others may pass at most"


def test_what_the_command_writes_is_private(short_dir: Path, monkeypatch: pytest.MonkeyPatch):
    """A new home below a folder that the command makes: PostgreSQL's user still reaches its data."""
    home = short_dir / "made" / "home"
    use_home(monkeypatch, home)
    for name, port in zip(("RAINBOW_PG_PORT", "RAINBOW_S3_PORT"), free_ports(2), strict=True):
        monkeypatch.setenv(name, str(port))
    try:
        done = rainbow("up", umask=0o022)
        assert done.returncode == 0, done.stderr
        done = rainbow("sql", "--engine", "clickhouse", "SELECT 1", umask=0o022)
        assert done.returncode == 0, done.stderr
        found = [path for path in short_dir.rglob("*") if not path.is_symlink()]
        assert {path.relative_to(home).parts[0] for path in found if path.is_relative_to(home) and path != home} > {
            "clickhouse",
            "postgres",
        }
        assert [path for path in found if mode(path) & (0o076 if path.is_dir() else 0o077)] == []
    finally:
        rainbow("down")


def test_postgres_runs_as_an_ordinary_user(stack: Settings):
    process = servers(stack)[0].process()
    assert process is not None
    assert process.uids().real != 0
    assert (stack.home / "postgres").stat().st_uid == process.uids().real


def test_no_role_can_do_more_than_it_must(stack: Settings):
    for setting, (_database, role) in DATABASES.items():
        url = stack.secret(setting)
        query = "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication FROM pg_roles WHERE rolname = current_user"
        assert postgres.fetch(url, "test", query) == [(False, False, False, False)]
        for other, (database, _role) in DATABASES.items():
            if other != setting:
                with pytest.raises(SettingsError, match="permission denied for database"):
                    postgres.fetch(url.rpartition("/")[0] + f"/{database}", "test", "SELECT 1")
        with pytest.raises(SettingsError, match="permission denied for database"):
            postgres.fetch(url.rpartition("/")[0] + "/postgres", "test", "SELECT 1")
        assert role in url


def test_server_settings(stack: Settings):
    query = """SELECT current_setting('wal_level'), current_setting('lc_messages'), current_setting('timezone'),
        current_setting('fsync'), current_setting('max_connections')::int >= 100,
        (SELECT every(substr(rolpassword, 1, 13) = 'SCRAM-SHA-256') FROM pg_authid WHERE rolcanlogin)"""
    password = stored.ensure(stack.home).postgres
    admin = f"postgresql://postgres:{password}@127.0.0.1:{stack.pg_port}/postgres"
    assert postgres.fetch(admin, "test", query) == [("logical", "C", "UTC", "on", True, True)]


def test_s3_wants_the_generated_keys(stack: Settings):
    from botocore.exceptions import ClientError
    from pydantic import SecretStr

    stranger = stack.model_copy(update={"s3_secret_key": SecretStr("wrong")})
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        object_store.client(stranger).list_buckets()
    with pytest.raises(ClientError, match="NoSuchBucket"):
        object_store.client(stack).put_object(Bucket="never-made", Key="a", Body=b"")


def test_no_verb_prints_a_secret(stack: Settings):
    secrets = list(vars(stored.ensure(stack.home)).values())
    for verb in (
        ["up"],
        ["status"],
        ["doctor"],
        ["sql", "--engine", "source", "SELEC"],
        ["--debug", "sql", "nonsense"],
    ):
        result = rainbow(*verb)
        assert not [secret for secret in secrets if secret in result.stdout + result.stderr], verb
    for log in (stack.home / "logs").iterdir():
        assert not [secret for secret in secrets if secret in log.read_text()], log


def test_env_is_what_a_shell_needs(stack: Settings):
    script = f'eval "$({RAINBOW} env)" && {sys.executable} -c "{SHOW}"'
    clean = {"PATH": os.environ["PATH"], "RAINBOW_HOME": str(stack.home)}
    result = subprocess.run(["sh", "-c", script], env=clean, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert result.stdout.split() == [str(stack.home / "dagster"), "PooledPostgresStorage", "QueuePool", "False"]


SHOW = """
from dagster import DagsterInstance
with DagsterInstance.get() as instance:
    copy = DagsterInstance.from_ref(instance.get_ref())
    storage = instance.get_ref().storage
    print(instance.root_directory, type(storage).__name__, type(copy.run_storage._engine.pool).__name__)
    print(instance.telemetry_enabled)
"""


def test_a_run_needs_no_up(fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch):
    from dagster import DagsterInstance

    home = fresh_settings.home / "elsewhere" / "home"
    monkeypatch.setenv("RAINBOW_HOME", str(home))
    for _again in range(2):
        batch._prepare_dagster(fresh_settings.model_copy(update={"home": home}))
    assert os.environ["DAGSTER_HOME"] == str(home / "dagster")
    with DagsterInstance.get() as instance:
        assert instance.get_runs() == []
    assert mode(home) == mode(home / "dagster") == 0o700


def test_dagster_takes_every_setting_of_its_file(fresh_settings: Settings):
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        assert Path(instance.root_directory) == fresh_settings.home / "dagster"
        assert (fresh_settings.home / "dagster" / "dagster.yaml").resolve() == PROJECT_DIR / "dagster.yaml"
        pools = instance.get_concurrency_config().pool_config
        assert (pools.pool_granularity and pools.pool_granularity.value, pools.default_pool_limit) == ("run", 1)
        assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries == 0
        assert instance.get_runs() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test here runs as an ordinary user already")
def test_an_ordinary_user_runs_it_too(short_dir: Path, monkeypatch: pytest.MonkeyPatch):
    user = pwd.getpwnam("nobody")
    os.chown(short_dir, user.pw_uid, user.pw_gid)
    monkeypatch.setenv("HOME", "/nonexistent")
    use_home(monkeypatch, short_dir / "home")
    for name, port in zip(("RAINBOW_PG_PORT", "RAINBOW_S3_PORT"), free_ports(2), strict=True):
        monkeypatch.setenv(name, str(port))
    try:
        assert as_user(user, lambda: write_everywhere(lifecycle.up(Settings.load()))) == 0
        settings = Settings.load()
        assert read_everywhere(settings) == ([(42,)], b"x" * 100_000)
        assert {psutil.Process(pid).uids().real for pid in pids(settings) if pid} == {user.pw_uid}
        assert {path.owner() for path in settings.home.iterdir()} == {"nobody"}
    finally:
        assert as_user(user, lambda: lifecycle.down(Settings.load())) == 0
    assert pids(settings) == [None, None]


def as_user(user: pwd.struct_passwd, work: Callable[[], object]) -> int:
    """Do `work` in a child that becomes `user`; its exit code. A fork: the interpreter may lie in /root."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def test_a_second_ui_of_the_same_home_refuses(fresh_settings: Settings):
    first, second = (str(port) for port in free_ports(2))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    page = subprocess.Popen([RAINBOW, "ui", "--port", first], **quiet)  # type: ignore[call-overload]
    try:
        deadline = time.monotonic() + 60
        while "dev" not in psutil.Process(page.pid).cmdline():  # it has become `dagster dev`, and holds the lock still
            assert time.monotonic() < deadline
            time.sleep(0.05)
        done = rainbow("ui", "--port", second, timeout=60)
    finally:
        os.killpg(page.pid, signal.SIGKILL)
        page.wait()
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: `rainbow ui` runs already for {fresh_settings.home}: process {page.pid}.")
    assert done.stderr.count("\n") == 1
