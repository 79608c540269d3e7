{#
  Which orders an incremental build of fact_sales computes again, and on which days their facts may stand.

  Touched are the orders with a new version of their own or of a detail, and those for which the timeline of a
  customer, payment, promotion, product or seller changed at their time. No fact is read to find them, so it does not
  matter what earlier, incomplete builds did to the facts.
#}
{% macro set_fact_scope(staging) %}
    {% if execute and flags.WHICH in ('build', 'run') and is_incremental() %}
        {% set window = build_window() %}
        {% do run_query("create or replace table memory.main.fact_sales_changed as " ~ changed_entities(staging)) %}
        {% set queries = [
            "select order_id from " ~ staging.orders ~ " where raw_snapshot > " ~ window['from'],
            "select order_id from " ~ staging.details ~ " where raw_snapshot > " ~ window['from'],
        ] %}
        {% for row in run_query(
            "select entity, id_column, is_of_order, min(changed_from) filter (isfinite(changed_from))::varchar, "
            ~ "bool_or(not isfinite(changed_from)) from memory.main.fact_sales_changed group by all"
        ).rows %}
            {% do queries.append(orders_affected(staging, row[0], row[1], row[2], row[3])) if row[3] %}
            {% do queries.append(orders_affected(staging, row[0], row[1], row[2], none)) if row[4] %}
        {% endfor %}
        {% do set_scope("select order_id as order_transaction from (" ~ queries | join(' union ') ~ ")") %}
        {% do run_query(touched_days(staging.orders)) %}
    {% endif %}
{% endmacro %}

{#
  The entities whose timeline the window changed, as facts meet them: by the order's customer and payment, by the
  detail's promotion and product. A category, brand or seller reaches the facts through its products.
#}
{% macro changed_entities(staging) %}
    {% set products = staging.products %}
    with product_changes as (
        {{ changed_timelines(products, 'product_id') }}
        {%- for relation, id in [
            (staging.categories, 'category_id'), (staging.brands, 'brand_id'), (staging.sellers, 'seller_id')
        ] %}
        union all
        select products.product_id, changes.changed_from
        from {{ products }} as products
        inner join ({{ changed_timelines(relation, id) }}) as changes on products.{{ id }} = changes.id
        {%- endfor %}
    )
    select 'product' as entity, 'product_id' as id_column, false as is_of_order, id, min(changed_from) as changed_from
    from product_changes group by id
    union all
    select 'promotion', 'promotion_id', false, * from ({{ changed_timelines(staging.promotions, 'promotion_id') }})
    union all
    select 'customer', 'customer_id', true, * from ({{ changed_timelines(staging.customers, 'customer_id') }})
    union all
    select 'payment', 'payment_id', true, * from ({{ changed_timelines(staging.payments, 'payment_id') }})
{% endmacro %}

{#
  A select of the orders, unchanged themselves, that meet a changed entity: those created from `since` on, the oldest
  change whose time is known, as a literal for file pruning; with none, those that meet an entity changed at all times.
#}
{% macro orders_affected(staging, entity, id_column, is_of_order, since) %}
    {% set before = "raw_snapshot <= " ~ build_window()['from'] %}
    {% set changed = "(select * from memory.main.fact_sales_changed where entity = '" ~ entity ~ "' and "
        ~ ("" if since else "not ") ~ "isfinite(changed_from))" %}
    {% set owner = staging.orders if is_of_order else staging.details %}
    {% if since %}
        select orders.order_id
        from (select * from {{ staging.orders }} where {{ before }} and created_at >= timestamp '{{ since }}') as orders
        {%- if not is_of_order %}
        inner join (select * from {{ owner }} where {{ before }}) as details on orders.order_id = details.order_id
        {%- endif %}
        inner join {{ changed }} as changed
            on {{ 'orders' if is_of_order else 'details' }}.{{ id_column }} = changed.id
            and orders.created_at >= changed.changed_from
    {% else %}
        select order_id from {{ owner }} where {{ before }} and {{ id_column }} in (select id from {{ changed }})
    {% endif %}
{% endmacro %}

{#
  The days on which facts of the scope may stand: those of all versions of its orders. A version that replaced an
  earlier extracted one may have had another day, so the facts of its order are looked up.
#}
{% macro touched_days(orders) %}
    create or replace table memory.main.fact_sales_days as
    with versions as (
        select * from {{ orders }}
        where order_id in (select order_transaction from {{ scope_table() }})
    )
    select distinct {{ date_key('created_at') }} as date_key from versions
    union
    select date_key from {{ this }}
    where order_transaction in (select order_id from versions where first_raw_snapshot < raw_snapshot)
{% endmacro %}
