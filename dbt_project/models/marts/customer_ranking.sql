with orders as (
    select
        customer_key,
        order_transaction,
        {{ sales_measures() }}
    from {{ ref('fact_sales') }}
    group by customer_key, order_transaction
),

customers as (
    select
        dim.customer_id,
        count(*) as order_count,
        cast(sum(orders.sales_quantity) as bigint) as sales_quantity,
        sum(orders.sales_amount) as sales_amount
    from orders
    inner join {{ ref('dim_customers') }} as dim on orders.customer_key = dim.customer_key
    group by dim.customer_id
),

newest as ({{ newest_versions(ref('dim_customers'), 'customer_id') }})

select
    customers.customer_id,
    concat_ws(' ', newest.first_name, newest.last_name) as customer_name,
    customers.order_count,
    customers.sales_quantity,
    customers.sales_amount,
    rank() over (order by customers.sales_amount desc) as customer_rank
from customers
inner join newest on customers.customer_id = newest.customer_id
