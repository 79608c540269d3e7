"""The sales page: totals, trend, weekdays, sellers, products, payment methods and customers, with filters."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from html import escape

import pandas as pd
import streamlit as st

from rainbow_assets.dashboard import charts, queries
from rainbow_assets.dashboard.parts import (
    Card,
    Column,
    begin,
    cards,
    chart,
    freshness,
    moment_of,
    note,
    parts,
    record,
    told,
)
from rainbow_assets.dashboard.queries import Filters
from rainbow_assets.dashboard.reading import Answer, answer
from rainbow_assets.dashboard.texts import age, change, count, day, moment, money, share
from rainbow_assets.errors import RainbowError
from rainbow_assets.redact import redact
from rainbow_assets.settings import Settings

LEAD = "Every sale once: the batch layer's, and on top of it, in orange, what is live since."
EVERY = "15s"
KEYS = ("first", "last", "categories", "sellers")
ORDERS, PIECES = Column("order_count", "Orders", count), Column("sales_quantity", "Pieces", count)


def _unit() -> str:
    return Settings.load().currency


def _amount(name: str, title: str) -> Column:
    """A column of amounts, with the currency in its heading."""
    return Column(name, f"{title} ({_unit()})" if _unit() else title, money)


def _sums() -> list[Column]:
    return [_amount("sales_amount", "Sales"), _amount("profit", "Profit"), _live()]


def _live() -> Column:
    return _amount("live_amount", "Of which live")


def page() -> None:
    """Read the filters that are set, ask once, and draw: first the filters, then the numbers."""
    begin("Sales")
    lead, control = st.columns([3, 1], vertical_alignment="center")
    lead.caption(LEAD)
    filters = _chosen()
    try:
        found = answer("sales", queries.sales, filters)
        if (narrowed := filters.narrowed(*_choices(found.tables))) != filters:
            filters, found = narrowed, answer("sales", queries.sales, narrowed)
    except RainbowError as error:
        st.info(redact(str(error)))
        return
    _filters(found.tables)
    refresh = control.toggle("Refresh", value=True, key="refresh", help=f"Read again every {EVERY}")
    if filters.first and filters.last and filters.first > filters.last:
        st.info("The first day is after the last one: choose an earlier first day.")
        return
    st.fragment(_numbers, run_every=EVERY if refresh else None)(filters)


def _numbers(filters: Filters) -> None:
    """All numbers and charts; read again at each refresh."""
    try:
        found = answer("sales", queries.sales, filters)
    except RainbowError as error:
        st.info(redact(str(error)))
        return
    freshness(found)
    _totals(found)
    if found.tables["sales_by_day"].empty:
        st.info("No sales here: choose other filters, or run more days with `rainbow run`.")
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _days(found)
    with right:
        _weekdays(found)
    with left:
        _sellers(found)
    with right:
        _payments(found)
    with left:
        _products(found)
    with right:
        _customers(found)


def _chosen() -> Filters:
    state = st.session_state
    first, last = state.get("first"), state.get("last")
    return Filters(
        first if isinstance(first, date) else None,
        last if isinstance(last, date) else None,
        tuple(state.get("categories", ())),
        tuple(state.get("sellers", ())),
    )


def _choices(tables: Mapping[str, pd.DataFrame]) -> tuple[set[str], set[int]]:
    """All categories and sellers."""
    return set(tables["categories"]["category"]), set(tables["sellers"]["seller_id"])


def _filters(tables: Mapping[str, pd.DataFrame]) -> None:
    first, last = (value if isinstance(value, date) else None for value in record(tables["bounds"]).values())
    sellers = dict(zip(tables["sellers"]["seller_id"], tables["sellers"]["label"], strict=True))
    with st.container(border=True, horizontal=True, vertical_alignment="bottom"):
        for label, key in (("First day", "first"), ("Last day", "last")):
            st.date_input(label, None, first, last, key=key, format="YYYY-MM-DD", width=150)
        categories = list(tables["categories"]["category"])
        st.multiselect("Categories", categories, key="categories", placeholder="All", width=270)
        st.multiselect(
            "Sellers",
            list(sellers),
            format_func=lambda key: str(sellers.get(key, key)),
            key="sellers",
            placeholder="All",
            width=270,
        )
        st.button("Clear", on_click=_clear, width=100, help="Take all filters off")


def _clear() -> None:
    for key in KEYS:
        st.session_state.pop(key, None)


def _totals(found: Answer) -> None:
    total = record(found.tables["total_sales"])
    wanted = (
        ("Sales", "sales_amount", _price),
        ("Profit", "profit", _price),
        ("Orders", "order_count", count),
        ("Pieces", "sales_quantity", count),
    )
    where, streaming = provenance(found, "total_sales"), record(found.tables["watermark"])["live_until"] is not None
    shown = []
    for name, column, show in wanted:
        live = total[f"live_{column}"] or 0
        said = f"{change(live, show(live))} live" if streaming or live else ""
        shown.append(Card(name, show(total[column] or 0), said, where))
    cards(shown, "Totals")


def _price(value: object) -> str:
    return f"{money(value)} {_unit()}".rstrip()


def provenance(found: Answer, name: str) -> str:
    """Until when the numbers of a view are whole, how old that is, and whether its checks pass; as HTML."""
    now, mark = datetime.now(UTC), record(found.tables["watermark"])
    batch, live = mark["batch_until"], mark["live_until"]
    assert batch is None or isinstance(batch, date)  # noqa: S101 - the column's type
    published, until = (moment_of(mark[column]) for column in ("published_at", "live_until"))
    said = [f"batch to {day(batch)}, published {age(published, now)} ago"]
    said.append(f"live to {moment(until, now)}, {age(until, now)} ago" if live is not None else "no live part")
    if mark.get("stands_still"):
        said[-1] += ", where it stands still"
    return parts(*map(escape, said), _checked(found.tables.get("checks"), name))


def _checked(checks: pd.DataFrame | None, name: str) -> str:
    """The state of the checks of a view, and of the warehouse that it is made of."""
    if checks is None or checks.empty:
        return "not checked yet"
    mine = checks[
        checks["asset"].isin([f"marts/{name}", f"serving/{name}"]) | checks["asset"].str.startswith("warehouse/")
    ]
    failed = int((~mine["passed"].astype(bool)).sum())
    state = f"{failed} of {len(mine)} checks fail" if failed else f"{len(mine)} checks pass"
    return told(not failed, state)


def _heading(title: str, found: Answer, name: str) -> None:
    st.header(title, anchor=False)
    note(provenance(found, name))


def _days(found: Answer) -> None:
    rows = found.tables["sales_by_day"]
    _heading("Sales by day", found, "sales_by_day")
    shown = charts.bulk(rows)
    if len(shown) < len(rows):
        rest = rows.drop(shown.index)
        away, orders, amount = (
            count(len(rest)),
            count(rest["order_count"].sum()),
            escape(_price(rest["sales_amount"].sum())),
        )
        said = f"{day(rest['order_date'].min())} to {day(rest['order_date'].max())}; days: {away}, orders: {orders}"
        note(f"Not drawn, but in the table: days far from these ({said}, sales: {amount}).")
    about = f"Bar chart of sales by day, {day(shown['order_date'].min())} to {day(shown['order_date'].max())}."
    columns = [Column("order_date", "Day", number=False), ORDERS, PIECES, *_sums()]
    chart(charts.by_day(shown, about, _unit()), rows, columns, "sales by day")


def _weekdays(found: Answer) -> None:
    rows = found.tables["sales_by_day_of_week"]
    best = rows.sort_values("sales_amount", ascending=False, kind="stable").iloc[0]
    _heading(f"{best['day_name']} sells most", found, "sales_by_day_of_week")
    about = f"Bar chart of sales by day of the week. {best['day_name']} has most: {money(best['sales_amount'])}."
    columns = [Column("day_name", "Day of the week", number=False), ORDERS, PIECES, *_sums()]
    chart(charts.by_weekday(rows, best["day_name"], about, _unit()), rows, columns, "sales by day of the week")


def _sellers(found: Answer) -> None:
    rows = found.tables["top_sellers"]
    _heading("Top sellers", found, "top_sellers")
    first = rows.iloc[0]
    about = f"Bar chart of the {len(rows)} sellers with most sales. First: {first['seller_name']}."
    columns = [
        Column("seller_rank", "Rank", count),
        Column("seller_name", "Seller", number=False),
        PIECES,
        *_sums(),
    ]
    chart(charts.ranking(rows, "seller_name", "seller_id", about, _unit()), rows, columns, "top sellers")


def _payments(found: Answer) -> None:
    rows = found.tables["payment_methods"]
    _heading("Payment methods", found, "payment_methods")
    first = rows.iloc[0]
    most = f"{first['payment_name']}, {share(first['order_share'])} of orders"
    about = f"Bar chart of sales by payment method. First: {most}."
    columns = [
        Column("payment_name", "Payment method", number=False),
        ORDERS,
        Column("order_share", "Of all orders", share),
        _amount("sales_amount", "Sales"),
        _live(),
    ]
    chart(charts.ranking(rows, "payment_name", "payment_id", about, _unit()), rows, columns, "payment methods")


def _products(found: Answer) -> None:
    rows = found.tables["top_products_by_category"]
    _heading("Top five products by category", found, "top_products_by_category")
    categories = rows["category"].nunique()
    about = f"Bar chart of the profit of the five best products in each of {categories} categories."
    columns = [
        Column("category", "Category", number=False),
        Column("profit_rank", "Rank", count),
        Column("product_name", "Product", number=False),
        PIECES,
        _amount("sales_amount", "Sales"),
        _amount("profit", "Profit"),
        _amount("live_profit", "Profit, of which live"),
    ]
    chart(charts.by_category(rows, about, _unit()), rows, columns, "top five products by category")


def _customers(found: Answer) -> None:
    rows = found.tables["customer_ranking"]
    _heading("Customer ranking", found, "customer_ranking")
    about = f"Bar chart of the {len(rows)} customers with most sales. First: {rows.iloc[0]['customer_name']}."
    columns = [
        Column("customer_rank", "Rank", count),
        Column("customer_name", "Customer", number=False),
        ORDERS,
        PIECES,
        _amount("sales_amount", "Sales"),
        _live(),
    ]
    chart(charts.ranking(rows, "customer_name", "customer_id", about, _unit()), rows, columns, "customer ranking")
