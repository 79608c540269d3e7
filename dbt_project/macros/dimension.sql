{#
  A whole SCD2 dimension of one staging table: the intervals of its row versions, merged, with surrogate keys and the
  members for what is missing. An incremental build derives again the keys whose versions changed in the window.
#}
{% macro dimension(entity, staging, tracked, members) %}
{% set id = entity ~ '_id' %}
{% do set_scope("select distinct " ~ id ~ " from " ~ staging ~ " where raw_snapshot > " ~ build_window()['from']) %}
with versions as (
    select * from {{ staging }}
    {% if is_incremental() -%} where {{ id }} in (select {{ id }} from {{ scope_table() }}) {%- endif %}
),

intervals as ({{ version_intervals('versions', id) }}),

merged as ({{ merge_intervals('intervals', id, tracked) }}),

final as ({{ dimension_rows('merged', entity, tracked, members) }})

select * from final
{% endmacro %}
