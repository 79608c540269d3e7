"""Advisory locks of PostgreSQL, and who holds what others wait for.

Here: taking a lock, waiting for it aloud, and being sure that it is one. Not here: which locks there are (whoever takes
one names it).
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import psycopg

from rainbow_assets.errors import SettingsError, TransientError

PATIENCE = 7200.0  # seconds; a backfill builds for long
SAID_EVERY = 10.0  # seconds between two lines about the same wait
TRIES = 3
KEY = "hashtextextended(%(name)s, 0)"
HOLDER = """
    SELECT format('process %%s of %%s (%%s%%s, since %%s UTC)', a.pid, coalesce(a.usename, '?'),
        coalesce(nullif(a.application_name, ''), 'no application name'), ', from ' || host(a.client_addr),
        coalesce(to_char(coalesce(a.xact_start, a.backend_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), '?'))
    FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
    WHERE l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND a.pid <> pg_backend_pid() AND """
OF_ADVISORY = "l.locktype = 'advisory' AND l.objsubid = 1 AND (l.classid::bigint << 32) | l.objid::bigint = " + KEY
OF_TABLES = """l.locktype = 'relation'
    AND l.relation IN (SELECT to_regclass(name)::oid FROM unnest(%(tables)s::text[]) AS name)"""

log = logging.getLogger(__name__)


def holders(connection: psycopg.Connection, name: str) -> str:
    """Who holds the advisory lock `name`; empty: nobody does any more."""
    return _told(connection, OF_ADVISORY, {"name": name})


def table_holders(connection: psycopg.Connection, tables: Sequence[str]) -> str:
    """Whose open transactions hold locks on these tables; empty: nobody's do."""
    return _told(connection, OF_TABLES, {"tables": list(tables)})


def _told(connection: psycopg.Connection, whose: str, parameters: dict[str, object]) -> str:
    rows = connection.execute(f"{HOLDER}{whose} GROUP BY 1 ORDER BY 1".encode(), parameters).fetchall()
    return " and ".join([text for (text,) in rows[:3]] + [f"{len(rows) - 3} more"] * (len(rows) > 3))


def take(connection: psycopg.Connection, what: str, name: str, patience: float = PATIENCE) -> None:
    """Take the lock `name` for the session; while another holds it, say who every few seconds.

    Raises:
        TransientError: it is held for longer than `patience`; the message says by whom.
    """
    # The role's own limits would end a session that only waits, and its lock with it.
    endless = ["statement_timeout", "idle_session_timeout" if connection.info.server_version >= 140000 else ""]
    for setting in filter(None, endless):
        connection.execute("SELECT set_config(%s, '0', false)", [setting])
    began = time.monotonic()
    while (left := patience - (time.monotonic() - began)) > 0:
        limit = f"{max(1, int(1000 * min(left, SAID_EVERY)))}ms"
        try:
            connection.execute("SELECT set_config('lock_timeout', %s, false)", [limit])
            connection.execute(f"SELECT pg_advisory_lock({KEY})".encode(), {"name": name})
        except psycopg.errors.LockNotAvailable:
            who = holders(connection, name)
            log.warning("Waiting for the lock %s: held by %s.", name, who or "another session")
        else:
            return
    who = holders(connection, name) or "another session"
    raise TransientError(
        f"The lock {name} ({what}) is still held after {patience:,.0f} s, by {who}.",
        "Wait for its end, or end it: SELECT pg_terminate_backend(…).",
    )


def release(connection: psycopg.Connection, what: str, name: str) -> None:
    """Give the lock back.

    Raises:
        TransientError: it was not ours any more: another may have worked at the same time.
    """
    freed = connection.execute(f"SELECT pg_advisory_unlock({KEY})".encode(), {"name": name}).fetchone()
    if freed != (True,):
        raise TransientError(f"The lock {name} ({what}) was lost on the way.", "Run it again; see `rainbow doctor`.")


def require_own_backend(connection: psycopg.Connection, what: str, another: Callable[[], psycopg.Connection]) -> None:
    """That all transactions of `connection` (in autocommit) are on one backend: else a lock excludes nobody.

    A pooler shows in the number of the backend, which it makes up. One that pools by transaction gives the backend that
    we just used to whoever begins a transaction next, or us another one, as soon as no third is idle.

    Raises:
        SettingsError: they are not.
    """
    first = _backend(connection)
    if first == connection.info.backend_pid:
        return
    with ExitStack() as opened:
        for _ in range(TRIES):
            other = opened.enter_context(another())
            if _backend(other) == first or _backend(connection) != first:
                raise SettingsError(
                    f"{what} leads to a pooler in transaction mode: locks exclude nobody there.",
                    f"Let {what} name PostgreSQL itself, or a pooler in session mode.",
                )


def _backend(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM has a row
    return int(row[0])
