{{ config(meta={
    "dagster": {"ref": {"name": "fact_sales"}},
    "description": "The facts hold the quantity and the money of raw: no sale is lost, none counts twice.",
}) }}
-- The facts hold the quantity and the money of raw: quantity times price of the latest details that are not
-- deleted, in orders whose latest row is not deleted, faulty rows left out.
with orders as (
    select
        id,
        deleted_at
    from {{ source('raw', 'orders') }}
    where ({{ fault('orders') }}) is null and snapshot_id <= {{ build_window().to }}
    qualify row_number() over (
        partition by id
        order by
            updated_at desc, extracted_at desc,
            customer_id asc, payment_id asc, created_at asc, deleted_at asc
    ) = 1
),

details as (
    select
        id,
        product_id,
        quantity,
        price,
        deleted_at
    from {{ source('raw', 'orderdetails') }}
    where ({{ fault('orderdetails') }}) is null and snapshot_id <= {{ build_window().to }}
    qualify row_number() over (
        partition by id, product_id
        order by
            updated_at desc, extracted_at desc,
            quantity asc, price asc, promotion_id asc, created_at asc, deleted_at asc
    ) = 1
),

expected as (
    select
        count(*) as details,
        sum(details.quantity) as quantity,
        sum(details.quantity * details.price) as amount
    from details
    inner join orders on details.id = orders.id
    where details.deleted_at is null and orders.deleted_at is null
),

found as (
    select
        count(*) as details,
        sum(sales_quantity) as quantity,
        sum(extended_sales_amount) as amount
    from {{ ref('fact_sales') }}
)

select
    expected.details as expected_details,
    found.details as found_details,
    expected.quantity as expected_quantity,
    found.quantity as found_quantity,
    expected.amount as expected_amount,
    found.amount as found_amount
from expected
cross join found
where
    expected.details <> found.details
    or expected.quantity is distinct from found.quantity
    or expected.amount is distinct from found.amount
