"""Transactions that are open in the source: their rows may have an `updated_at` of a day that is over, yet unseen.

Here: which there are, and the waiting for their end. Not here: what a run makes of those that do not end (`defs/`,
`raw/coverage.py`), and the rows that come late all the same (`window.look_back`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from rainbow_assets.systems import postgres
from rainbow_assets.window import Days

SETTING = "RAINBOW_SOURCE_URL"
LOOK_EVERY, SAY_EVERY = 1.0, 30.0  # seconds
# The source's clock may be that much behind ours: a day that ended here goes on there.
CLOCKS_DIFFER = timedelta(minutes=1)
# Whatever may write rows. Whether a transaction only reads, PostgreSQL does not say of other sessions;
# nor when a prepared one began: taken as within a day before it was prepared.
WRITERS = """
    SELECT
        pid, coalesce(usename, backend_type) AS owner, application_name, xact_start AT TIME ZONE 'UTC' AS since, state
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start AT TIME ZONE 'UTC' < %s
        AND backend_type NOT IN ('walsender', 'autovacuum worker', 'parallel worker')
    UNION ALL
    SELECT NULL, owner, gid, (prepared AT TIME ZONE 'UTC') - interval '1 day', 'prepared'
    FROM pg_prepared_xacts
    WHERE database = current_database() AND (prepared AT TIME ZONE 'UTC') - interval '1 day' < %s"""
# Of other roles' sessions all but a few columns are NULL, for who lacks pg_read_all_stats. A walsender writes nothing.
ROUND = """
    SELECT now() AT TIME ZONE 'UTC' AS at, pg_is_in_recovery(), current_user, (
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND query = '<insufficient privilege>'
            AND pid NOT IN (SELECT pid FROM pg_stat_replication)), (
        SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'disabled')"""


@dataclass(frozen=True)
class Session:
    """One open transaction; `pid` is None where it is prepared, and `application` its name then."""

    pid: int | None
    user: str
    application: str
    since: datetime
    state: str

    def __str__(self) -> str:
        """Who holds it, since when, and what the session does."""
        if self.pid is None:
            return f"the prepared transaction {self.application!r} of {self.user}"
        named = f" ({self.application})" if self.application else ""
        return f"session {self.pid} of {self.user}{named}, {self.state}, since {self.since:%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True)
class Open:
    """What may still write rows of days that end at `end`; `untold`: why that cannot be told, if so.

    `at`: when it was looked at (UTC, the source's clock); whatever was committed before, a reader sees from then on.
    """

    end: datetime
    at: datetime
    sessions: list[Session]
    untold: str

    @property
    def passed(self) -> bool:
        """Whether no row of these days can come any more, but by an application that sets `updated_at` itself."""
        return not self.sessions and not self.untold

    @property
    def has_ended(self) -> bool:
        """Whether the days are over by the source's clock."""
        return self.at >= self.end

    def __str__(self) -> str:
        """In a few words."""
        if not self.has_ended:
            return f"the source's clock says {self.at:%Y-%m-%d %H:%M:%S}"
        more = f" and {len(self.sessions) - 1} more" if len(self.sessions) > 1 else ""
        return f"{self.sessions[0]}{more}" if self.sessions else self.untold

    def settled(self, days: Days) -> Days | None:
        """The part of `days` before the first of them began; None if there is none, or that cannot be told."""
        if self.untold:
            return None
        before = min((session.since.date() for session in self.sessions), default=date.max)
        last = min(days.last, before - timedelta(days=1))
        return Days(days.first, last, days.open_start, days.since) if last >= days.first else None


def look(source_url: str, end: datetime) -> Open:
    """The transactions that began before `end`, that of some days, and are still open.

    Raises:
        TransientError, SettingsError: the source does not answer.
    """
    query = f"SELECT * FROM ({ROUND}) AS round LEFT JOIN ({WRITERS}) AS writers ON true ORDER BY since"
    rows = postgres.fetch(source_url, SETTING, query, [end, end])
    at, is_standby, user, hidden, untracked = rows[0][:5]
    sessions = [Session(*row[5:]) for row in rows if row[5:] != (None,) * 5]
    untold = ""
    if at < end:
        untold = "the day has not ended in the source"
    elif is_standby:
        untold = "the source is a standby, which does not know the transactions that are open on its primary"
    elif hidden:
        untold = f"{hidden} sessions of other roles are hidden: GRANT pg_read_all_stats TO {user}"
    elif untracked:
        untold = f"{untracked} sessions do not tell what they do: they have set track_activities to off"
    return Open(end, at, sessions, untold)


def wait(source_url: str, end: datetime, until: float, say: Callable[[str], None]) -> Open:
    """Wait for the end of what `look` finds, at most until the monotonic clock shows `until`; what is open then.

    Raises:
        TransientError, SettingsError: the source does not answer.
    """
    said = float("-inf")
    while True:
        found = look(source_url, end)
        starts = not found.has_ended and found.end - found.at <= CLOCKS_DIFFER
        left = until - time.monotonic()
        if left <= 0 or not (found.sessions or starts):
            return found
        if time.monotonic() - said >= SAY_EVERY:
            say(f"waiting for {found}, at most {left:.0f} s more")
            said = time.monotonic()
        time.sleep(min(LOOK_EVERY, left))
