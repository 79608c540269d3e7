"""Why DuckDB cannot read the source: a value, a right, or something that passes.

Here: telling them apart. Not here: the failures of a lake's transaction (`systems/ducklake.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from rainbow_assets.errors import DataError, TransientError
from rainbow_assets.systems import postgres
from rainbow_assets.systems.ducklake import one_line, store_errors

SETTING = "RAINBOW_SOURCE_URL"
REFUSED = "Failed to prepare query"  # DuckDB's words for what the server refuses when it is asked


@contextmanager
def source_errors(source_url: str, what: str, query: str) -> Iterator[None]:
    """Read the source by `query` within: `what` cannot be extracted, and why; the store's failures too.

    DuckDB tells PostgreSQL's words alone, in whatever language: the SQLSTATE comes by asking the server again.

    Raises:
        DataError: a value does not fit.
        TransientError: the source or the store does not answer, or the server cancelled the query.
        SettingsError: the user may not read the table, or not all of its rows.
    """
    failed = f"{what} cannot be extracted"
    try:
        with store_errors():
            yield
    # What the server refuses when it is asked comes as a BinderException, what it fails at later as an IOException.
    except (duckdb.IOException, duckdb.HTTPException, duckdb.BinderException) as error:
        reason = postgres.why(source_url, SETTING, query)
        if reason and not isinstance(reason, DataError):
            raise type(reason)(f"{failed}: {reason.message}", reason.hint) from None
        if reason is None and (REFUSED in str(error) or not isinstance(error, duckdb.BinderException)):
            said = f"{failed}: {one_line(error)}; PostgreSQL can answer by now."
            raise TransientError(said, "Run it again.") from None
        told = reason.message if reason else f"{one_line(error)}."
        raise DataError(f"{failed}: {told}", "Correct the row in the source.") from None
    except duckdb.Error as error:
        raise DataError(f"{failed}: {one_line(error)}.", "Correct the row in the source.") from None
