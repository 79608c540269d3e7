"""The record of incidents and notices: one table in Dagster's database, beside the events that it was made from.

Here: SQL. Not here: what opens or ends an incident (`incidents.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from rainbow_assets.ops.alerts.incidents import Failure, Incident, Notice
from rainbow_assets.settings import Settings
from rainbow_assets.systems import postgres

SETTING = "RAINBOW_DAGSTER_URL"
RECENT = 2 * 86_400  # seconds; what ended earlier matters no more, as nobody looks back further than a day
KEPT = 90 * 86_400  # seconds that ended incidents stay in the table
TABLE = """
    CREATE TABLE IF NOT EXISTS rainbow_incidents (
        id text PRIMARY KEY, key text NOT NULL, thing text NOT NULL, failure jsonb NOT NULL,
        since double precision NOT NULL, position double precision NOT NULL, days jsonb NOT NULL,
        times bigint NOT NULL, recovered double precision, notices jsonb NOT NULL
    );
    CREATE UNIQUE INDEX IF NOT EXISTS rainbow_incidents_open ON rainbow_incidents (key) WHERE recovered IS NULL;
"""
READ = """
    SELECT id, key, thing, failure, since, position, days, times, recovered, notices FROM rainbow_incidents
    WHERE recovered IS NULL OR recovered > extract(epoch FROM now()) - %s
        OR jsonb_path_exists(notices, '$[*] ? (@.sent == null)')
    ORDER BY since
"""
WRITE = """
    INSERT INTO rainbow_incidents (id, key, thing, failure, since, position, days, times, recovered, notices)
    VALUES (%(id)s, %(key)s, %(thing)s, %(failure)s, %(since)s, %(position)s, %(days)s, %(times)s, %(recovered)s,
        %(notices)s)
    ON CONFLICT (id) DO UPDATE SET position = excluded.position, days = excluded.days, times = excluded.times,
        recovered = excluded.recovered, notices = excluded.notices
"""
PURGE = "DELETE FROM rainbow_incidents WHERE recovered < extract(epoch FROM now()) - %s"


class Book:
    """The incidents that still matter, and the writing of those that changed."""

    def __init__(self, connection: psycopg.Connection, incidents: list[Incident]) -> None:
        """Take what was read; made by `opened`."""
        self.incidents = incidents
        self._connection = connection
        self._written = {incident.id: _row(incident) for incident in incidents}

    def save(self) -> None:
        """Write what changed since the last time, all of it or nothing."""
        rows = {incident.id: _row(incident) for incident in self.incidents}
        changed = [row for key, row in rows.items() if self._written.get(key) != row]
        if changed:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                cursor.executemany(WRITE, [_packed(row) for row in changed])
        self._written = rows


@contextmanager
def opened(settings: Settings) -> Iterator[Book]:
    """The book, for one writer at a time; it waits for another.

    Raises:
        TransientError: Dagster's database does not answer.
        SettingsError: it is not set, or refuses the user.
    """
    url = settings.secret("dagster_url")
    with postgres.lock(url, SETTING, "alerts"), postgres.connect(url, SETTING) as connection:
        connection.autocommit = True
        if not _exists(connection):
            connection.execute(TABLE)
        connection.execute(PURGE, [KEPT])
        yield Book(connection, _read(connection, RECENT))


def standing(settings: Settings) -> list[Incident]:
    """The incidents that are open or still owe a notice; changes nothing and waits for nobody.

    Raises:
        TransientError, SettingsError: as `opened`.
    """
    with postgres.connect(settings.secret("dagster_url"), SETTING) as connection:
        found = _read(connection, 0) if _exists(connection) else []
    return [incident for incident in found if incident.recovered is None or incident.unsent]


def _exists(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT to_regclass('rainbow_incidents') IS NOT NULL").fetchone()
    return bool(row and row[0])


def _read(connection: psycopg.Connection, recent: int) -> list[Incident]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_incident(row) for row in cursor.execute(READ, [recent])]


def _incident(row: dict[str, Any]) -> Incident:
    failure, notices = Failure(**row.pop("failure")), [Notice(**notice) for notice in row.pop("notices")]
    return Incident(**row | {"failure": failure, "notices": notices, "days": set(row["days"])})


def _row(incident: Incident) -> dict[str, Any]:
    return asdict(incident) | {"days": sorted(incident.days)}


def _packed(row: dict[str, Any]) -> dict[str, Any]:
    return {name: Jsonb(value) if name in {"failure", "days", "notices"} else value for name, value in row.items()}
