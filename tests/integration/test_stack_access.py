"""Who may do what with the embedded stack: users, roles, modes, ports, secrets; and what Dagster is told."""

import os
import pwd
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil
import psycopg
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
from rainbow_assets.stack.seaweedfs import _inner_ports, _program
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
    for name in ("ca.pem", "certificate.pem", "key.pem", "security.toml"):
        assert mode(stack.home / "seaweedfs" / name) == 0o600, name
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
    for setting, (database, role) in DATABASES.items():
        url = stack.secret(setting)
        query = "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication FROM pg_roles WHERE rolname = current_user"
        assert postgres.fetch(url, "test", query) == [(False, False, False, False)]
        for other, (another, _role) in DATABASES.items():
            if other != setting:
                with pytest.raises(SettingsError, match="permission denied for database"):
                    postgres.fetch(url.rpartition("/")[0] + f"/{another}", "test", "SELECT 1")
        with pytest.raises(SettingsError, match="permission denied for database"):
            postgres.fetch(url.rpartition("/")[0] + "/postgres", "test", "SELECT 1")
        assert role in url
        place = {"host": "127.0.0.1", "port": stack.pg_port, "user": role, "dbname": database}
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(**place, passfile="/nonexistent")


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


# Of every part of SeaweedFS: what destroys, what shows, what is written by PUT or POST.
DOORS = [
    ("GET", "/col/delete?collection={bucket}"),
    ("GET", "/vol/grow?count=1"),
    ("GET", "/dir/assign"),
    ("GET", "/dir/status"),
    ("GET", "/vol/status"),
    ("GET", "/cluster/status"),
    ("GET", "/"),
    ("GET", "/ui/index.html"),
    ("GET", "/buckets/{bucket}/kept"),
    ("GET", "/{bucket}/kept"),
    ("GET", "/metrics"),
    ("GET", "/stats/memory"),
    ("GET", "/debug/pprof/goroutine?debug=2"),
    ("GET", "/1,01000000000000"),
    ("DELETE", "/buckets/{bucket}?recursive=true"),
    ("DELETE", "/{bucket}/kept"),
    ("POST", "/submit"),
    ("POST", "/?Action=CreateUser&UserName=mallory"),
    ("PUT", "/{bucket}/planted"),
    ("PUT", "/buckets/{bucket}/planted"),
]
ALIVE = {"/status", "/healthz", "/readyz"}  # that a server runs is no secret
SHELL = "collection.delete -collection={bucket} -force\nfs.ls -R /buckets\nvolume.list\ns3.configure\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_no_port_does_or_shows_anything_to_another_user(fresh_settings: Settings, stack: Settings, short_dir: Path):
    """Every port of the S3 server, asked by `nobody` over HTTP and over gRPC."""
    server, bucket = servers(stack)[1], fresh_settings.s3_bucket
    process, store = server.process(), object_store.client(fresh_settings)
    assert process is not None
    store.put_object(Bucket=bucket, Key="kept", Body=b"x" * 100_000)
    ports = {one.laddr.port for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN}
    assert len(ports) == 8
    found = short_dir / "found"
    found.touch()
    for path in (short_dir, found):
        os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)

    def knock() -> None:
        said = [
            f"{port} {method} {path}: {answer}"
            for port in ports
            for method, path in [*DOORS, *(("GET", path) for path in ALIVE)]
            if (answer := asked(port, method, path.format(bucket=bucket)))
        ]
        sockets = [str(path) for path in Path("/tmp").glob("seaweedfs-*.sock") if path.owner() and connects(path)]
        found.write_text("\n".join(said + sockets))

    assert as_user(pwd.getpwnam("nobody"), knock) == 0
    volume = _inner_ports(process)["volume.port"]
    open_still = found.read_text().splitlines()
    assert [line.partition(": ")[0] for line in open_still] == [f"{volume} GET /status"], open_still

    inner = _inner_ports(process)
    master, filer = (f"127.0.0.1:{inner[name]}.{inner[name + '.grpc']}" for name in ("master.port", "filer.port"))
    shell = [str(_program()), "shell", f"-master={master}", f"-filer={filer}"]
    kinds = {"cwd": short_dir, "input": SHELL.format(bucket=bucket), "env": {"HOME": str(short_dir)}, "text": True}
    with pytest.raises(subprocess.TimeoutExpired) as refused:  # it asks again and again
        subprocess.run(shell, timeout=4, capture_output=True, **kinds)
    assert bucket.encode() not in (refused.value.stdout or b"")
    assert store.get_object(Bucket=bucket, Key="kept")["Body"].read() == b"x" * 100_000
    assert [entry["Key"] for entry in store.list_objects_v2(Bucket=bucket)["Contents"]] == ["kept"]

    kinds |= {"cwd": server.data, "input": "fs.ls /buckets\n"}  # it lies where the certificate is
    done = subprocess.run(shell, timeout=30, check=False, capture_output=True, **kinds)
    assert bucket in done.stdout


def asked(port: int, method: str, path: str) -> str:
    """What a port answers to a stranger beyond a refusal; nothing of a page that only says that it lives."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, b"planted" if method in {"PUT", "POST"} else None)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, HTTPException):  # it does not speak HTTP, or wants a certificate
        return ""
    finally:
        connection.close()
    refused = answer.status >= 400 and b"xxxx" not in body  # as the object has it
    return "" if refused or (path in ALIVE and not body) else f"{answer.status} {body[:80]!r}"


def connects(path: Path) -> bool:
    """Whether somebody answers at a socket file."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


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
