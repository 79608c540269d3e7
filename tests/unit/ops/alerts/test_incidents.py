"""The state machine: one message a failure, none while it lasts, one when it ends, and nothing lost on the way."""

import random
from collections.abc import Iterable

import pytest

from rainbow_assets.ops.alerts.incidents import (
    FAILED,
    GATHER,
    HOURLY,
    LONGEST_PAUSE,
    RECOVERED,
    Failure,
    Incident,
    Observation,
    due,
    latest,
    observe,
    owe,
)

TOLD = Failure("what", "where", "http://ui", "yesterday")
ANY = ("chat",)


def bad(thing: str, position: float, *days: str) -> Observation:
    return Observation(thing, position, position, lambda: TOLD, frozenset(days))


def good(thing: str, position: float, *days: str) -> Observation:
    return Observation(thing, position, position, None, frozenset(days))


def book(*seen: Observation, incidents: list[Incident] | None = None, channels: Iterable[str] = ()) -> list[Incident]:
    incidents = [] if incidents is None else incidents
    for one in seen:
        if observe(incidents, one, str):
            owe(incidents, channels)
    return incidents


def send(incidents: list[Incident], now: float, channels: Iterable[str] = ANY) -> list[list[str]]:
    """A round in which every message goes: what each told."""
    owe(incidents, channels)
    told = []
    for channel in channels:
        for place, batch in enumerate(due(incidents, channel, now)):
            for _, notice in batch:
                notice.succeeded(now + place / 1000)
            told.append([f"{incident.thing} {notice.event}" for incident, notice in batch])
    return told


def test_the_same_failure_a_thousand_times_is_one_message():
    incidents: list[Incident] = []
    told = []
    for number in range(1_000):
        book(bad("check", number), incidents=incidents)
        told += send(incidents, number * 30)
    assert told == [["check failed"]]
    assert incidents[0].times == 1_000
    book(good("check", 2_000), incidents=incidents)
    assert send(incidents, 60_000) == [["check recovered"]]
    assert send(incidents, 60_030) == []


def test_the_texts_are_made_once():
    asked = []
    failure = Observation("check", 1, 1, lambda: asked.append(1) or TOLD)
    incidents = book(failure, Observation("check", 2, 2, failure.failure))
    assert len(asked) == len(incidents) == 1


def test_a_failure_whose_details_cannot_be_had_is_told_without_them():
    def broken() -> Failure:
        raise KeyError("gone")

    [incident] = book(Observation("run x", 1, 1, broken))
    assert (incident.failure.what, incident.failure.where) == ("run x failed", "no details: KeyError: 'gone'")


def test_it_fails_again_after_its_recovery():
    incidents = book(bad("run", 1), good("run", 2), bad("run", 3), channels=ANY)
    assert [incident.recovered for incident in incidents] == [2, None]
    assert send(incidents, 10) == [["run failed"], ["run recovered"], ["run failed"]]


@pytest.mark.parametrize("repeats", [1, 2, 5])
def test_seen_again_changes_nothing(repeats: int):
    seen = [bad("a", 1), bad("a", 2), good("a", 3), bad("b", 4), good("c", 5), bad("a", 6)]
    incidents = book(*seen * repeats)
    assert [(one.thing, one.recovered, one.times) for one in incidents] == [("a", 3, 2), ("b", None, 1), ("a", None, 1)]


def test_a_failure_that_appears_late_below_a_success_is_not_lost():
    incidents = book(good("a", 6))
    book(bad("a", 5), good("a", 6), incidents=incidents)
    assert [(one.since, one.recovered) for one in incidents] == [(5, 6)]


def test_things_are_apart():
    incidents = book(bad("a", 1), bad("b", 2), good("c", 3))
    assert send(incidents, 10) == [["a failed"], ["b failed"]]
    book(good("b", 4), incidents=incidents)
    assert send(incidents, 20) == [["b recovered"]]


def test_another_day_does_not_mend_a_day():
    incidents = book(bad("run", 1, "2026-01-01"), bad("run", 2, "2026-01-02"), good("run", 3, "2026-01-02"))
    assert [(one.key, one.recovered) for one in incidents] == [("run 2026-01-01", None), ("run 2026-01-02", 3)]


def test_a_range_is_mended_day_by_day_and_by_a_wider_one():
    days = ("2026-01-01", "2026-01-02", "2026-01-03")
    incidents = book(bad("run", 1, *days), bad("run", 2, "2026-02-01"))
    assert incidents[0].key == "run 2026-01-01 to 2026-01-03"
    book(good("run", 3, days[0]), good("run", 4, days[2]), incidents=incidents)
    assert incidents[0].recovered is None
    book(good("run", 5, days[1], "2026-02-01", "2026-03-01"), incidents=incidents)
    assert [one.recovered for one in incidents] == [5, 5]


def test_at_first_only_how_things_stand():
    seen = [bad("a", 1), good("a", 2), good("b", 3), bad("b", 4), bad("b", 5)]
    assert [(one.thing, one.position) for one in latest(seen)] == [("a", 2), ("b", 5)]


def test_without_a_channel_incidents_are_kept_and_owe_nothing():
    incidents = book(bad("a", 1))
    owe(incidents, [])
    assert incidents[0].unsent == []
    assert send(incidents, 10, ["chat", "mail"]) == [["a failed"], ["a failed"]], "a new channel is told what is open"
    owe(incidents, ["mail"])
    book(good("a", 2), incidents=incidents)
    assert send(incidents, 20, ["mail", "new"]) == [["a recovered"]], "who never heard of it need not know it ended"


def test_a_channel_that_is_taken_away_is_owed_nothing():
    incidents = book(bad("a", 1))
    owe(incidents, ["chat"])
    owe(incidents, [])
    assert incidents[0].notices == []


def test_pauses_grow_to_an_hour_and_it_is_never_given_up():
    incidents = book(bad("a", 1))
    owe(incidents, ANY)
    [notice] = incidents[0].notices
    pauses, now = [], 0.0
    for _ in range(12):
        [[(_, ready)]] = due(incidents, "chat", now)
        ready.failed("down", now)
        assert due(incidents, "chat", notice.next_try - 1) == []
        pauses.append(notice.next_try - now)
        now = notice.next_try
    assert pauses[:4] == [30, 60, 120, 240]
    assert pauses[-1] == pauses[-2] == LONGEST_PAUSE
    assert (notice.tries, notice.error) == (12, "down")


def test_a_recovery_waits_for_its_failure():
    incidents = book(bad("a", 1))
    owe(incidents, ANY)
    incidents[0].notices[0].failed("down", 100)
    book(good("a", 2), incidents=incidents)
    owe(incidents, ANY)
    assert due(incidents, "chat", 110) == []
    assert send(incidents, 200) == [["a failed"], ["a recovered"]]


def test_many_distinct_failures_come_together():
    incidents = book(*(bad(f"check {n}", n) for n in range(60)))
    [told] = send(incidents, 100)
    assert len(told) == 60


def test_a_channel_carries_a_bounded_number_of_messages_and_misses_nothing():
    """Backfills that fail day by day for a day: every two minutes another one."""
    incidents: list[Incident] = []
    told: list[tuple[float, list[str]]] = []
    for number in range(720):
        book(bad(f"run {number}", number), incidents=incidents)
        told += [(number * 120.0, one) for one in send(incidents, number * 120.0)]
    told += [(86_400 + GATHER, one) for one in send(incidents, 86_400 + GATHER)]
    assert sum(len(one) for _, one in told) == 720
    hours = [sum(hour * 3600 <= at < (hour + 1) * 3600 for at, _ in told) for hour in range(24)]
    assert max(hours) <= HOURLY + 3600 / GATHER


def test_whatever_happens_each_message_has_its_turn():
    """Drawn histories: every failure is told once, then its recovery, whatever fails in between."""
    for seed in range(200):
        draw = random.Random(seed)  # noqa: S311 - the same histories each time
        incidents: list[Incident] = []
        told: list[tuple[str, str]] = []
        for position in range(1, 60):
            thing = draw.choice("abc")
            book(draw.choice([bad, good])(thing, position), incidents=incidents)
            owe(incidents, ANY)
            for batch in due(incidents, "chat", position * 60.0):
                down = draw.random() < 0.5
                for incident, notice in batch:
                    if down:
                        notice.failed("down", position * 60.0)
                    else:
                        notice.succeeded(position * 60.0)
                        told.append((incident.id, notice.event))
                if down:
                    break
        assert len(told) == len(set(told))
        for incident in incidents:
            events = [event for name, event in told if name == incident.id]
            assert events in ([], [FAILED], [FAILED, RECOVERED])
            assert sum(one.key == incident.key and one.recovered is None for one in incidents) <= 1
