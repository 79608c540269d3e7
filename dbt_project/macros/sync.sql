{#
  The incremental strategy `sync`: the model's rows are the whole truth about a scope of keys. Rows of the table in
  that scope which the model no longer gives, or gives differently, are deleted, and missing ones inserted. So a build
  that changes nothing writes nothing, and a repeated one does no harm.

  The scope is `scope_table()` where the model's config names a `scope_key` (rows may vanish), otherwise the rows' own
  `unique_key`.
#}

{% macro get_incremental_sync_sql(args) %}
    {% set target, source = args.target_relation, args.temp_relation %}
    {% set key = [args.unique_key] if args.unique_key is string else args.unique_key %}
    {% set columns = args.dest_columns | map(attribute='name') | list %}
    {% set scope_key = config.get('scope_key') %}
    {% set in_scope %}
        {%- if scope_key -%}
            {{ scope_key }} in (select {{ scope_key }} from {{ scope_table() }})
        {%- else -%}
            ({{ key | join(', ') }}) in (select ({{ key | join(', ') }}) from {{ source }})
        {%- endif -%}
        {%- for predicate in args.incremental_predicates or [] %} and {{ predicate }}{% endfor -%}
    {% endset %}
    create or replace temporary table {{ source.identifier }}_stale as
    select {{ key | join(', ') }} from {{ target }} as held
    where {{ in_scope }} and not exists (
        select 1 from {{ source }} as given
        where
        {%- for column in key %} given.{{ column }} = held.{{ column }} and {% endfor %}
        {%- for column in columns if column not in key %}
            given.{{ column }} is not distinct from held.{{ column }} {{ 'and' if not loop.last }}
        {%- endfor %}
    );
    delete from {{ target }}
    where {{ in_scope }} and ({{ key | join(', ') }}) in (
        select ({{ key | join(', ') }}) from {{ source.identifier }}_stale
    );
    insert into {{ target }} ({{ columns | join(', ') }})
    select {{ columns | join(', ') }} from {{ source }}
    where ({{ key | join(', ') }}) not in (
        select ({{ key | join(', ') }}) from {{ target }} where {{ in_scope }}
    );
{% endmacro %}

{# The in-memory table that holds the keys of a model's scope, one column. #}
{% macro scope_table(name=model.name) %}memory.main.{{ name }}_scope{% endmacro %}

{# An empty scope for what reads it, where this dbt did not build that model. #}
{% macro set_scope_if_none(name, key) %}
    {% if execute and flags.WHICH in ('build', 'run') %}
        {% do run_query("create table if not exists " ~ scope_table(name) ~ " (" ~ key ~ " bigint)") %}
    {% endif %}
{% endmacro %}

{# Fill the scope with the keys that `query` gives; nothing outside of an incremental build. #}
{% macro set_scope(query) %}
    {% if execute and flags.WHICH in ('build', 'run') and is_incremental() %}
        {% do run_query("create or replace table " ~ scope_table() ~ " as " ~ query) %}
    {% endif %}
{% endmacro %}
