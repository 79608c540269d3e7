"""The checksum of rows, and the text that is kept of it, on a bare DuckDB."""

import duckdb
import pytest

from rainbow_assets.landing import checksum


def of(relation: str) -> int:
    return duckdb.sql(f"SELECT {checksum.row_hash('t')} FROM {relation} AS t").fetchone()[0]


def of_rows(*rows: str) -> int:
    return of(f"(SELECT * FROM (VALUES {', '.join(rows)}) AS v(a, b))")


def test_it_sees_content_and_repeats_but_not_order():
    assert of_rows("(1, 'x')", "(2, 'y')") == of_rows("(2, 'y')", "(1, 'x')")
    assert of_rows("(1, 'x')", "(2, 'y')") != of_rows("(1, 'y')", "(2, 'x')")
    assert of_rows("(1, 'x')") != of_rows("(1, 'x')", "(1, 'x')", "(1, 'x')")
    assert of_rows("(1, NULL)") != of_rows("(1, '')")


@pytest.mark.parametrize("rows", [50, 50_000])
def test_one_relation_has_one_checksum_in_any_order(rows):
    """A sum that passes through floating point differs in the 50 rows' orders, and in the threads' partial sums."""
    relation = f"SELECT i, i % 7 AS n, (i / 3)::DECIMAL(18,2) AS m, 'r' || i AS s FROM range({rows}) AS r(i)"
    orders = [f"(SELECT * FROM ({relation}) ORDER BY hash(i + {turn}))" for turn in range(8)]
    assert len({of(order) for order in orders}) == 1


def test_only_what_was_made_the_same_way_is_compared():
    assert checksum.is_repeatable(checksum.text(7))
    for kept in (None, "", f"{duckdb.__version__}:7", "0.1:7", f"0.1{checksum.text(7)}", "7"):
        assert not checksum.is_repeatable(kept)
