"""Long texts that PostgreSQL does not log again: found by the key that the row had, or never taken for NULL."""

import pyarrow as pa
import pytest

from rainbow_assets.errors import IncompleteError
from rainbow_assets.speed.capture.unsent import MARKER, fill, unsent
from rainbow_assets.tables import TABLES
from tests.unit.speed.capture.test_decode import decoded, record

TABLE = TABLES["categories"]
Change = tuple[int, str, int, str | None]  # lsn, operation, id, description
GONE = {"id": pa.array([], pa.int32()), "lsn": pa.array([], pa.uint64())}


def rows(*changes: Change) -> pa.Table:
    times = {"created_at": 0, "updated_at": 0, "deleted_at": None}
    return decoded(
        *(
            record(op, "categories", {"id": key, "name": op, "description": text} | times, lsn)
            for lsn, op, key, text in changes
        )
    ).rows["categories"]


def filled(changes: list[Change], before: list[Change], deleted: pa.Table | None = None) -> list[str | None]:
    table = rows(*changes)
    assert unsent(TABLE, table) == ["description"]
    found = fill(TABLE, table, ["description"], rows(*before), deleted or pa.table(GONE))
    assert found.schema == table.schema
    assert found.drop_columns("description") == table.drop_columns("description")
    return found["description"].to_pylist()


OLD: Change = (1, "c", 1, "old")
NOT = MARKER


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([(2, "u", 1, NOT)], ["old"]),
        ([(2, "u", 1, NOT), (3, "u", 1, "new"), (4, "u", 1, NOT)], ["old", "new", "new"]),
        ([(2, "u", 1, "__debezium_unavailable_value"), (3, "u", 1, NOT)], ["__debezium_unavailable_value"] * 2),
        ([(2, "u", 1, "unsentvalue"), (3, "u", 1, NOT), (4, "u", 1, None)], ["unsentvalue", "unsentvalue", None]),
        # the key changes
        ([(2, "d", 1, None), (2, "c", 7, NOT)], [None, "old"]),
        ([(2, "d", 1, None), (2, "c", 7, NOT), (3, "u", 7, NOT)], [None, "old", "old"]),
        ([(2, "u", 1, "new"), (3, "d", 1, None), (3, "c", 7, NOT)], ["new", None, "new"]),
        ([(2, "d", 1, None), (2, "c", 7, NOT), (3, "d", 7, None), (3, "c", 8, NOT)], [None, "old", None, "old"]),
        # … back, and the freed key is taken by another row
        ([(2, "d", 1, None), (2, "c", 7, NOT), (3, "d", 7, None), (3, "c", 1, NOT)], [None, "old", None, "old"]),
        (
            [(2, "d", 1, None), (2, "c", 7, NOT), (3, "c", 1, "other"), (4, "u", 1, NOT)],
            [None, "old", "other", "other"],
        ),
    ],
)
def test_a_value_is_that_of_the_row_whatever_its_key(changes: list[Change], expected: list[str | None]):
    assert filled(changes, [OLD]) == expected


def test_the_delete_of_a_moved_row_may_be_in_the_batch_before():
    deleted = pa.table({"id": pa.array([1], pa.int32()), "lsn": pa.array([2], pa.uint64())})
    assert filled([(2, "c", 7, NOT), (3, "c", 1, "other")], [OLD], deleted) == ["old", "other"]


@pytest.mark.parametrize(
    "changes",
    [
        [(2, "u", 9, NOT)],
        [(2, "c", 9, "x"), (3, "d", 5, None), (3, "c", 6, NOT)],
        [(2, "d", 1, None), (3, "u", 2, NOT)],
    ],
)
def test_a_value_that_was_never_read_is_not_null(changes: list[Change]):
    with pytest.raises(IncompleteError, match=r"categories\.description"):
        filled(changes, [OLD])
