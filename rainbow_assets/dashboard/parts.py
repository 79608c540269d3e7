"""The parts that both pages are made of: number cards, notes, charts with their tables.

Here: HTML of our own, in which every text from outside is escaped. Not here: how values read (`texts.py`) and what
charts look like (`charts.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import altair as alt
import pandas as pd
import streamlit as st

from rainbow_assets.dashboard.reading import Answer
from rainbow_assets.dashboard.texts import age, utc
from rainbow_assets.dashboard.texts import name as plain
from rainbow_assets.dashboard.theme import STYLE

Show = Callable[[object], str]


@dataclass(frozen=True)
class Card:
    """A number with its name, what the live part adds to it, and where it comes from; `provenance` is HTML."""

    name: str
    value: str
    live: str = ""
    provenance: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, and how its values read; `number`: they stand to the right."""

    name: str
    title: str
    show: Show = plain
    number: bool = True


def begin(title: str) -> None:
    """The page's style and its heading."""
    st.html(STYLE)
    st.title(title, anchor=False)


def cards(of: Sequence[Card], label: str) -> None:
    """Cards in a row, as many as fit; a screen reader hears names with their values."""
    st.html(f'<section class="rb-cards" aria-label="{escape(label)}">{"".join(map(_card, of))}</section>')


def note(html: str) -> None:
    """A small line under a heading; `html` is ours, with what it quotes escaped."""
    st.html(f'<p class="rb-note">{html}</p>')


def freshness(answer: Answer) -> None:
    """Where the numbers are those of a while ago: one line that says so, and why."""
    if answer.stale:
        old = age(answer.at, datetime.now(UTC))
        st.warning(f"These are the numbers of {old} ago ({utc(answer.at):%H:%M:%S} UTC). {answer.stale}")


def chart(drawn: alt.Chart | alt.LayerChart, table: pd.DataFrame, columns: Sequence[Column], what: str) -> None:
    """A chart, and the same numbers as a table that opens under it."""
    st.altair_chart(drawn, width="stretch")
    with st.expander(f"Table: {what}"):
        data_table(table, columns, what)


def data_table(rows: pd.DataFrame, columns: Sequence[Column], what: str) -> None:
    """Rows as an HTML table that can be scrolled with the keyboard."""
    head = "".join(f'<th scope="col"{_aligned(column)}>{escape(column.title)}</th>' for column in columns)
    cells = pd.DataFrame(
        {
            c.title: f"<td{_aligned(c)}>" + rows[c.name].map(lambda value, c=c: escape(c.show(value))) + "</td>"
            for c in columns
        },
        dtype=str,
    )
    body = ("<tr>" + cells.sum(axis=1).astype(str) + "</tr>").str.cat() if len(rows) else ""
    st.html(
        f'<div class="rb-table" role="region" tabindex="0" aria-label="{escape(what)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def parts(*of: str) -> str:
    """Short statements, each HTML of ours, in as many lines as they need; no line begins or ends with a dot."""
    return f'<span class="rb-parts"><span>{" ".join(f"<span>{one}</span>" for one in of)}</span></span>'


def told(good: bool, text: str) -> str:
    """A state, marked as good or bad by a sign and its colour; `text` is ours."""
    return f'<span class="{"rb-good" if good else "rb-bad"}">{text}</span>'


def record(frame: pd.DataFrame) -> Mapping[str, object]:
    """The only row of a frame; missing values are None."""
    row = frame.iloc[0]
    return {str(name): None if pd.isna(row[name]) else row[name] for name in frame.columns}


def moment_of(value: object) -> datetime | None:
    """A moment of a frame, which may be missing."""
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else None


def _card(card: Card) -> str:
    live = f'<dd class="rb-live">{escape(card.live)}</dd>' if card.live else ""
    provenance = f'<dd class="rb-note">{card.provenance}</dd>' if card.provenance else ""
    return (
        f'<dl class="rb-card" style="margin:0"><dt>{escape(card.name)}</dt>'
        f'<dd class="rb-value">{escape(card.value)}</dd>{live}{provenance}</dl>'
    )


def _aligned(column: Column) -> str:
    return ' class="rb-number"' if column.number else ""
