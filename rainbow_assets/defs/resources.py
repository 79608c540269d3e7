"""The graph's one resource: the outside systems, opened when a step first needs them and closed with the run.

Not here: how a system is reached (`systems/`). The resource has no configuration, so the UI can show no secret.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import dagster as dg
import duckdb
from pydantic import PrivateAttr
from pyiceberg.catalog.sql import SqlCatalog

from rainbow_assets.settings import Settings
from rainbow_assets.systems import ducklake, iceberg, object_store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Lake(dg.ConfigurableResource["Lake"]):
    """DuckDB with the lake attached, the Iceberg catalog and the object store, one of each a run."""

    _stack: ExitStack = PrivateAttr(default_factory=ExitStack)
    _settings: Settings | None = PrivateAttr(default=None)
    _connection: duckdb.DuckDBPyConnection | None = PrivateAttr(default=None)
    _catalog: SqlCatalog | None = PrivateAttr(default=None)
    _patience: float | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Lake"]:  # noqa: ARG002 - Dagster's signature
        """Close what was opened when the run ends."""
        with self._stack:
            yield self

    @property
    def settings(self) -> Settings:
        """The settings, read once a run."""
        if self._settings is None:
            self._settings = Settings.load()
        return self._settings

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """DuckDB; the lake is attached as `lake`."""
        if self._connection is None:
            self._connection = self._stack.enter_context(ducklake.connect(self.settings))
            ducklake.ensure_catalog(self._connection)
        return self._connection

    @property
    def patience(self) -> float:
        """Until when, by the monotonic clock, this run waits for open transactions: all its steps together."""
        if self._patience is None:
            self._patience = time.monotonic() + self.settings.open_transactions_wait
        return self._patience

    @property
    def iceberg(self) -> SqlCatalog:
        """The Iceberg catalog."""
        if self._catalog is None:
            self._catalog = iceberg.connect(self.settings)
        return self._catalog

    @property
    def s3(self) -> "S3Client":
        """The object store."""
        return object_store.client(self.settings)
