"""What a session is given, and how a failure is told."""

import pytest

from rainbow_assets.errors import SettingsError, TransientError
from rainbow_assets.systems.ducklake import postgres_secret
from rainbow_assets.systems.postgres_errors import connection_error, passes
from rainbow_assets.systems.postgres_session import SESSION, parameters


def test_a_source_gets_its_session_over_the_users_own_options():
    url = "postgresql://me:p%40ss@db.example:5433/shop?options=-c%20TimeZone%3DAsia%2FTokyo&sslmode=require"
    fields = parameters(url, "RAINBOW_SOURCE_URL", "rainbow api")
    assert (fields["password"], fields["port"], fields["sslmode"]) == ("p@ss", "5433", "require")
    assert fields["client_encoding"] == "UTF8"
    assert fields["options"].startswith("-c TimeZone=Asia/Tokyo -c TimeZone=UTC ")
    assert all(f"-c {name}={value}" in fields["options"] for name, value in SESSION.items())
    assert fields["options"].endswith(r"-c application_name=rainbow\ api")
    assert "options" not in parameters("postgresql://h/db", "RAINBOW_CATALOG_URL")
    assert parameters("postgresql://h/db", "RAINBOW_CATALOG_URL")["client_encoding"] == "UTF8"


def test_duckdb_is_told_all_of_the_url():
    url = "postgresql://me:o%27x@/shop?host=a,b&port=1,2&sslmode=verify-full&sslrootcert=/ca.pem&connect_timeout=3"
    statement = postgres_secret("s", url, "RAINBOW_CATALOG_URL")
    for told in ("host 'a,b'", "port '1,2'", "password 'o''x'", "sslmode 'verify-full'", "sslrootcert '/ca.pem'"):
        assert told in statement
    assert "connect_timeout '3'" in statement


def test_a_malformed_url_is_not_shown():
    with pytest.raises(SettingsError) as failure:
        parameters("postgres//me:secret@host/db", "RAINBOW_SOURCE_URL")
    assert "secret" not in str(failure.value)
    assert "RAINBOW_SOURCE_URL" in str(failure.value)


@pytest.mark.parametrize(
    ("state", "transient"),
    [
        *((state, True) for state in ("57014", "57P01", "57P02", "57P03", "57P05", "40001", "40P01", "55P03", "53300")),
        *((state, True) for state in ("53100", "53200", "08006", "08003", "58030", "25P03", "25P04", "55006", None)),
        *(
            (state, False)
            for state in ("22P02", "22003", "22021", "22P05", "42501", "42703", "42P01", "23505", "57P04")
        ),
        *((state, False) for state in ("0A000", "25006", "54001", "XX001", "28P01", "3D000")),
    ],
)
def test_what_passes_is_known_by_its_sqlstate(state: str | None, transient: bool):
    assert passes(state) is transient


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        (
            'connection to server at "127.0.0.1", port 9 failed: Connection refused\n\tIs the server running?\n',
            TransientError,
            "PostgreSQL (X) does not answer: Connection refused.",
        ),
        (
            'connection to server at "h", port 1 failed: FATAL:  password authentication failed for user "u"\n',
            SettingsError,
            'PostgreSQL refuses X: password authentication failed for user "u".',
        ),
        (
            'connection to server at "h", port 1 failed: FATAL:  database "d" does not exist\nDETAIL: …\n',
            SettingsError,
            'PostgreSQL refuses X: database "d" does not exist.',
        ),
        (
            'connection to server at "h", port 1 failed: FATAL:  permission denied for database "d"\nDETAIL: …\n',
            SettingsError,
            'PostgreSQL refuses X: permission denied for database "d".',
        ),
        (
            'connection to server at "h", port 1 failed: FATAL:  the database system is starting up\n',
            TransientError,
            "PostgreSQL (X) does not answer: the database system is starting up.",
        ),
        (
            'connection to server at "localhost" (::1), port 9 failed: Connection refused\n\tIs the server running?\n'
            'connection to server at "localhost" (127.0.0.1), port 9 failed: SSL error: certificate verify failed\n',
            SettingsError,
            "PostgreSQL refuses X: SSL error: certificate verify failed.",
        ),
        (
            'connection to server at "h", port 1 failed: FATAL:  sorry, too many clients already\n',
            TransientError,
            "PostgreSQL (X) does not answer: sorry, too many clients already.",
        ),
        (
            'connection to server at "h", port 1 failed: FATAL:  unsupported startup parameter: options\n',
            SettingsError,
            "PostgreSQL refuses X: unsupported startup parameter: options.",
        ),
        (
            'connection to server at "h", port 1 failed: server does not support SSL, but SSL was required\n',
            SettingsError,
            "PostgreSQL refuses X: server does not support SSL, but SSL was required.",
        ),
    ],
)
def test_a_failed_connection_is_one_line_and_of_the_right_kind(text, kind, reason):
    error = connection_error(text, "X")
    assert type(error) is kind
    assert error.message == reason
