"""What a value of the source becomes in the lake: SQL that PostgreSQL computes while it is read.

Here: the exact lake type of a value, the bounds of times, and `rescued_data`, which keeps what a column cannot hold.
Not here: which columns are taken (`drift.py`) and what is done with a row that has such a value (`dbt_project`).

A number is never replaced by another one: where a DECIMAL cannot hold it exactly (NaN, infinity, too many digits) the
column is NULL, and `rescued_data`, a JSON object of column to the source's own text, has it. Only a column that the
registry declares with fewer decimals and that is no money (a rating) is rounded, and its own text is kept there, too. A
time that not every reader can tell is bounded in the registry's columns, whose rows are then quarantined, and NULL in
others.
"""

from collections.abc import Iterable

from rainbow_assets.systems.ducklake import literal, quote
from rainbow_assets.tables import SourceTable

RESCUED = "rescued_data"
# What every engine that reads the files can tell of a time; beyond it lie infinity, BC and five-digit years.
FIRST_TIME, LAST_TIME = "0001-01-01", "9999-12-31 23:59:59.999999"

TIMES = ("TIMESTAMP", "DATE")

# PostgreSQL's names of the lake's types; DECIMAL is numeric.
SOURCE_TYPES = {
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "BOOLEAN": "boolean",
    "VARCHAR": "text",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
}


def typed(table: SourceTable, name: str, kind: str) -> str:
    """SQL for PostgreSQL: the column as its lake type has it; a number that does not fit is NULL, a time is bounded."""
    column = quote(name)
    if kind.startswith("DECIMAL"):
        # Cast as a whole: a CASE has no precision, and what has none arrives as a floating point number.
        return f"(CASE WHEN {_fits(table, name, kind)} THEN {column} END)::{kind.replace('DECIMAL', 'numeric')}"
    if kind in TIMES:
        return bounded(name, kind) if name in table.columns else f"CASE WHEN {_told(name, kind)} THEN {column} END"
    return f"{column}::{SOURCE_TYPES[kind]}"


def exact_text(name: str, kind: str) -> str:
    """SQL for PostgreSQL: a number as text, all of it; with the decimals of the DECIMAL `kind` where it has no more."""
    column, (precision, scale) = quote(name), _digits(kind)
    limit = str(10 ** (precision - scale))
    written = f"{column} = round({column}, {scale}) AND {column} > -{limit} AND {column} < {limit}"
    return f"CASE WHEN {written} THEN round({column}, {scale})::text ELSE {column}::text END"


def rescued(table: SourceTable, columns: dict[str, str], left_out: Iterable[str]) -> str:
    """SQL for PostgreSQL: the values that `columns` cannot hold, and those of columns left out, as JSON; else NULL."""
    unfit = {name: f"NOT ({_exact(name, kind)})" for name, kind in columns.items() if kind.startswith("DECIMAL")}
    unfit |= {
        name: f"NOT ({_told(name, kind)})"
        for name, kind in columns.items()
        if kind in TIMES and name not in table.columns
    }
    unfit |= {name: f"{quote(name)} IS NOT NULL" for name in left_out}
    if not unfit:
        return "NULL::text"
    names = ", ".join(literal(name) for name in unfit)
    texts = ", ".join(f"CASE WHEN {condition} THEN {quote(name)}::text END" for name, condition in unfit.items())
    return (
        f"CASE WHEN {' OR '.join(unfit.values())} "
        f"THEN jsonb_strip_nulls(jsonb_object(ARRAY[{names}]::text[], ARRAY[{texts}]::text[]))::text END"
    )


def bounded(name: str, kind: str) -> str:
    """SQL for PostgreSQL: a time, held between the first and the last that every reader can tell."""
    column, first, last = quote(name), f"{kind} '{FIRST_TIME}'", f"{kind} '{LAST_TIME}'"
    return f"CASE WHEN {column} < {first} THEN {first} WHEN {column} > {last} THEN {last} ELSE {column} END"


def _told(name: str, kind: str) -> str:
    """SQL for PostgreSQL: whether every reader can tell the time; NULL for NULL."""
    return f"{quote(name)} BETWEEN {kind} '{FIRST_TIME}' AND {kind} '{LAST_TIME}'"


def _fits(table: SourceTable, name: str, kind: str) -> str:
    """SQL for PostgreSQL: whether the DECIMAL `kind` takes the number, rounded where that is allowed; NULL for NULL."""
    if not is_rounded(table, name):
        return _exact(name, kind)
    column, (precision, scale) = quote(name), _digits(kind)
    limit = f"{10 ** (precision - scale) - 1}.{'9' * scale}5"  # what is rounded to one digit more than it may have
    return f"({column} > -{limit} AND {column} < {limit})"


def _exact(name: str, kind: str) -> str:
    """SQL for PostgreSQL: whether the DECIMAL `kind` holds all of the number; NULL for NULL. NaN is above all."""
    column, (precision, scale) = quote(name), _digits(kind)
    limit = str(10 ** (precision - scale))
    exact = f"(scale({column}::numeric) <= {scale} OR {column} = round({column}::numeric, {scale}))"
    return f"({column} > -{limit} AND {column} < {limit} AND {exact})"


def is_rounded(table: SourceTable, name: str) -> bool:
    """Whether the registry declares the number with as many decimals as are wanted; money is exact, or not taken."""
    return name in table.columns and name not in table.money


def _digits(kind: str) -> tuple[int, int]:
    """Precision and scale of a DECIMAL."""
    precision, scale = kind.removeprefix("DECIMAL(").rstrip(")").split(",")
    return int(precision), int(scale)
