{# What the batch views share: the measures of a group of facts, dates, shares, and an entity's newest version. #}

{% macro sales_measures() %}
        cast(sum(sales_quantity) as bigint) as sales_quantity,
        sum(extended_sales_amount) as sales_amount,
        sum(extended_sales_amount) - sum(extended_discount_amount) as profit
{%- endmacro %}

{# The date of a yyyymmdd integer. #}
{% macro date_of(key) -%}
    make_date({{ key }} // 10000, {{ key }} // 100 % 100, {{ key }} % 100)
{%- endmacro %}

{# part / whole as DECIMAL(9,6), rounded half up in integers. #}
{% macro share(part, whole) -%}
    cast(
        cast((2000000 * cast({{ part }} as hugeint) + {{ whole }}) // (2 * {{ whole }}) as decimal(9, 0)) * 0.000001
        as decimal(9, 6)
    )
{%- endmacro %}

{# A select of one row for each entity of a dimension, its newest version, current or not. #}
{% macro newest_versions(dimension, id) -%}
    select * from {{ dimension }} qualify row_number() over (partition by {{ id }} order by valid_from desc) = 1
{%- endmacro %}
