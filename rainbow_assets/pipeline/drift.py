"""Schema drift: the source's columns against those that the lake knows.

Here: what a source column becomes in the lake, and which changes stop a table. Not here: the registry itself
(`tables.py`) and the adding of columns to the catalogs (`register.py`).
"""

from dataclasses import dataclass

from rainbow_assets.errors import SchemaDriftError
from rainbow_assets.pipeline.register import LINEAGE
from rainbow_assets.systems import postgres
from rainbow_assets.tables import SourceTable

LAKE_TYPES = {
    "smallint": "INTEGER",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double precision": "DOUBLE",
    "boolean": "BOOLEAN",
    "text": "VARCHAR",
    "character varying": "VARCHAR",
    "character": "VARCHAR",
    "date": "DATE",
    "timestamp without time zone": "TIMESTAMP",
}
MAX_PRECISION = 38
UNBOUNDED = "DECIMAL(38,10)"  # a new numeric column without precision


@dataclass(frozen=True)
class Columns:
    """The columns to extract (name to lake type), and those among them that the lake does not have yet."""

    all: dict[str, str]
    added: dict[str, str]


def check(source_url: str, table: SourceTable, known: dict[str, str]) -> Columns:
    """Compare the source with the registry and with `known`, the columns of the lake's table ({} before its first run).

    A new column is taken along. Widening within a lake type (varchar to text, smallint to integer) is no change.

    Raises:
        SchemaDriftError: the table or a column is gone, or a column changed its type; the message says which.
        TransientError: the source does not answer.
    """
    expected = {**table.columns, **{name: kind for name, kind in known.items() if name not in table.columns}}
    found = source_columns(source_url, table, expected)
    if not found:
        raise SchemaDriftError(
            f"The source has no table {table.name}, or the user may not read it.",
            "Restore it or its grants; on an empty shop run `rainbow seed`.",
        )
    missing = [name for name in expected if name not in found]
    changed = [
        f"{name} ({expected[name]} became {found[name]})"
        for name in expected
        if name in found and found[name] != expected[name]
    ]
    if missing or changed:
        faults = [f"lost {', '.join(missing)}"] * bool(missing) + [f"changed the type of {', '.join(changed)}"] * bool(
            changed
        )
        raise SchemaDriftError(
            f"The source table {table.name} {' and '.join(faults)}: nothing of it was written.",
            "Restore the column, or change rainbow_assets/tables.py and the lake on purpose.",
        )
    added = {name: kind for name, kind in found.items() if name not in expected}
    taken = {name.lower() for name in [*expected, *LINEAGE]}
    if unusable := [name for name in added if name.lower() in taken]:
        raise SchemaDriftError(
            f"The source table {table.name} gained {', '.join(unusable)}, which the lake takes for a column that it "
            "has: nothing of it was written.",
            "Give the column another name.",
        )
    return Columns(found, added)


def source_columns(source_url: str, table: SourceTable, expected: dict[str, str]) -> dict[str, str]:
    """The source's columns, name to lake type, in the registry's order with new ones behind."""
    query = """
        SELECT column_name, data_type, numeric_precision, numeric_scale FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position"""
    rows = postgres.fetch(source_url, "RAINBOW_SOURCE_URL", query, [table.name])
    found = {
        name: lake_type(kind, precision, scale, expected.get(name), strict=name in table.columns)
        for name, kind, precision, scale in rows
    }
    return {
        name: found[name] for name in [*(n for n in expected if n in found), *(n for n in found if n not in expected)]
    }


def lake_type(kind: str, precision: int | None, scale: int | None, expected: str | None, *, strict: bool) -> str:
    """The lake's type for a column of PostgreSQL's type `kind`.

    A numeric follows what is expected of the column, unless it declares more decimals than that; a new one keeps its
    digits. A type that the lake does not have is kept as text, but is a change of a `strict` one, of the registry.
    """
    if kind == "numeric":
        if expected is not None and expected.startswith("DECIMAL") and (scale or 0) <= _decimals(expected):
            return expected
        return f"DECIMAL({min(precision, MAX_PRECISION)},{scale})" if precision else UNBOUNDED
    found = LAKE_TYPES.get(kind, kind.upper() if strict else "VARCHAR")
    # The contract's promotion_id may be a bigint or an integer: an integer fits where the lake holds a bigint.
    return "BIGINT" if (found, expected) == ("INTEGER", "BIGINT") else found


def _decimals(kind: str) -> int:
    return int(kind.rstrip(")").rpartition(",")[2])
