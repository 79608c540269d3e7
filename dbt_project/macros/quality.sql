{#
  What is wrong with a raw row: SQL text that gives a reason, or NULL for a good row.

  Staging keeps the rows without a reason, ops.quarantine shows the others. Money that raw cannot hold exactly is NULL
  there; `rescued_data`, JSON, has the source's own text of it.

  Of a version that ends its key (the reconciliation made it, with one time for all three) nobody reads the values: were
  they a fault, the key would live on in an older version.
#}
{% macro fault(table) %}
    {% set keys = ['id', 'product_id'] if table == 'orderdetails' else ['id'] %}
    {% set entities = ['customers', 'products', 'sellers', 'promotions', 'payments'] %}
    {% set timestamps = ['created_at', 'updated_at', 'deleted_at']
        + (['promo_begin', 'promo_end'] if table == 'promotions' else []) %}
    {% set money = staged_tables()[table].get('money', []) %}
    {% set counted = {
        'orderdetails': ['quantity', 'price'], 'products': ['price', 'original_price'], 'inventories': ['quantity']
    }.get(table, []) %}
    case
        {%- for column in keys + ['created_at', 'updated_at'] %}
        when {{ column }} is null then '{{ column }} is missing'
        {%- endfor %}
        {%- if table in entities %}
        when id = -1 then 'id -1 is reserved for the unknown member'
        {%- endif %}
        {%- if table == 'promotions' %}
        when id = 0 then 'id 0 is reserved for no promotion'
        {%- endif %}
        when deleted_at = updated_at and updated_at = extracted_at then null
        {%- for column in timestamps %}
        when {{ column }} < timestamp '1970-01-01' or {{ column }} >= timestamp '2100-01-01'
            then '{{ column }} lies outside 1970 to 2099'
        {%- endfor %}
        {%- for column in money %}
        when rescued_data ->> '{{ column }}' in ('NaN', 'Infinity', '-Infinity') then '{{ column }} is not a number'
        when rescued_data ->> '{{ column }}' is not null then '{{ column }} does not fit 18 digits with 2 decimals'
        {%- endfor %}
        {%- for column in counted %}
        when {{ column }} < 0 then '{{ column }} is negative'
        {%- endfor %}
        {%- if 'quantity' in counted %}
        when quantity > 1000000000 then 'quantity exceeds 9 digits'
        {%- endif %}
        {%- if table == 'orderdetails' %}
        when quantity is null or price is null then 'quantity or price is missing'
        when quantity * price::decimal(18, 2) > 9999999999999999.99 then 'the amount exceeds 18 digits'
        {%- endif %}
    end
{% endmacro %}

{#
  The source tables: {name: {staging: its model, key: {column there: column in raw}, columns: its own columns, money:
  those that must be exact}}.
#}
{% macro staged_tables() %}
    {{ return({
        'categories': {'staging': 'stg_categories', 'key': {'category_id': 'id'}, 'columns': ['id', 'name', 'description']},
        'brands': {'staging': 'stg_brands', 'key': {'brand_id': 'id'}, 'columns': ['id', 'name']},
        'sellers': {
            'staging': 'stg_sellers', 'key': {'seller_id': 'id'}, 'columns': ['id', 'name', 'link', 'is_best_store']
        },
        'promotions': {
            'staging': 'stg_promotions', 'key': {'promotion_id': 'id'}, 'columns': [
                'id', 'name', 'type', 'price_treatment', 'coupon_type', 'is_global', 'promo_begin', 'promo_end'
            ], 'money': ['price_treatment']
        },
        'payments': {'staging': 'stg_payments', 'key': {'payment_id': 'id'}, 'columns': ['id', 'name', 'type']},
        'customers': {
            'staging': 'stg_customers', 'key': {'customer_id': 'id'},
            'columns': ['id', 'first_name', 'last_name', 'email']
        },
        'products': {
            'staging': 'stg_products', 'key': {'product_id': 'id'}, 'columns': [
                'id', 'name', 'price', 'original_price', 'rating_average', 'review_count', 'sold_count', 'category_id',
                'seller_id', 'brand_id', 'promotion_id'
            ], 'money': ['price', 'original_price']
        },
        'inventories': {'staging': 'stg_inventories', 'key': {'product_id': 'id'}, 'columns': ['id', 'quantity']},
        'orders': {
            'staging': 'stg_orders', 'key': {'order_id': 'id'}, 'columns': ['id', 'customer_id', 'payment_id']
        },
        'orderdetails': {
            'staging': 'stg_order_details', 'key': {'order_id': 'id', 'product_id': 'product_id'},
            'columns': ['id', 'product_id', 'quantity', 'price', 'promotion_id'], 'money': ['price']
        },
    }) }}
{% endmacro %}

{# A select of the window's raw rows with a fault, and of the source's rows without a day, as ops.quarantine shows them. #}
{% macro faulty_rows() -%}
    {%- for table, found in staged_tables().items() %}
    {{ 'union all' if not loop.first }}
    select
        md5(concat_ws('|', '{{ table }}', row_content)) as quarantine_id,
        '{{ table }}' as table_name,
        *
    from (
        select
            nullif(concat_ws(',', {{ found.key.values() | join(', ') }}), '') as row_key,
            updated_at,
            extracted_at,
            {{ fault(table) }} as reason,
            cast(json_merge_patch(
                to_json(struct_pack(
                    {%- for column in found.columns + ['created_at', 'updated_at', 'deleted_at'] %}
                    {{ column }} := {{ column }} {{- ',' if not loop.last }}
                    {%- endfor %}
                )),
                coalesce(rescued_data, '{}')
            ) as varchar) as row_content
        from {{ raw_rows(table) }} and ({{ fault(table) }}) is not null
    )
    {%- endfor %}
    union all
    -- In no day, and so not in raw: never extracted.
    select
        md5(concat_ws('|', table_name, row_content)) as quarantine_id,
        table_name,
        row_key,
        updated_at,
        cast(null as timestamp) as extracted_at,
        case
            when updated_at is null then 'updated_at is missing'
            else 'updated_at lies outside 1970 to 2099'
        end as reason,
        row_content
    from lake.ops.unplaced_rows
    where snapshot_id <= {{ build_window().to }}
{%- endmacro %}

{#
  A select of when the open rows of `quarantined` were mended: a good version of the same key that is not older and was read
  from the source later. A row without a key is never found again.
#}
{% macro mended_rows(quarantined) -%}
    {%- for table, found in staged_tables().items() %}
    {{ 'union all' if not loop.first }}
    select
        quarantine_id,
        min(versions.extracted_at) as mended_at
    from {{ quarantined }} as quarantined
    inner join {{ ref(found.staging) }} as versions
        on
            {%- for name, column in found.key.items() %}
            versions.{{ name }} = cast(quarantined.row_content ->> '{{ column }}' as bigint) and
            {%- endfor %}
            versions.updated_at >= quarantined.updated_at
            and versions.extracted_at > quarantined.extracted_at
    where quarantined.table_name = '{{ table }}' and quarantined.resolved_at is null
    group by quarantine_id
    {%- endfor %}
{%- endmacro %}
