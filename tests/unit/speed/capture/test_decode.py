"""What Debezium's records become: each type of each table, deletes, truncates, heartbeats, new and missing columns."""

import json
from base64 import b64encode
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from rainbow_assets.errors import DataError, IncompleteError
from rainbow_assets.speed.capture.decode import Changes, decode
from rainbow_assets.speed.tables import NEEDED
from rainbow_assets.tables import MONEY, TABLES

TOKEN = "ours"
MICROS = 1_772_323_445_678_901
MOMENT = datetime(1970, 1, 1) + timedelta(microseconds=MICROS)  # noqa: DTZ001 - ClickHouse's columns say UTC
VALUES = {
    "INTEGER": (3, 3),
    "BIGINT": (2**62, 2**62),
    "VARCHAR": ('a\n"b"\\ é', 'a\n"b"\\ é'),
    "BOOLEAN": (True, True),
    "TIMESTAMP": (MICROS, MOMENT),
    "DECIMAL(18,2)": ("9999999999999999.99", Decimal("9999999999999999.99")),
    "DECIMAL(9,2)": ("4.345", Decimal("4.35")),
}


def record(op: str, table: str, row: dict[str, object] | None = None, lsn: int = 7) -> dict[str, object]:
    """A record of Debezium; what `row` does not have is NULL."""
    row = (dict.fromkeys(TABLES[table].columns) if table in TABLES else {}) | (row or {})
    rows = {"before": row, "after": None} if op == "d" else {"before": None, "after": row}
    return {"op": op, **rows, "source": {"table": table, "lsn": lsn, "ts_us": MICROS, "version": "3"}, "ts_us": 1}


def message(content: bytes | None) -> dict[str, object]:
    text = None if content is None else b64encode(content).decode()
    return {"op": "m", "source": {"lsn": 9, "ts_us": 0}, "message": {"prefix": "rainbow", "content": text}}


def decoded(*records: dict[str, object]) -> Changes:
    return decode("\n".join(json.dumps(one) for one in records).encode(), copy_lsn=4, token=TOKEN)


@pytest.mark.parametrize("name", TABLES)
def test_every_type_of_every_table(name: str):
    columns = TABLES[name].columns
    changes = decoded(record("c", name, {column: VALUES[kind][0] for column, kind in columns.items()}))
    (row,) = changes.rows[name].to_pylist()
    expected = {column: VALUES[kind][1] for column, kind in columns.items()}
    unfit = {"is_unfit": False} if MONEY in columns.values() else {}
    assert row == expected | {"lsn": 7, "is_deleted": False, "committed_at": MOMENT} | unfit
    assert not changes.unknown
    (bare,) = decoded(record("u", name, dict.fromkeys(TABLES[name].key, 1))).rows[name].to_pylist()
    assert {value for column, value in bare.items() if column in columns} == {1, None}


@pytest.mark.parametrize(
    ("column", "sent", "held"),
    [
        ("rating_average", "NaN", None),
        ("rating_average", "99999999.00", None),
        ("rating_average", "-0.005", Decimal("-0.01")),
        ("updated_at", 2**63 - 1, datetime(2299, 12, 31, 23, 59, 59, 999999)),  # noqa: DTZ001
        ("updated_at", -(2**63), datetime(1900, 1, 1)),  # noqa: DTZ001
    ],
)
def test_values_that_no_reader_could_tell(column: str, sent: object, held: object):
    (row,) = decoded(record("c", "products", {"id": 1, column: sent})).rows["products"].to_pylist()
    assert row[column] == held


@pytest.mark.parametrize(("table", "column"), [(table, column) for table in TABLES for column in TABLES[table].money])
@pytest.mark.parametrize(
    ("sent", "held"),
    [
        ("1", Decimal("1.00")),
        ("-0.5", Decimal("-0.50")),
        ("33.3300000", Decimal("33.33")),
        ("9999999999999999.990", Decimal("9999999999999999.99")),
        ("0E-8", Decimal("0.00")),  # 0.00000000
        (1.5, Decimal("1.50")),  # of a column that is double precision
        (1.0e7, Decimal("10000000.00")),
        ("1.0E7", Decimal("10000000.00")),
        ("NaN", None),
        ("POSITIVE_INFINITY", None),
        ("10.005", None),
        ("-0.005", None),
        ("33.333", None),
        ("10.0000000000000000000000000001", None),
        ("1E-8", None),
        (0.005, None),
        (1e-9, None),
        ("9999999999999999.995", None),
        ("99999999999999999.00", None),
        ("1E+17", None),
    ],
)
def test_money_is_held_exactly_or_the_version_is_marked(table: str, column: str, sent: object, held: object):
    (row,) = decoded(record("c", table, {"id": 1, "product_id": 1, column: sent})).rows[table].to_pylist()
    assert (row[column], row["is_unfit"]) == (held, held is None)
    before = {"id": 1, "product_id": 1, column: sent}
    assert [one["is_unfit"] for one in decoded(record("d", table, before)).rows[table].to_pylist()] == [False]


def test_a_delete_is_its_key_and_touches_no_day():
    before = {"id": 1, "product_id": 2, "quantity": 0, "created_at": 0, "updated_at": 0}
    changes = decoded(record("d", "orderdetails", before))
    (row,) = changes.rows["orderdetails"].to_pylist()
    assert {name for name, value in row.items() if value is not None} == {
        "id", "product_id", "lsn", "is_deleted", "is_unfit", "committed_at",
    }  # fmt: skip
    assert row["is_deleted"]
    assert changes.touched is not None
    (touched,) = changes.touched.to_pylist()
    assert (touched["table_name"], touched["id"], touched["change_date"]) == ("orders", 1, date(1900, 1, 1))


def test_a_row_of_the_first_copy_was_committed_when_it_says():
    changes = decoded(record("r", "orders", {"id": 1, "updated_at": 0}, lsn=99))
    (row,) = changes.rows["orders"].to_pylist()
    assert (row["lsn"], row["committed_at"]) == (4, datetime(1970, 1, 1))  # noqa: DTZ001
    assert (changes.oldest, changes.until) == (None, None)


def test_truncates_heartbeats_and_new_columns():
    changes = decoded(
        {"ts_ms": 1},
        record("t", "orders", lsn=8),
        record("t", "another"),
        record("c", "brands", {"id": 1, "name": "x"}),
        record("c", "brands", {"id": 2, "name": "y", "colour": {"deep": 1}}),
        message(b"ours 1772323445500000"),
    )
    assert [(one.table, one.lsn) for one in changes.truncates] == [("orders", 8)]
    assert changes.unknown == {"brands": {"colour"}}
    assert changes.until == datetime(2026, 3, 1, 0, 4, 5, 499999, UTC)
    assert (changes.count, changes.skipped) == (3, 1)
    assert changes.rows["brands"].num_rows == 2
    assert changes.touched is None


@pytest.mark.parametrize(
    "content",
    [
        b"1e300",
        b"1772323445500000",
        b"other 1772323445500000",
        b"ours 1e300",
        b"ours inf",
        b"ours -1",
        b"ours 99999999999999999999",
        b"ours 1772323445500000 and more",
        b"ours ",
        b"",
        b"\xff\xfe\x00",
        b'{"not": "closed',
        b"9" * 2_000_000,
        None,
    ],
)
def test_a_message_that_is_not_ours_is_skipped_and_counted(content: bytes | None):
    changes = decoded(record("c", "brands", {"id": 1}), message(content), record("t", "another"))
    assert (changes.count, changes.skipped) == (1, 2)
    assert changes.until == datetime.fromtimestamp(0, UTC) + timedelta(microseconds=MICROS - 1)


@pytest.mark.parametrize(("table", "column"), [(table, column) for table in NEEDED for column in NEEDED[table]])
def test_a_column_that_a_record_lacks_is_not_null(table: str, column: str):
    whole = record("u", table, dict.fromkeys(TABLES[table].key, 1))
    lacking = json.loads(json.dumps(whole))
    del lacking["after"][column]
    with pytest.raises(
        (DataError, IncompleteError), match=f"{table} .*{'key' if column in TABLES[table].key else column}"
    ):
        decoded(whole, lacking, whole)


def test_a_column_that_no_view_needs_may_lack():
    whole = record("u", "customers", {"id": 1, "email": "x"})
    lacking = json.loads(json.dumps(whole))
    del lacking["after"]["email"]
    rows = decoded(whole, lacking).rows["customers"]
    assert rows["email"].to_pylist() == ["x", None]


def test_a_delete_that_does_not_tell_its_key():
    with pytest.raises(IncompleteError, match="orderdetails does not tell its key"):
        decoded(record("d", "orderdetails", {"id": 1}))


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if table.columns["id"] == "INTEGER"])
@pytest.mark.parametrize("op", ["r", "c", "u", "d"])
def test_a_key_that_is_too_large_is_no_reason_to_copy_anew(name: str, op: str):
    with pytest.raises(DataError, match=rf"The source's {name} has the id 2147483648, which INTEGER does not hold\."):
        decoded(record(op, name, {"id": 2**31}))
    assert decoded(record(op, name, {"id": 2**31 - 1})).rows[name].num_rows == 1


def test_the_order_of_the_log_counts_where_the_clock_was_set_back():
    changes = decoded(message(b"ours 99999999999999999"), record("c", "brands", {"id": 1}))
    assert changes.until == datetime.fromtimestamp(0, UTC) + timedelta(microseconds=MICROS - 1)
