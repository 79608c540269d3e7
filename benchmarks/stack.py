"""The benchmarks' own stack: PostgreSQL and SeaweedFS in a temporary folder, on free ports, gone at the end.

Here: the stack, fresh lakes on it, and source databases. Not here: rows (`sources.py`) and timings.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from rainbow_assets.settings import PREFIX, Settings
from rainbow_assets.stack import credentials as stored
from rainbow_assets.stack import lifecycle
from rainbow_assets.stack.buckets import ensure_bucket
from rainbow_assets.stack.databases import drop_databases, ensure_databases
from rainbow_assets.stack.environment import dagster_environment
from rainbow_assets.stack.ports import LOOPBACK, free_ports
from rainbow_assets.systems import object_store


@dataclass
class Stack:
    """A running stack; its databases and buckets are numbered."""

    folder: Path
    settings: Settings
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def credentials(self) -> stored.Credentials:
        """The passwords of this stack."""
        return stored.ensure(self.settings.home)

    def source(self) -> str:
        """The URL of a new, empty source database; it stays until the stack goes."""
        return ensure_databases(self.settings.pg_port, self.credentials, f"_source{next(self.numbers)}")["source_url"]

    def stream_url(self, source_url: str) -> str:
        """The URL of a source database for the stream's role."""
        return f"{self.settings.secret('stream_url').rpartition('/')[0]}/{source_url.rpartition('/')[2]}"

    def copy_of(self, source_url: str) -> str:
        """The URL of a copy of a source database to which nobody is connected."""
        name, template = f"rainbow_copy{next(self.numbers)}", source_url.rpartition("/")[2]
        admin = f"postgresql://postgres:{self.credentials.postgres}@{LOOPBACK}:{self.settings.pg_port}/postgres"
        with psycopg.connect(admin, autocommit=True) as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER rainbow_shop STRATEGY file_copy")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return f"{source_url.rpartition('/')[0]}/{name}"

    @contextmanager
    def lake(self, source_url: str, first: date, last: date, s3_endpoint: str | None = None) -> Iterator[Settings]:
        """Settings of a lake with nothing in it, over this source: new catalogs, bucket, ClickHouse, RAINBOW_HOME.

        `s3_endpoint`: another way to the store.
        Dagster's own database is the stack's: setting it up belongs to `rainbow up`, not to a run.
        """
        number = next(self.numbers)
        suffix, bucket, home = f"_lake{number}", f"lake-{number}", self.folder / f"lake{number}"
        urls = ensure_databases(self.settings.pg_port, self.credentials, suffix)
        ensure_bucket(self.settings.s3_port, self.credentials, self.settings.s3_region, bucket)
        (home / "dagster").mkdir(parents=True)
        (home / "dagster" / "dagster.yaml").symlink_to(self.settings.home / "dagster" / "dagster.yaml")
        own = {"source_url": source_url, "s3_bucket": bucket, "start_date": first, "end_date": last}
        own |= {"clickhouse_url": f"chdb://{home}/clickhouse", "dagster_url": self.settings.secret("dagster_url")}
        own["s3_endpoint"] = s3_endpoint or self.settings.s3_endpoint
        shared = ("pg_port", "s3_port", "s3_region")
        secrets = {name: self.settings.secret(name) for name in ("s3_access_key", "s3_secret_key")}
        with _home(home):
            settings = Settings.load().record(
                **urls | {name: getattr(self.settings, name) for name in shared} | secrets | own
            )
        try:
            yield settings
        finally:
            drop_databases(self.settings.pg_port, self.credentials, suffix)
            object_store.client(settings).delete_bucket(Bucket=bucket)  # this server removes the objects with it
            shutil.rmtree(home, ignore_errors=True)


def environment(settings: Settings) -> dict[str, str]:
    """What a program that works on this lake finds in its environment: RAINBOW_HOME says it all."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return inherited | dagster_environment(settings) | {"RAINBOW_HOME": str(settings.home)}


@contextmanager
def running_stack() -> Iterator[Stack]:
    """Start a stack; stop it and remove its folder, whatever happens meanwhile."""
    folder = Path(tempfile.mkdtemp(prefix="rainbow-bench-")).resolve()
    home = folder / "stack"
    pg_port, s3_port = free_ports(2)
    try:
        with _home(home, RAINBOW_PG_PORT=str(pg_port), RAINBOW_S3_PORT=str(s3_port)):
            settings = lifecycle.up(Settings.load())
        yield Stack(folder, settings)
    finally:
        with _home(home):
            lifecycle.down(Settings.load())
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _home(home: Path, **more: str) -> Iterator[None]:
    """RAINBOW_HOME alone decides, and `more`: nothing of the caller's settings does."""
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(PREFIX)}
    os.environ.update({"RAINBOW_HOME": str(home)} | more)
    try:
        yield
    finally:
        for name in ("RAINBOW_HOME", *more):
            os.environ.pop(name, None)
        os.environ.update(before)
