with products as (
    select
        product_id,
        {{ sales_measures() }}
    from {{ ref('fact_sales') }}
    group by product_id
),

newest as ({{ newest_versions(ref('dim_products'), 'product_id') }}),

described as (
    select
        case when newest.product_id is null then 'Unknown' else newest.category end as category,
        products.product_id,
        case when newest.product_id is null then 'Unknown' else newest.name end as product_name,
        products.sales_quantity,
        products.sales_amount,
        products.profit
    from products
    left join newest on products.product_id = newest.product_id
)

select
    *,
    row_number() over (partition by category order by profit desc, product_id asc) as profit_rank
from described
qualify profit_rank <= 5
