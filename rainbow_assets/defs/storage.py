"""Dagster's storage on PostgreSQL, with connections that are kept.

dagster-postgres opens a new connection for every event; a run over a range of partitions logs thousands. Here:
the one class that `dagster.yaml` names. Not here: assets.
"""

from typing import Any

from dagster_postgres import DagsterPostgresStorage

InstanceData = Any  # dagster has no public name for these two
Config = Any
KEEP = 600  # seconds that a connection lives
THREADS = 20  # connections beyond the kept one, for the daemon's and the web server's threads


class PooledPostgresStorage(DagsterPostgresStorage):
    """`DagsterPostgresStorage` whose run, event and schedule storage keep a connection each."""

    def __init__(self, postgres_url: str, autocreate: bool, inst_data: InstanceData = None) -> None:
        """Set up the storage, then pool it in the way that the web server does for itself."""
        super().__init__(postgres_url=postgres_url, should_autocreate_tables=autocreate, inst_data=inst_data)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage.optimize_for_webserver(statement_timeout=0, pool_recycle=KEEP, max_overflow=THREADS)

    @classmethod
    def from_config_value(cls, inst_data: InstanceData, config_value: Config) -> "PooledPostgresStorage":
        """Build it from the `config` of `dagster.yaml`: `postgres_url`, `should_autocreate_tables`."""
        autocreate = config_value.get("should_autocreate_tables", True)
        return cls(config_value["postgres_url"], autocreate, inst_data)
