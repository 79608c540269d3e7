"""The speed part: what the changes that the batch layer does not know yet add to a publication, made anew in one go.

Here: when it is made, from which tables, and what is dropped afterwards. Not here: the rules (`sql/`), and the views
that add both parts up (`define.py`).

A refresh is complete before it counts, and goes with one publication. So a reader sees a publication with the changes
that it lacks, and in the next moment the next one with those that are still lacking: no sale twice, none missing.
"""

from importlib.resources import files

from clickhouse_connect.driver.client import Client

from rainbow_assets.serving.tables import SERVED, Served
from rainbow_assets.speed import tables
from rainbow_assets.systems.clickhouse import literal, quote

# What the live views need of the lake beside what is served; it is published with it.
SUPPORT: tuple[Served, ...] = (
    Served("ops", "batch_coverage", "batch_coverage"),
    Served("staging", "stg_product_sellers", "product_sellers"),
)

# A commit may become visible to other sessions this many seconds after its own time.
MARGIN = 60
# A reader finds its refresh first and its rows a moment later.
KEPT = "INTERVAL 60 SECOND"
ABANDONED = "INTERVAL 86400 SECOND"
OF_A_REFRESH = ("speed_refreshes", "speed_changed", "speed_details", "speed_sales", "speed_wanted", "speed_names")


def _believable(column: str) -> str:
    return f"ifNull({column} >= '1970-01-01' AND {column} < '2100-01-01', true)"


# The batch layer's rules for bad rows (dbt_project/macros/quality.sql): such a version does not count.
GOOD_TIMES = (
    "(created_at IS NOT NULL AND updated_at IS NOT NULL "
    f"AND {' AND '.join(map(_believable, ('created_at', 'updated_at', 'deleted_at')))})"
)
RULES = {
    "margin": str(MARGIN),
    "no_day": tables.NO_DAY,
    "beginning": "toDateTime64('1900-01-01', 6, 'UTC')",
    "good_times": GOOD_TIMES,
    "good_detail": f"({GOOD_TIMES} AND NOT {tables.UNFIT} AND quantity BETWEEN 0 AND 1000000000 AND price >= 0 "
    "AND toDecimal128(price, 2) * assumeNotNull(quantity) <= 9999999999999999.99)",
    "good_product": f"({GOOD_TIMES} AND NOT {tables.UNFIT} AND id != -1 AND ifNull(price >= 0, true) "
    "AND ifNull(original_price >= 0, true))",
    "good_promotion": f"({GOOD_TIMES} AND NOT {tables.UNFIT} AND id NOT IN (-1, 0) "
    f"AND {_believable('promo_begin')} AND {_believable('promo_end')})",
    # What was deleted as it was made never was.
    "known": f"(NOT is_deleted AND {GOOD_TIMES} AND id != -1 AND ifNull(deleted_at > created_at, true))",
    "named": f"(NOT is_deleted AND {GOOD_TIMES})",
    # As DuckDB's concat_ws: without what is missing.
    "full_name": "arrayStringConcat(arrayMap(x -> assumeNotNull(x), arrayFilter(x -> x IS NOT NULL, "
    "[first_name, last_name])), ' ')",
}


def refresh(client: Client, publication: int | None = None, manifest: str = "publications") -> int:
    """Make the speed part of a publication (default: the current one) from all that was flushed; its number.

    Before the first publication there is nothing to add to: 0. `manifest` lists the publication's slices.

    Raises:
        ClickHouseError: as the client raises it; nothing counts then.
    """
    if publication is None:
        publication = _current(client)
        if not publication:
            return 0
    # Greater than any before, also where the clock was set back.
    number = _number(client, "SELECT greatest(generateSnowflakeID(), (SELECT max(refresh) + 1 FROM speed_refreshes))")
    flush = _number(client, tables.SHOWN)
    words = RULES | _relations(client, publication, manifest)
    words |= {"refresh": str(number), "publication": str(publication), "flush": str(flush)}
    for step in ("speed_changed", "speed_details", "speed_sales", "speed_wanted", "speed_names"):
        _insert(client, step, words)
    if not _number(client, f"SELECT count() FROM speed_refreshes WHERE publication = {publication}"):
        client.command(f"ALTER TABLE speed_product_sales DROP PARTITION {publication}")
        _insert(client, "speed_products", words)
    client.command(
        f"INSERT INTO speed_refreshes (refresh, publication, flush) VALUES ({number}, {publication}, {flush})"
    )
    _remove_old(client, publication)
    return number


def catch_up(client: Client) -> None:
    """Refresh the current publication where flushes came since; the stream calls it after each of them.

    Raises:
        ClickHouseError: as the client raises it.
    """
    publication = _current(client)
    made = f"SELECT argMax(flush, refresh) = ({tables.SHOWN}) FROM speed_refreshes WHERE publication = {publication}"
    if publication and not _number(client, made):
        refresh(client)


def _current(client: Client) -> int:
    """The publication that readers see; 0 before the first, and for one from before there was a speed layer."""
    if not _number(client, "EXISTS TABLE publications") or not _number(client, "EXISTS VIEW batch_coverage"):
        return 0
    return _number(client, "SELECT max(publication) FROM publications")


def _relations(client: Client, publication: int, manifest: str) -> dict[str, str]:
    """SQL for the rows that each table has in a publication, whether readers see it by now or not."""
    entries = f"{quote(manifest)} WHERE publication = {publication}"
    query = f"SELECT name, any(store), any(version) FROM {entries} GROUP BY name"
    stores = {row[0]: row[1:] for row in client.query(query).result_rows}
    relations = {}
    for served in (*SERVED, *SUPPORT):
        store, version = stores.get(served.name, (served.view, None))
        rows = f"version = {version}"
        if version is None:
            rows = "false"  # a table without rows has no entry
        elif key := served.slice_by:
            chosen = f"SELECT slice, version FROM {entries} AND name = {literal(served.name)}"
            rows = f"({quote(key)}, version) IN ({chosen})"
        relations[served.name] = f"(SELECT * FROM {quote(store)} WHERE {rows})"
    return relations


def _remove_old(client: Client, publication: int) -> None:
    """Drop the refreshes that no reader can have found, and those that never came to count."""
    shown = f"(publication >= {publication} OR publication IN (SELECT publication FROM publications))"
    # Those that are read now, and those that were a moment ago.
    known = (
        f"SELECT max(refresh) FROM speed_refreshes WHERE {shown} GROUP BY publication UNION ALL "
        f"SELECT max(refresh) FROM speed_refreshes WHERE {shown} AND refreshed_at < now64(6) - {KEPT} "
        "GROUP BY publication"
    )
    # One that does not count may still be under way.
    counts = "toUInt64(partition) IN (SELECT refresh FROM speed_refreshes)"
    old = (
        "SELECT table, partition FROM system.parts WHERE active AND database = currentDatabase() "
        f"AND table IN ({', '.join(map(literal, OF_A_REFRESH))}) AND toUInt64(partition) NOT IN ({known}) "
        f"AND toUInt64(partition) < dateTime64ToSnowflakeID(now64(3) - if({counts}, {KEPT}, {ABANDONED})) GROUP BY ALL"
    )
    gone = (
        "SELECT table, partition FROM system.parts WHERE active AND database = currentDatabase() "
        "AND table = 'speed_product_sales' AND toUInt64(partition) < {publication} "
        "AND toUInt64(partition) NOT IN (SELECT publication FROM publications) GROUP BY ALL"
    )
    for query in (old, gone.format(publication=publication)):
        for table, partition in client.query(query).result_rows:
            client.command(f"ALTER TABLE {quote(table)} DROP PARTITION {partition}")


def _insert(client: Client, step: str, words: dict[str, str]) -> None:
    client.command(
        files("rainbow_assets.speed.views").joinpath("sql", f"{step}.sql").read_text(encoding="utf-8").format_map(words)
    )


def _number(client: Client, query: str) -> int:
    [(value,)] = client.query(query).result_rows
    return int(value)
