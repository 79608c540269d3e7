"""The checksum of a landing file: the same for the same rows, whatever their order.

Here: its SQL, and the text that a file's metadata keeps of it. Not here: who writes it (`write.py`) or asks for it
again (`raw/fsck/content.py`).
"""

import duckdb

# Another version of DuckDB may hash otherwise. Files from before `/exact` have a sum that went through floating point
# and so followed the order of the rows: it cannot be repeated.
MARK = f"{duckdb.__version__}/exact"

# What the rows are called where they are hashed: not as a column may be, or that column alone would be.
ROWS = "rainbow_rows"


def row_hash(relation: str) -> str:
    """SQL: a 64-bit checksum of a relation's rows: the sum of DuckDB's row hashes modulo 2^64.

    A sum, not an exclusive or: two equal rows do not cancel out. HUGEINT, as the sum of a UHUGEINT is a DOUBLE.
    """
    return f"(sum(hash({relation})::HUGEINT) % 18446744073709551616)::UBIGINT"


def text(checksum: int) -> str:
    """What the metadata keeps."""
    return f"{MARK}:{checksum}"


def is_repeatable(kept: str | None) -> bool:
    """Whether a checksum that metadata keeps can be compared with one that is made here and now."""
    return (kept or "").rpartition(":")[0] == MARK
