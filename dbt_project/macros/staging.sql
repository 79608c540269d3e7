{#
  Staging: the versions of a source table, one row for each key and `updated_at`.

  Of several good raw rows for one version the one extracted last counts; a tie is decided by the content.
  Rows are written in the order of the key: files and row groups that hold other keys are then skipped.
  Columns are named one by one: raw also has columns of the source that nobody here knows, under whatever names.
#}

{# `columns`: {name in staging: (name in the source, type)}, the key's columns first. #}
{% macro stage(table, key, columns) %}
{% set version = (key + ['updated_at']) | join(', ') %}
{% set audit = ['created_at', 'updated_at', 'deleted_at'] %}
with renamed as (
    select
        {%- for name, (column, type) in columns.items() %}
        cast({{ column }} as {{ type }}) as {{ name }},
        {%- endfor %}
        {{ audit | join(', ') }},
        extracted_at,
        snapshot_id as raw_snapshot,
        snapshot_id as first_raw_snapshot
    from {{ raw_rows(table) }} and ({{ fault(table) }}) is null
),

candidates as (
    select * from renamed
    {%- if is_incremental() %}
    union all by name
    select * from {{ this }} where ({{ version }}) in (select ({{ version }}) from renamed)
    {%- endif %}
),

final as (
    select * replace (min(first_raw_snapshot) over (partition by {{ version }}) as first_raw_snapshot)
    from candidates
    qualify row_number() over (
        partition by {{ version }}
        order by extracted_at desc, {{ (columns.keys() | list + audit) | join(', ') }}, raw_snapshot
    ) = 1
    order by {{ version }}
)

select * from final
{% endmacro %}
