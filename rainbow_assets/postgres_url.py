"""PostgreSQL's URLs: read once, in the one way that libpq reads them, and written in the one form that every client
understands: psycopg, psycopg2 and SQLAlchemy, DuckDB, Debezium.

Here: text alone; no message repeats any of it, as it holds a password. Not here: which setting it is (`settings.py`),
what a session needs beside it (`systems/postgres_session.py`).
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

FORM = "write postgresql://user:password@host:port/database"
SCHEMES = {"postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"}
PARTS = ("user", "password", "host", "port", "dbname")
SSL_MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
# libpq's parameters that all of our clients' libpq know. Not `service` and `passfile`: files that another user lacks.
PARAMETERS = {
    *PARTS,
    *("application_name", "channel_binding", "client_encoding", "connect_timeout", "fallback_application_name"),
    *("gssdelegation", "gssencmode", "gsslib", "hostaddr", "krbsrvname", "keepalives", "keepalives_count"),
    *("keepalives_idle", "keepalives_interval", "load_balance_hosts", "options", "require_auth", "requirepeer"),
    *("ssl_max_protocol_version", "ssl_min_protocol_version", "sslcert", "sslcertmode", "sslcompression", "sslcrl"),
    *("sslcrldir", "sslkey", "sslmode", "sslnegotiation", "sslpassword", "sslrootcert", "sslsni"),
    *("target_session_attrs", "tcp_user_timeout"),
}
FILES = ("sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir")
# Debezium's driver is not libpq. What it cannot be told but would matter is refused; the rest changes no connection.
OF_JAVA = {*PARTS, "sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "connect_timeout"}


def canonical(url: str) -> str:
    """The URL in its one form: `postgresql://`, everything encoded; several hosts and sockets are parameters.

    Raises:
        ValueError: it is malformed, or leaves the host or the database to chance.
    """
    fields = fields_of(url)
    more = {name: value for name, value in fields.items() if name not in PARTS}
    place = _encoded(fields["host"]) if ":" not in fields["host"] else f"[{fields['host']}]"
    if "," in fields["host"] or fields["host"].startswith("/"):
        place = ""
        more = {name: fields[name] for name in ("host", "port") if name in fields} | more
    elif "port" in fields:
        place += f":{fields['port']}"
    who = ":".join(_encoded(fields[name]) for name in ("user", "password") if name in fields)
    query = "&".join(f"{name}={quote(value, safe='/:,')}" for name, value in more.items())
    return f"postgresql://{who}{'@' * bool(who)}{place}/{_encoded(fields['dbname'])}{'?' * bool(query)}{query}"


def fields_of(url: str) -> dict[str, str]:
    """The URL as libpq's parameters: `host`, `port`, `dbname`, `user`, `password`, and what stands behind the `?`.

    Raises:
        ValueError: as `canonical`.
    """
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in SCHEMES or any(sign.isspace() or not sign.isprintable() for sign in url):
        raise ValueError(FORM)
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00", rest):
        raise ValueError("write % as %25")
    who = ""
    if "@" in rest.partition("/")[0]:
        who, _, rest = rest.partition("@")
    path, _, query = rest.partition("?")
    hosts, _, database = path.partition("/")
    if "@" in path:
        raise ValueError(f"{FORM}, with @ in a user or password as %40")
    user, colon, password = who.partition(":")
    fields = {"user": _decoded(user), "password": _decoded(password) if colon else "", "dbname": _decoded(database)}
    fields |= _places(hosts) | _parameters(query)
    fields = {name: value for name, value in fields.items() if value}
    _check(fields)
    return fields


def sqlalchemy(url: str, driver: str, defaults: Mapping[str, str] | None = None) -> str:
    """A canonical URL for SQLAlchemy, which takes `postgresql://` for another driver in each of its versions.

    `defaults`: parameters that it gets where it has none of that name.
    """
    given = fields_of(url)
    more = "&".join(f"{name}={quote(value)}" for name, value in (defaults or {}).items() if name not in given)
    mark = "&" if "?" in url else "?"
    return f"postgresql+{driver}://{url.partition('://')[2]}{mark * bool(more)}{more}"


def for_java(url: str) -> None:
    """That Debezium can be told all of the URL.

    Raises:
        ValueError: it cannot.
    """
    fields = fields_of(url)
    if fields["host"].startswith("/") or "," in fields["host"]:
        raise ValueError("name one host: the stream's driver knows no sockets and no list")
    if unknown := sorted(set(fields) - OF_JAVA):
        raise ValueError(f"the stream's driver takes no {', '.join(unknown)}")


def _places(hosts: str) -> dict[str, str]:
    """One or more of `host`, `host:port`, `[::1]:port`."""
    found = [re.fullmatch(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::(.*))?", place) for place in hosts.split(",")]
    if not all(found):
        raise ValueError(f"{FORM}, with an IPv6 address in brackets")
    names = [_decoded(match[1] or match[2] or "") for match in found if match]
    ports = [match[3] or "" for match in found if match]
    return {"host": ",".join(names), "port": ",".join(ports) if any(ports) else ""}


def _parameters(query: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    found = {_decoded(name): _decoded(value) for name, _, value in pairs}
    if found.pop("ssl", "") == "true":  # as libpq takes it from JDBC's URLs
        found["sslmode"] = "require"
    if any("=" in value for _, mark, value in pairs if mark):
        raise ValueError("write = in a parameter's value as %3D")
    if not set(found) <= PARAMETERS:
        raise ValueError("it has a parameter behind the ? that PostgreSQL's clients do not know")
    return found


def _check(fields: dict[str, str]) -> None:
    """Nothing is left to a default that differs between clients and machines."""
    ports = fields.get("port", "").split(",")
    if not all(re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 2**16 for port in ports if port):
        raise ValueError(f"a port is a number from 1 to 65535; {FORM}, with / in a password as %2F")
    if not all(fields.get("host", "").split(",")):
        raise ValueError(f"it names no host; {FORM}")
    if len(ports) not in {1, len(fields["host"].split(","))}:
        raise ValueError("it has another number of ports than of hosts")
    if "dbname" not in fields:
        raise ValueError(f"it names no database; {FORM}")
    if fields.get("sslmode", "prefer") not in SSL_MODES:
        raise ValueError(f"sslmode is one of {', '.join(sorted(SSL_MODES))}")
    if relative := [name for name in FILES if not fields.get(name, "/").startswith("/") and fields[name] != "system"]:
        raise ValueError(f"{relative[0]} needs an absolute path: each part runs in a folder of its own")


def _encoded(text: str) -> str:
    return quote(text, safe="")


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("what is encoded with % is not UTF-8") from None
