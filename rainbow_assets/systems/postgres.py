"""PostgreSQL: connections, from the URL in a setting.

Here: the one door through which psycopg and DuckDB go to it. Not here: what a session is given (`postgres_session.py`),
how a failure is told (`postgres_errors.py`), locks (`postgres_locks.py`), the shop's schema (`shop/`), the server
(`stack/`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from rainbow_assets.errors import RainbowError, SettingsError
from rainbow_assets.systems import postgres_locks, postgres_session
from rainbow_assets.systems.postgres_errors import connection_error, failure, told

WHOLE = "rainbow_rows"  # not as a column may be called, or that column alone would be computed

_direct: set[str] = set()  # URLs of this process that are known to lead to a backend of our own


@contextmanager
def connect(url: str, what: str, application: str = "rainbow") -> Iterator[psycopg.Connection]:
    """A connection that commits at the end of the block; `what` names the setting in errors.

    Raises:
        TransientError: the server does not answer; its reason is in the message.
        SettingsError: it refuses the user, has no such database, or its sessions are not what is asked for.
    """
    with open_connection(url, what, application) as connection:
        yield connection


def open_connection(
    url: str, what: str, application: str = "rainbow", *, autocommit: bool = False
) -> psycopg.Connection:
    """The same, for the caller to close. Raises as `connect`."""
    fields = postgres_session.parameters(url, what, application)
    try:
        connection = psycopg.connect(make_conninfo(**fields), autocommit=autocommit)
    except psycopg.ProgrammingError:
        raise SettingsError(f"{what} has a parameter that PostgreSQL's client refuses.", "Correct it.") from None
    except psycopg.OperationalError as error:
        raise connection_error(str(error), what) from None
    try:
        postgres_session.check(connection.info, what, application)
    except SettingsError:
        connection.close()
        raise
    return connection


def fetch(url: str, what: str, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """The rows of one query, on a connection of its own. Names in `query` are quoted by the caller.

    Raises:
        TransientError, SettingsError: as `connect`; or the server breaks it off, or the user may not.
    """
    with told(what), connect(url, what) as connection:
        return connection.execute(query, parameters or None).fetchall()


def why(url: str, what: str, query: str) -> RainbowError | None:
    """Why the server does not answer `query`; None: it does, by now.

    For the failures of a client that tells their text alone: asked again here, they have an SQLSTATE. Every value is
    computed and encoded, as for that client; no row is sent.
    """
    try:
        with connect(url, what) as connection:
            connection.execute(
                f"SELECT count(convert_to({WHOLE}::text, 'UTF8')) FROM ({query} OFFSET 0) AS {WHOLE}".encode()
            )
    except RainbowError as error:
        return error
    except psycopg.Error as error:
        return failure(error, what)
    return None


@contextmanager
def lock(url: str, what: str, name: str, patience: float = postgres_locks.PATIENCE) -> Iterator[None]:
    """Hold the advisory lock `name` in this database; wait for whoever holds it, and say who that is.

    PostgreSQL frees it when its holder ends, however it ends: a killed run blocks nobody.

    Raises:
        TransientError: the server does not answer, or the lock is held for longer than `patience` or lost on the way.
        SettingsError: there is a pooler between that makes locks useless.
    """
    full_name = f"rainbow.{name}"
    with connect(url, what) as connection:
        with told(what):
            connection.autocommit = True
            _require_direct(connection, url, what)
            postgres_locks.take(connection, what, full_name, patience)
        yield
        with told(what):
            postgres_locks.release(connection, what, full_name)


def require_locks(url: str, what: str) -> None:
    """That a lock taken through this URL would exclude others. Raises as `lock`."""
    with told(what), connect(url, what) as connection:
        connection.autocommit = True
        _require_direct(connection, url, what)


def _require_direct(connection: psycopg.Connection, url: str, what: str) -> None:
    """Asked once a process: the connection, in autocommit, is a session of its own."""
    if url not in _direct:
        postgres_locks.require_own_backend(connection, what, lambda: open_connection(url, what))
        _direct.add(url)
