"""The real stack for the integration tests: one a session, by the code of `rainbow up`, on free ports.

`stack` is the session's stack. `fresh_settings` gives a test its own databases, bucket and RAINBOW_HOME on the
servers of that stack. Both set RAINBOW_HOME (and what Dagster needs) in the environment, and `rainbow.env` in
that home holds the rest, so subprocesses find it too. Every pytest worker has its own stack.
"""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from real_stack import start_stack, use_home

from rainbow_assets.settings import Settings
from rainbow_assets.stack import credentials as stored
from rainbow_assets.stack import lifecycle
from rainbow_assets.stack.buckets import endpoint, ensure_bucket
from rainbow_assets.stack.databases import drop_databases, ensure_databases
from rainbow_assets.stack.environment import dagster_environment


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A temporary directory of mode 700 with a short path, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="rb-", dir="/tmp")).resolve()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack() -> Iterator[Settings]:
    """A running stack and its settings; down and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="rb-", dir="/tmp")).resolve()
    with pytest.MonkeyPatch.context() as patch:
        try:
            settings = start_stack(patch, folder / "home")
            for name, value in dagster_environment(settings).items():
                patch.setenv(name, value)
            yield settings
        finally:
            use_home(patch, folder / "home")
            lifecycle.down(Settings.load())
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fresh_settings(stack: Settings, monkeypatch: pytest.MonkeyPatch, short_dir: Path) -> Iterator[Settings]:
    """Settings of the test's own: empty databases and an empty bucket on the session's servers, a new home."""
    with new_lake(stack, monkeypatch, short_dir) as settings:
        yield settings


@pytest.fixture(scope="module")
def shared_settings(stack: Settings) -> Iterator[Settings]:
    """Settings as `fresh_settings`, for all tests of a module together."""
    folder = Path(tempfile.mkdtemp(prefix="rb-", dir="/tmp")).resolve()
    with pytest.MonkeyPatch.context() as patch, new_lake(stack, patch, folder) as settings:
        yield settings
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_lake(stack: Settings, patch: pytest.MonkeyPatch, home: Path) -> Iterator[Settings]:
    """Empty databases and an empty bucket on the stack's servers, with `home` as RAINBOW_HOME; removed at the end."""
    credentials = stored.ensure(stack.home)
    suffix = uuid.uuid4().hex[:10]
    bucket = f"test-{suffix}"
    urls = ensure_databases(stack.pg_port, credentials, f"_{suffix}")
    ensure_bucket(stack.s3_port, credentials, stack.s3_region, bucket)
    use_home(patch, home)
    (home / "dagster").mkdir(mode=0o700)
    (home / "dagster" / "dagster.yaml").symlink_to(stack.home / "dagster" / "dagster.yaml")
    settings = Settings.load().record(
        **urls,
        pg_port=stack.pg_port,
        s3_port=stack.s3_port,
        s3_endpoint=endpoint(stack.s3_port),
        s3_access_key=credentials.s3_access_key,
        s3_secret_key=credentials.s3_secret_key,
        s3_bucket=bucket,
        clickhouse_url=f"chdb://{home}/clickhouse",
    )
    for name, value in dagster_environment(settings).items():
        patch.setenv(name, value)
    yield settings
    drop_databases(stack.pg_port, credentials, f"_{suffix}")
    client = boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        aws_access_key_id=credentials.s3_access_key,
        aws_secret_access_key=credentials.s3_secret_key,
        region_name=settings.s3_region,
    )
    client.delete_bucket(Bucket=bucket)  # this server removes the objects with it
