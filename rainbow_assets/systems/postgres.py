"""PostgreSQL: connections and their URLs.

Here: what every user of a PostgreSQL URL needs. Not here: the shop's schema (`shop/`) or the server (`stack/`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from rainbow_assets.errors import RainbowError, SettingsError, TransientError

REFUSALS = ("authentication failed", "does not exist", "pg_hba.conf", "permission denied", "not permitted to log in")
URL_FORM = "Write postgresql://user:password@host:port/database."


def parts(url: str) -> dict[str, str]:
    """`postgresql://…` as DuckDB's secret fields: HOST, PORT, DATABASE, USER, PASSWORD.

    Raises:
        SettingsError: it is no PostgreSQL URL.
    """
    try:
        fields = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise SettingsError(
            "A PostgreSQL URL is malformed.", "Write postgresql://user:password@host:port/db."
        ) from None
    names = {"host": "HOST", "port": "PORT", "dbname": "DATABASE", "user": "USER", "password": "PASSWORD"}
    return {names[key]: str(value) for key, value in fields.items() if key in names}


@contextmanager
def connect(url: str, what: str) -> Iterator[psycopg.Connection]:
    """A connection that commits at the end of the block; `what` names the setting in errors.

    Raises:
        TransientError: the server does not answer; its reason is in the message.
        SettingsError: it refuses the user, or has no such database.
    """
    try:
        connection = psycopg.connect(url, connect_timeout=10, application_name="rainbow")
    except psycopg.ProgrammingError:
        raise SettingsError(f"{what} is no PostgreSQL URL.", URL_FORM) from None
    except psycopg.OperationalError as error:
        raise connection_error(str(error), what) from None
    with connection:
        yield connection


def fetch(url: str, what: str, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """The rows of one query, on a connection of its own. Names in `query` are quoted by the caller.

    Raises:
        TransientError, SettingsError: as `connect`.
    """
    with _goes_away(what), connect(url, what) as connection:
        return connection.execute(query, parameters or None).fetchall()


@contextmanager
def lock(url: str, what: str, name: str) -> Iterator[None]:
    """Hold the advisory lock `name` in this database; wait for whoever holds it.

    PostgreSQL frees it when its holder ends, however it ends: a killed run blocks nobody.

    Raises:
        TransientError: the server does not answer.
    """
    with _goes_away(what), connect(url, what) as connection:
        connection.autocommit = True
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"rainbow.{name}"])
        yield


@contextmanager
def _goes_away(what: str) -> Iterator[None]:
    """A server that goes away in the middle is told like one that does not answer."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise connection_error(str(error), what) from None


def connection_error(text: str, what: str) -> RainbowError:
    """A failed connection in one line, from libpq's text; `what` names the setting. No address, no password."""
    lines = text.strip().splitlines()
    said = next((line.partition("FATAL:")[2] for line in lines if "FATAL:" in line), "")
    reason = (said or lines[0].rpartition("failed: ")[2]).strip().rstrip(".")
    if any(mark in reason for mark in REFUSALS):
        return SettingsError(f"PostgreSQL refuses {what}: {reason}.", f"Correct {what}; see `rainbow doctor`.")
    hint = "See `rainbow doctor`; `rainbow up` starts the embedded stack."
    return TransientError(f"PostgreSQL ({what}) does not answer: {reason}.", hint)
