with versions as (
    select
        seller_key,
        {{ sales_measures() }}
    from {{ ref('fact_sales') }}
    group by seller_key
),

sellers as (
    select
        dim.seller_id,
        cast(sum(versions.sales_quantity) as bigint) as sales_quantity,
        sum(versions.sales_amount) as sales_amount,
        sum(versions.profit) as profit
    from versions
    inner join {{ ref('dim_sellers') }} as dim on versions.seller_key = dim.seller_key
    group by dim.seller_id
),

newest as ({{ newest_versions(ref('dim_sellers'), 'seller_id') }})

select
    sellers.seller_id,
    newest.name as seller_name,
    sellers.sales_quantity,
    sellers.sales_amount,
    sellers.profit,
    rank() over (order by sellers.sales_amount desc) as seller_rank
from sellers
inner join newest on sellers.seller_id = newest.seller_id
