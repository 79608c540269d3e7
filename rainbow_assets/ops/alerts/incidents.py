"""The state machine: observations open incidents and end them, and each incident owes notices to the channels.

An incident is opened by the first bad observation of a thing; further ones only count; a good observation ends it.
Where a thing has days, a good one mends its own days, and the incident ends when none is left. Pure: no clock, no
database, no network.
"""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

FAILED, RECOVERED = "failed", "recovered"
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 3600.0  # seconds between two tries to send
HOURLY = 20  # messages a channel carries in an hour one by one; what is more comes together
GATHER = 600.0  # seconds between two messages that tell several things


@dataclass(frozen=True)
class Failure:
    """What the message will say; `last_good` in words."""

    what: str
    where: str
    link: str
    last_good: str


@dataclass(frozen=True)
class Observation:
    """A thing was seen to be good (`failure` is None) or bad.

    `at`: seconds since 1970. `position` orders the observations of a thing, so one may be seen twice. `failure` is
    called only when the observation opens an incident. `days`: YYYY-MM-DD, empty where days do not matter.
    """

    thing: str
    at: float
    position: float
    failure: Callable[[], Failure] | None = None
    days: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """The same failure has the same key."""
        if not self.days:
            return self.thing
        first, last = min(self.days), max(self.days)
        return f"{self.thing} {first}" + (f" to {last}" if last > first else "")


@dataclass
class Notice:
    """One message that an incident owes, or owed, to a channel; times in seconds since 1970."""

    channel: str
    event: str
    tries: int = 0
    next_try: float = 0.0
    sent: float | None = None
    error: str = ""

    def failed(self, error: str, now: float) -> None:
        """Try again after a pause that doubles each time, up to an hour."""
        self.tries += 1
        self.error = error
        self.next_try = now + min(FIRST_PAUSE * 2 ** (self.tries - 1), LONGEST_PAUSE)

    def succeeded(self, now: float) -> None:
        """It is sent."""
        self.tries += 1
        self.sent, self.error = now, ""


@dataclass
class Incident:
    """A failure, from when it was first seen until it is mended."""

    id: str
    key: str
    thing: str
    failure: Failure
    since: float
    position: float
    days: set[str] = field(default_factory=set)
    times: int = 1
    recovered: float | None = None
    notices: list[Notice] = field(default_factory=list)

    def notice(self, channel: str, event: str) -> Notice | None:
        """The notice of `event` to `channel`."""
        return next((one for one in self.notices if (one.channel, one.event) == (channel, event)), None)

    @property
    def unsent(self) -> list[Notice]:
        """What could not be sent yet."""
        return [notice for notice in self.notices if notice.sent is None]


def observe(incidents: list[Incident], seen: Observation, tidy: Callable[[str], str]) -> bool:
    """Let one observation open, count or end incidents; whether it opened one.

    `tidy` makes every text of a new one fit to be shown.
    """
    if seen.failure is None:
        for incident in incidents:
            if incident.thing == seen.thing and incident.recovered is None and incident.position < seen.position:
                _mend(incident, seen)
        return False
    known = [incident for incident in incidents if incident.key == seen.key]
    if any(incident.position >= seen.position for incident in known):
        return False  # seen before
    for incident in known:
        if incident.recovered is None:
            incident.times += 1
            incident.position = seen.position
            incident.days |= seen.days
            return False
    try:
        told = seen.failure()
    except Exception as error:  # an alert without its details is better than none
        told = Failure(f"{seen.thing} failed", f"no details: {type(error).__name__}: {error}", "", "not known")
    failure = Failure(tidy(told.what), tidy(told.where), told.link, tidy(told.last_good))
    incidents.append(
        Incident(uuid.uuid4().hex[:12], seen.key, seen.thing, failure, seen.at, seen.position, set(seen.days))
    )
    return True


def latest(observations: Iterable[Observation]) -> list[Observation]:
    """Only the last one of each key: how things stand, without what came and went before."""
    return sorted({seen.key: seen for seen in observations}.values(), key=lambda seen: seen.position)


def owe(incidents: list[Incident], channels: Iterable[str]) -> None:
    """Note what every incident owes to these channels; to others it owes nothing any more.

    An open incident is told to each channel, also to one that is new; the recovery to those that were told.
    """
    wanted = list(channels)
    for incident in incidents:
        incident.notices = [one for one in incident.notices if one.sent is not None or one.channel in wanted]
        for channel in wanted:
            told = incident.notice(channel, FAILED)
            if told is None and incident.recovered is None:
                incident.notices.append(Notice(channel, FAILED))
            elif told and incident.recovered is not None and not incident.notice(channel, RECOVERED):
                incident.notices.append(Notice(channel, RECOVERED))


def due(incidents: list[Incident], channel: str, now: float) -> list[list[tuple[Incident, Notice]]]:
    """The messages to send by `channel` now, each a list of what it tells, oldest first.

    One thing a message, and no more than 20 an hour; beyond that all things together, at most every 10 minutes.
    A recovery waits until its failure has been told.
    """
    ready: list[tuple[Incident, Notice]] = []
    for incident in sorted(incidents, key=lambda one: one.since):
        for notice in incident.unsent:
            if notice.channel != channel:
                continue
            if notice.next_try > now:
                break
            ready.append((incident, notice))
    sent = {one.sent for incident in incidents for one in incident.notices if one.channel == channel and one.sent}
    lately = [moment for moment in sent if moment > now - 3600]
    if len(ready) + len(lately) <= HOURLY:
        return [[one] for one in ready]
    return [] if lately and max(lately) > now - GATHER else [ready]


def _mend(incident: Incident, seen: Observation) -> None:
    incident.days -= seen.days
    if not incident.days or not seen.days:
        incident.recovered, incident.position = seen.at, seen.position
