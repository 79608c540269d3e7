{{ config(unique_key='quarantine_id') }}

{% set tables = {
    'categories': ['id', 'name', 'description'],
    'brands': ['id', 'name'],
    'sellers': ['id', 'name', 'link', 'is_best_store'],
    'promotions': [
        'id', 'name', 'type', 'price_treatment', 'coupon_type', 'is_global', 'promo_begin', 'promo_end'
    ],
    'payments': ['id', 'name', 'type'],
    'customers': ['id', 'first_name', 'last_name', 'email'],
    'products': [
        'id', 'name', 'price', 'original_price', 'rating_average', 'review_count', 'sold_count', 'category_id',
        'seller_id', 'brand_id', 'promotion_id'
    ],
    'inventories': ['id', 'quantity'],
    'orders': ['id', 'customer_id', 'payment_id'],
    'orderdetails': ['id', 'product_id', 'quantity', 'price', 'promotion_id'],
} %}
with faults as (
    {{ faulty_rows(tables) }}
),

candidates as (
    select
        md5(concat_ws('|', table_name, row_content)) as quarantine_id,
        *
    from faults
    {%- if is_incremental() %}
    union all by name
    select * from {{ this }}
    {%- endif %}
),

final as (
    select *
    from candidates
    qualify row_number() over (partition by quarantine_id order by extracted_at desc) = 1
)

select * from final
