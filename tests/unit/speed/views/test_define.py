"""Which views there are is said by the SQL files alone."""

from rainbow_assets.serving.tables import MARTS
from rainbow_assets.speed.views.define import LIVE, SQL, VIEWS


def test_every_view_has_a_file_and_every_file_is_a_view() -> None:
    assert sorted(f"{name}.sql" for name in VIEWS) == sorted(file.name for file in SQL.iterdir())
    assert len(set(VIEWS)) == len(VIEWS)


def test_a_mart_with_a_twin_has_both_views() -> None:
    assert set(LIVE) <= set(MARTS)
    assert {f"v_{name}" for name in LIVE} | {f"v_{name}_speed" for name in LIVE} <= set(VIEWS)
