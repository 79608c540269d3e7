"""The door between the machine's environment and Rainbow: what is not named here changes nothing.

Libraries read variables and files of their own (PG*, AWS_*, DBT_*, PYTHON*, a pgpass file …), and one that is set for
another program must neither reach a server nor a value. Of the environment passes what says where the machine's things
are (PASSED) and Rainbow's own settings; what libraries would look for in the user's home is completed with places where
nothing is. What a library takes as an argument is given there (`systems/`). Only the standard library is imported here:
the door opens before all else. Not here: what Dagster and a shell are told (`stack/environment.py`).
"""

import io
import ipaddress
import locale
import os
import sys
import time
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import urlsplit

PASSED = {
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("LANG", "LANGUAGE", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"),
    *("JAVA_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "KRB5CCNAME", "KRB5_CONFIG"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"),  # they change no result
}
PREFIXES = ("RAINBOW_", "LC_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")  # the last as some clients compare it
NOWHERE = "/nonexistent/rainbow"
COMPLETED = {
    # libpq would look for these in the user's home.
    **dict.fromkeys(("PGPASSFILE", "PGSERVICEFILE", "PGSSLCERT", "PGSSLKEY", "PGSSLROOTCERT", "PGSSLCRL"), NOWHERE),
    "PYICEBERG_HOME": str(Path(__file__).with_name("systems") / "pyiceberg_home"),
    "TZ": "UTC",
    "DO_NOT_TRACK": "1",
}
# In a process that Rainbow did not start the rest is that program's own, and may be needed by it.
OURS = ("PG", "PYICEBERG_")
QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)  # as Python itself has it


def passed(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process of Rainbow's: what passes, completed."""
    kept = {name: value for name, value in environment.items() if name in PASSED or name.startswith(PREFIXES)}
    return kept | _proxies(environment) | COMPLETED


def enter() -> None:
    """At the start of a command: its environment, and with it that of its children, becomes what passes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character that the terminal has not is shown by its number
            encoding = "utf-8" if sys.flags.utf8_mode else locale.getencoding()
            stream.reconfigure(
                encoding=encoding if "PYTHONIOENCODING" in os.environ else None, errors="backslashreplace"
            )
    kept = passed(os.environ)
    for name in set(os.environ) - set(kept):
        del os.environ[name]
    os.environ.update(kept)
    time.tzset()


def guard(families: Collection[str] = OURS) -> None:
    """In a process that somebody else started (Dagster's code server, dbt): take out what would reach ours."""
    for name in [name for name in os.environ if name.startswith(tuple(families))]:
        del os.environ[name]
    os.environ.update(_proxies(os.environ) | {name: COMPLETED[name] for name in COMPLETED if name.startswith(OURS)})


def enter_interpreter() -> None:
    """Before any other import of a command: no module from PYTHONPATH, no warning that became an error.

    A folder of PYTHONPATH that holds Rainbow itself stays: it is how this machine finds it.
    """
    home = Path(__file__).resolve().parents[1]
    foreign = {os.path.abspath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}  # noqa: PTH100
    sys.path[:] = [entry for entry in sys.path if entry not in foreign or Path(entry).resolve() == home]
    if "PYTHONWARNINGS" in os.environ:
        sys.warnoptions.clear()
        warnings.resetwarnings()
        for category in QUIET:
            warnings.simplefilter("ignore", category)


def certificates() -> str | None:
    """The file of the certificates that this machine trusts, where it names one."""
    return os.environ.get("SSL_CERT_FILE") or None


def proxy_for(url: str) -> str | None:
    """The proxy by which `url` is asked, for clients that do not find it themselves."""
    from urllib.request import proxy_bypass  # here: it brings an HTTP client with it

    told, address = _proxies(os.environ), urlsplit(url)
    direct = _is_loopback(address.hostname or "") or proxy_bypass(address.netloc, {"no": told["no_proxy"]})
    return None if direct else told.get(f"{address.scheme}_proxy")


def _is_loopback(host: str) -> bool:
    """Whether it is an address of the loopback: there are more than a list can name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The proxies in both spellings, as libraries read one or the other, and never for loopback."""
    told = {name: environment.get(name) or environment.get(name.upper()) or "" for name in PROXIES}
    if told["all_proxy"].startswith("http"):  # not every client knows it
        told |= {name: told[name] or told["all_proxy"] for name in ("http_proxy", "https_proxy")}
    direct = [part.strip() for part in told["no_proxy"].split(",") if part.strip()]
    # `*` is everything only where it stands alone.
    told["no_proxy"] = "*" if "*" in direct else ",".join(dict.fromkeys([*direct, *LOOPBACK]))
    return {spelt: value for name, value in told.items() if value for spelt in (name, name.upper())}
