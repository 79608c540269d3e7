"""What a publication has to do: which slices of each table are written anew, and which stay as they are.

Here: the decision and the manifest's entries that follow from it. Not here: reading the lake (`lake.py`) and
writing ClickHouse (`store.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb

from rainbow_assets.serving import lake as serving_lake
from rainbow_assets.serving.store import store_of
from rainbow_assets.serving.tables import Entry, LakeTable, Served, Slice


@dataclass(frozen=True)
class Plan:
    """One table's part: `changed` slices are written anew to `store`, the entries in `kept` stay.

    `only` are the slices to read (None: all). `base` is the store that readers use now, if there is one.
    """

    table: LakeTable
    store: str
    base: str | None
    only: tuple[int, ...] | None
    changed: tuple[Slice, ...]
    kept: tuple[Entry, ...]

    def entries(self, version: int, snapshot: int, moment: int) -> list[Entry]:
        """The manifest's entries of this table, once the changed slices are written as `version`."""
        name, uuid = self.table.served.name, self.table.uuid
        kept = [replace(entry, table_uuid=uuid, lake_snapshot=snapshot, lake_time=moment) for entry in self.kept]
        fresh = [
            Entry(name, self.store, part.slice, version, part.rows, part.fingerprint, uuid, snapshot, moment)
            for part in self.changed
        ]
        return kept + fresh


def make_plans(
    lake: duckdb.DuckDBPyConnection,
    served: Sequence[Served],
    snapshot: int,
    entries: Sequence[Entry],
    stores: set[str],
    full: bool,
) -> list[Plan]:
    """Compare the lake at `snapshot` with the newest publication's `entries`; `stores` are the tables that exist.

    Raises:
        DataError: a table is missing, a type has no equal in ClickHouse, or a row has no slice.
    """
    touched = serving_lake.touched(lake, entries[0], snapshot) if entries else None
    plans = []
    for table in serving_lake.describe(lake, served, snapshot):
        own = [entry for entry in entries if entry.name == table.served.name and entry.store in stores]
        base, store = (own[0].store if own else None), store_of(table)
        usable = own if base == store and not full else []
        only = serving_lake.changed_slices(lake, table, usable, touched)
        found = [] if only == [] else serving_lake.read_slices(lake, table, only)
        known = {(entry.slice, entry.fingerprint) for entry in usable if entry.fingerprint}
        same = {part.slice for part in found if (part.slice, part.fingerprint) in known}
        candidates = {entry.slice for entry in usable} if only is None else set(only)
        kept = tuple(entry for entry in usable if entry.slice not in candidates or entry.slice in same)
        changed = tuple(part for part in found if part.slice not in same)
        plans.append(Plan(table, store, base, None if only is None else tuple(only), changed, kept))
    return plans
