"""What the sales page asks ClickHouse.

Here: the filters, and the statements with and without them. Not here: running them (`reading.py`). Without filters the
small views `v_<name>` answer, and `v_<name>_speed` says what the live part adds; with filters `v_sales` is summed, and
what the live part adds is found line by line.
Values reach ClickHouse as parameters only.
"""

from dataclasses import dataclass, field
from datetime import date

TOP = 10  # sellers
CUSTOMERS = 15
WATERMARK = "SELECT * FROM v_watermark"


@dataclass(frozen=True)
class Query:
    """A statement and the values of its parameters; `table` is what it needs beside the views, if anything."""

    text: str
    parameters: dict[str, object] = field(default_factory=dict)
    table: str = ""


@dataclass(frozen=True)
class Filters:
    """What the reader chose: days (inclusive), categories by name, sellers by id; nothing chosen is everything."""

    first: date | None = None
    last: date | None = None
    categories: tuple[str, ...] = ()
    sellers: tuple[int, ...] = ()

    def narrowed(self, categories: set[str], sellers: set[int]) -> "Filters":
        """The same where all that there are are chosen: then none is left out."""
        return Filters(
            self.first,
            self.last,
            () if categories <= set(self.categories) else self.categories,
            () if sellers <= set(self.sellers) else self.sellers,
        )

    def __bool__(self) -> bool:
        """Whether anything is chosen."""
        return self != Filters()

    def condition(self) -> Query:
        """The WHERE clause over `v_sales`, and its parameters."""
        chosen: dict[str, tuple[str, object]] = {
            "first": ("order_date >= {first:Date32}", self.first),
            "last": ("order_date <= {last:Date32}", self.last),
            "categories": ("category IN {categories:Array(String)}", list(self.categories)),
            "sellers": ("seller_id IN {sellers:Array(Int64)}", list(self.sellers)),
        }
        used = {name: part for name, part in chosen.items() if part[1]}
        parameters = {name: value for name, (_, value) in used.items()}
        return Query(" AND ".join(text for text, _ in used.values()) or "true", parameters)


def sales(filters: Filters) -> dict[str, Query]:
    """The statements of the page, by the name of what they fill."""
    named = CHOICES | {"watermark": Query(WATERMARK), "checks": CHECKS}
    if not filters:
        return named | {name: Query(text) for name, text in WHOLE.items()}
    condition = filters.condition()
    return named | {
        name: Query(text.replace("/*chosen*/", condition.text), condition.parameters) for name, text in CHOSEN.items()
    }


CHOICES = {
    "bounds": Query("SELECT min(order_date) AS first, max(order_date) AS last FROM v_sales_by_day"),
    "categories": Query("SELECT DISTINCT category FROM v_top_products_by_category ORDER BY category"),
    # Streamlit knows a choice by its label: sellers of one name are told apart by their ids.
    "sellers": Query(
        """
        SELECT seller_id, if(count() OVER (PARTITION BY name) > 1, concat(name, ' (', toString(seller_id), ')'), name)
            AS label
        FROM (SELECT seller_id, coalesce(seller_name, 'Unknown') AS name FROM v_top_sellers)
        ORDER BY label, seller_id"""
    ),
}

# The newest evaluation of each check of what the views are made of.
CHECKS = Query(
    """
    SELECT c.asset AS asset, argMax(coalesce(c.passed, false), c.evaluated_at) AS passed
    FROM ops_check_results AS c WHERE match(coalesce(c.asset, ''), '^(warehouse|marts|serving)/')
    GROUP BY c.asset, c.check_name""",
    table="ops_check_results",
)

LIVE_TOTAL = "(SELECT coalesce(sum({0}), 0) FROM v_total_sales_speed) AS live_{1}"
WHOLE = {
    "total_sales": f"""
        SELECT total_sales_amount AS sales_amount, total_profit AS profit, total_sales_quantity AS sales_quantity,
            (SELECT coalesce(sum(order_count), 0) FROM v_sales_by_day) AS order_count,
            {LIVE_TOTAL.format("total_sales_amount", "sales_amount")}, {LIVE_TOTAL.format("total_profit", "profit")},
            {LIVE_TOTAL.format("total_sales_quantity", "sales_quantity")},
            (SELECT coalesce(sum(order_count), 0) FROM v_sales_by_day_speed) AS live_order_count
        FROM v_total_sales""",
    "sales_by_day": """
        SELECT v.order_date AS order_date, v.order_count AS order_count, v.sales_quantity AS sales_quantity,
            v.sales_amount AS sales_amount, v.profit AS profit, coalesce(l.sales_amount, 0) AS live_amount
        FROM v_sales_by_day AS v LEFT JOIN v_sales_by_day_speed AS l ON l.order_date = v.order_date
        ORDER BY order_date""",
    "sales_by_day_of_week": """
        SELECT v.day_of_week AS day_of_week, v.day_name AS day_name, v.order_count AS order_count,
            v.sales_quantity AS sales_quantity, v.sales_amount AS sales_amount, v.profit AS profit,
            coalesce(l.sales_amount, 0) AS live_amount
        FROM v_sales_by_day_of_week AS v LEFT JOIN v_sales_by_day_of_week_speed AS l ON l.day_of_week = v.day_of_week
        ORDER BY day_of_week""",
    "top_sellers": f"""
        SELECT v.seller_rank AS seller_rank, v.seller_id AS seller_id, v.seller_name AS seller_name,
            v.sales_quantity AS sales_quantity, v.sales_amount AS sales_amount, v.profit AS profit,
            coalesce(l.sales_amount, 0) AS live_amount
        FROM (SELECT * FROM v_top_sellers ORDER BY seller_rank, seller_id LIMIT {TOP}) AS v
        LEFT JOIN v_top_sellers_speed AS l ON l.seller_id = v.seller_id ORDER BY seller_rank, seller_id""",
    "top_products_by_category": """
        SELECT v.category AS category, v.profit_rank AS profit_rank, v.product_id AS product_id,
            v.product_name AS product_name, v.sales_quantity AS sales_quantity, v.sales_amount AS sales_amount,
            v.profit AS profit, coalesce(l.profit, 0) AS live_profit
        FROM v_top_products_by_category AS v
        LEFT JOIN v_top_products_by_category_speed AS l ON l.product_id = v.product_id
        ORDER BY category, profit_rank""",
    "payment_methods": """
        SELECT v.payment_id AS payment_id, v.payment_name AS payment_name, v.order_count AS order_count,
            v.order_share AS order_share, v.sales_amount AS sales_amount, coalesce(l.sales_amount, 0) AS live_amount
        FROM v_payment_methods AS v LEFT JOIN v_payment_methods_speed AS l ON l.payment_id = v.payment_id
        ORDER BY sales_amount DESC, payment_id""",
    "customer_ranking": f"""
        SELECT v.customer_rank AS customer_rank, v.customer_id AS customer_id, v.customer_name AS customer_name,
            v.order_count AS order_count, v.sales_quantity AS sales_quantity, v.sales_amount AS sales_amount,
            coalesce(l.sales_amount, 0) AS live_amount
        FROM (SELECT * FROM v_customer_ranking ORDER BY customer_rank, customer_id LIMIT {CUSTOMERS}) AS v
        LEFT JOIN v_customer_ranking_speed AS l ON l.customer_id = v.customer_id
        ORDER BY customer_rank, customer_id""",
}

# What must be there before anything can be shown.
NEEDED = frozenset({"v_watermark", "v_sales", *(f"v_{name}{part}" for name in WHOLE for part in ("", "_speed"))})

# Every sale once (`shown`), and what the changes took away from the batch part: so `live` means what it means in the
# views `v_<name>_speed`, what the changes add.
LINES = """(
    SELECT 1 AS shown, toInt8(is_live) AS live, order_date, order_transaction, product_id, category, product_name,
        seller_id, seller_name, customer_id, payment_id, payment_name, sales_quantity, sales_amount, profit
    FROM v_sales
    UNION ALL
    SELECT 0, -1, l.order_date, l.order_transaction, l.product_id, p.category, p.product_name, l.seller_id, NULL,
        l.customer_id, l.payment_id, NULL, l.sales_quantity, l.sales_amount, l.sales_amount - l.discount_amount
    FROM speed_lines AS l LEFT JOIN speed_all_products AS p ON p.product_id = l.product_id WHERE l.sign = -1
)"""
FROM = f"FROM {LINES} AS s WHERE /*chosen*/"
GROUPED = "HAVING max(s.shown) = 1"  # what has no sale any more is no row, as in the views
ORDERS = "uniqExactIf(s.order_transaction, s.shown = 1) AS order_count"
LIVE_ORDERS = (
    "toInt64(uniqExactIf(s.order_transaction, s.live = 1)) - toInt64(uniqExactIf(s.order_transaction, s.live = -1))"
)
SUMS = ", ".join(f"sum(s.shown * s.{name}) AS {name}" for name in ("sales_quantity", "sales_amount", "profit"))
LIVE = "sum(s.live * s.sales_amount) AS live_amount"
CHOSEN = {
    "total_sales": f"""
        SELECT {SUMS}, {ORDERS}, sum(s.live * s.sales_amount) AS live_sales_amount,
            sum(s.live * s.profit) AS live_profit, sum(s.live * s.sales_quantity) AS live_sales_quantity,
            {LIVE_ORDERS} AS live_order_count {FROM}""",
    "sales_by_day": f"""
        SELECT s.order_date AS order_date, {ORDERS}, {SUMS}, {LIVE} {FROM} GROUP BY 1 {GROUPED} ORDER BY 1""",
    "sales_by_day_of_week": f"""
        SELECT toDayOfWeek(s.order_date) AS day_of_week, dateName('weekday', s.order_date) AS day_name,
            {ORDERS}, {SUMS}, {LIVE} {FROM} GROUP BY 1, 2 {GROUPED} ORDER BY 1""",
    "top_sellers": f"""
        SELECT rank() OVER (ORDER BY sales_amount DESC) AS seller_rank, *
        FROM (SELECT s.seller_id AS seller_id, any(s.seller_name) AS seller_name, {SUMS}, {LIVE} {FROM} GROUP BY 1
            {GROUPED})
        ORDER BY seller_rank, seller_id LIMIT {TOP}""",
    "top_products_by_category": f"""
        SELECT *, row_number() OVER (PARTITION BY category ORDER BY profit DESC, product_id) AS profit_rank
        FROM (SELECT s.category AS category, s.product_id AS product_id, any(s.product_name) AS product_name, {SUMS},
            sum(s.live * s.profit) AS live_profit {FROM} GROUP BY 1, 2 {GROUPED})
        QUALIFY profit_rank <= 5 ORDER BY category, profit_rank""",
    "payment_methods": f"""
        SELECT *, order_count / sum(order_count) OVER () AS order_share
        FROM (SELECT s.payment_id AS payment_id, any(s.payment_name) AS payment_name, {ORDERS},
            sum(s.shown * s.sales_amount) AS sales_amount, {LIVE} {FROM} GROUP BY 1 {GROUPED})
        ORDER BY sales_amount DESC, payment_id""",
    "customer_ranking": f"""
        SELECT c.customer_rank AS customer_rank, c.customer_id AS customer_id, n.customer_name AS customer_name,
            c.order_count AS order_count, c.sales_quantity AS sales_quantity, c.sales_amount AS sales_amount,
            c.live_amount AS live_amount
        FROM (
            SELECT rank() OVER (ORDER BY sales_amount DESC) AS customer_rank, *
            FROM (SELECT s.customer_id AS customer_id, {ORDERS}, {SUMS}, {LIVE} {FROM} GROUP BY 1 {GROUPED})
            ORDER BY customer_rank, customer_id LIMIT {CUSTOMERS}
        ) AS c
        LEFT JOIN (SELECT customer_id, customer_name FROM v_customer_ranking) AS n ON n.customer_id = c.customer_id
        ORDER BY customer_rank, customer_id""",
}
