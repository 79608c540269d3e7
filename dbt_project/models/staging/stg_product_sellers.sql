{{ config(unique_key=['product_id', 'valid_from'], scope_key='product_id') }}

{% do set_scope(
    "select distinct product_id from " ~ ref('stg_products') ~ " where raw_snapshot > " ~ build_window()['from']
) %}
with versions as (
    select * from {{ ref('stg_products') }}
    {% if is_incremental() %}
    where product_id in (select product_id from {{ scope_table() }})
    {% endif %}
),

intervals as ({{ version_intervals('versions', 'product_id') }}),

final as ({{ merge_intervals('intervals', 'product_id', ['seller_id']) }})

select * from final
