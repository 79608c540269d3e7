"""The health page: the last runs, failing checks, how fresh and how far behind the numbers are, and what all takes."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from html import escape

import pandas as pd
import streamlit as st

from rainbow_assets.dashboard import charts, storage
from rainbow_assets.dashboard.health_queries import health
from rainbow_assets.dashboard.parts import (
    Card,
    Column,
    begin,
    cards,
    chart,
    data_table,
    freshness,
    moment_of,
    note,
    parts,
    record,
    told,
)
from rainbow_assets.dashboard.reading import KEPT, Answer, answer
from rainbow_assets.dashboard.texts import age, count, day, duration, moment, size
from rainbow_assets.errors import RainbowError
from rainbow_assets.redact import redact
from rainbow_assets.settings import Settings
from rainbow_assets.systems import ducklake
from rainbow_assets.transform import open_checks

LEAD = "Is what the sales page shows whole, checked and fresh? And what does it take?"
QUIET = timedelta(minutes=5)  # without a sign of life of the stream
SHOWN = 12  # runs in the chart


def page() -> None:
    """Ask once, and draw."""
    begin("Health")
    st.caption(LEAD)
    try:
        found = answer("health", health)
    except RainbowError as error:
        st.info(redact(str(error)))
        return
    freshness(found)
    _state(found)
    left, right = st.columns(2, gap="medium")
    with left:
        _runs(found)
    with right:
        _lag(found)
    _open()
    _failing(found)
    _storage(found)


def _state(found: Answer) -> None:
    now, mark = datetime.now(UTC), record(found.tables["watermark"])
    batch, published, live = mark["batch_until"], moment_of(mark["published_at"]), moment_of(mark["live_until"])
    until = batch if isinstance(batch, date) else None
    fresh = until is not None and until >= Settings.load().last_partition
    ended = Settings.load().ended()
    said = ("the days have ended" if ended else "up to the last day") if fresh else "the last day is missing"
    state = parts(told(fresh, said), f"published {age(published, now)} ago")
    shown = [
        Card("Batch layer has all until", day(until), provenance=state),
        Card("Live until", moment(live, now), provenance=_stream(mark, live, now)),
        _last_run(found.tables.get("runs"), now),
        _checks(found, now),
    ]
    cards(shown, "State")


def _stream(mark: Mapping[str, object], live: datetime | None, now: datetime) -> str:
    if mark.get("stands_still"):
        return told(False, escape(redact(f"stands still. {mark['stands_still']}")))
    if live is None:
        return "no stream yet: <code>rainbow stream</code> starts one"
    if now - live > QUIET:
        return told(False, f"no sign of the stream for {age(live, now)}")
    return parts(told(True, f"{age(live, now)} ago"), f"{size(float(str(mark['lag_bytes'] or 0)))} behind in the log")


def _last_run(runs: pd.DataFrame | None, now: datetime) -> Card:
    if runs is None or runs.empty:
        return Card("Last run", "none recorded")
    last = runs.iloc[0]
    good = last["status"] == "SUCCESS"
    ended = told(good, "succeeded" if good else "did not succeed")
    state = parts(ended, f"took {duration(float(last['seconds'] or 0))}")
    return Card("Last run", f"{age(moment_of(last['started_at']), now)} ago", provenance=state)


def _checks(found: Answer, now: datetime) -> Card:
    if "checks" not in found.tables:
        return Card("Checks", "none recorded")
    known, failing = record(found.tables["checks"]), len(found.tables["failing"])
    total, at = int(str(known["known"])), moment_of(known["evaluated_at"])
    state = parts(told(not failing, f"{failing} fail" if failing else "all pass"), f"looked at {age(at, now)} ago")
    return Card("Checks", f"{total - failing:,} of {total:,} pass", provenance=state)


def _runs(found: Answer) -> None:
    st.header("Last runs", anchor=False)
    rows = found.tables.get("runs")
    if rows is None or rows.empty:
        note("No run is recorded yet.")
        return
    note("How long each took, the newest to the right.")
    drawn = rows.head(SHOWN).iloc[::-1].assign(label=rows["started_at"].dt.strftime("%d %b %H:%M:%S"))
    about = f"Bar chart of the seconds that the last {len(drawn)} runs took, by how they ended."
    columns = [
        Column("started_at", "Started (UTC)", _minute, number=False),
        Column("status", "Status", number=False),
        Column("what", "Days or job", number=False),
        Column("load_type", "Load", number=False),
        Column("seconds", "Seconds", count),
        Column("rows_written", "Rows written", count),
        Column("run_id", "Run", lambda value: str(value)[:8], number=False),
    ]
    chart(charts.runs(drawn, about), rows, columns, "last runs")


def _lag(found: Answer) -> None:
    st.header("Lag of the live part", anchor=False)
    rows = found.tables.get("lag")
    if rows is None or rows.empty:
        note("No sign of life in the last hour: <code>rainbow stream</code> keeps the numbers live.")
        return
    newest = f"{rows['lag_seconds'].iloc[-1]:,.1f} s"
    note(f"From commit to visible, the most in each half minute of the last hour; now {newest}.")
    about = f"Area chart of the lag over the last hour, at most {rows['lag_seconds'].max():,.1f} seconds."
    columns = [
        Column("at", "At (UTC)", lambda value: f"{value:%H:%M:%S}", number=False),
        Column("lag_seconds", "Seconds", lambda value: f"{value:,.1f}"),
        Column("lag_bytes", "Bytes", count),
        Column("changes", "Changes", count),
    ]
    chart(charts.lag(rows, about), rows, columns, "lag of the live part")


def _open() -> None:
    """What holds the publication back; nothing, where nothing does."""
    try:
        rows = _open_checks(Settings.load())
    except RainbowError:
        return  # the storage of the lake, below, says why
    if rows.empty:
        return
    st.header("Nothing is published while these are open", anchor=False)
    columns = [
        Column("asset", "Asset", number=False),
        Column("check", "Check", number=False),
        Column("first", "From", _date, number=False),
        Column("last", "To", _date, number=False),
        Column("reason", "What it found", number=False),
        Column("mend", "What to do", number=False),
    ]
    data_table(rows, columns, "open checks")


@st.cache_data(ttl=KEPT, show_spinner=False)
def _open_checks(_settings: Settings) -> pd.DataFrame:
    with ducklake.connect(_settings, read_only=True) as lake:
        found = open_checks.standing(lake)
    return pd.DataFrame([vars(check) | {"mend": check.mend(_settings)} for check in found])


def _failing(found: Answer) -> None:
    st.header("Failing checks", anchor=False)
    rows = found.tables.get("failing")
    if rows is None:
        note("No check is recorded yet.")
    elif rows.empty:
        note('<span class="rb-good">None: the newest evaluation of every check passed.</span>')
    else:
        columns = [
            Column("asset", "Asset", number=False),
            Column("check_name", "Check", number=False),
            Column("severity", "Severity", number=False),
            Column("since", "Since (UTC)", _minute, number=False),
            Column("description", "What it found", number=False),
        ]
        data_table(rows, columns, "failing checks")


def _storage(found: Answer) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        st.header("Storage of the lake", anchor=False)
        try:
            sizes, growth = _lake(Settings.load())
        except RainbowError as error:
            note(escape(redact(str(error))))
        else:
            _lake_growth(sizes, growth)
    with right:
        st.header("Storage of ClickHouse", anchor=False)
        rows = found.tables["sizes"]
        note(f"{size(rows['bytes'].sum())} in {len(rows)} tables now.")
        columns = [
            Column("table", "Table", number=False),
            Column("part", "Of the", number=False),
            Column("rows", "Rows", count),
            Column("bytes", "Size", lambda value: size(float(str(value)))),
        ]
        data_table(rows, columns, "storage of ClickHouse")


def _lake_growth(sizes: pd.DataFrame, growth: pd.DataFrame) -> None:
    total = float(sizes["bytes"].sum())
    note(f"{size(total)} in {count(sizes['files'].sum())} files now; what raw holds are landing's own files.")
    about = f"Line chart of the bytes of each layer of the lake over time; {size(total)} in all now."
    columns = [
        Column("layer", "Layer", number=False),
        Column("files", "Files", count),
        Column("rows", "Rows", count),
        Column("bytes", "Size", lambda value: size(float(str(value)))),
    ]
    chart(charts.growth(growth, about), sizes, columns, "storage of the lake")


@st.cache_data(ttl=KEPT, show_spinner=False)
def _lake(_settings: Settings) -> tuple[pd.DataFrame, pd.DataFrame]:
    return storage.lake(_settings)


def _date(value: object) -> str:
    return day(value) if isinstance(value, date) else ""


def _minute(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else ""
