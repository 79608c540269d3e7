"""What a session with PostgreSQL is given at its start, whichever client opens it.

Here: the connection's parameters, and the settings on which the text of a value or the rows of a query depend. They go
with the connection itself, so they also hold in the sessions that DuckDB opens by itself, and after its DISCARD ALL.
Not here: the URL's form (`postgres_url.py`), opening (`postgres.py`).
"""

import psycopg

from rainbow_assets.errors import SettingsError
from rainbow_assets.postgres_url import fields_of

SOURCES = {"RAINBOW_SOURCE_URL", "RAINBOW_STREAM_URL"}
DEFAULTS = {"connect_timeout": "10", "keepalives_idle": "60"}  # a session may wait long for others, and say nothing
LOCK_TIMEOUT = 30  # seconds that a statement waits for somebody's lock on a table
# Of the role, the database and the server, these would change what is read, or how it is written as text.
SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO,MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "lc_monetary": "C",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "search_path": "public",  # pg_catalog goes before it: no function of ours is shadowed
    "row_security": "off",  # PostgreSQL refuses where it would hide rows
    "lock_timeout": f"{LOCK_TIMEOUT}s",
}


def parameters(url: str, what: str, application: str = "rainbow") -> dict[str, str]:
    """libpq's parameters for the URL in the setting `what`; a source also gets `SESSION`, over its own `options`.

    Raises:
        SettingsError: it is no PostgreSQL URL.
    """
    try:
        given = fields_of(url)
    except ValueError as error:
        raise SettingsError(f"{what} is no PostgreSQL URL.", f"{str(error)[0].upper()}{str(error)[1:]}.") from None
    fields = DEFAULTS | given | {"client_encoding": "UTF8"}
    if what not in SOURCES:
        return fields | {"application_name": application}
    # The name comes by the options too: the server tells it back, so whether they arrived costs no question.
    fields.pop("application_name", None)
    wanted = SESSION | {"application_name": application.replace(" ", "\\ ")}
    options = [given.get("options", ""), *(f"-c {name}={value}" for name, value in wanted.items())]
    return fields | {"options": " ".join(filter(None, options))}


def check(info: psycopg.ConnectionInfo, what: str, application: str = "rainbow") -> None:
    """That the session is what was asked for; told by the server at the start, without a question.

    Raises:
        SettingsError: the options were dropped on the way, or the source's text has no known encoding.
    """
    if what not in SOURCES:
        return
    if info.parameter_status("application_name") != application or info.parameter_status("TimeZone") != "UTC":
        raise SettingsError(
            f"Between Rainbow and {what} something drops the session's options (a pooler does).",
            f"Let {what} name PostgreSQL itself.",
        )
    if info.parameter_status("server_encoding") == "SQL_ASCII":
        raise SettingsError(
            f"The database of {what} is in SQL_ASCII: nothing says what its bytes mean.",
            "Move it into a database with an encoding (UTF8, LATIN1, …).",
        )
