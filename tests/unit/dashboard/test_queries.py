"""The filters as SQL: what is chosen, by parameters alone."""

from datetime import date

import pytest

from rainbow_assets.dashboard import queries
from rainbow_assets.dashboard.queries import CHOSEN, NEEDED, Filters

HOSTILE = "'); DROP TABLE publications; --"


def test_nothing_chosen_reads_the_small_views() -> None:
    asked = queries.sales(Filters())
    assert not Filters()
    assert not any("v_sales " in query.text for query in asked.values())
    assert all(query.parameters == {} for query in asked.values())


@pytest.mark.parametrize(
    ("filters", "text", "parameters"),
    [
        (Filters(), "true", {}),
        (Filters(first=date(2026, 3, 1)), "order_date >= {first:Date32}", {"first": date(2026, 3, 1)}),
        (Filters(sellers=(0,)), "seller_id IN {sellers:Array(Int64)}", {"sellers": [0]}),
        (
            Filters(last=date(2026, 3, 2), categories=("a", "b")),
            "order_date <= {last:Date32} AND category IN {categories:Array(String)}",
            {"last": date(2026, 3, 2), "categories": ["a", "b"]},
        ),
    ],
)
def test_what_is_chosen_is_a_condition(filters: Filters, text: str, parameters: dict[str, object]) -> None:
    condition = filters.condition()
    assert (condition.text, condition.parameters) == (text, parameters)


def test_every_number_of_a_choice_is_filtered_and_no_value_is_in_the_text() -> None:
    asked = queries.sales(Filters(categories=(HOSTILE,)))
    for name in CHOSEN:
        assert "category IN {categories:Array(String)}" in asked[name].text
        assert HOSTILE not in asked[name].text
        assert asked[name].parameters == {"categories": [HOSTILE]}
        assert "/*chosen*/" not in asked[name].text


def test_the_same_numbers_are_asked_with_filters_and_without() -> None:
    assert queries.sales(Filters()).keys() == queries.sales(Filters(sellers=(1,))).keys()


def test_what_is_read_is_what_must_be_there() -> None:
    texts = " ".join(
        query.text for filters in (Filters(), Filters(sellers=(1,))) for query in queries.sales(filters).values()
    )
    read = {word.strip("(),") for word in texts.split() if word.startswith("v_")}
    assert {name for name in read if "." not in name} == NEEDED


def test_all_of_them_chosen_is_none_chosen() -> None:
    categories, sellers = {"a", "b"}, {1, 2}
    assert queries.Filters(categories=("a", "b"), sellers=(2, 1)).narrowed(categories, sellers) == queries.Filters()
    some = queries.Filters(categories=("a",), sellers=(1, 2))
    assert some.narrowed(categories, sellers) == queries.Filters(categories=("a",))
