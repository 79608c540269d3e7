with days as (
    select
        date_key,
        count(distinct order_transaction) as order_count,
        {{ sales_measures() }}
    from {{ ref('fact_sales') }}
    group by date_key
)

select
    dates.day_of_week,
    dates.day_name,
    cast(sum(days.order_count) as bigint) as order_count,
    cast(sum(days.sales_quantity) as bigint) as sales_quantity,
    sum(days.sales_amount) as sales_amount,
    sum(days.profit) as profit
from days
inner join {{ ref('dim_dates') }} as dates on days.date_key = dates.date_key
group by dates.day_of_week, dates.day_name
