"""Which requests the guard lets through: by whose name is asked for, which page sends, and what it sends."""

import asyncio
import json

import pytest

from rainbow_assets.guard import Guard

JSON = {"content-type": "application/json"}
HERE, ELSEWHERE = "http://127.0.0.1:3000", "https://evil.example"


def ask(method: str = "GET", path: str = "/", kind: str = "http", hosts=("rainbow.example.com", "::7"), **headers: str):
    """The status that a request gets: 200 where it passes."""
    path, _, query = path.partition("?")
    told = {"host": "127.0.0.1:3000"} | headers
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in told.items()]
    raw = [(name, value) for name, value in raw if value]
    scope = {"type": kind, "method": method, "path": path, "query_string": query.encode(), "headers": raw}
    sent: list[dict] = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    guard = Guard(app, hosts, json_only=True, no_query={"/graphql"})
    asyncio.run(guard(scope, receive, send))
    if sent[0]["type"] == "websocket.close":
        return sent[0]["code"]
    if sent[0]["status"] != 200:
        assert list(json.loads(sent[1]["body"])) == ["detail"]
    else:
        assert (b"x-frame-options", b"SAMEORIGIN") in sent[0]["headers"]
    return sent[0]["status"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:3000", 200),
        ("127.0.0.1", 200),
        ("localhost:3000", 200),
        ("LOCALHOST.", 200),
        ("[::1]:3000", 200),
        ("rainbow.example.com", 200),
        ("Rainbow.Example.Com:443", 200),
        ("[::7]:1", 200),
        ("evil.example:3000", 421),
        ("127.0.0.1.evil.example", 421),
        ("evil.example@127.0.0.1", 421),
        ("127.0.0.1:3000@evil.example", 421),
        ("127.0.0.1:99999", 421),
        ("127.0.0.1:x", 421),
        ("127.0.0.1/evil.example", 421),
        ("evil.example, 127.0.0.1", 421),
        ("127.0.0.2", 421),
        ("0.0.0.0:3000", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_only_its_own_names_are_served(host: str, status: int, kind: str):
    assert ask(kind=kind, host=host) == (1008 if kind == "websocket" and status != 200 else status)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": HERE}, 200),
        ({"origin": "https://127.0.0.1:3000"}, 200),
        ({"origin": "https://rainbow.example.com"}, 200),
        ({"origin": ELSEWHERE}, 403),
        ({"origin": "http://127.0.0.1:8000"}, 403),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:3000.evil.example"}, 403),
        ({"origin": "http://evil.example\\@127.0.0.1:3000"}, 403),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}, 403),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}, 403),
        ({"sec_fetch_site": "cross-site", "origin": "https://rainbow.example.com"}, 200),
    ],
)
@pytest.mark.parametrize(("kind", "method"), [("http", "GET"), ("http", "POST"), ("websocket", "GET")])
def test_no_other_page_is_served(headers: dict, status: int, kind: str, method: str):
    expected = 1008 if kind == "websocket" and status != 200 else status
    assert ask(method, kind=kind, **headers, **JSON) == expected


def test_a_link_from_another_page_opens_but_does_not_send():
    followed = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert ask(path="/runs/1", **followed) == 200
    assert ask("POST", **followed, **JSON) == 403
    assert ask(kind="websocket", **followed) == 1008


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("text/plain; application/json", 415),
        ("application/graphql", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_changes_something_is_json(content_type: str, status: int, method: str):
    assert ask(method, "/graphql", content_type=content_type) == status


def test_a_query_is_not_executed_by_get():
    assert ask(path="/graphql?query=mutation{x}") == 405
    assert ask("HEAD", "/graphql?query=mutation{x}") == 405
    assert ask(path="/graphql") == 200
    assert ask(path="/runs?q=x") == 200
