"""Publishing ÷ bare INSERT … SELECT FROM s3() of the same rows into fresh tables.

Ours: `serving.publish.publish` in full, of the seven batch views and the star, into a ClickHouse database with
nothing in it: stores, manifest, views, the comparison of each slice with the lake, and the switch. Bare: one INSERT …
SELECT FROM s3() a table, of the same files with the same types, into MergeTree tables that are made before the clock
starts. Both in this process, with the same open connections; the databases are made anew before each. Rows and money
must agree.
"""

from benchmarks.bare import serving_statements
from benchmarks.harness import Result, agree, alternate, timed
from benchmarks.lakes import rainbow_run
from benchmarks.sources import LAST, shop
from benchmarks.stack import Stack
from rainbow_assets.serving.publish import publish
from rainbow_assets.serving.tables import SERVED
from rainbow_assets.speed.companion import LiveViews
from rainbow_assets.systems import clickhouse, ducklake

TARGET = 1.2
TOTALS = "SELECT count(), sum(extended_sales_amount), sum(extended_discount_amount) FROM {}.fact_sales"


def measure(stack: Stack, rounds: int, quick: bool) -> Result:
    """1 M facts and 400,000 orders' customers and products."""
    orders = 2_000 if quick else 400_000
    url = stack.source()
    shop(url, 1, orders)
    with stack.lake(url, LAST, LAST) as settings:
        rainbow_run(settings, LAST, LAST)
        with ducklake.connect(settings) as lake, clickhouse.connect(settings) as client:
            create, fill = serving_statements(lake, settings)
            rows: dict[str, int] = {}

            def database(name: str) -> None:
                client.command(f"DROP DATABASE IF EXISTS {name} SYNC")
                client.command(f"CREATE DATABASE {name} ENGINE = Atomic")
                client.database = name

            def ours() -> float:
                database("rainbow")

                def work() -> None:
                    done = publish(settings, "benchmark", client, lake, companion=LiveViews(), full=True)
                    rows.update({table.name: table.rows for table in done.tables})

                return timed(work)

            def bare() -> float:
                database("bare")
                for statement in create:
                    client.command(statement)
                return timed(lambda: [client.command(statement) for statement in fill])

            taken = alternate(rounds, ours, bare)
            queried = {name: client.query(TOTALS.format(name)).result_rows for name in ("rainbow", "bare")}
            agree("publishing", queried["rainbow"], queried["bare"])
            counted = {t.name: client.query(f"SELECT count() FROM bare.{t.view}").result_rows[0][0] for t in SERVED}
            agree("publishing", rows, counted)
            client.database = "rainbow"
    what = "publishing ÷ INSERT … SELECT FROM s3() of the same rows"
    return Result("publishing", what, TARGET, taken[0], taken[1], facts={"rows": rows})
