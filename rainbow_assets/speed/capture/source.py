"""The source's side of the stream: its server, its replication slot, and who may read them.

Here: what PostgreSQL must have and what it says of the log. Not here: what the publication has (`published.py`), and
reading the log (`engine.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg import sql

from rainbow_assets.errors import RainbowError, SettingsError, TransientError
from rainbow_assets.settings import Settings
from rainbow_assets.speed.capture import published
from rainbow_assets.speed.capture.published import NAME
from rainbow_assets.systems import postgres
from rainbow_assets.tables import TABLES

SETTING = "RAINBOW_STREAM_URL"
OWNER_SETTING = "RAINBOW_SOURCE_URL"
# A partitioned table is published as the one table that it is.
PUBLISH: LiteralString = "CREATE PUBLICATION {} FOR TABLE {} WITH (publish_via_partition_root = true{})"
GENERATED: LiteralString = ", publish_generated_columns = stored"
TABLE_NAMES = ", ".join(f"public.{name}" for name in TABLES)
# Why PostgreSQL gave a slot `s` up; empty: it did not.
LOST = "CASE WHEN s.wal_status = 'lost' THEN coalesce(to_jsonb(s) ->> 'invalidation_reason', 'wal_removed') ELSE '' END"


@dataclass(frozen=True)
class Slot:
    """The replication slot: what PostgreSQL keeps of the log for the stream. LSNs as numbers."""

    database: str
    active_pid: int | None
    restart_lsn: int
    confirmed_lsn: int
    lost: str  # why PostgreSQL gave it up; empty: it did not

    @property
    def active(self) -> bool:
        """Whether somebody reads by it."""
        return self.active_pid is not None


@dataclass(frozen=True)
class Log:
    """The log as it stands: its cluster, its end, the database, the time."""

    system: str
    end: int
    database: str
    now: datetime


def prepare(settings: Settings) -> bool:
    """Check all that the stream needs; make the publication as the shop's owner where it is missing or other.

    Returns whether it was made: changes before that are in no publication.

    Raises:
        TransientError: PostgreSQL does not answer.
        RainbowError: something is missing that the stream cannot make; the message says the SQL.
    """
    url = settings.secret("stream_url")
    with told(), postgres.connect(url, SETTING) as connection:
        _check_server(connection)
        published.check(connection)
        exact, generated = published.is_exact(connection), published.has_generated(connection)
        readable = _unreadable(connection) == []
        ((user,),) = connection.execute("SELECT current_user").fetchall()
    if not (exact and readable):
        _make(settings, str(user), publication=not exact, generated=generated)
    with told(), postgres.connect(url, SETTING) as connection:
        if unreadable := _unreadable(connection):
            raise SettingsError(
                f"The user in {SETTING} may not read {', '.join(unreadable)}.",
                f"As the owner: GRANT SELECT ON {TABLE_NAMES} TO {user};",
            )
        _check_row_security(connection, str(user))
    return not exact


def trouble(settings: Settings) -> str:
    """Why the log does not have what the live views need, where there is a stream; empty: it has.

    Raises:
        TransientError, SettingsError: as `systems.postgres.connect`.
    """
    with told(), postgres.connect(settings.secret("stream_url"), SETTING) as connection:
        if slot(connection) is None:
            return ""
        try:
            published.check(connection)
        except RainbowError as error:
            return str(error)
        if published.is_exact(connection):
            return ""
        return f"The publication {NAME} lacks a table or a part of one: `rainbow stream` makes it anew."


def slot(connection: psycopg.Connection) -> Slot | None:
    """The slot, if there is one."""
    row = connection.execute(
        "SELECT database, active_pid, coalesce(restart_lsn - '0/0', 0)::bigint, "
        "coalesce(confirmed_flush_lsn - '0/0', 0)::bigint, "
        f"{LOST} FROM pg_replication_slots AS s WHERE slot_name = %s",
        [NAME],
    ).fetchone()
    return Slot(*row) if row else None


def log(connection: psycopg.Connection) -> Log:
    """Where the log ends now."""
    row = connection.execute(
        "SELECT (SELECT system_identifier::text FROM pg_control_system()), (pg_current_wal_lsn() - '0/0')::bigint, "
        "current_database(), clock_timestamp()"
    ).fetchall()[0]
    return Log(*row)


@dataclass(frozen=True)
class Lag:
    """How far the slot's reader is behind; `silent`: seconds without one, 0 while there is one."""

    seconds: float
    bytes: int
    silent: float
    lost: str


def lag(settings: Settings) -> Lag | None:
    """The lag as PostgreSQL sees it, without ClickHouse; None: there is no slot, nothing streams.

    Raises:
        TransientError, SettingsError: as `systems.postgres.connect`.
    """
    query = f"""
        SELECT coalesce(extract(epoch FROM r.flush_lag), 0)::float,
            greatest(pg_current_wal_lsn() - coalesce(s.confirmed_flush_lsn, '0/0'), 0)::bigint,
            CASE WHEN s.active THEN 0 ELSE coalesce(extract(epoch FROM clock_timestamp()
                - (to_jsonb(s) ->> 'inactive_since')::timestamptz), 1e9) END::float,
            {LOST}
        FROM pg_replication_slots AS s LEFT JOIN pg_stat_replication AS r ON r.pid = s.active_pid
        WHERE s.slot_name = %s AND s.database = current_database()"""
    rows = postgres.fetch(settings.secret("stream_url"), SETTING, query, [NAME])
    return Lag(*rows[0]) if rows else None


def drop_slot(connection: psycopg.Connection) -> None:
    """Give the slot up: PostgreSQL keeps the log no longer."""
    connection.execute("SELECT pg_drop_replication_slot(%s)", [NAME])


def connect(settings: Settings) -> psycopg.Connection:
    """A connection of the stream's role, in autocommit; the caller closes it.

    Raises:
        TransientError, SettingsError: as `systems.postgres.connect`.
    """
    return postgres.open_connection(settings.secret("stream_url"), SETTING, "rainbow stream", autocommit=True)


@contextmanager
def told(user: str = "") -> Iterator[None]:
    """Errors of PostgreSQL in one line; with `user`, what the shop's owner has to do for that role."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise SettingsError(
            f"The user in {OWNER_SETTING if user else SETTING} may not do this: {_line(error)}.",
            f"As the shop's owner: GRANT SELECT ON {TABLE_NAMES} TO {user}; {PUBLISH.format(NAME, TABLE_NAMES, '')};"
            if user
            else "See docs/speed-layer.md.",
        ) from None
    except psycopg.OperationalError as error:
        raise TransientError(f"PostgreSQL went away: {_line(error)}.", "See `rainbow doctor`.") from None
    except psycopg.Error as error:
        raise RainbowError(f"PostgreSQL refuses: {_line(error)}.", "See `rainbow doctor`.") from None


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _check_server(connection: psycopg.Connection) -> None:
    """The server writes a log that can be decoded, and the role may read it."""
    row = connection.execute(
        "SELECT current_setting('wal_level'), rolreplication OR rolsuper OR EXISTS ("
        "SELECT FROM pg_roles AS r WHERE r.rolname = 'rds_replication' AND pg_has_role(r.oid, 'MEMBER')) "
        "FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    level, may_replicate = row or ("", False)
    if level != "logical":
        raise RainbowError(
            f"The source's wal_level is {level}; the stream needs logical.",
            "ALTER SYSTEM SET wal_level = logical; and restart PostgreSQL.",
        )
    if not may_replicate:
        raise SettingsError(f"The user in {SETTING} has no right to replicate.", "ALTER ROLE … REPLICATION;")


def _unreadable(connection: psycopg.Connection) -> list[str]:
    """The tables that this role may not read."""
    rows = connection.execute(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE NOT has_table_privilege('public.' || name, 'SELECT')",
        [list(TABLES)],
    )
    return [name for (name,) in rows]


def _check_row_security(connection: psycopg.Connection, user: str) -> None:
    """No policy hides rows of the first copy."""
    rows = connection.execute(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE row_security_active('public.' || name)", [list(TABLES)]
    ).fetchall()
    if rows:
        names = ", ".join(name for (name,) in rows)
        raise SettingsError(
            f"Row security hides rows of {names} from the user in {SETTING}.", f"ALTER ROLE {user} BYPASSRLS;"
        )


def _make(settings: Settings, user: str, *, publication: bool, generated: bool) -> None:
    """Make the publication, and let the stream's role read: as the shop's owner."""
    tables = sql.SQL(", ").join(sql.Identifier("public", name) for name in TABLES)
    name, more = sql.Identifier(NAME), sql.SQL(GENERATED if generated else "")
    with told(user), postgres.connect(settings.secret("source_url"), OWNER_SETTING) as owner:
        owner.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(tables, sql.Identifier(user)))
        if publication:
            owner.execute(sql.SQL("DROP PUBLICATION IF EXISTS {}").format(name))
            owner.execute(sql.SQL(PUBLISH).format(name, tables, more))
