"""The guard before every web server of Rainbow: whose name was asked for, and which page sent the request.

A page elsewhere can make its visitor's browser send requests to 127.0.0.1, and can give a name of its own the address
127.0.0.1 (DNS rebinding). Here: Host, Origin and Sec-Fetch-Site of a request or a WebSocket, and, where it is asked
for, that what changes something comes as JSON. Not here: who the user is, and what is served.
"""

import json
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
READS = {"GET", "HEAD", "OPTIONS"}
MISDIRECTED, FORBIDDEN, NOT_ALLOWED, UNSUPPORTED = 421, 403, 405, 415
FRAMES = (b"x-frame-options", b"SAMEORIGIN")
POLICY_VIOLATION = 1008  # of a WebSocket


class Guard:
    """Before `app`: answers for it where a request is not for this server or was sent by another page.

    `hosts` are the names that this server has beside those of the loopback. With `json_only` a request that may change
    something must be JSON; `no_query` are paths whose GET takes no query, because it would be executed.
    """

    def __init__(
        self, app: ASGIApp, hosts: Collection[str] = (), *, json_only: bool = False, no_query: Collection[str] = ()
    ) -> None:
        """Nothing is read from settings here."""
        self._app, self._json_only, self._no_query = app, json_only, frozenset(no_query)
        names = frozenset(host.lower() for host in hosts)
        # Of this machine's own names only the page's own port counts: anybody may serve a page on another one.
        self._others, self._hosts = names - frozenset(LOOPBACK), names | frozenset(LOOPBACK)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's scope, as ASGI has it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refusal = self._stranger(scope) or (self._malformed(scope) if scope["type"] == "http" else None)
        if refusal is None:
            await self._app(scope, receive, _framed(send))
        elif scope["type"] == "http":
            await _answer(send, *refusal)
        else:
            await receive()  # its handshake
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": refusal[1]})

    def _stranger(self, scope: Scope) -> tuple[int, str] | None:
        """Why a request is not for this server, or not from one of its own pages."""
        hosts = _values(scope, b"host")
        if len(hosts) != 1 or _hostname(hosts[0]) not in self._hosts:
            return MISDIRECTED, "This server has another name. RAINBOW_ALLOWED_HOSTS adds names to it."
        for origin in _values(scope, b"origin"):
            place = urlsplit(origin).netloc.lower() if "\\" not in origin else ""
            if place != hosts[0].lower() and _hostname(place) not in self._others:
                return FORBIDDEN, "Another page sent this request."
        site = {value.lower() for value in _values(scope, b"sec-fetch-site")} - {"same-origin", "none"}
        if site and not (_values(scope, b"origin") or _is_link(scope)):
            return FORBIDDEN, "Another page sent this request."
        return None

    def _malformed(self, scope: Scope) -> tuple[int, str] | None:
        """Why a request that may change something is not taken."""
        if scope["method"] in READS:
            if scope["path"] in self._no_query and scope["query_string"]:
                return NOT_ALLOWED, "Queries are sent by POST, as JSON."
        elif self._json_only and [_media(value) for value in _values(scope, b"content-type")] != ["application/json"]:
            return UNSUPPORTED, "Send application/json."
        return None


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for header, value in scope["headers"] if header == name]


def _hostname(netloc: str) -> str | None:
    """The host of `host:port`, in lower case; None for what is none, or hides a user, a path or a second host in it."""
    if not netloc or set(netloc) & set("@/\\?#, \t"):
        return None
    try:
        parts = urlsplit(f"//{netloc}")
        _ = parts.port
    except ValueError:
        return None
    return (parts.hostname or "").removesuffix(".") or None


def _is_link(scope: Scope) -> bool:
    """Whether somebody followed a link from another page, as from an alert: it only opens a page."""
    fetch: Mapping[bytes, list[str]] = {name: _values(scope, name) for name in (b"sec-fetch-mode", b"sec-fetch-dest")}
    opened = fetch == {b"sec-fetch-mode": ["navigate"], b"sec-fetch-dest": ["document"]}
    return scope["type"] == "http" and scope["method"] in READS and opened


def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _framed(send: Send) -> Send:
    """`send`, with the header that keeps other pages from showing this one within themselves, to be clicked on."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), FRAMES]
        await send(message)

    return sending


async def _answer(send: Send, status: int, detail: str) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
