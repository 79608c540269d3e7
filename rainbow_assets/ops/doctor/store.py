"""The object store, tried with every client that a run uses: each has its own way to keys, proxies and certificates.

Not here: what is kept in it (`landing/`, `raw/`).
"""

import io
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rainbow_assets.errors import RainbowError
from rainbow_assets.settings import Settings

FOLDER = "doctor"  # what is written there is removed again


def usable(settings: Settings) -> str:
    """boto3, DuckDB and Iceberg each write an object and read it.

    Raises:
        RainbowError: one of them cannot; the message names it.
    """
    with _removed_at_the_end(settings) as folder:
        for name, client in {"boto3": _boto3, "DuckDB": _duckdb, "Iceberg": _iceberg}.items():
            try:
                client(settings, folder)
            except RainbowError as error:
                raise type(error)(f"{name}: {error.message}", error.hint) from None
    return f"{settings.s3_endpoint or 'Amazon S3'}, bucket {settings.s3_bucket}, written and read by all its clients"


@contextmanager
def a_file(settings: Settings) -> Iterator[str | None]:
    """The key of a Parquet file of one row, `a` = 1, for ClickHouse to read; None where boto3 cannot write it."""
    import pyarrow as pa
    from pyarrow import parquet

    from rainbow_assets.systems import object_store

    body = io.BytesIO()
    parquet.write_table(pa.table({"a": pa.array([1], pa.int32())}), body)
    with _removed_at_the_end(settings) as folder:
        key = f"{folder}/clickhouse.parquet"
        try:
            with object_store.s3_errors(settings.s3_bucket):
                object_store.client(settings).put_object(Bucket=settings.s3_bucket, Key=key, Body=body.getvalue())
        except RainbowError:
            yield None
            return
        yield key


@contextmanager
def _removed_at_the_end(settings: Settings) -> Iterator[str]:
    from rainbow_assets.systems import object_store

    folder = f"{FOLDER}/{uuid.uuid4()}"
    try:
        yield folder
    finally:
        with suppress(RainbowError):  # a store that is away has its own finding
            client = object_store.client(settings)
            names = list(object_store.keys(client, settings.s3_bucket, f"{folder}/"))
            object_store.remove(client, settings.s3_bucket, names)


def _boto3(settings: Settings, folder: str) -> None:
    from rainbow_assets.systems import object_store

    client, bucket, key = object_store.client(settings), settings.s3_bucket, f"{folder}/boto3"
    with object_store.s3_errors(bucket):
        client.list_objects_v2(Bucket=bucket, MaxKeys=1)
        client.put_object(Bucket=bucket, Key=key, Body=b"rainbow")
        client.get_object(Bucket=bucket, Key=key)["Body"].read()


def _duckdb(settings: Settings, folder: str) -> None:
    from rainbow_assets.systems import ducklake
    from rainbow_assets.systems.duckdb_engine import open_engine

    file = ducklake.literal(f"s3://{settings.s3_bucket}/{folder}/duckdb.parquet")
    with open_engine() as connection, ducklake.store_errors():
        for statement in ducklake.setup_statements(settings):
            connection.execute(statement)
        connection.execute(f"COPY (SELECT 1 AS a) TO {file}")
        connection.execute(f"FROM read_parquet({file})").fetchall()


def _iceberg(settings: Settings, folder: str) -> None:
    from rainbow_assets.systems import iceberg

    location = f"s3://{settings.s3_bucket}/{folder}/iceberg"
    with iceberg.store_errors():
        files = iceberg.file_io(settings)
        with files.new_output(location).create() as output:
            output.write(b"rainbow")
        with files.new_input(location).open() as written:
            written.read()
