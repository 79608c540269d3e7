"""How much a request may send, and how many are worked on at once.

Here: requests as they go into the application: whole. Not here: those that do not get whole (`patience.py`), and what
stands in a body (`models.py`).
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rainbow_assets.api.problems import problem

LARGEST = 64 * 1024  # bytes; an order of 100 products has about 5,000
AT_WORK = 512  # requests
BUSY = "Too many requests at once. Try again."
CLOSE = {"Connection": "close"}  # the rest of the body is not read


class Limits:
    """Reads a whole body, up to the largest size, and hands it on as long as there are not too many at work."""

    def __init__(self, app: ASGIApp) -> None:
        """Before `app`."""
        self._app, self._at_work = app, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's scope, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client has gone
            body += message.get("body", b"")
            if len(body) > LARGEST:
                await problem(400, f"The body is larger than {LARGEST} bytes.", CLOSE)(scope, receive, send)
                return
            if not message.get("more_body"):
                break
        if self._at_work >= AT_WORK:
            await problem(503, BUSY, {"Retry-After": "1"})(scope, receive, send)
            return
        self._at_work += 1
        try:
            await self._app(scope, _once(bytes(body), receive), send)
        finally:
            self._at_work -= 1


def _once(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body first, and then what the server says: that the client has gone."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return whole.pop() if whole else await receive()

    return receiving
