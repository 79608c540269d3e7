"""Reading ClickHouse for a page: all its statements over one short connection, kept for a few seconds.

Here: when ClickHouse is asked, and what is shown while it cannot be. Not here: what is asked (`queries.py`,
`health_queries.py`).

The embedded engine has room for one process at a time. So it is open for one page's reads only, and while another
process has it, the last answer is shown, with its age.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock

import pandas as pd
import streamlit as st
from clickhouse_connect.driver.client import Client

from rainbow_assets.dashboard.queries import NEEDED, WATERMARK, Query
from rainbow_assets.errors import DataError, RainbowError
from rainbow_assets.redact import redact
from rainbow_assets.settings import Settings
from rainbow_assets.systems import clickhouse

KEPT = 5  # seconds for which an answer counts as fresh
WAIT = 2.0  # seconds for another process that holds the embedded engine
REMEMBERED = 50  # last answers, one a page and choice of filters
TRIES = 3  # readings until two looks at the watermark agree
ONE = Lock()  # sessions take turns: the embedded engine is opened and closed for each


@dataclass(frozen=True)
class Answer:
    """The rows that a page shows, when they were read (UTC), and why they are not newer, if they could be."""

    tables: Mapping[str, pd.DataFrame]
    at: datetime
    stale: str = ""


def answer(name: str, ask: Callable[..., Mapping[str, Query]], *arguments: object) -> Answer:
    """The answer for the page `name` to `ask(*arguments)`: fresh, a few seconds old, or the last one there was.

    Raises:
        RainbowError: ClickHouse cannot be asked, and there was no answer before.
    """
    settings = Settings.load()
    key = (str(settings.home), name, *arguments)
    remembered = _remembered()
    try:
        found = _fresh(key, settings, ask, arguments)
    except RainbowError as error:
        if key not in remembered:
            raise
        return replace(remembered[key], stale=redact(str(error)))
    remembered.pop(key, None)
    remembered[key] = found
    if len(remembered) > REMEMBERED:
        remembered.pop(next(iter(remembered)), None)
    return found


@st.cache_resource(show_spinner=False)
def _remembered() -> dict[tuple[object, ...], Answer]:
    """The last good answers of this server, the oldest first."""
    return {}


@st.cache_data(ttl=KEPT, show_spinner=False)
def _fresh(
    key: tuple[object, ...],  # noqa: ARG001 - what tells one answer from another in the cache
    _settings: Settings,
    _ask: Callable[..., Mapping[str, Query]],
    _arguments: tuple[object, ...],
) -> Answer:
    with (
        ONE,
        clickhouse.connect(_settings, wait=WAIT) as client,
        clickhouse.errors(_settings, "reading the dashboard's numbers"),
    ):
        return _read(client, _ask(*_arguments))


def _read(client: Client, asked: Mapping[str, Query]) -> Answer:
    """Read it all from one publication and flush: where another came meanwhile, read again.

    Raises:
        DataError: nothing is published.
    """
    query = "SELECT name FROM system.tables WHERE database = currentDatabase()"
    there = {row[0] for row in client.query(query).result_rows}
    shown = client.query(WATERMARK).result_rows if there >= NEEDED else []
    if not shown:
        raise DataError("Nothing is published yet.", "`rainbow run` fills the views; `rainbow demo` also fills a shop.")
    known = {name: query for name, query in asked.items() if not query.table or query.table in there}
    for _ in range(TRIES):
        tables = {name: _frame(client, query) for name, query in known.items()}
        before, shown = shown, client.query(WATERMARK).result_rows
        if before == shown:
            break
    return Answer(tables, datetime.now(UTC))


def _frame(client: Client, query: Query) -> pd.DataFrame:
    return client.query_arrow(query.text, parameters=query.parameters).to_pandas(integer_object_nulls=True)
