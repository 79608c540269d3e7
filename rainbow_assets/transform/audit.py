"""What must hold in warehouse, marts and ops before anything is published, once dbt has built them.

Here: keys, intervals, references and totals of whole tables; a failure keeps every publication back until a build has
been audited well. Not here: the tests within a build (`dbt_project/tests/`), which need its rules and its window, and
what is only doubtful (`quality.py`).
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import duckdb

from rainbow_assets.errors import DataError
from rainbow_assets.systems.ducklake import LAKE, columns, quote
from rainbow_assets.transform import builds, open_checks
from rainbow_assets.transform.quality import SAMPLE, Finding

# The key of each table, by its name; and whose versions it has, if it has versions.
KEYS = {
    "warehouse.dim_dates": ("date_key",),
    "warehouse.dim_customers": ("customer_key",),
    "warehouse.dim_products": ("product_key",),
    "warehouse.dim_sellers": ("seller_key",),
    "warehouse.dim_promotions": ("promotion_key",),
    "warehouse.dim_payments": ("payment_key",),
    "warehouse.fact_sales": ("order_transaction", "product_id"),
    "staging.stg_product_sellers": ("product_id", "valid_from"),
    "marts.customer_ranking": ("customer_id",),
    "marts.payment_methods": ("payment_id",),
    "marts.sales_by_day": ("order_date",),
    "marts.sales_by_day_of_week": ("day_of_week",),
    "marts.top_products_by_category": ("product_id",),
    "marts.top_sellers": ("seller_id",),
    "ops.quarantine": ("quarantine_id",),
    "ops.batch_coverage": ("day",),
}
VERSIONS = {
    "warehouse.dim_customers": "customer_id",
    "warehouse.dim_products": "product_id",
    "warehouse.dim_sellers": "seller_id",
    "warehouse.dim_promotions": "promotion_id",
    "warehouse.dim_payments": "payment_id",
    "staging.stg_product_sellers": "product_id",
}
FACTS = "warehouse.fact_sales"
REFERENCES = {
    "date_key": "dim_dates",
    **{f"{name}_key": f"dim_{name}s" for name in ("product", "seller", "promotion", "customer", "payment")},
}
TOTAL = "marts.total_sales"
AUDITED = f"{LAKE}.ops.audited_builds"


def keys_are_valid(connection: duckdb.DuckDBPyConnection, table: str) -> Finding:
    """The keys of a table of which a part is NULL, or which occur twice."""
    key = [quote(name) for name in KEYS[table]]
    wrong = " OR ".join(["count(*) > 1", *(f"{name} IS NULL" for name in key)])
    return _wrong(
        connection, f"SELECT {', '.join(key)}, count(*) AS row_count FROM {path(table)} GROUP BY ALL HAVING {wrong}"
    )


def intervals_are_apart(connection: duckdb.DuckDBPyConnection, table: str) -> Finding:
    """The versions of an entity that have no length, or overlap with the next."""
    entity = quote(VERSIONS[table])
    return _wrong(
        connection,
        f"SELECT {entity}, valid_from, valid_to FROM {path(table)} QUALIFY valid_from >= valid_to "
        f"OR lead(valid_from) OVER (PARTITION BY {entity} ORDER BY valid_from) < valid_to",
    )


def keys_exist(connection: duckdb.DuckDBPyConnection) -> Finding:
    """The facts that point to a version which its dimension does not have."""
    lacking = " OR ".join(
        f"{quote(key)} NOT IN (SELECT {quote(key)} FROM {path(f'warehouse.{dimension}')})"
        for key, dimension in REFERENCES.items()
    )
    return _wrong(connection, f"SELECT order_transaction, product_id FROM {path(FACTS)} WHERE {lacking}")


def total_is_the_sum_of_days(connection: duckdb.DuckDBPyConnection) -> Finding:
    """The total, where it is not one row with the sums and the newest date of sales_by_day."""
    return _wrong(
        connection,
        f"""
        SELECT total.* FROM (
            SELECT count(*) AS row_count, max(total_sales_quantity) AS quantity, max(total_sales_amount) AS amount,
                max(total_profit) AS profit, max(current_run_date) AS newest
            FROM {path(TOTAL)}
        ) AS total
        CROSS JOIN (
            SELECT coalesce(sum(sales_quantity), 0) AS quantity, coalesce(sum(sales_amount), 0) AS amount,
                coalesce(sum(profit), 0) AS profit, max(order_date) AS newest
            FROM {path("marts.sales_by_day")}
        ) AS days
        WHERE total.row_count <> 1 OR total.quantity <> days.quantity OR total.amount <> days.amount
            OR total.profit <> days.profit OR total.newest IS DISTINCT FROM days.newest""",
    )


def everything(connection: duckdb.DuckDBPyConnection) -> dict[str, Finding]:
    """All of it, by what was looked at."""
    return {
        **{f"{table}: keys_are_valid": keys_are_valid(connection, table) for table in KEYS},
        **{f"{table}: intervals_are_apart": intervals_are_apart(connection, table) for table in VERSIONS},
        f"{FACTS}: keys_exist": keys_exist(connection),
        f"{TOTAL}: total_is_the_sum_of_days": total_is_the_sum_of_days(connection),
    }


def pass_on(connection: duckdb.DuckDBPyConnection) -> None:
    """Note that the last build was looked at, all of it, and is good by the rules of today."""
    connection.execute(f"CREATE TABLE IF NOT EXISTS {AUDITED} (build_id VARCHAR, rules VARCHAR)")
    if "rules" not in columns(connection, "ops", "audited_builds"):
        connection.execute(f"ALTER TABLE {AUDITED} ADD COLUMN rules VARCHAR")
    connection.execute(f"DELETE FROM {AUDITED}")
    connection.execute(f"INSERT INTO {AUDITED} SELECT build_id, ? FROM {LAKE}.ops.last_build", [rules()])


def is_passed(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the last build is known to be good by the rules of today."""
    if "rules" not in columns(connection, "ops", "audited_builds"):
        return False
    query = f"SELECT 1 FROM {LAKE}.ops.last_build JOIN {AUDITED} USING (build_id) WHERE {AUDITED}.rules = ?"
    return bool(connection.execute(query, [rules()]).fetchall())


def rules() -> str:
    """The identity of the rules: this module's own text."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def hold_back(connection: duckdb.DuckDBPyConnection, run_id: str, wrong: Mapping[tuple[str, str], Finding]) -> None:
    """Keep what was built from being published, by any run, until a whole build has made everything anew.

    `wrong`: what was found, by asset and check.
    """
    for (asset, check), finding in wrong.items():
        connection.execute(open_checks.opening(asset, {check: f"{finding.rows} rows"}, None, run_id))
    builds.refuse(connection, run_id)


def require(connection: duckdb.DuckDBPyConnection) -> None:
    """See that the last build is good: by the note, or by looking, where another run's build has not been audited.

    Raises:
        DataError: it is not.
    """
    if is_passed(connection):
        return
    if wrong := [name for name, finding in everything(connection).items() if not finding.passed]:
        raise DataError(f"The build is faulty: {', '.join(wrong)}; nothing was published.", "Run the job again.")


def path(table: str) -> str:
    """`schema.table` as a name in SQL."""
    schema, name = table.split(".")
    return f"{LAKE}.{quote(schema)}.{quote(name)}"


def _wrong(connection: duckdb.DuckDBPyConnection, query: str) -> Finding:
    """What a query finds that it should not: how many rows, and some of them."""
    found = connection.execute(f"SELECT count(*), min(t::VARCHAR, {SAMPLE}) FROM ({query}) AS t").fetchall()
    [(rows, sample)] = found
    return Finding(rows, {"rows": rows} if rows else {}, sample or [])
