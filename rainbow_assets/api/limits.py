"""How much a request may send.

Here: the size of its body. Not here: what stands in it (`models.py`).
"""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 64 * 1024  # bytes; an order of 100 products has about 5,000


class BodyLimit:
    """Stops reading a body that is too large, also one that does not say its length; it is refused like a wrong one."""

    def __init__(self, app: ASGIApp) -> None:
        """Before `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's scope, as ASGI has it."""
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > LARGEST:
                raise HTTPException(400, f"The body is larger than {LARGEST} bytes.")
            return message

        await self._app(scope, limited, send)
