"""What charts are made of: batch and live part of each row, one bar a row, and a description."""

from decimal import Decimal

import pytest

pd = pytest.importorskip("pandas")
charts = pytest.importorskip("rainbow_assets.dashboard.charts")

ROWS = pd.DataFrame(
    {
        "seller_id": [1, 2, 3],
        "seller_name": ["Ho", "Ho", "Vu"],
        "sales_amount": [Decimal("10.00"), Decimal("8.00"), Decimal("5.00")],
        "live_amount": [Decimal("4.00"), Decimal("-2.00"), Decimal("0.00")],
    }
)


def test_a_row_is_its_batch_part_and_what_is_live_on_top_or_cut_out() -> None:
    drawn = charts._parts(ROWS)[["seller_id", "part", "start", "end"]].values.tolist()
    assert sorted(drawn) == [
        [1, "batch", 0.0, 6.0],
        [1, "live", 6.0, 10.0],
        [2, "batch", 0.0, 10.0],
        [2, "live", 10.0, 8.0],
        [3, "batch", 0.0, 5.0],
    ]


def test_rows_of_one_name_are_two_bars() -> None:
    chart = charts.ranking(ROWS, "seller_name", "seller_id", "Bar chart of three sellers.")
    assert set(chart.data["seller_name"]) == {"Ho (1)", "Ho (2)", "Vu"}
    made = chart.to_dict()
    assert made["description"] == "Bar chart of three sellers."
    assert made["usermeta"]["embedOptions"]["renderer"] == "svg"


def days(*dates: str) -> "pd.DataFrame":
    return pd.DataFrame(
        {
            "order_date": [pd.Timestamp(one).date() for one in dates],
            "order_count": [10] * len(dates),
            "sales_amount": [Decimal("10.00")] * len(dates),
            "live_amount": [Decimal("0.00")] * len(dates),
        }
    )


MARCH = [f"2026-03-{day:02}" for day in range(1, 29)]


@pytest.mark.parametrize(
    ("dates", "shown"),
    [
        (MARCH, MARCH),
        (["1970-01-01", *MARCH], MARCH),
        ([*MARCH, "2099-12-31"], MARCH),
        (["1970-01-01", "1970-01-02", *MARCH, "2099-12-30", "2099-12-31"], MARCH),
        (["2026-02-01", *MARCH], ["2026-02-01", *MARCH]),
        ([*MARCH, "2026-05-01"], [*MARCH, "2026-05-01"]),
        (["2024-03-01"], ["2024-03-01"]),
    ],
    ids=["all near", "long ago", "far ahead", "both", "a pause before", "a pause after", "one day"],
)
def test_far_off_days_do_not_squeeze_the_rest(dates: list[str], shown: list[str]) -> None:
    assert [str(one) for one in charts.bulk(days(*dates))["order_date"]] == shown


def test_a_long_history_keeps_its_pauses() -> None:
    years = [str(day.date()) for day in pd.date_range("2022-01-01", "2023-12-31")]
    assert len(charts.bulk(days(*years, "2024-12-31"))) == len(years) + 1


@pytest.mark.parametrize(
    ("dates", "year"),
    [
        ([f"{pd.Timestamp.now('UTC').year}-01-01"], False),
        (["2018-01-01", "2018-01-02"], True),
        ([f"{pd.Timestamp.now('UTC').year - 1}-12-31", f"{pd.Timestamp.now('UTC').year}-01-01"], True),
    ],
    ids=["this year", "another year", "two years"],
)
def test_the_axis_has_years_where_they_are_needed(dates: list[str], year: bool) -> None:
    made = charts.by_day(days(*dates), "Bar chart.").to_dict()
    assert ("%Y" in made["encoding"]["x"]["axis"]["format"]) == year


def test_amounts_have_their_currency_on_the_axis() -> None:
    assert charts.by_day(days(*MARCH), "Bar chart.", "€").to_dict()["encoding"]["y"]["axis"]["title"] == "€"


@pytest.mark.parametrize(("lag", "top"), [(0.01, 1.0), (7.5, 7.5)])
def test_the_lag_is_drawn_over_an_hour_in_whole_seconds(lag: float, top: float) -> None:
    at = pd.to_datetime(["2026-03-01 10:05:00", "2026-03-01 10:05:30"], utc=True)
    rows = pd.DataFrame({"at": at, "lag_seconds": [0.0, lag], "lag_bytes": [0, 1]})
    encoding = charts.lag(rows, "Area chart.").to_dict()["encoding"]
    assert encoding["y"]["scale"]["domain"] == [0, top]
    first, last = encoding["x"]["scale"]["domain"]
    assert (first["hours"], last["hours"], last["minutes"]) == (9, 10, 5)
