"""One query on one engine, to read: the lake (DuckDB), ClickHouse, or the source (PostgreSQL).

Here: how each engine is asked without letting it write, and its refusal in one line. Not here: which statements those
are (`statements.py`), and how the rows look (`cli/formats.py`).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from rainbow_assets.errors import DataError
from rainbow_assets.settings import Settings

BATCH = 2_000  # rows that are held at a time
# A superuser reads the server's files, and a read-only transaction does not keep it from that.
NO_SUPERUSER = """SELECT set_config('role', 'pg_read_all_data', true)
    WHERE (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"""


@dataclass(frozen=True)
class Answer:
    """The columns' names, and the rows in batches, to be read while the connection is open."""

    columns: list[str]
    batches: Iterator[list[tuple[Any, ...]]]


@contextmanager
def ask(settings: Settings, engine: str, query: str, as_of: str | None = None) -> Iterator[Answer]:
    """Run `query` on `engine`: `lake`, `clickhouse` or `source`; on the lake also `as_of` a run or a time.

    Raises:
        DataError: the engine refuses the query, its reason is in the message; or it has no such past.
        TransientError: the engine does not answer.
    """
    if as_of and engine != "lake":
        raise DataError(f"Only the lake keeps its past; {engine} does not.", "Ask the lake, or leave --as-of out.")
    with _lake(settings, query, as_of) if as_of else ENGINES[engine](settings, query) as answer:
        yield answer


@contextmanager
def _lake(settings: Settings, query: str, as_of: str | None = None) -> Iterator[Answer]:
    import duckdb

    from rainbow_assets.ops import statements, versions
    from rainbow_assets.systems import ducklake

    refusal = _refusal("The lake", duckdb.Error)
    with ducklake.connect(settings, read_only=True) as connection, refusal, ducklake.store_errors():
        if as_of:
            ducklake.travel(connection, settings, versions.snapshot_as_of(connection, as_of))
        connection.execute(f"USE {ducklake.LAKE}")
        statements.shut_in(connection, settings.s3_bucket)
        statements.check_lake(connection, query, settings.s3_bucket)
        cursor = connection.execute(query)
        yield Answer([column[0] for column in cursor.description or ()], _batches(cursor.fetchmany))


@contextmanager
def _source(settings: Settings, query: str) -> Iterator[Answer]:
    import psycopg

    from rainbow_assets.systems import postgres

    url = settings.secret("source_url")
    with postgres.connect(url, "RAINBOW_SOURCE_URL") as connection, _refusal("The source", psycopg.Error):
        connection.read_only = True
        connection.execute("SET LOCAL TIME ZONE 'UTC'")
        connection.execute(NO_SUPERUSER)
        # Bytes: the user's own text, without placeholders. Prepared: one statement, so none ends the transaction.
        cursor = connection.execute(query.encode(), prepare=True)
        columns = [column.name for column in cursor.description or ()]
        yield Answer(columns, _batches(cursor.fetchmany) if columns else iter(()))


@contextmanager
def _clickhouse(settings: Settings, query: str) -> Iterator[Answer]:
    from rainbow_assets.ops import statements
    from rainbow_assets.systems import clickhouse

    with clickhouse.connect(settings) as client, clickhouse.errors(settings, "the query"):
        canonical = client.query("SELECT formatQuerySingleLine({query:String})", parameters={"query": query})
        statements.check_clickhouse(canonical.result_rows[0][0])
        result = client.query(query, settings={"readonly": 1})
        yield Answer(list(result.column_names), iter([[tuple(row) for row in result.result_rows]]))


ENGINES: dict[str, Callable[[Settings, str], AbstractContextManager[Answer]]] = {
    "lake": _lake,
    "clickhouse": _clickhouse,
    "source": _source,
}


def _batches(fetch: Callable[[int], list[tuple[Any, ...]]]) -> Iterator[list[tuple[Any, ...]]]:
    """The first batch is there at once: a query that fails shows nothing, not even the opening of an array."""
    return chain([fetch(BATCH)], iter(lambda: fetch(BATCH), []))


@contextmanager
def _refusal(engine: str, kind: type[Exception]) -> Iterator[None]:
    """The engine's error in one line."""
    try:
        yield
    except kind as error:
        diagnosis = getattr(error, "diag", None)
        reason = (diagnosis and diagnosis.message_primary) or str(error).strip().partition("\n")[0]
        raise DataError(f"{engine} refuses the query: {reason.rstrip('.')}.", "Correct it and try again.") from error
