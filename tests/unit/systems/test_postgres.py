"""PostgreSQL's URLs, and how a failed connection is told."""

import pytest

from rainbow_assets.errors import SettingsError, TransientError
from rainbow_assets.systems.postgres import connection_error, parts


def test_a_url_falls_apart_into_the_fields_of_a_secret():
    assert parts("postgresql://me:p%40ss@db.example:5433/shop") == {
        "USER": "me",
        "PASSWORD": "p@ss",
        "HOST": "db.example",
        "PORT": "5433",
        "DATABASE": "shop",
    }


def test_a_malformed_url_is_not_shown():
    with pytest.raises(SettingsError) as failure:
        parts("postgres//me:secret@host/db")
    assert "secret" not in str(failure.value)


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
    ],
)
def test_a_failed_connection_is_one_line_and_of_the_right_kind(text, kind, reason):
    error = connection_error(text, "X")
    assert type(error) is kind
    assert error.message == reason
