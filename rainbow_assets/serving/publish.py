"""Publish the marts and the star: from the lake's files to ClickHouse, as one set.

Here: the order of the steps, which is what makes it atomic. Not here: the steps (`plan.py` and
`lake.py` read the lake; `store.py`, `manifest.py` and `views.py` write ClickHouse) and
the comparison afterwards (`compare.py`).

Two publishers at once leave one complete set or the other, but waste each other's work: callers serialise them.
"""

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Protocol

import duckdb
from clickhouse_connect.driver.client import Client

from rainbow_assets.errors import DataError, TransientError
from rainbow_assets.serving import lake as serving_lake
from rainbow_assets.serving import manifest, views
from rainbow_assets.serving import store as serving_store
from rainbow_assets.serving.compare import Difference, compare
from rainbow_assets.serving.plan import Plan, make_plans
from rainbow_assets.serving.tables import SERVED, Agreement, Entry, Publication, PublishedTable, Served
from rainbow_assets.settings import Settings
from rainbow_assets.systems import clickhouse, ducklake, object_store

__all__ = ["SERVED", "Difference", "Publication", "compare", "current", "publish"]

RETENTION = timedelta(minutes=10)
SCRATCH = "publish"  # what ClickHouse cannot read from the lake's own files passes through here


class Companion(Protocol):
    """What readers see change in the same moment as the set, and what it needs for that. Each call gets ClickHouse."""

    support: Sequence[Served]
    """Tables of the lake that it needs beside the served ones; they are published with them."""

    views: Sequence[str]
    """The views that it makes in ClickHouse."""

    def prepare(self, client: Client) -> None:
        """Make its own tables where they are missing; before anything is written."""

    def stage(self, client: Client, publication: int, manifest: str) -> None:
        """Make its part of the publication, whose slices `manifest` lists and which nobody sees yet."""

    def compare(self, client: Client) -> Agreement:
        """What it said before the switch, and says otherwise now."""

    def follow(self, client: Client) -> None:
        """Take in what came during the publication, and drop what that covers; after the switch."""

    def code(self) -> Sequence[Path]:
        """The files that make it: where they change, it is made anew."""


def publish(
    settings: Settings,
    run_id: str,
    client: Client | None = None,
    lake: duckdb.DuckDBPyConnection | None = None,
    *,
    served: Sequence[Served] = SERVED,
    companion: Companion | None = None,
    full: bool = False,
    retention: timedelta = RETENTION,
) -> Publication:
    """Publish the lake's current snapshot; `full` writes every slice anew, whether it changed or not.

    With the set goes its `companion`, whose part of this publication is there before it is seen; `served` is then all
    that is served, and views of anything else go.

    `client` and `lake` are open connections to use; without them it opens its own, which takes half a second.
    Readers see the last publication until the very end, and then this one. Only slices that changed are written.
    Publications that were superseded longer than `retention` ago are removed, except for the last.

    Raises:
        DataError: a table is missing, a type has no equal, or the rows that arrived differ from the lake's; nothing
            is published then.
        TransientError: ClickHouse, the lake or the object store did not answer, or another publisher was faster.
    """
    servers = clickhouse.connect(settings) if client is None else nullcontext(client)
    lakes = ducklake.connect(settings, read_only=True) if lake is None else closing(lake.cursor())
    with servers as server, lakes as reader, ducklake.transaction(reader):
        with clickhouse.errors(settings, "reading the manifest"):
            if companion:
                companion.prepare(server)
            manifest.prepare(server)
            previous, entries = manifest.newest(server)
            number = manifest.next_number(server, previous)
            stores = set(manifest.stores(server))
        snapshot, moment = serving_lake.newest_snapshot(reader)
        plans = make_plans(reader, _needed(served, companion), snapshot, entries, stores, full)
        with clickhouse.errors(settings, "preparing the stores"):
            _prepare(server, plans, number)
        seconds = {plan.table.served.name: _write(settings, server, reader, plan, number) for plan in plans}
        with clickhouse.errors(settings, "switching to the new publication"):
            _require_newest(server, previous)
            listed = [entry for plan in plans for entry in plan.entries(number, snapshot, moment)]
            if companion:
                manifest.stage(server, number, run_id, listed)
                companion.stage(server, number, manifest.STAGED)
                # Before the switch: a view of what is not in the new publication would show a part of it, or nothing.
                views.remove_others(server, {*companion.views, *(table.view for table in _needed(served, companion))})
            manifest.switch(server, number, run_id, listed)
            _require_newest(server, number)
            agreed = companion.compare(server) if companion and previous else None
            if companion:
                companion.follow(server)
        with clickhouse.errors(settings, "removing old publications"):
            for plan in plans:
                views.settle(server, plan.table)
            manifest.remove_old(server, number, previous, retention, {plan.store for plan in plans})
            if served is SERVED:
                manifest.sign(server, rules(companion))
            published = _describe(server, number, listed, [table.name for table in served])
    _remove_scratch(settings)
    timed = tuple(replace(part, seconds=seconds[part.name]) for part in published.tables)
    return replace(published, tables=timed, agreement=agreed)


def current(client: Client) -> Publication | None:
    """What readers see now, or None before the first publication."""
    manifest.prepare(client)
    number, entries = manifest.newest(client)
    return _describe(client, number, entries, list(dict.fromkeys(entry.name for entry in entries))) if entries else None


def is_current(client: Client, lake: duckdb.DuckDBPyConnection, companion: Companion | None = None) -> bool:
    """Whether what readers see is the lake as it is, published by the code of today.

    Raises:
        DataError: a table is missing.
    """
    manifest.prepare(client)
    _, entries = manifest.newest(client)
    if not entries or manifest.made_by(client) != rules(companion):
        return False
    with closing(lake.cursor()) as reader, ducklake.transaction(reader):
        snapshot, _ = serving_lake.newest_snapshot(reader)
        touched = serving_lake.touched(reader, entries[0], snapshot)
        uuids = {entry.name: entry.table_uuid for entry in entries}
        return touched is not None and not any(
            uuids.get(table.served.name) not in (None, table.uuid)
            or serving_lake.has_changes(touched.get(str(table.id), {}))
            for table in serving_lake.describe(reader, _needed(SERVED, companion), snapshot)
        )


def _needed(served: Sequence[Served], companion: Companion | None) -> tuple[Served, ...]:
    return (*served, *(companion.support if companion else ()))


def rules(companion: Companion | None) -> str:
    """The identity of the code that makes a publication and what goes with it: its own text."""
    files = [*Path(__file__).parent.glob("*.py"), *(companion.code() if companion else ())]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()


def _describe(client: Client, number: int, entries: Sequence[Entry], names: Sequence[str]) -> Publication:
    query = f"SELECT any(run_id), any(published_at) FROM publications WHERE publication = {number}"
    run_id, published_at = client.query(query).result_rows[0]
    tables = []
    for name in names:
        own = [entry for entry in entries if entry.name == name]
        fresh = [entry.rows for entry in own if entry.version == number]
        tables.append(PublishedTable(name, sum(entry.rows for entry in own), len(own), sum(fresh), len(fresh)))
    return Publication(number, run_id, entries[0].lake_snapshot, published_at.replace(tzinfo=UTC), tuple(tables))


def _prepare(client: Client, plans: Sequence[Plan], number: int) -> None:
    """Make the stores, note what will be written, and have every view ready for both publications."""
    for plan in plans:
        serving_store.create_store(client, plan.table)
    manifest.announce(client, number, {plan.store: plan.changed for plan in plans})
    for plan in plans:
        views.ready(client, plan.table, plan.base)


def _write(settings: Settings, client: Client, lake: duckdb.DuckDBPyConnection, plan: Plan, number: int) -> float:
    """Write a table's changed slices, and see that what arrived is what the lake holds; seconds."""
    start, name = time.monotonic(), plan.table.served.name
    if not plan.changed:
        return 0.0
    keys = serving_lake.source_files(lake, settings, plan.table, plan.only, f"{SCRATCH}/{number}/{name}.parquet")
    with clickhouse.errors(settings, f"writing {name}"), ThreadPoolExecutor(1) as worker:
        filling = worker.submit(serving_store.fill, client, settings, plan.table, number, keys, plan.only)
        held = serving_lake.read_slices(lake, plan.table, plan.only, money=True)  # meanwhile
        filling.result()
        arrived = serving_store.read_slices(client, plan.table, number, plan.only)
    if slices := sorted({part.slice for part in set(held) ^ set(arrived)}):
        raise DataError(
            f"{name}: the rows in ClickHouse differ from the lake's in {len(slices)} slices ({slices[0]} first); "
            "nothing was published.",
            "Publish again; if it stays, publish in full.",
        )
    return time.monotonic() - start


def _require_newest(client: Client, number: int) -> None:
    """See that `number` is still the newest publication.

    Raises:
        TransientError: another publisher was faster.
    """
    newest = manifest.newest(client)[0]
    if newest != number:
        raise TransientError("Another publisher was faster; what it published is what readers see.", "Publish again.")


def _remove_scratch(settings: Settings) -> None:
    """Remove what passed through the object store, also what publishers left that died."""
    store, bucket = object_store.client(settings), settings.s3_bucket
    object_store.abort_uploads(store, bucket, f"{SCRATCH}/")
    with object_store.s3_errors(bucket):
        for key in object_store.keys(store, bucket, f"{SCRATCH}/"):
            store.delete_object(Bucket=bucket, Key=key)
