"""Locks exclude, are waited for aloud and with a limit, and are refused where a pooler makes them useless."""

import logging
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from rainbow_assets.errors import SettingsError, TransientError
from rainbow_assets.ops import doctor
from rainbow_assets.postgres_url import fields_of
from rainbow_assets.settings import Settings
from rainbow_assets.shop import schema
from rainbow_assets.stack.ports import free_ports
from rainbow_assets.systems import postgres, postgres_locks

pytestmark = pytest.mark.integration

CATALOG = "RAINBOW_CATALOG_URL"


@pytest.fixture(scope="module")
def catalog(shared_settings: Settings) -> str:
    return shared_settings.secret("catalog_url")


def test_who_waits_says_for_whom_and_not_for_ever(catalog: str, monkeypatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr(postgres_locks, "SAID_EVERY", 0.1)
    with closing(psycopg.connect(catalog, autocommit=True, application_name="night build")) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('rainbow.warehouse', 0))")
        holder = (
            rf"process {other.info.backend_pid} of rainbow_ducklake \(night build, from 127\.0\.0\.1, since 20.* UTC\)"
        )
        with (
            pytest.raises(TransientError, match=rf"rainbow\.warehouse \({CATALOG}\) is still held .*by {holder}"),
            postgres.lock(catalog, CATALOG, "warehouse", patience=0.5),
        ):
            pass
        assert any("held by process" in record.message for record in caplog.records)
        assert all(record.levelno == logging.WARNING for record in caplog.records)
        with postgres.lock(catalog, CATALOG, "raw.orders", patience=0.5):
            pass  # another lock waits for nobody
        threading.Timer(0.3, other.close).start()
        with postgres.lock(catalog, CATALOG, "warehouse", patience=30):
            pass  # its holder has ended


def test_a_lock_that_is_lost_on_the_way_is_told(catalog: str):
    ended = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    with pytest.raises(TransientError), postgres.lock(catalog, CATALOG, "warehouse"):
        postgres.fetch(catalog, CATALOG, ended)
    with pytest.raises(TransientError, match="lost on the way"), postgres.connect(catalog, CATALOG) as connection:
        postgres_locks.release(connection, CATALOG, "rainbow.warehouse")


@pytest.mark.parametrize("limit", ["statement_timeout", "idle_session_timeout", "lock_timeout"])
def test_the_roles_own_limits_end_no_lock(catalog: str, limit: str):
    fields = fields_of(catalog)
    change = f"ALTER ROLE {fields['user']} IN DATABASE {fields['dbname']} "
    with psycopg.connect(catalog, autocommit=True) as connection:
        connection.execute(f"{change} SET {limit} = '300ms'".encode())
    try:
        with closing(psycopg.connect(catalog, autocommit=True)) as other:
            other.execute("SELECT set_config('idle_session_timeout', '0', false)")
            other.execute("SELECT pg_advisory_lock(hashtextextended('rainbow.warehouse', 0))")
            threading.Timer(0.6, other.close).start()
            with postgres.lock(catalog, CATALOG, "warehouse"):
                time.sleep(0.6)  # it ends well: the lock was ours to the end
    finally:
        with psycopg.connect(catalog, autocommit=True) as connection:
            connection.execute(f"{change} RESET ALL".encode())


@pytest.fixture(scope="module")
def shop(shared_settings: Settings) -> str:
    url = shared_settings.secret("source_url")
    schema.create_schema(url)
    return url


def test_nothing_is_made_so_nothing_is_waited_for(shop: str):
    with psycopg.connect(shop) as other:
        other.execute("UPDATE orders SET id = id")
        other.execute("LOCK TABLE orderdetails IN ROW EXCLUSIVE MODE")
        began = time.monotonic()
        schema.create_schema(shop)
        assert schema.is_empty(shop)
        assert time.monotonic() - began < schema.PATIENCE


def test_a_wait_for_a_table_ends_and_says_who_has_it(shop: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(schema, "PATIENCE", 1)
    with closing(psycopg.connect(shop, application_name="month's end")) as other:
        other.execute("UPDATE orders SET id = id")
        said = rf"waited 1 s .*process {other.info.backend_pid} of rainbow_shop \(month's end, from 127.0.0.1, since 20"
        with pytest.raises(TransientError, match=said):
            schema.drop_data(shop)
        other.rollback()
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [schema.LOCK])
        with pytest.raises(TransientError, match=rf"being filled or simulated by process {other.info.backend_pid} of"):
            schema.drop_data(shop)
    schema.drop_data(shop)


class Pooled:
    """A client of a pooler: each of its transactions is on the backend that `servers` has for it."""

    def __init__(self, servers: Iterator[psycopg.Connection]) -> None:
        self._servers, self.info = servers, SimpleNamespace(backend_pid=0)

    def execute(self, query: str) -> Any:
        return next(self._servers).execute(query)

    def __enter__(self) -> "Pooled":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_a_pooler_in_transaction_mode_is_known_by_its_backends(catalog: str):
    with psycopg.connect(catalog) as one, psycopg.connect(catalog) as two, psycopg.connect(catalog) as three:

        def pooled(*servers: psycopg.Connection) -> Any:
            return Pooled(iter(servers))

        for own, others in (
            ((one,), [pooled(one)]),  # the one that we had just used goes to the next
            ((one, two), [pooled(three)]),  # we have another one ourselves
            ((one, one, one), [pooled(two), pooled(one)]),  # only the third meets it
        ):
            with pytest.raises(SettingsError, match=f"{CATALOG} leads to a pooler in transaction mode"):
                postgres_locks.require_own_backend(pooled(*own), CATALOG, iter(others).__next__)
        session = [pooled(two), pooled(three), pooled(two)]
        postgres_locks.require_own_backend(pooled(one, one, one, one), CATALOG, iter(session).__next__)
        postgres_locks.require_own_backend(one, CATALOG, lambda: pytest.fail("PostgreSQL itself needs no second look"))


@contextmanager
def pgbouncer(settings: Settings, folder: Path, **options: str) -> Iterator[int]:
    """A real pgbouncer before the stack's PostgreSQL; its port."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("there is no pgbouncer on this machine")
    [port] = free_ports(1)
    urls = [fields_of(settings.secret(name)) for name in ("catalog_url", "source_url")]
    (folder / "users").write_text("".join(f'"{url["user"]}" "{url["password"]}"\n' for url in urls))
    known = {"listen_addr": "127.0.0.1", "listen_port": port, "auth_type": "scram-sha-256", "unix_socket_dir": ""}
    known |= {"auth_file": folder / "users", "logfile": folder / "log"} | options
    lines = [f"* = host=127.0.0.1 port={settings.pg_port}", "[pgbouncer]", *(f"{k} = {v}" for k, v in known.items())]
    (folder / "ini").write_text("\n".join(["[databases]", *lines]))
    for file in (folder, *folder.iterdir()):
        file.chmod(0o777)
    command = [program, *(["-u", "nobody"] if os.geteuid() == 0 else []), str(folder / "ini")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                psycopg.connect(f"{settings.secret('catalog_url')}?host=127.0.0.1&port={port}").close()
                break
            except psycopg.OperationalError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("fifo", ["0", "1"], ids=["last used first", "round robin"])
def test_a_real_pooler_in_transaction_mode_is_refused(shared_settings: Settings, short_dir: Path, fifo: str):
    catalog = shared_settings.secret("catalog_url")
    options = {"pool_mode": "transaction", "server_round_robin": fifo, "ignore_startup_parameters": "options"}
    with pgbouncer(shared_settings, short_dir, **options) as port:
        url = f"{catalog}?port={port}"
        with psycopg.connect(url) as one, psycopg.connect(url) as two:  # it has idle backends to give
            one.execute("SELECT 1")
            two.execute("SELECT 1")
        with (
            pytest.raises(SettingsError, match=f"{CATALOG} leads to a pooler in transaction mode"),
            postgres.lock(url, CATALOG, "warehouse"),
        ):
            pass
        settings = Settings.model_validate(shared_settings.model_dump() | {"catalog_url": url})
        with pytest.raises(SettingsError, match="leads to a pooler in transaction mode"):
            doctor.CHECKS["DuckLake catalog"](settings)


def test_a_real_pooler_in_session_mode_is_used(shared_settings: Settings, short_dir: Path):
    options = {"pool_mode": "session", "ignore_startup_parameters": "options"}
    with pgbouncer(shared_settings, short_dir, **options) as port:
        url = f"{shared_settings.secret('catalog_url')}?port={port}"
        with (
            postgres.lock(url, CATALOG, "warehouse"),
            pytest.raises(TransientError, match="is still held"),
            postgres.lock(url, CATALOG, "warehouse", patience=0.3),
        ):
            pass
        source = f"{shared_settings.secret('source_url')}?port={port}"
        with pytest.raises(SettingsError, match="drops the session's options"):
            postgres.fetch(source, "RAINBOW_SOURCE_URL", "SELECT 1")


def test_a_pooler_that_refuses_the_options_is_named(shared_settings: Settings, short_dir: Path):
    with pgbouncer(shared_settings, short_dir, pool_mode="session") as port:
        source = f"{shared_settings.secret('source_url')}?port={port}"
        with pytest.raises(SettingsError, match="RAINBOW_SOURCE_URL: unsupported startup parameter"):
            postgres.fetch(source, "RAINBOW_SOURCE_URL", "SELECT 1")
