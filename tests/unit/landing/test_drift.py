"""What a source column becomes in the lake."""

import pytest

from rainbow_assets.errors import SchemaDriftError
from rainbow_assets.landing import drift
from rainbow_assets.landing.drift import SourceColumn
from rainbow_assets.tables import TABLES

DETAILS = TABLES["orderdetails"]
PLAIN = {
    "INTEGER": "integer", "BIGINT": "bigint", "VARCHAR": "text", "TIMESTAMP": "timestamp without time zone",
    "DECIMAL(18,2)": "numeric",
}  # fmt: skip


def source(**others: str | tuple[str, int | None, int | None]) -> list[SourceColumn]:
    """The columns of `orderdetails` as the registry has them, with `others` changed or behind."""
    kinds: dict[str, str | tuple[str, int | None, int | None]] = {
        name: PLAIN[kind] for name, kind in DETAILS.columns.items()
    }
    full = ((name, (kind, None, None) if isinstance(kind, str) else kind) for name, kind in (kinds | others).items())
    return [SourceColumn(name, *kind, is_nullable=False) for name, kind in full]


def check(monkeypatch: pytest.MonkeyPatch, known: dict[str, str], **others) -> drift.Columns:
    """The verdict on a source with these columns."""
    monkeypatch.setattr(drift, "source_columns", lambda _url, _table: source(**others))
    return drift.check("", DETAILS, DETAILS.columns | known)


@pytest.mark.parametrize(
    ("kind", "lake"),
    [
        ("smallint", "INTEGER"),
        ("character varying", "VARCHAR"),
        ("jsonb", "VARCHAR"),
        ("timestamp with time zone", "VARCHAR"),
        (("numeric", 10, 4), "DECIMAL(10,4)"),
        (("numeric", 38, 38), "DECIMAL(38,38)"),
        (("numeric", None, None), "VARCHAR"),
        (("numeric", 39, 2), "VARCHAR"),
        (("numeric", 5, -2), "VARCHAR"),
        (("numeric", 3, 5), "VARCHAR"),
    ],
)
def test_a_new_column_has_an_exact_type_or_is_text(monkeypatch, kind, lake):
    found = check(monkeypatch, {}, extra=kind)
    assert (found.added, found.all["extra"], found.left_out) == ({"extra": lake}, lake, {})


@pytest.mark.parametrize(
    ("known", "kind", "lake"),
    [
        ("VARCHAR", "integer", "VARCHAR"),
        ("VARCHAR", ("numeric", 10, 2), "VARCHAR"),
        ("DECIMAL(38,10)", ("numeric", None, None), "DECIMAL(38,10)"),  # a lake of before
        ("DECIMAL(10,2)", ("numeric", 12, 4), "DECIMAL(10,2)"),
        ("DECIMAL(10,2)", "bigint", "DECIMAL(10,2)"),
        ("BIGINT", "integer", "BIGINT"),
        ("INTEGER", "smallint", "INTEGER"),
        ("DOUBLE", "real", "DOUBLE"),
        ("INTEGER", "bigint", None),
        ("BIGINT", ("numeric", 10, 0), None),
        ("DOUBLE", ("numeric", None, None), None),
        ("FLOAT", "double precision", None),
        ("BOOLEAN", "integer", None),
        ("DATE", "timestamp without time zone", None),
        ("TIMESTAMP", "timestamp with time zone", None),
        ("DECIMAL(10,2)", "text", None),
    ],
)
def test_another_type_of_a_column_outside_of_the_registry_never_stops_the_table(monkeypatch, known, kind, lake):
    found = check(monkeypatch, {"extra": known}, extra=kind)
    assert (found.all.get("extra"), found.added, "extra" in found.left_out) == (lake, {}, lake is None)


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("quantity", "text", "BIGINT became VARCHAR"),
        ("quantity", "numeric", "BIGINT became NUMERIC"),
        ("price", ("numeric", 20, 4), r"DECIMAL\(18,2\) became DECIMAL\(20,4\)"),
        ("price", "double precision", r"DECIMAL\(18,2\) became DOUBLE"),
        ("created_at", "timestamp with time zone", "became TIMESTAMP WITH TIME ZONE"),
    ],
)
def test_another_type_of_a_registered_column_stops_the_table(monkeypatch, name, kind, reason):
    with pytest.raises(SchemaDriftError, match=f"changed the type of {name} .*{reason}"):
        check(monkeypatch, {}, **{name: kind})


@pytest.mark.parametrize(
    ("name", "kind"),
    [("quantity", "integer"), ("price", ("numeric", 30, 2)), ("price", ("numeric", 5, -2)), ("quantity", "smallint")],
)
def test_a_registered_column_may_be_declared_narrower(monkeypatch, name, kind):
    assert check(monkeypatch, {}, **{name: kind}).all == DETAILS.columns


@pytest.mark.parametrize(
    "name",
    [
        "snapshot_id", "SNAPSHOT_ID", "rowid", "filename", "file_row_number", "file_index", "change_date",
        "Extracted_At", "rescued_data", "_ducklake_internal_snapshot_id", "rainbow_rows", "ID", "Price",
    ],
)  # fmt: skip
def test_no_name_of_the_source_meets_one_of_ours(monkeypatch, name):
    found = check(monkeypatch, {}, **{name: "text"})
    assert (found.all, found.added, list(found.left_out)) == (DETAILS.columns, {}, [name])


def test_twins_in_upper_and_lower_case_are_one_to_the_lake(monkeypatch):
    found = check(monkeypatch, {}, note="text", Note="text", NOTE="text")
    assert (found.added, list(found.left_out)) == ({"note": "VARCHAR"}, ["Note", "NOTE"])
    found = check(monkeypatch, {"Note": "VARCHAR"}, note="text", Note="text")
    assert (found.added, found.all["Note"], list(found.left_out)) == ({}, "VARCHAR", ["note"])


def test_a_column_that_the_lake_had_and_that_hid_a_virtual_one_is_left_out(monkeypatch):
    found = check(monkeypatch, {"snapshot_id": "BIGINT"}, snapshot_id="bigint")
    assert (found.all, list(found.left_out)) == (DETAILS.columns, ["snapshot_id"])


def test_a_lost_column_outside_of_the_registry_is_told(monkeypatch):
    found = check(monkeypatch, {"extra": "BIGINT", "other": "VARCHAR"}, other="text")
    assert (found.lost, found.all) == (("extra",), DETAILS.columns | {"other": "VARCHAR"})
