"""The views that readers see: the contract's columns of the rows that the newest publication lists.

Here: their definitions, and how they pass from one set of columns to the next. Not here: which rows those are
(`manifest.py`).
"""

import hashlib
from collections.abc import Collection

from clickhouse_connect.driver.client import Client

from rainbow_assets.serving.store import columns_of, store_of
from rainbow_assets.serving.tables import LakeTable
from rainbow_assets.systems.clickhouse import literal, quote

MARK = "definition "  # begins the comment of every view that is made here or goes with these


def mark_of(definition: str) -> str:
    """The comment of a view, by which it is known whether it is defined so."""
    return f"{MARK}{hashlib.sha256(definition.encode()).hexdigest()[:16]}"


def ready(client: Client, table: LakeTable, base: str | None) -> None:
    """Make the view show the publication before and after the switch alike.

    `base` is the store that the view reads now. Where the new rows go to another store, because the columns
    changed, the view reads both, with its old columns: each publication has its rows in one of them.
    """
    columns = columns_of(table)
    if base is None or base == store_of(table):
        _define(client, table, columns, {store_of(table): {name: quote(name) for name in columns}})
        return
    query = "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {view:String}"
    described = client.query(query, parameters={"view": table.served.view}).result_rows
    before = {str(row[0]): str(row[1]) for row in described}
    blank = {name: f"defaultValueOfTypeName({literal(kind)})" for name, kind in before.items()}
    cast = {name: f"CAST({quote(name)}, {literal(kind)})" for name, kind in before.items() if name in columns}
    branches = {base: {name: quote(name) for name in before}, store_of(table): blank | cast}
    _define(client, table, before, branches)


def settle(client: Client, table: LakeTable) -> None:
    """Make the view show the table's columns from its store alone."""
    ready(client, table, None)


def remove_others(client: Client, served: Collection[str]) -> None:
    """Remove the views of what is served no more: they would be empty, and then fail. Those of other makers stay."""
    query = (
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' "
        f"AND match(comment, {literal(f'^{MARK}[0-9a-f]{{16}}$')})"
    )
    for (view,) in client.query(query).result_rows:
        if view not in served:
            client.command(f"DROP VIEW IF EXISTS {quote(view)}")


def _define(client: Client, table: LakeTable, columns: dict[str, str], branches: dict[str, dict[str, str]]) -> None:
    """Replace the view, if it differs.

    The first branch is empty. It is there because ClickHouse resolves tables in the order of the text: the manifest
    is read as of a moment before the stores are, so the rows of every publication that it shows are there.
    """
    by = table.served.slice_by
    key, listed = (f"({quote(by)}, version)", "slice, version") if by else ("version", "version")
    newest = "publication = (SELECT max(publication) FROM publications)"
    chosen = f"SELECT {listed} FROM publications WHERE name = {literal(table.served.name)} AND {newest}"
    blank = ", ".join(f"defaultValueOfTypeName({literal(kind)}) AS {quote(name)}" for name, kind in columns.items())
    selects = [f"SELECT {blank} FROM publications WHERE false"]
    for store, expressions in branches.items():
        values = ", ".join(f"{expression} AS {quote(name)}" for name, expression in expressions.items())
        selects.append(f"SELECT {values} FROM {quote(store)} WHERE {key} IN ({chosen})")
    definition = " UNION ALL ".join(selects)
    view = table.served.view
    mark = mark_of(definition)
    query = "SELECT comment FROM system.tables WHERE database = currentDatabase() AND name = {view:String}"
    if client.query(query, parameters={"view": view}).result_rows != [(mark,)]:
        client.command(f"CREATE OR REPLACE VIEW {quote(view)} AS {definition} COMMENT {literal(mark)}")
