with orders as (
    select
        payment_key,
        order_transaction,
        sum(extended_sales_amount) as sales_amount
    from {{ ref('fact_sales') }}
    group by payment_key, order_transaction
),

payments as (
    select
        dim.payment_id,
        count(*) as order_count,
        sum(orders.sales_amount) as sales_amount
    from orders
    inner join {{ ref('dim_payments') }} as dim on orders.payment_key = dim.payment_key
    group by dim.payment_id
),

newest as ({{ newest_versions(ref('dim_payments'), 'payment_id') }})

select
    payments.payment_id,
    newest.name as payment_name,
    newest.type as payment_type,
    payments.order_count,
    {{ share('payments.order_count', 'sum(payments.order_count) over ()') }} as order_share,
    payments.sales_amount
from payments
inner join newest on payments.payment_id = newest.payment_id
