{#
  Every good raw row of the window is a version here, once. `key`: {its column here: its column in raw}.
  What is left out has a fault, and stands in ops.quarantine.
#}
{% test holds_each_raw_version(model, table, key) %}
{{ config(meta={"description": "Every good row of raw is a version here, once; every other is in ops.quarantine."}) }}
{% set version = (key.keys() | list + ['updated_at']) | join(', ') %}
with expected as (
    select distinct
        {%- for name, column in key.items() %}
        cast({{ column }} as bigint) as {{ name }},
        {%- endfor %}
        updated_at
    from {{ raw_rows(table) }} and ({{ fault(table) }}) is null
),

held as (
    select {{ version }}, count(*) as versions
    from {{ model }}
    where ({{ version }}) in (select ({{ version }}) from expected)
    group by {{ version }}
)

select expected.*, coalesce(held.versions, 0) as versions
from expected
left join held using ({{ version }})
where held.versions is distinct from 1
{% endtest %}
