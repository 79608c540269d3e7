"""The project's errors: each says what failed, why, and what to do about it.

Here: the few classes and nothing else. Not here: messages (they are written where the error is raised).
"""


class RainbowError(Exception):
    """A failure with a cause that the user can mend. `hint` says how."""

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep `message` (what failed, and why) and `hint` (what to do) apart."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """One line: the message, then the hint."""
        return f"{self.message} {self.hint}".strip() if self.hint else self.message


class SettingsError(RainbowError):
    """A setting is unknown, missing or malformed. Permanent: trying again does not help."""


class StackError(RainbowError):
    """The embedded stack cannot start or stop: a port in use, a file that it may not read. Permanent."""


class DataError(RainbowError):
    """The data itself is wrong: a broken file, an impossible range, rows that disagree. Permanent."""


class SchemaDriftError(DataError):
    """A source table lost a column or changed a type. Permanent; only that table stops."""


class IncompleteError(RainbowError):
    """What was read of the source's log is not all that happened there. A new first copy mends it."""


class TransientError(RainbowError):
    """An outside system did not answer or was busy. Trying again may help; retries look for this class."""
