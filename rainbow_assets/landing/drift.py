"""Schema drift: the source's columns against those that the lake knows.

Here: what a source column becomes in the lake, and which changes stop a table: those of the registry's columns, and no
others. Not here: the registry itself (`tables.py`), the values (`values.py`) and the adding of columns to the catalogs
(`raw/register.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from rainbow_assets.errors import SchemaDriftError
from rainbow_assets.landing.names import is_reserved
from rainbow_assets.landing.values import RESCUED
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
# Types of the source whose values a lake type holds; a DECIMAL holds those that fit, and VARCHAR holds everything.
HOLDS = {
    "INTEGER": {"smallint", "integer"},
    "BIGINT": {"smallint", "integer", "bigint"},
    "FLOAT": {"real"},
    "DOUBLE": {"real", "double precision"},
    "BOOLEAN": {"boolean"},
    "DATE": {"date"},
    "TIMESTAMP": {"timestamp without time zone"},
    "DECIMAL": {"smallint", "integer", "bigint", "numeric"},
}


@dataclass(frozen=True)
class SourceColumn:
    """A column as PostgreSQL's catalogue has it."""

    name: str
    kind: str
    precision: int | None
    scale: int | None
    is_nullable: bool


@dataclass(frozen=True)
class Columns:
    """The columns to extract (name to lake type), and what a run should say of those outside of the registry.

    `added`: those among them that the lake does not have yet. `left_out`: columns that the lake cannot take under their
    name or type, name to reason; their values stand in `rescued_data`. `lost`: those that the source no longer has.
    `known`: the lake's columns. `may_lack_time`: whether `updated_at` may be NULL in the source.
    """

    all: dict[str, str]
    added: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    known: dict[str, str] = field(default_factory=dict)
    may_lack_time: bool = False

    @property
    def names(self) -> list[str]:
        """The columns that make a version what it is: all that are extracted, and what they cannot hold."""
        return [*self.all, RESCUED]

    @property
    def held(self) -> list[str]:
        """Those of them that the lake has by now."""
        return [name for name in self.names if name not in self.added]

    @property
    def of_raw(self) -> list[str]:
        """The columns that make a version of the lake what it is, also those that the source has lost."""
        return list(dict.fromkeys([*self.held, *self.known]))


def check(source_url: str, table: SourceTable, known: dict[str, str]) -> Columns:
    """Compare the source with the registry and with `known`, the columns of the lake's table ({} before its first run).

    Only the registry's columns can stop the table; of these, widening within a lake type (varchar to text, smallint to
    integer) is no change. Of the others, a new one is taken along, one that is lost is NULL from now on.

    Raises:
        SchemaDriftError: the table or a registered column is gone, or has another type; the message says which.
        TransientError: the source does not answer.
    """
    found = {column.name: column for column in source_columns(source_url, table)}
    if not found:
        raise SchemaDriftError(
            f"The source has no table {table.name}, or the user may not read it.",
            "Restore it or its grants; on an empty shop run `rainbow seed`.",
        )
    _stop_at_changes(table, found)
    others = [column for column in found.values() if column.name not in table.columns]
    kept, left_out = _keep(others, {name: kind for name, kind in known.items() if not is_reserved(name)})
    added, refused = _add(
        [column for column in others if column.name not in {*kept, *left_out}], [*table.columns, *known]
    )
    return Columns(
        table.columns | kept | added,
        added,
        left_out | refused,
        tuple(name for name in known if name not in found),
        known,
        found["updated_at"].is_nullable,
    )


def source_columns(source_url: str, table: SourceTable) -> list[SourceColumn]:
    """The source's columns in their order. The catalogue's view has a negative scale as one of 11 bits."""
    query = """
        SELECT column_name, data_type, numeric_precision,
            CASE WHEN numeric_scale > 1023 THEN numeric_scale - 2048 ELSE numeric_scale END, is_nullable = 'YES'
        FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position"""
    return [SourceColumn(*row) for row in postgres.fetch(source_url, "RAINBOW_SOURCE_URL", query, [table.name])]


def _stop_at_changes(table: SourceTable, found: dict[str, SourceColumn]) -> None:
    missing = [name for name in table.columns if name not in found]
    changed = [
        f"{name} ({kind} became {_described(found[name])})"
        for name, kind in table.columns.items()
        if name in found and not _is_unchanged(found[name], kind)
    ]
    faults = [f"lost {', '.join(missing)}"] * bool(missing)
    faults += [f"changed the type of {', '.join(changed)}"] * bool(changed)
    if faults:
        raise SchemaDriftError(
            f"The source table {table.name} {' and '.join(faults)}: nothing of it was written.",
            "Restore the column, or change rainbow_assets/tables.py and the lake on purpose.",
        )


def _is_unchanged(column: SourceColumn, registered: str) -> bool:
    """Whether a column is of its registered type; a numeric may not declare more decimals than that."""
    if column.kind == "numeric":
        return registered.startswith("DECIMAL") and (column.scale or 0) <= _decimals(registered)
    found = LAKE_TYPES.get(column.kind)
    # The contract's promotion_id may be a bigint or an integer: an integer fits where the lake holds a bigint.
    return found == registered or (found, registered) == ("INTEGER", "BIGINT")


def _described(column: SourceColumn) -> str:
    """The type of a column that changed, in the lake's words."""
    if column.kind == "numeric":
        return f"DECIMAL({column.precision},{column.scale})" if column.precision else "NUMERIC"
    return LAKE_TYPES.get(column.kind, column.kind.upper())


def _keep(others: Iterable[SourceColumn], known: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Columns that the lake has, as it has them; and those that it no longer can hold, with the reason."""
    kept, left_out = {}, {}
    for column in others:
        if column.name in known:
            kind = known[column.name]
            if kind == "VARCHAR" or column.kind in HOLDS.get(kind.partition("(")[0], set()):
                kept[column.name] = kind
            else:
                left_out[column.name] = f"{kind} in the lake, {column.kind} in the source"
    return {name: kept[name] for name in known if name in kept}, left_out


def _add(new: Iterable[SourceColumn], taken: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """New columns, typed; and those whose names the lake cannot take beside `taken`, with the reason."""
    names = {name.lower() for name in taken}
    added, refused = {}, {}
    for column in new:
        if column.name.lower() in names or is_reserved(column.name):
            refused[column.name] = "the lake takes its name for another column's"
        else:
            added[column.name] = new_type(column)
            names.add(column.name.lower())
    return added, refused


def new_type(column: SourceColumn) -> str:
    """The lake's type for a new column; what has no exact one is kept as text."""
    if column.kind == "numeric" and column.precision and column.scale is not None:
        is_exact = 0 <= column.scale <= column.precision <= MAX_PRECISION
        return f"DECIMAL({column.precision},{column.scale})" if is_exact else "VARCHAR"
    return LAKE_TYPES.get(column.kind, "VARCHAR")


def _decimals(kind: str) -> int:
    return int(kind.rstrip(")").rpartition(",")[2])
