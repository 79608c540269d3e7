"""What becomes of errors: a status and one line.

Here: which error is which status. An answer repeats nothing of what PostgreSQL or the settings say; the log has it,
with secrets blacked out.
"""

import logging
from collections.abc import Mapping

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from rainbow_assets.api.service import OtherOrderError, RefusedOrderError, UnknownOrderError
from rainbow_assets.errors import RainbowError
from rainbow_assets.redact import redact

AWAY = "The shop's database is away or busy. Try again."
LONGEST = 500  # characters of an answer that repeats names from the request

log = logging.getLogger("uvicorn.error")


def register(app: FastAPI) -> None:
    """Have `app` answer every error that is foreseen."""
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(RainbowError)(_refused_or_away)
    app.exception_handler(psycopg.Error)(_refused_or_away)


async def _refused_or_away(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, RefusedOrderError):
        return problem(400, str(error))
    if isinstance(error, UnknownOrderError):
        return problem(404, str(error))
    if isinstance(error, OtherOrderError):
        return problem(409, str(error))
    log.error(redact(" ".join(f"503: {error}".split())))
    return problem(503, AWAY, {"Retry-After": "1"})


async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    """All faults of a request. Its values are not repeated; its own names are, as plain ASCII."""
    if any(fault["type"] == "json_invalid" for fault in error.errors()):
        return problem(400, "The body is no JSON that can be read.")
    faults = (f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors())
    return problem(422, "; ".join(faults))


async def _http(_: Request, error: HTTPException) -> JSONResponse:
    """What the framework refuses."""
    return problem(error.status_code, error.detail, error.headers)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer: one line."""
    safe = detail.encode("ascii", "backslashreplace").decode()
    return JSONResponse({"detail": safe[:LONGEST]}, status, headers)
