"""Settings of a test's own on the session's servers: databases, a bucket, a RAINBOW_HOME, all removed at the end."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from real_stack import use_home

from rainbow_assets.settings import Settings
from rainbow_assets.stack import credentials as stored
from rainbow_assets.stack.buckets import endpoint, ensure_bucket
from rainbow_assets.stack.databases import drop_databases, ensure_databases
from rainbow_assets.stack.environment import dagster_environment


@contextmanager
def new_lake(stack: Settings, patch: pytest.MonkeyPatch, home: Path) -> Iterator[Settings]:
    """Empty databases and an empty bucket on the servers of `stack`, and `home` as RAINBOW_HOME."""
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
