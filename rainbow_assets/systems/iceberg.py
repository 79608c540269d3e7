"""Iceberg: the SQL catalog in PostgreSQL, its tables, and their data files.

Here: what pyiceberg is asked to do. Not here: which files belong into a table (`raw/register.py`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime

import psycopg
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.io import FileIO, load_file_io
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from rainbow_assets import environment
from rainbow_assets.errors import DataError, RainbowError, TransientError
from rainbow_assets.postgres_url import sqlalchemy
from rainbow_assets.settings import Settings
from rainbow_assets.systems.object_store import refusal
from rainbow_assets.systems.postgres_errors import failure
from rainbow_assets.systems.postgres_session import DEFAULTS

PARTITION = "change_date"
RUN_ID = "rainbow.run_id"  # in a snapshot's summary
DENIED = ("ACCESS_DENIED", "HTTP status 401", "HTTP status 403", "RequestTimeTooSkewed")  # Arrow's words
PROPERTIES = {
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "commit.manifest-merge.enabled": "true",  # otherwise each day leaves a manifest, and a scan opens them all
    "commit.manifest.min-count-to-merge": "30",
}
TYPES: dict[str, IcebergType] = {
    "BOOLEAN": BooleanType(),
    "INTEGER": IntegerType(),
    "BIGINT": LongType(),
    "FLOAT": FloatType(),
    "DOUBLE": DoubleType(),
    "VARCHAR": StringType(),
    "DATE": DateType(),
    "TIMESTAMP": TimestampType(),
}


def connect(settings: Settings) -> SqlCatalog:
    """The catalog `rainbow`; its tables live below `s3://<bucket>/iceberg`.

    Raises:
        TransientError: the catalog's database does not answer.
    """
    properties = _store(settings) | {
        "uri": sqlalchemy(settings.secret("iceberg_catalog_url"), "psycopg", DEFAULTS | {"client_encoding": "UTF8"}),
        "warehouse": f"s3://{settings.s3_bucket}/iceberg",
    }
    with _catalog_errors():
        return SqlCatalog("rainbow", **properties)


def file_io(settings: Settings) -> FileIO:
    """How Iceberg reads and writes the object store."""
    return load_file_io(_store(settings), f"s3://{settings.s3_bucket}/iceberg")


def _store(settings: Settings) -> dict[str, str]:
    """What pyiceberg must know of the object store."""
    properties = {
        "s3.access-key-id": settings.secret("s3_access_key"),
        "s3.secret-access-key": settings.secret("s3_secret_key"),
        "s3.region": settings.s3_region,
        "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
    }
    address = settings.s3_endpoint or f"https://s3.{settings.s3_region}.amazonaws.com"
    if proxy := environment.proxy_for(address):  # Arrow itself knows of none
        properties["s3.proxy-uri"] = proxy
    if settings.s3_endpoint:
        properties |= {"s3.endpoint": settings.s3_endpoint, "s3.force-virtual-addressing": "false"}
    return properties


def ensure_table(catalog: SqlCatalog, namespace: str, name: str, columns: dict[str, str]) -> Table:
    """The table, created or widened so that it has `columns` (name to lake type), partitioned by `change_date`.

    Raises:
        TransientError: the catalog does not answer, or another writer was faster.
    """
    with _catalog_errors():
        try:
            table = catalog.load_table((namespace, name))
        except NoSuchTableError:
            table = _create(catalog, namespace, name, columns)
        known = {field.name for field in table.schema().fields}
        if missing := [column for column in columns if column not in known]:
            with table.update_schema() as update:
                for column in missing:
                    update.add_column((column,), iceberg_type(columns[column]))  # a path: a name may have dots
        return table


def rename_column(catalog: SqlCatalog, namespace: str, name: str, column: str, new: str) -> None:
    """Rename a table's column, if it has it; files with the old name are read as before."""
    table = find_table(catalog, namespace, name)
    if table and column in {field.name for field in table.schema().fields}:
        with _catalog_errors(), table.update_schema() as update:
            update.rename_column((column,), new)


def files(table: Table, first: date, last: date) -> dict[str, int]:
    """The data files of the days `first` to `last` and their row counts; reads only the manifests of these days."""
    days = f"{PARTITION} >= '{first}' AND {PARTITION} <= '{last}'"
    with _catalog_errors():
        return {task.file.file_path: task.file.record_count for task in table.scan(row_filter=days).plan_files()}


def add_files(table: Table, uris: list[str], run_id: str) -> None:
    """Add Parquet files as they are, in one snapshot that names the run. The caller has made sure that they are new.

    Raises:
        TransientError: another writer was faster, or the object store does not answer.
        DataError: a file does not fit the table.
    """
    if uris:
        with _catalog_errors():
            # pyiceberg's own check for duplicates reads every manifest; ours read those of the days.
            table.add_files(uris, snapshot_properties={RUN_ID: run_id}, check_duplicate_files=False)


def find_table(catalog: SqlCatalog, namespace: str, name: str) -> Table | None:
    """The table, or None."""
    with _catalog_errors():
        try:
            return catalog.load_table((namespace, name))
        except NoSuchTableError:
            return None


def data_files(catalog: SqlCatalog, namespace: str, name: str) -> list[DataFile]:
    """Every data file of the table, once for each time that it is registered; [] where there is no such table."""
    table = find_table(catalog, namespace, name)
    with _catalog_errors():
        return [task.file for task in table.scan().plan_files()] if table else []


def deregister(table: Table, entries: Sequence[DataFile], keep: bool, run_id: str) -> None:
    """Take data files out of the table, in one commit; no object is deleted. `keep`: leave each registered once.

    `entries`: as `data_files` gives them, a file as often as it is registered.
    """
    once = list({entry.file_path: entry for entry in entries}.values())
    times = Counter(entry.file_path for entry in entries)
    extra = [(times[entry.file_path] - 1, entry) for entry in once]
    # The removal counts a file once, however often it was registered: what adds it again subtracts the rest.
    rest = {
        "deleted-data-files": str(sum(count for count, _ in extra)),
        "deleted-records": str(sum(count * entry.record_count for count, entry in extra)),
        "removed-files-size": str(sum(count * entry.file_size_in_bytes for count, entry in extra)),
    }
    label = {"rainbow.run_id": run_id}
    with _catalog_errors(), table.transaction() as transaction:
        with transaction.update_snapshot(snapshot_properties=label).overwrite() as removal:
            for entry in once:
                removal.delete_data_file(entry)
        with transaction.update_snapshot(snapshot_properties=label | rest).fast_append() as addition:
            for entry in once if keep else ():
                addition.append_data_file(entry)


def old_snapshots(table: Table, before: datetime) -> list[int]:
    """The snapshots from before that time, except for those that a branch or a tag stands on."""
    limit, kept = before.timestamp() * 1000, {ref.snapshot_id for ref in table.metadata.refs.values()}
    return [s.snapshot_id for s in table.metadata.snapshots if s.timestamp_ms < limit and s.snapshot_id not in kept]


def expire(table: Table, snapshots: list[int]) -> None:
    """Forget snapshots; no file is deleted."""
    with _catalog_errors():
        table.maintenance.expire_snapshots().by_ids(snapshots).commit()


def complete_properties(table: Table) -> None:
    """Give a table from before one of the `PROPERTIES` all of them."""
    if not PROPERTIES.items() <= table.properties.items():
        with _catalog_errors(), table.transaction() as transaction:
            transaction.set_properties(PROPERTIES)


def metadata_files(table: Table, without: list[int]) -> set[str]:
    """Every metadata file that the table needs: its own, those of its log, and its snapshots', but those `without`."""
    metadata = table.metadata
    snapshots = [snapshot for snapshot in metadata.snapshots if snapshot.snapshot_id not in without]
    with _catalog_errors():
        return {
            table.metadata_location,
            *(entry.metadata_file for entry in metadata.metadata_log),
            *(snapshot.manifest_list for snapshot in snapshots),
            *(manifest.manifest_path for snapshot in snapshots for manifest in snapshot.manifests(table.io)),
            *(item.statistics_path for item in [*metadata.statistics, *metadata.partition_statistics]),
        }


def iceberg_type(kind: str) -> IcebergType:
    """The Iceberg type for a lake type; `DECIMAL(p,s)` keeps its digits."""
    if kind.startswith("DECIMAL"):
        precision, scale = kind.removeprefix("DECIMAL(").rstrip(")").split(",")
        return DecimalType(int(precision), int(scale))
    return TYPES[kind]


def _create(catalog: SqlCatalog, namespace: str, name: str, columns: dict[str, str]) -> Table:
    fields = [
        NestedField(field_id=number, name=column, field_type=iceberg_type(kind), required=False)
        for number, (column, kind) in enumerate(columns.items(), start=1)
    ]
    schema = Schema(*fields)
    source_id = schema.find_field(PARTITION).field_id
    spec = PartitionSpec(PartitionField(source_id, 1000, IdentityTransform(), PARTITION))
    properties = PROPERTIES | {"schema.name-mapping.default": schema.name_mapping.model_dump_json()}
    with _exists_is_fine():
        catalog.create_namespace(namespace)
    with _exists_is_fine():
        catalog.create_table((namespace, name), schema, partition_spec=spec, properties=properties)
    return catalog.load_table((namespace, name))


@contextmanager
def store_errors() -> Iterator[None]:
    """The object store's failures in one line, as Arrow tells them.

    Raises:
        TransientError: the store does not answer.
        RainbowError: it refuses the credentials.
    """
    try:
        yield
    except OSError as error:
        raise _store_failed(error) from None


def _store_failed(error: OSError) -> RainbowError:
    reason = " ".join(str(error).split())
    if isinstance(error, PermissionError) or any(mark in reason for mark in DENIED):
        return refusal(reason[:300])
    hint = "Check RAINBOW_S3_ENDPOINT; see `rainbow doctor`."
    return TransientError(f"The object store failed at an Iceberg file: {reason[:200].rstrip('.')}.", hint)


@contextmanager
def _exists_is_fine() -> Iterator[None]:
    """Two runs may create the same thing at once; one of them does."""
    try:
        yield
    except (NamespaceAlreadyExistsError, TableAlreadyExistsError):
        return


@contextmanager
def _catalog_errors() -> Iterator[None]:
    """The catalog's and the object store's failures in one line, without the connection string."""
    try:
        yield
    except CommitFailedException as error:
        raise TransientError(f"An Iceberg commit lost against another writer: {error}.", "Run it again.") from None
    except DBAPIError as error:
        if not isinstance(error.orig, psycopg.Error):
            raise
        raise failure(error.orig, "RAINBOW_ICEBERG_CATALOG_URL") from None
    except (ValueError, OverflowError) as error:  # pyiceberg's words for a file or a schema that does not fit
        reason = " ".join(str(error).split())[:300]
        raise DataError(f"Iceberg refuses the table or its files: {reason}.") from None
    except OSError as error:  # also when it is the object store that fails
        raise _store_failed(error) from None
    except SQLAlchemyError as error:
        reason = str(error).strip().splitlines()[0][:200]
        hint = "Check RAINBOW_ICEBERG_CATALOG_URL and RAINBOW_S3_ENDPOINT; see `rainbow doctor`."
        raise TransientError(f"The Iceberg catalog failed: {reason}.", hint) from None
