"""How long the API waits for a request, and how many it waits for.

Here: the connections that hold no whole request: silent ones, half a header, half a body. A request that is whole is
not here (`limits.py`).
"""

import asyncio
import json
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

WHOLE = 10.0  # seconds from the first byte of a request, or the beginning of its connection, to its last byte
MOST_WAITING = 128  # connections of one client that hold no whole request; the oldest makes room for the next
LARGEST_HEAD = 64 * 1024  # bytes


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn speaks it, to clients that get on with it.

    Nobody is refused for what others do not finish: what waits longest goes first.
    """

    _waiting: ClassVar[dict[str, dict["PatientProtocol", None]]] = {}
    _deadline: asyncio.TimerHandle | None = None
    _head: int | None = 0  # bytes of a head that is not whole yet
    _begun = False  # a request that is not answered

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come, and has sent nothing."""
        super().connection_made(transport)
        self._wait(timed=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes have come; a head has a limit, as a body has."""
        if self._head is not None:
            if self._head > LARGEST_HEAD:
                self._give_up(431, f"The request's head is larger than {LARGEST_HEAD} bytes.")
                return
            self._head += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._head, self._begun = 0, True
        self._wait(timed=True)

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """It is whole."""
        super().on_message_complete()
        self._wait_no_more()

    def on_response_complete(self) -> None:
        """It is answered: the connection is silent again, as long as uvicorn keeps it."""
        self._begun = False
        super().on_response_complete()
        if self._deadline is None and not self.transport.is_closing():
            self._wait(timed=False)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is refused as everything is."""
        self._answer(400, msg)

    def _wait(self, *, timed: bool) -> None:
        """Be the youngest of those that wait; the oldest may have to go."""
        self._wait_no_more()
        group = self._waiting.setdefault(self.client[0] if self.client else "", {})
        group[self] = None
        if timed:
            said = f"The request did not come within {WHOLE:.0f} s."
            self._deadline = self.loop.call_later(WHOLE, self._give_up, 408, said)
        if len(group) > MOST_WAITING:
            next(iter(group))._give_up(503, "Too many requests that are not finished.")

    def _wait_no_more(self) -> None:
        host = self.client[0] if self.client else ""
        if group := self._waiting.get(host):
            group.pop(self, None)
            if not group:
                del self._waiting[host]
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self, status: int, detail: str) -> None:
        """Close the connection, with an answer where a request has begun and none was given."""
        is_answered = self._head is None and self.cycle.response_started
        self._wait_no_more()
        if self._begun and not is_answered and not self.transport.is_closing():
            self._answer(status, detail)
        else:
            self.transport.close()

    def _answer(self, status: int, detail: str) -> None:
        """An answer outside of the application, in its form; then the connection ends."""
        body = json.dumps({"detail": detail}).encode()
        head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.close()
