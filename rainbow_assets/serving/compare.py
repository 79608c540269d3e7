"""Does ClickHouse show what the lake holds? The marts row for row, the star by counts and exact sums.

Here: the comparison, in DuckDB over Arrow. Not here: the check that reports it (`defs/serving`).
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import duckdb
from clickhouse_connect.driver.client import Client

from rainbow_assets.serving import lake as serving_lake
from rainbow_assets.serving import manifest
from rainbow_assets.serving.store import LONG
from rainbow_assets.serving.tables import SERVED, LakeTable, Served
from rainbow_assets.settings import Settings
from rainbow_assets.systems import clickhouse, ducklake
from rainbow_assets.systems.ducklake import quote


@dataclass(frozen=True)
class Difference:
    """A table that differs, by the number of lines that only one side has, and the first of them.

    A line is a row of a mart, the totals of a dimension, or the totals of a day's facts.
    """

    name: str
    only_in_lake: int
    only_in_clickhouse: int
    example: str

    def __str__(self) -> str:
        """One line for people."""
        counts = f"{self.only_in_lake} only in the lake, {self.only_in_clickhouse} only in ClickHouse"
        return f"{self.name}: {counts}, such as {self.example}"


def compare(
    settings: Settings,
    client: Client,
    lake: duckdb.DuckDBPyConnection | None = None,
    *,
    served: Sequence[Served] = SERVED,
    everything: bool = True,
) -> list[Difference]:
    """Compare what readers see with the lake's current snapshot; an empty list means that they are equal.

    With `everything=False`, of a sliced table only the slices that the newest publication wrote are compared: the
    cost then follows the change.

    Raises:
        DataError: a table is missing in the lake.
        TransientError: ClickHouse or the lake does not answer.
    """
    lakes = ducklake.connect(settings, read_only=True) if lake is None else closing(lake.cursor())
    with lakes as reader, ducklake.transaction(reader), clickhouse.errors(settings, "comparing"):
        number, entries = manifest.newest(client)
        snapshot, _ = serving_lake.newest_snapshot(reader)
        differences = []
        for table in serving_lake.describe(reader, served, snapshot):
            fresh = [entry.slice for entry in entries if (entry.name, entry.version) == (table.served.name, number)]
            only = fresh if table.served.slice_by and not everything else None
            if only != [] and (difference := _difference(reader, client, table, only)):
                differences.append(difference)
    return differences


def _difference(
    lake: duckdb.DuckDBPyConnection, client: Client, table: LakeTable, only: Sequence[int] | None
) -> Difference | None:
    name, query = table.served.name, _query(table, only)
    lake.register("served", client.query_arrow(query.format(quote(table.served.view)), settings=LONG))
    held = query.format(serving_lake.path(table.served))
    missing, first = _count(lake, f"({held}) EXCEPT ALL (FROM served)")
    surplus, other = _count(lake, f"(FROM served) EXCEPT ALL ({held})")
    lake.unregister("served")
    if not missing and not surplus:
        return None
    return Difference(name, missing, surplus, first or other)


def _query(table: LakeTable, only: Sequence[int] | None) -> str:
    """What is compared, in the SQL that DuckDB and ClickHouse share; {} is the table."""
    if table.served.schema == "marts":
        return f"SELECT {', '.join(quote(column.name) for column in table.columns)} FROM {{}}"
    by = table.served.slice_by
    totals = "".join(f', coalesce(sum({quote(name)}), 0) AS "total {name}"' for name in table.money)
    key = f"{quote(by)}, " if by else ""
    condition = f" WHERE {quote(by)} IN ({', '.join(map(str, only))})" if by and only is not None else ""
    return f"SELECT {key}count(*) AS rows{totals} FROM {{}}{condition}{f' GROUP BY {quote(by)}' if by else ''}"


def _count(lake: duckdb.DuckDBPyConnection, query: str) -> tuple[int, str]:
    """How many lines a query gives, and the first of them as text."""
    rows = lake.execute(f"SELECT count(*), coalesce(min(line::VARCHAR), '') FROM ({query}) AS line").fetchall()
    return rows[0][0], rows[0][1]
