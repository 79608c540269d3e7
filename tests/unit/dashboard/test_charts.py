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
