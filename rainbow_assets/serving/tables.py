"""What is published, and the words for it.

Here: the list of served tables and the small records that the publisher hands around. Not here: any statement.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

MARTS = (
    "total_sales",
    "sales_by_day",
    "sales_by_day_of_week",
    "top_sellers",
    "top_products_by_category",
    "payment_methods",
    "customer_ranking",
)
DIMENSIONS = ("dim_dates", "dim_customers", "dim_products", "dim_sellers", "dim_promotions", "dim_payments")


@dataclass(frozen=True)
class Served:
    """A table of the lake and the view that serves it.

    `slice_by` is an integer column: a publication writes only the slices that changed. Without it the table is
    one slice, 0.
    """

    schema: str
    name: str
    view: str
    slice_by: str | None = None


SERVED: tuple[Served, ...] = (
    *(Served("marts", name, f"v_{name}_batch") for name in MARTS),
    *(Served("warehouse", name, name) for name in DIMENSIONS),
    Served("warehouse", "fact_sales", "fact_sales", slice_by="date_key"),
)


@dataclass(frozen=True)
class Column:
    """A column as the lake has it; `kind` is DuckDB's type name."""

    name: str
    kind: str
    nullable: bool


@dataclass(frozen=True)
class LakeTable:
    """A served table as the lake has it; its schema last changed in snapshot `schema_snapshot`."""

    served: Served
    id: int
    uuid: str
    schema_snapshot: int
    columns: tuple[Column, ...]

    @property
    def money(self) -> tuple[str, ...]:
        """The columns whose sums must agree between lake and ClickHouse: every DECIMAL."""
        return tuple(column.name for column in self.columns if column.kind.startswith("DECIMAL"))


@dataclass(frozen=True)
class Slice:
    """What the lake holds of a slice: its rows and the sums of its money columns, in the columns' order."""

    slice: int
    rows: int
    money: tuple[Decimal | None, ...] = ()
    fingerprint: str = ""


@dataclass(frozen=True)
class Entry:
    """A line of the manifest: this slice of `name` is that version in the store table `store`.

    `table_uuid` and the snapshot's number and time (microseconds) say which state of the lake's table it shows.
    `fingerprint` is a hash of all its rows, or empty where the lake's change feed tells what changed.
    """

    name: str
    store: str
    slice: int
    version: int
    rows: int
    fingerprint: str
    table_uuid: str
    lake_snapshot: int
    lake_time: int


@dataclass(frozen=True)
class PublishedTable:
    """One table of a publication: all its rows and slices, and those that this publication wrote."""

    name: str
    rows: int
    slices: int
    rows_written: int
    slices_written: int
    seconds: float | None = None


@dataclass(frozen=True)
class Agreement:
    """What a publication's companion had said otherwise before it, a line each; `reason`: why that is unknown."""

    differences: tuple[object, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Publication:
    """One complete set, as readers see it; `agreement`: whether its companion had said the same before it."""

    id: int
    run_id: str
    lake_snapshot: int
    published_at: datetime
    tables: tuple[PublishedTable, ...]
    agreement: Agreement | None = None
