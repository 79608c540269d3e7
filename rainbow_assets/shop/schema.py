"""The shop's tables in PostgreSQL: created, emptied, and asked whether they hold anything.

Here: the schema (`sql/schema.sql`) and the one kind of transaction that writes to it. Not here: rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

import psycopg
from psycopg import sql

from rainbow_assets.errors import DataError, TransientError
from rainbow_assets.systems import postgres, postgres_locks
from rainbow_assets.tables import TABLES

SETTING = "RAINBOW_SOURCE_URL"
LOCK = "rainbow shop"
PATIENCE = 10  # seconds for a lock that another transaction has


def script(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return (files("rainbow_assets.shop") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


@contextmanager
def transaction(source_url: str, what: str) -> Iterator[psycopg.Connection]:
    """One transaction on the shop: all of the block or nothing of it; one at a time.

    Args:
        source_url: the shop, `postgresql://…`.
        what: what is being done, for errors ("Seeding the shop").

    Raises:
        TransientError: PostgreSQL does not answer, or went away, or another such transaction is open, or somebody's
            transaction holds a table for longer than `PATIENCE`; the message says whose.
        DataError: PostgreSQL refuses a statement or a row, for example because a table has other columns.
    """
    try:
        with postgres.connect(source_url, SETTING) as connection:
            connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{PATIENCE}s"])
            lock = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
            if connection.execute(lock, [LOCK]).fetchone() != (True,):
                who = postgres_locks.holders(connection, LOCK) or "another session"
                raise TransientError(
                    f"{what} failed: the shop is being filled or simulated by {who}.", "Try again when it is done."
                )
            yield connection
    except psycopg.errors.LockNotAvailable:
        with postgres.connect(source_url, SETTING) as connection:
            tables = [f"public.{name}" for name in TABLES]
            who = postgres_locks.table_holders(connection, tables) or "a session that is gone now"
        raise TransientError(
            f"{what} waited {PATIENCE} s for a lock on the shop's tables: {who} had it.",
            "Nothing was changed; end that transaction, or try again.",
        ) from None
    except psycopg.OperationalError as error:
        raise TransientError(f"{what} failed: {_reason(error)}.", "Nothing was changed; try again.") from error
    except psycopg.Error as error:
        raise DataError(
            f"{what} failed: {_reason(error)}.", "Nothing was changed; compare the shop's tables."
        ) from error


def create_schema(source_url: str) -> None:
    """Create the tables and indexes that are missing; what exists stays as it is.

    Raises:
        TransientError, DataError: as `transaction`.
    """
    with transaction(source_url, "Creating the shop's tables") as connection:
        create_tables(connection)


def create_tables(connection: psycopg.Connection) -> None:
    """The same within a transaction that is open. Where nothing is missing, nothing is locked."""
    names = [*TABLES, *(f"{name}_updated_at" for name in TABLES)]
    query = "SELECT bool_and(to_regclass('public.' || name) IS NOT NULL) FROM unnest(%s::text[]) AS name"
    if connection.execute(query, [names]).fetchone() != (True,):
        connection.execute(script("schema").encode())


def is_empty(source_url: str) -> bool:
    """Whether no table of the shop holds a row; tables that do not exist hold none.

    Raises:
        TransientError, DataError: as `transaction`.
    """
    with transaction(source_url, "Looking into the shop") as connection:
        return not filled_tables(connection)


def filled_tables(connection: psycopg.Connection) -> list[str]:
    """The names of the shop's tables that hold rows."""
    filled = []
    for name in TABLES:
        exists = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"public.{name}"]).fetchone()
        if exists == (True,):
            query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier("public", name))
            if connection.execute(query).fetchone() == (True,):
                filled.append(name)
    return filled


def drop_data(source_url: str) -> None:
    """Remove every row of the shop; the tables stay and ids start at 1 again.

    Raises:
        TransientError, DataError: as `transaction`.
    """
    with transaction(source_url, "Emptying the shop") as connection:
        create_tables(connection)
        empty_tables(connection)


def empty_tables(connection: psycopg.Connection) -> None:
    """The same within a transaction that is open."""
    names = sql.SQL(", ").join(sql.Identifier("public", name) for name in TABLES)
    connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(names))


def _reason(error: psycopg.Error) -> str:
    """The server's own words in one line."""
    return " ".join(str(error).split()).rstrip(".")
