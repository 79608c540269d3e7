"""The live views: batch part and speed part together.

Here: which views there are, and how they pass from one definition to the next. Not here: their SQL (`sql/views/`), the
batch part (`serving/views.py`) and the speed part (`refresh.py`).

`v_<name>_speed` is what the changes add to `v_<name>_batch`, in the same grain; it may be negative. `v_<name>` has the
columns of the batch view over both. A mart without that file has no live twin. `v_sales` has every sale once,
`v_watermark` says how new each part is.
"""

from importlib.resources import files

from clickhouse_connect.driver.client import Client

from rainbow_assets.serving.tables import MARTS
from rainbow_assets.serving.views import mark_of
from rainbow_assets.systems.clickhouse import literal, quote

SQL = files("rainbow_assets.speed.views").joinpath("sql", "views")
LIVE = tuple(name for name in MARTS if SQL.joinpath(f"v_{name}_speed.sql").is_file())

# A view stands after those that it reads.
VIEWS = (
    "speed_lines",
    "speed_newest_names",
    *(f"v_{name}_speed" for name in LIVE),
    "v_sales_by_day",
    "speed_all_products",
    *(f"v_{name}" for name in LIVE if name != "sales_by_day"),
    "v_sales",
    "v_watermark",
)


def define(client: Client) -> None:
    """Create the views that are missing, and replace those that were defined otherwise."""
    query = "SELECT name, comment FROM system.tables WHERE database = currentDatabase() AND engine = 'View'"
    known = {row[0]: row[1] for row in client.query(query).result_rows}
    for view in VIEWS:
        definition = SQL.joinpath(f"{view}.sql").read_text(encoding="utf-8")
        mark = mark_of(definition)
        if known.get(view) != mark:
            client.command(f"CREATE OR REPLACE VIEW {quote(view)} AS {definition} COMMENT {literal(mark)}")
