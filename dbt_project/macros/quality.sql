{#
  What is wrong with a raw row: SQL text that gives a reason, or NULL for a good row.

  Staging keeps the rows without a reason, ops.quarantine shows the others.
#}
{% macro fault(table) %}
    {% set keys = ['id', 'product_id'] if table == 'orderdetails' else ['id'] %}
    {% set entities = ['customers', 'products', 'sellers', 'promotions', 'payments'] %}
    {% set timestamps = ['created_at', 'updated_at', 'deleted_at']
        + (['promo_begin', 'promo_end'] if table == 'promotions' else []) %}
    {% set counted = {
        'orderdetails': ['quantity', 'price'], 'products': ['price', 'original_price'], 'inventories': ['quantity']
    }.get(table, []) %}
    case
        {%- for column in keys + ['created_at', 'updated_at'] %}
        when {{ column }} is null then '{{ column }} is missing'
        {%- endfor %}
        {%- for column in timestamps %}
        when {{ column }} < timestamp '1970-01-01' or {{ column }} >= timestamp '2100-01-01'
            then '{{ column }} lies outside 1970 to 2099'
        {%- endfor %}
        {%- for column in counted %}
        when {{ column }} < 0 then '{{ column }} is negative'
        {%- endfor %}
        {%- if 'quantity' in counted %}
        when quantity > 1000000000 then 'quantity exceeds 9 digits'
        {%- endif %}
        {%- if table in entities %}
        when id = -1 then 'id -1 is reserved for the unknown member'
        {%- endif %}
        {%- if table == 'promotions' %}
        when id = 0 then 'id 0 is reserved for no promotion'
        {%- endif %}
        {%- if table == 'orderdetails' %}
        when quantity is null or price is null then 'quantity or price is missing'
        when quantity * price::decimal(18, 2) > 9999999999999999.99 then 'the amount exceeds 18 digits'
        {%- endif %}
    end
{% endmacro %}

{# A select of the window's raw rows with a fault, as ops.quarantine shows them; `tables`: {name: its columns}. #}
{% macro faulty_rows(tables) -%}
    {%- for table, columns in tables.items() %}
    {{ 'union all' if not loop.first }}
    select
        '{{ table }}' as table_name,
        {{ "concat_ws(',', id, product_id)" if table == 'orderdetails' else 'cast(id as varchar)' }} as row_key,
        updated_at,
        extracted_at,
        {{ fault(table) }} as reason,
        cast(to_json(struct_pack(
            {%- for column in columns + ['created_at', 'updated_at', 'deleted_at'] %}
            {{ column }} := {{ column }} {{- ',' if not loop.last }}
            {%- endfor %}
        )) as varchar) as row_content
    from {{ raw_rows(table) }} and ({{ fault(table) }}) is not null
    {%- endfor %}
{%- endmacro %}
