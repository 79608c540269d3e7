"""A body is read up to the limit and no further, and too many requests at once are told so."""

import asyncio
import json

import pytest

from rainbow_assets.api import limits
from rainbow_assets.api.limits import LARGEST, Limits


def ask(guard: Limits, chunks: list[int], during=None) -> tuple[int, object]:
    """The status, and what the app got (or the answer's words); the body comes in these chunks."""
    messages = [
        {"type": "http.request", "body": b"x" * chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, 1)
    ]
    sent: list[dict] = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(guard({"type": "http", "method": "POST", "headers": []}, receive, send))
    told = json.loads(sent[1]["body"])
    return sent[0]["status"], told.get("detail", told)


async def length(scope, receive, send):
    message = await receive()
    assert not message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps({"got": len(message["body"])}).encode()})


@pytest.mark.parametrize("chunks", [[0], [LARGEST], [1, LARGEST - 2, 1]])
def test_a_body_of_the_largest_size_passes(chunks):
    assert ask(Limits(length), chunks) == (200, {"got": sum(chunks)})


@pytest.mark.parametrize("chunks", [[LARGEST + 1], [LARGEST, 1], [1] * 10 + [LARGEST]])
def test_a_larger_one_is_refused(chunks):
    assert ask(Limits(length), chunks) == (400, f"The body is larger than {LARGEST} bytes.")


def test_too_many_at_once_are_told_so(monkeypatch):
    monkeypatch.setattr(limits, "AT_WORK", 1)
    answers = []

    async def slow(scope, receive, send):
        if not answers:
            answers.append(None)
            await asyncio.get_running_loop().run_in_executor(None, lambda: answers.append(ask(guard, [1])))
        await length(scope, receive, send)

    guard = Limits(slow)
    assert ask(guard, [1]) == (200, {"got": 1})
    assert answers == [None, (503, limits.BUSY)]
    assert ask(guard, [1]) == (200, {"got": 1}), "its place is given back"
