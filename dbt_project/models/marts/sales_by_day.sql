with days as (
    select
        date_key,
        count(distinct order_transaction) as order_count,
        {{ sales_measures() }},
        sum(extended_discount_amount) as discount_amount
    from {{ ref('fact_sales') }}
    group by date_key
)

select
    {{ date_of('date_key') }} as order_date,
    order_count,
    sales_quantity,
    sales_amount,
    discount_amount,
    profit
from days
