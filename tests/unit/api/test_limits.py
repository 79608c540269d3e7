"""A body is read up to the limit and no further."""

import asyncio

import pytest
from starlette.exceptions import HTTPException

from rainbow_assets.api.limits import LARGEST, BodyLimit


def read(*chunks: int) -> int:
    """The bytes that an app gets of a body that comes in these chunks."""
    messages = [{"type": "http.request", "body": b"x" * chunk, "more_body": True} for chunk in chunks]
    got = 0

    async def receive():
        return messages.pop(0)

    async def send(message):
        raise AssertionError(message)

    async def app(scope, receive, send):
        nonlocal got
        for _ in chunks:
            got += len((await receive())["body"])

    asyncio.run(BodyLimit(app)({"type": "http"}, receive, send))
    return got


def test_a_body_of_the_largest_size_passes():
    assert read(LARGEST) == LARGEST
    assert read(1, LARGEST - 2, 1) == LARGEST


@pytest.mark.parametrize("chunks", [(LARGEST + 1,), (LARGEST, 1), (1,) * 10 + (LARGEST,)])
def test_a_larger_one_is_refused(chunks):
    with pytest.raises(HTTPException) as refused:
        read(*chunks)
    assert refused.value.status_code == 400
