"""Every problem is one line of JSON, whatever the request had in it."""

import json

import pytest

from rainbow_assets.api.problems import LONGEST, problem


@pytest.mark.parametrize("detail", ["no order 1", "\ud800", "\0", "ü" * 10_000, '"'])
def test_any_text_can_be_told(detail):
    answer = problem(400, detail)
    told = json.loads(answer.body)
    assert answer.status_code == 400
    assert list(told) == ["detail"]
    assert 0 < len(told["detail"]) <= LONGEST
    assert told["detail"].isascii()
