"""A body says everything once, and finding that out is quick however long it is."""

import asyncio
import time

import pytest
from fastapi import HTTPException

from rainbow_assets.api.limits import LARGEST
from rainbow_assets.api.strict import StrictRequest


def parsed(body: bytes) -> object:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    return asyncio.run(StrictRequest({"type": "http", "method": "POST", "headers": []}, receive).json())


@pytest.mark.parametrize(
    "body", [b'{"a": 1, "a": 1}', b'{"b": [{"a": 1, "c": 2, "a": null}]}', b'{"a": 1, "\\u0061": 2}']
)
def test_a_name_stands_once_in_an_object(body: bytes):
    with pytest.raises(HTTPException, match="The name 'a' stands twice"):
        parsed(body)


def test_the_same_name_in_two_objects_is_fine():
    assert parsed(b'{"a": [{"a": 1}, {"a": 2}]}') == {"a": [{"a": 1}, {"a": 2}]}


def test_the_largest_body_is_judged_at_once():
    """As many names as fit into it, and the last is there already."""
    names = [f'"{number:x}":0' for number in range(16, 8 * 1024)]
    while len(body := f"{{{','.join([*names, names[-1]])}}}") > LARGEST:
        names.pop()
    assert len(body) > LARGEST - 10
    began = time.process_time()
    with pytest.raises(HTTPException, match="stands twice"):
        parsed(body.encode())
    assert time.process_time() - began < 0.2
