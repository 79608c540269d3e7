"""One JSON document to one URL: certificate checked, no redirect followed, nothing of the answer believed.

The URL is a secret (a webhook's path is its password), so no error says it.
"""

import json
from email.message import Message as Headers
from http.client import HTTPException
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from rainbow_assets.errors import TransientError

TIMEOUT = 10.0  # seconds for each step of the exchange


class _Stay(HTTPRedirectHandler):
    """A redirect is an answer like any other: what is told is for this URL alone."""

    def redirect_request(
        self,
        req: Request,  # noqa: ARG002 - the signature of urllib, here and below
        fp: IO[bytes],  # noqa: ARG002
        code: int,  # noqa: ARG002
        msg: str,  # noqa: ARG002
        headers: Headers,  # noqa: ARG002
        newurl: str,  # noqa: ARG002
    ) -> None:
        return None


def post(url: str, document: dict[str, Any], setting: str) -> None:
    """Send `document`; `setting` names the URL in errors.

    Raises:
        TransientError: no connection, a wrong certificate, or an answer other than 2xx.
    """
    body = json.dumps(document).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "rainbow"}
    request = Request(url, body, headers, method="POST")  # noqa: S310 - the settings allow http(s) alone
    try:
        with build_opener(_Stay).open(request, timeout=TIMEOUT) as answer:
            status = answer.status
    except HTTPError as error:
        error.close()
        where = " (redirects are not followed)" if 300 <= error.code < 400 else ""
        raise TransientError(f"{setting} answered {error.code}{where}.", f"Check {setting}.") from None
    except (URLError, HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise TransientError(f"{setting} does not answer: {reason}.", f"Check {setting}.") from None
    if not 200 <= status < 300:
        raise TransientError(f"{setting} answered {status}.", f"Check {setting}.")
