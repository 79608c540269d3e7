"""The charts of both pages, as Altair builds them. Not here: the numbers (`queries.py`, `health_queries.py`).

Charts are drawn in floating point; the numbers beside them and in their tables are exact. Each has a description, which
screen readers read out, and is drawn as SVG.
"""

from decimal import Decimal
from typing import Final

import altair as alt
import pandas as pd

from rainbow_assets.dashboard.theme import BATCH, GOOD, LAYERS, LIVE, RANKS, SOFT

ROW = 30  # pixels
PADDING = {"left": 0, "top": 0, "right": 4, "bottom": 0}
AMOUNT = ",.2f"
# Days and times are those of UTC, wherever the browser is.
UTC = alt.Scale(type="utc")
DAY: Final = "utcyearmonthdate"
SECOND: Final = "utcyearmonthdatehoursminutesseconds"
PARTS = alt.Scale(domain=["batch", "live"], range=[BATCH, LIVE])
FEW = 60  # days for which each may have a tick
FAR = pd.Timedelta(days=60)  # between two days with sales


def bulk(days: pd.DataFrame) -> pd.DataFrame:
    """The days that a chart can show: those of most orders, without what lies further off than they span themselves.

    One order of 1970 would squeeze all others into a sliver.
    """
    dates = pd.to_datetime(days["order_date"])
    far = max(FAR, pd.Timedelta(days=len(days)))
    part = (dates.diff() > far).cumsum()
    shown: pd.DataFrame = days[part == days.groupby(part)["order_count"].sum().idxmax()]
    return shown


def by_day(days: pd.DataFrame, description: str, unit: str = "") -> alt.Chart:
    """A bar a day; the live part on top of, or cut out of, what the batch layer has."""
    return _finished(
        alt.Chart(_parts(days))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("order_date:T", timeUnit=DAY, scale=UTC, axis=_dated(days["order_date"])),
            y=alt.Y("start:Q", axis=_short(unit)),
            y2="end:Q",
            color=alt.Color("part:N", scale=PARTS, legend=_legend()),
            tooltip=_tooltip(alt.Tooltip("order_date:T", timeUnit=DAY, title="day", format="%a %d %b %Y")),
        ),
        description,
        260,
    )


def by_weekday(weekdays: pd.DataFrame, best: str, description: str, unit: str = "") -> alt.Chart:
    """A bar a weekday, the one with most sales picked out."""
    names = alt.X("day_name:N", sort=None, axis=alt.Axis(title=None, labelAngle=0, labelExpr="slice(datum.label,0,3)"))
    colour = alt.condition(alt.datum.day_name == best, alt.value(BATCH), alt.value(SOFT))
    return _finished(
        alt.Chart(_plain(weekdays))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=names,
            y=alt.Y("sales_amount:Q", axis=_short(unit)),
            color=colour,
            tooltip=[
                alt.Tooltip("day_name:N", title="day"),
                alt.Tooltip("sales_amount:Q", title="sales", format=AMOUNT),
                alt.Tooltip("live_amount:Q", title="of which live", format=AMOUNT),
            ],
        ),
        description,
        260,
    )


def ranking(rows: pd.DataFrame, name: str, key: str, description: str, unit: str = "") -> alt.Chart:
    """A bar a row, in the rows' order, with its live part."""
    return _finished(
        alt.Chart(_parts(_told_apart(rows, name, key)))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=alt.Y(f"{name}:N", sort=None, axis=alt.Axis(title=None, labelLimit=210, labelOverlap=False)),
            x=alt.X("start:Q", axis=_short(unit)),
            x2="end:Q",
            color=alt.Color("part:N", scale=PARTS, legend=_legend()),
            tooltip=_tooltip(alt.Tooltip(f"{name}:N", title="name")),
        ),
        description,
        ROW * max(2, len(rows)) + 60,
    )


def by_category(products: pd.DataFrame, description: str, unit: str = "") -> alt.Chart:
    """A bar a category: the profits of its first five products side by side; of one category alone, a bar a product."""
    name = "category" if products["category"].nunique() > 1 else "product_name"
    ranks = alt.Scale(domain=[1, 2, 3, 4, 5], range=list(RANKS))
    return _finished(
        alt.Chart(_plain(_told_apart(products, "product_name", "product_id")))
        .mark_bar(stroke="white", strokeWidth=0.6)
        .encode(
            y=alt.Y(f"{name}:N", sort="-x", axis=alt.Axis(title=None, labelLimit=160, labelOverlap=False)),
            x=alt.X("profit:Q", axis=_short(unit)),
            color=alt.Color("profit_rank:O", scale=ranks, legend=_legend("rank in its category")),
            order="profit_rank:O",
            tooltip=[
                alt.Tooltip("category:N"),
                alt.Tooltip("profit_rank:O", title="rank"),
                alt.Tooltip("product_name:N", title="product"),
                alt.Tooltip("profit:Q", format=AMOUNT),
                alt.Tooltip("live_profit:Q", title="of which live", format=AMOUNT),
            ],
        ),
        description,
        24 * max(2, products[name].nunique()) + 70,
    )


def runs(rows: pd.DataFrame, description: str) -> alt.Chart:
    """A bar a run: how long it took, by how it ended."""
    ends = alt.Scale(domain=["SUCCESS", "FAILURE", "CANCELED"], range=[GOOD, LIVE, "#7A8792"])
    return _finished(
        alt.Chart(_plain(rows))
        .mark_bar(cornerRadiusEnd=2, size=18)
        .encode(
            x=alt.X("label:N", sort=None, axis=alt.Axis(title=None, labelAngle=0, labelOverlap=True)),
            y=alt.Y("seconds:Q", axis=alt.Axis(title="seconds", tickCount=4)),
            color=alt.Color("status:N", scale=ends, legend=_legend()),
            tooltip=[
                alt.Tooltip("label:N", title="started"),
                alt.Tooltip("status:N"),
                alt.Tooltip("seconds:Q", format=",.0f"),
            ],
        ),
        description,
        220,
    )


def lag(rows: pd.DataFrame, description: str) -> alt.Chart:
    """The live part's lag over the last hour, of which the newest row is the end; a second is a whole one."""
    until = rows["at"].max()
    hour = alt.Scale(type="utc", domain=[_utc(until - pd.Timedelta(hours=1)), _utc(until)])
    ten_minutes = alt.Axis(title=None, format="%H:%M", grid=False, tickCount={"interval": "minute", "step": 10})
    seconds = alt.Scale(domain=[0, max(1.0, float(rows["lag_seconds"].max()))], nice=True)
    return _finished(
        alt.Chart(_plain(rows))
        .mark_area(line={"color": LIVE}, color=LIVE, opacity=0.25, interpolate="monotone")
        .encode(
            x=alt.X("at:T", scale=hour, axis=ten_minutes),
            y=alt.Y("lag_seconds:Q", scale=seconds, axis=alt.Axis(title="seconds", format="~g", tickCount=4)),
            tooltip=[
                alt.Tooltip("at:T", timeUnit=SECOND, title="at (UTC)", format="%H:%M:%S"),
                alt.Tooltip("lag_seconds:Q", title="seconds", format=",.1f"),
                alt.Tooltip("lag_bytes:Q", title="bytes", format=",.0f"),
            ],
        ),
        description,
        220,
    )


def growth(rows: pd.DataFrame, description: str) -> alt.Chart:
    """The bytes of each layer of the lake over time."""
    layers = sorted(rows["layer"].unique())
    colours = alt.Scale(domain=layers, range=list(LAYERS[: len(layers)]))
    return _finished(
        alt.Chart(_plain(rows))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X("at:T", scale=UTC, axis=_dated(rows["at"], " %H:%M")),
            y=alt.Y("bytes:Q", axis=alt.Axis(title="bytes", format="~s", tickCount=5)),
            color=alt.Color("layer:N", scale=colours, legend=_legend()),
            strokeDash=alt.StrokeDash("layer:N", legend=_legend()),
            tooltip=[
                alt.Tooltip("at:T", timeUnit=SECOND, title="at (UTC)", format="%d %b %Y %H:%M"),
                "layer:N",
                alt.Tooltip("bytes:Q", format=",.0f"),
                alt.Tooltip("files:Q", format=",.0f"),
            ],
        ),
        description,
        260,
    )


def _dated(moments: pd.Series, more: str = "") -> alt.Axis:
    """An axis of days: with the year where they are of several, or of another than this one; `more`: the time."""
    days = pd.to_datetime(moments)
    years = {days.min().year, days.max().year, pd.Timestamp.now("UTC").year}
    each_day = not more and days.nunique() <= FEW
    return alt.Axis(
        title=None,
        format=("%d %b %Y" if len(years) > 1 else "%d %b") + more,
        labelOverlap=True,
        grid=False,
        tickCount={"interval": "day", "step": 1} if each_day else 6,
    )


def _short(unit: str) -> alt.Axis:
    """An axis of amounts: 5k, 5M, 5B."""
    return alt.Axis(labelExpr="replace(format(datum.value, '~s'), 'G', 'B')", title=unit or None, tickCount=5)


def _utc(moment: pd.Timestamp) -> alt.DateTime:
    whole = moment.tz_convert("UTC") if moment.tzinfo else moment
    return alt.DateTime(
        year=whole.year,
        month=whole.month,
        date=whole.day,
        hours=whole.hour,
        minutes=whole.minute,
        seconds=whole.second,
        utc=True,
    )


def _finished(chart: alt.Chart, description: str, height: float) -> alt.Chart:
    """The chart with what a screen reader says of it, as SVG, so that its marks are in the accessibility tree."""
    options = {"embedOptions": {"renderer": "svg", "actions": False}}
    finished: alt.Chart = chart.properties(description=description, height=height, usermeta=options, padding=PADDING)
    viewed: alt.Chart = finished.configure_view(strokeWidth=0)
    return viewed


def _legend(title: str | None = None) -> alt.Legend:
    return alt.Legend(title=title, orient="top", symbolType="square", offset=4, padding=0)


def _tooltip(name: alt.Tooltip) -> list[alt.Tooltip]:
    return [
        name,
        alt.Tooltip("sales_amount:Q", title="sales", format=AMOUNT),
        alt.Tooltip("live_amount:Q", title="of which live", format=AMOUNT),
    ]


def _plain(rows: pd.DataFrame) -> pd.DataFrame:
    """Decimals as floating point, dates as times: what a chart can draw."""
    drawn = rows.copy()
    for name in drawn.columns:
        kinds = {type(value) for value in drawn[name].head(1)}
        if Decimal in kinds:
            drawn[name] = drawn[name].astype(float)
        elif drawn[name].dtype == object and str(name).endswith("_date"):
            drawn[name] = pd.to_datetime(drawn[name])
    return drawn


def _told_apart(rows: pd.DataFrame, name: str, key: str) -> pd.DataFrame:
    """The rows, with the key beside each name that several of them have: a chart draws one bar a name."""
    several = rows[name].duplicated(keep=False)
    return rows.assign(**{name: rows[name].mask(several, rows[name] + " (" + rows[key].astype(str) + ")")})


def _parts(rows: pd.DataFrame) -> pd.DataFrame:
    """Each row twice: its batch part from 0, and its live part from there to the whole, in either direction."""
    drawn = _plain(rows)
    batch = drawn["sales_amount"] - drawn["live_amount"]
    return pd.concat(
        [
            drawn.assign(part="batch", start=0.0, end=batch),
            drawn.assign(part="live", start=batch, end=drawn["sales_amount"])[drawn["live_amount"] != 0],
        ]
    )
