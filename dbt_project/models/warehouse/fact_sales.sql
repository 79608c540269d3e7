{{ config(
    unique_key=['order_transaction', 'product_id'],
    scope_key='order_transaction',
    incremental_predicates=['date_key in (select date_key from memory.main.fact_sales_days)'],
) }}

{% set staging = {
    'orders': ref('stg_orders'), 'details': ref('stg_order_details'), 'customers': ref('stg_customers'),
    'payments': ref('stg_payments'), 'promotions': ref('stg_promotions'), 'products': ref('stg_products'),
    'categories': ref('stg_categories'), 'brands': ref('stg_brands'), 'sellers': ref('stg_sellers'),
} %}
{% do set_fact_scope(staging) %}
with orders as (
    select
        order_id,
        customer_id,
        payment_id,
        created_at,
        deleted_at
    from {{ staging.orders }}
    {% if is_incremental() %}
    where order_id in (select order_transaction from {{ scope_table() }})
    {% endif %}
    qualify row_number() over (partition by order_id order by updated_at desc) = 1
),

details as (
    select
        order_id,
        product_id,
        promotion_id,
        quantity,
        price,
        deleted_at
    from {{ staging.details }}
    {% if is_incremental() %}
    where order_id in (select order_transaction from {{ scope_table() }})
    {% endif %}
    qualify row_number() over (partition by order_id, product_id order by updated_at desc) = 1
),

lines as (
    select
        orders.order_id,
        orders.created_at,
        orders.customer_id,
        orders.payment_id,
        details.product_id,
        coalesce(details.promotion_id, 0) as promotion_id,
        details.quantity,
        details.price
    from orders
    inner join details on orders.order_id = details.order_id
    where orders.deleted_at is null and details.deleted_at is null
),

customers as (
    select customer_id, customer_key, {{ begins('customer_id') }} as begins from {{ ref('dim_customers') }}
),

payments as (
    select payment_id, payment_key, {{ begins('payment_id') }} as begins from {{ ref('dim_payments') }}
),

promotions as (
    select promotion_id, promotion_key, coupon_type, price_treatment, {{ begins('promotion_id') }} as begins
    from {{ ref('dim_promotions') }}
),

products as (
    select product_id, product_key, {{ begins('product_id') }} as begins from {{ ref('dim_products') }}
),

product_sellers as (
    select product_id, seller_id, {{ begins('product_id') }} as begins from {{ ref('stg_product_sellers') }}
),

sellers as (
    select seller_id, seller_key, {{ begins('seller_id') }} as begins from {{ ref('dim_sellers') }}
),

keyed as (
    select
        lines.*,
        products.product_key,
        sellers.seller_key,
        promotions.promotion_key,
        customers.customer_key,
        payments.payment_key,
        {{ discount('lines.price', 'promotions.coupon_type', 'promotions.price_treatment') }} as discount
    from lines
    asof left join customers
        on lines.customer_id = customers.customer_id and lines.created_at >= customers.begins
    asof left join payments
        on lines.payment_id = payments.payment_id and lines.created_at >= payments.begins
    asof left join promotions
        on lines.promotion_id = promotions.promotion_id and lines.created_at >= promotions.begins
    asof left join products
        on lines.product_id = products.product_id and lines.created_at >= products.begins
    asof left join product_sellers
        on lines.product_id = product_sellers.product_id and lines.created_at >= product_sellers.begins
    asof left join sellers
        on product_sellers.seller_id = sellers.seller_id and lines.created_at >= sellers.begins
),

final as (
    select
        {{ date_key('created_at') }} as date_key,
        coalesce(product_key, -1) as product_key,
        coalesce(seller_key, -1) as seller_key,
        coalesce(promotion_key, -1) as promotion_key,
        coalesce(customer_key, -1) as customer_key,
        coalesce(payment_key, -1) as payment_key,
        order_id as order_transaction,
        product_id,
        quantity as sales_quantity,
        price as regular_unit_price,
        discount as discount_unit_price,
        cast(price - discount as decimal(18, 2)) as net_unit_price,
        cast(quantity * price as decimal(18, 2)) as extended_sales_amount,
        cast(quantity * discount as decimal(18, 2)) as extended_discount_amount
    from keyed
    order by date_key, order_transaction, product_id
)

select * from final
