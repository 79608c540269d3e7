"""PostgreSQL's failures in one line, told apart by SQLSTATE and never by words, which have a language.

Here: which failure passes by itself. libpq tells no SQLSTATE of a connection that is not made: there alone the words
decide, in English. Not here: whom a statement waited for (`postgres_locks.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from rainbow_assets.errors import DataError, RainbowError, SettingsError, TransientError

REFUSALS = (
    *("authentication failed", "does not exist", "pg_hba.conf", "permission denied", "not permitted to log in"),
    *("unrecognized configuration parameter", "invalid value for parameter", "unsupported startup parameter"),
    *("certificate verify failed", "does not support SSL", "does not match host name", "root certificate file"),
)
# Connection lost, rolled back (deadlock, a standby's recovery), out of resources, cancelled or shut down, I/O.
PASSING_CLASSES = {"08", "40", "53", "57", "58"}
PASSING = {"55P03", "55006", "25P03", "25P04"}  # a lock, an object in use, a transaction that timed out
FOR_GOOD = {"57P04"}  # the database was dropped
DENIED = "42501"


def passes(state: str | None) -> bool:
    """Whether a failure of this SQLSTATE may not come again; without one the connection broke."""
    return state is None or ((state[:2] in PASSING_CLASSES or state in PASSING) and state not in FOR_GOOD)


def failure(error: psycopg.Error, what: str) -> RainbowError:
    """A statement's failure; `what` names the setting of the server."""
    if error.sqlstate is None:
        return connection_error(str(error), what)
    reason = line(error)
    if passes(error.sqlstate):
        return TransientError(f"PostgreSQL ({what}) broke it off: {reason}.", "Run it again; see `rainbow doctor`.")
    if error.sqlstate == DENIED:
        hint = "GRANT it to the user; where row security hides rows from it: ALTER ROLE … BYPASSRLS."
        return SettingsError(f"PostgreSQL refuses {what}: {reason}.", hint)
    return DataError(f"PostgreSQL ({what}) refuses: {reason}.", "See `rainbow doctor`.")


@contextmanager
def told(what: str) -> Iterator[None]:
    """What passes, and what the user may not, in one line; a statement that is wrong in itself stays psycopg's error.

    Raises:
        TransientError, SettingsError: as `failure`.
    """
    try:
        yield
    except psycopg.Error as error:
        if isinstance(error, psycopg.OperationalError) or passes(error.sqlstate) or error.sqlstate == DENIED:
            raise failure(error, what) from None
        raise


def line(error: psycopg.Error) -> str:
    """The server's own words, without the statement."""
    said = error.diag.message_primary or str(error)
    return " ".join(said.split())[:300].rstrip(".")


def connection_error(text: str, what: str) -> RainbowError:
    """A failed connection in one line, from libpq's text; `what` names the setting. No address, no password."""
    lines = text.strip().splitlines() or ["no reason given"]
    tried = [line for line in lines if "failed: " in line or "FATAL:" in line] or lines[:1]
    # A line for each address that was tried, in their order.
    reason = (
        tried[-1].rpartition("FATAL:")[2] if "FATAL:" in tried[-1] else tried[-1].rpartition("failed: ")[2]
    ).strip()
    reason = reason.rstrip(".")
    if any(mark in reason for mark in REFUSALS):
        return SettingsError(f"PostgreSQL refuses {what}: {reason}.", f"Correct {what}; see `rainbow doctor`.")
    hint = "See `rainbow doctor`; `rainbow up` starts the embedded stack."
    return TransientError(f"PostgreSQL ({what}) does not answer: {reason}.", hint)
