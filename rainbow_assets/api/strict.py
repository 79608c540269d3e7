"""JSON as it is meant: a name stands once, and a number is one.

Here: how a body is parsed. Not here: which names and numbers it has (`models.py`).
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute


class StrictRequest(Request):
    """A request whose JSON says everything once: of two values for one name, readers choose differently."""

    async def json(self) -> Any:  # noqa: ANN401 - JSON
        """The body.

        Raises:
            HTTPException: a name stands twice in one object, or a number is NaN or infinite.
            json.JSONDecodeError: it is no JSON.
        """
        return json.loads(await self.body(), object_pairs_hook=_unique, parse_constant=_constant)


class StrictRoute(APIRoute):
    """A route that reads its request so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, on a strict request."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise HTTPException(400, f"The name {name!r} stands twice in one object.")
        found[name] = value
    return found


def _constant(name: str) -> NoReturn:
    raise HTTPException(400, f"{name} is no JSON.")
