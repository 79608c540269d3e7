select
    cast(coalesce(sum(sales_quantity), 0) as bigint) as total_sales_quantity,
    cast(coalesce(sum(extended_sales_amount), 0) as decimal(38, 2)) as total_sales_amount,
    cast(
        coalesce(sum(extended_sales_amount), 0) - coalesce(sum(extended_discount_amount), 0) as decimal(38, 2)
    ) as total_profit,
    {{ date_of('max(date_key)') }} as current_run_date
from {{ ref('fact_sales') }}
