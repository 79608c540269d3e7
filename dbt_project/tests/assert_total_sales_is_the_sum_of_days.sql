{{ config(meta={"dagster": {"ref": {"name": "total_sales"}}}) }}
-- One row, and in it the sums and the newest date of sales_by_day.
with total as (
    select
        count(*) as row_count,
        max(total_sales_quantity) as quantity,
        max(total_sales_amount) as amount,
        max(total_profit) as profit,
        max(current_run_date) as newest
    from {{ ref('total_sales') }}
),

days as (
    select
        coalesce(sum(sales_quantity), 0) as quantity,
        coalesce(sum(sales_amount), 0) as amount,
        coalesce(sum(profit), 0) as profit,
        max(order_date) as newest
    from {{ ref('sales_by_day') }}
)

select total.*
from total
cross join days
where
    total.row_count <> 1
    or total.quantity <> days.quantity
    or total.amount <> days.amount
    or total.profit <> days.profit
    or total.newest is distinct from days.newest
