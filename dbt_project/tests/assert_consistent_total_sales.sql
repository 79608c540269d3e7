{{ config(meta={
    "dagster": {"ref": {"name": "fact_sales"}},
    "description": "The facts hold the quantity and the money of raw: no sale is lost, none counts twice.",
}) }}
-- The facts of each order hold the quantity and the money of raw: quantity times price of the latest details
-- that are not deleted, where the order's latest row is not deleted, faulty rows left out.
-- A build looks at the orders that it touched: their new rows in raw, and what staging had of them before. A
-- model that is built anew, tables that something else wrote, and `dbt test` ask for all orders, and then raw
-- alone says what is due.
{% set window, staged = build_window(), [ref('stg_orders'), ref('stg_order_details')] %}
{% set narrow = window['from'] >= 0 %}
{% do set_scope_if_none('fact_sales', 'order_transaction') %}
{% set in_scope = "order_id in (select order_id from scope) and raw_snapshot <= " ~ window['from'] %}
with
{% if narrow %}
    scope as (
        select id as order_id from {{ raw_rows('orders') }}
        union
        select id from {{ raw_rows('orderdetails') }}
        union
        select order_transaction from {{ scope_table('fact_sales') }}
    ),
{% endif %}

orders as (
    select
        order_id,
        deleted_at
    from (
        select
            id as order_id,
            customer_id,
            payment_id,
            created_at,
            updated_at,
            deleted_at,
            extracted_at
        from {{ raw_rows('orders') }} and ({{ fault('orders') }}) is null
        {% if narrow %}
        union all by name
        select * exclude (raw_snapshot, first_raw_snapshot) from {{ staged[0] }} where {{ in_scope }}
        {% endif %}
    )
    qualify row_number() over (
        partition by order_id
        order by
            updated_at desc, extracted_at desc,
            customer_id asc, payment_id asc, created_at asc, deleted_at asc
    ) = 1
),

details as (
    select
        order_id,
        product_id,
        quantity,
        price,
        deleted_at
    from (
        select
            id as order_id,
            product_id,
            quantity,
            price,
            promotion_id,
            created_at,
            updated_at,
            deleted_at,
            extracted_at
        from {{ raw_rows('orderdetails') }} and ({{ fault('orderdetails') }}) is null
        {% if narrow %}
        union all by name
        select * exclude (raw_snapshot, first_raw_snapshot) from {{ staged[1] }} where {{ in_scope }}
        {% endif %}
    )
    qualify row_number() over (
        partition by order_id, product_id
        order by
            updated_at desc, extracted_at desc,
            quantity asc, price asc, promotion_id asc, created_at asc, deleted_at asc
    ) = 1
),

expected as (
    select
        orders.order_id,
        count(*) as details,
        sum(details.quantity) as quantity,
        sum(details.quantity * details.price) as amount
    from details
    inner join orders on details.order_id = orders.order_id
    where details.deleted_at is null and orders.deleted_at is null
    group by orders.order_id
),

found as (
    select
        order_transaction as order_id,
        count(*) as details,
        sum(sales_quantity) as quantity,
        sum(extended_sales_amount) as amount
    from {{ ref('fact_sales') }}
    {% if narrow %}
    where order_transaction in (select order_id from scope)
    {% endif %}
    group by order_transaction
)

select
    coalesce(expected.order_id, found.order_id) as order_id,
    expected.details as expected_details,
    found.details as found_details,
    expected.quantity as expected_quantity,
    found.quantity as found_quantity,
    expected.amount as expected_amount,
    found.amount as found_amount
from expected
full join found on expected.order_id = found.order_id
where
    expected.details is distinct from found.details
    or expected.quantity is distinct from found.quantity
    or expected.amount is distinct from found.amount
