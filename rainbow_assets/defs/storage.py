"""Dagster's storage on PostgreSQL, with connections that are kept.

dagster-postgres opens a new connection for every event; a run over a range of partitions logs thousands. Here:
the one class that `dagster.yaml` names, and its failures in one line. Not here: assets.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rainbow_assets import environment

environment.guard()  # `dagster` loads this before anything else of ours: PG* variables would reach its storage

import psycopg2  # noqa: E402 - after the guard
import sqlalchemy  # noqa: E402
from dagster_postgres import DagsterPostgresStorage  # noqa: E402

from rainbow_assets.systems.postgres_errors import connection_error  # noqa: E402

InstanceData = Any  # dagster has no public name for these two
Config = Any
SETTING = "RAINBOW_DAGSTER_URL"
KEEP = 600  # seconds that a connection lives
THREADS = 20  # connections beyond the kept one, for the daemon's and the web server's threads


class PooledPostgresStorage(DagsterPostgresStorage):
    """`DagsterPostgresStorage` whose run, event and schedule storage keep a connection each."""

    def __init__(self, postgres_url: str, autocreate: bool, inst_data: InstanceData = None) -> None:
        """Set up the storage, then pool it in the way that the web server does for itself."""
        super().__init__(postgres_url=postgres_url, should_autocreate_tables=autocreate, inst_data=inst_data)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage.optimize_for_webserver(statement_timeout=0, pool_recycle=KEEP, max_overflow=THREADS)
            sqlalchemy.event.listen(storage._engine, "handle_error", _in_one_line)

    @classmethod
    def from_config_value(cls, inst_data: InstanceData, config_value: Config) -> "PooledPostgresStorage":
        """Build it from the `config` of `dagster.yaml`: `postgres_url`, `should_autocreate_tables`."""
        autocreate = config_value.get("should_autocreate_tables", True)
        return cls(config_value["postgres_url"], autocreate, inst_data)


def _in_one_line(context: sqlalchemy.ExceptionContext) -> None:
    """A connection that broke, without the statement and its parameters: Dagster prints what it cannot write."""
    if context.is_disconnect and context.connection is not None:  # what connects is tried again by dagster-postgres
        raise connection_error(str(context.original_exception), SETTING)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Tell that Dagster's storage went away, wherever Dagster was and whatever it made of it.

    Raises:
        TransientError: the storage does not answer; what the run wrote so far is whole.
        SettingsError: it refuses us.
    """
    root = logging.getLogger()
    root.addFilter(_is_no_retry)
    try:
        yield
    except Exception as error:
        link: BaseException | None = error
        while link is not None and not isinstance(link, psycopg2.OperationalError | psycopg2.InterfaceError):
            link = link.__cause__ or link.__context__
        if link is None:  # nothing else in this process speaks to PostgreSQL by psycopg2
            raise
        raise connection_error(str(link), SETTING) from None
    finally:
        root.removeFilter(_is_no_retry)


def _is_no_retry(record: logging.LogRecord) -> bool:
    """dagster-postgres tells each of its tries on standard error, in five lines of SQLAlchemy."""
    return not record.getMessage().startswith("Retrying failed database connection")
