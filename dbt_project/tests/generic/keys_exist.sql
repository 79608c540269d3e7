{# Every key of the facts is one of its dimension. #}
{% test keys_exist(model) %}
select order_transaction, product_id
from {{ model }}
where
    date_key not in (select date_key from {{ ref('dim_dates') }})
    {%- for entity in ['product', 'seller', 'promotion', 'customer', 'payment'] %}
    or {{ entity }}_key not in (select {{ entity }}_key from {{ ref('dim_' ~ entity ~ 's') }})
    {%- endfor %}
{% endtest %}
