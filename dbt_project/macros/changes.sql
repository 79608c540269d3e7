{#
  What the window changed in the versions of an entity: one row for each key, with `changed_from`, the time before which
  its timeline is the same as it was at the last build, whatever that build saw.

  That time is the oldest changed version's `updated_at`, as long as an older, unchanged first version with an interval
  of its own stands before it. Otherwise the start of the timeline itself may have moved, and all times are affected.
#}
{% macro changed_timelines(relation, id) %}
    {% set window = build_window() %}
    select
        {{ id }} as id,
        case
            when min(updated_at) < min(updated_at) filter (raw_snapshot > {{ window['from'] }})
                and arg_min(created_at <= updated_at and coalesce(deleted_at > created_at, true), updated_at)
                then min(updated_at) filter (raw_snapshot > {{ window['from'] }})
            else timestamp '-infinity'
        end as changed_from
    from {{ relation }}
    where {{ id }} in (select {{ id }} from {{ relation }} where raw_snapshot > {{ window['from'] }})
    group by {{ id }}
{% endmacro %}
