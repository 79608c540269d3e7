"""The names of columns that are ours or an engine's: no column of the source comes under one."""

from rainbow_assets.landing import checksum
from rainbow_assets.landing.values import RESCUED

# What raw has beside the source's columns; files from before `rescued_data` have nothing to say there.
LINEAGE = {"change_date": "DATE", "extracted_at": "TIMESTAMP", RESCUED: "VARCHAR"}
# DuckDB's and DuckLake's virtual columns: a real one of such a name hides them, and then no build finds what is new.
VIRTUAL = ("snapshot_id", "rowid", "filename", "file_row_number", "file_index")


def is_reserved(name: str) -> bool:
    """Whether a source's column cannot have this name in raw; engines do not tell upper from lower case."""
    return name.lower() in {*LINEAGE, *VIRTUAL, checksum.ROWS} or name.lower().startswith("_ducklake_internal")
