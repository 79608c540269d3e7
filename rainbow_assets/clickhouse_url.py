"""ClickHouse's URL: a server's, or the path of an embedded database; read in one way by all that need it.

Here: text alone; no message repeats any of it, as it holds a password. Not here: which setting it is (`settings.py`),
connecting (`systems/clickhouse.py`).
"""

from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

FORM = "write chdb:///path or clickhouse(s)://user:password@host:port/rainbow"
PORTS = {"clickhouse": 8123, "clickhouses": 8443}


def parse(url: str) -> SplitResult:
    """The parts of the URL; what they encode with % is not decoded.

    Raises:
        ValueError: it is malformed, or has more than is used.
    """
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(FORM) from None
    if parts.scheme == "chdb":
        usable = not parts.netloc and len(parts.path) > 1
    if parts.scheme not in {"chdb", *PORTS} or not usable:
        raise ValueError(FORM)
    if "?" in url or "#" in url:  # dropped in silence, `?secure=true` would send the password in clear
        raise ValueError("nothing behind ? or #: TLS is clickhouses://, and in a password they are %3F and %23")
    return parts


def embedded(path: Path) -> str:
    """The URL of the embedded database at an absolute path."""
    return f"chdb:///{quote(str(path).lstrip('/'))}"
