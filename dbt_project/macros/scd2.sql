{#
  Slowly changing dimensions of type 2: from row versions to intervals [valid_from, valid_to).
#}

{% macro open_end() %}timestamp '2100-01-01'{% endmacro %}

{# A select of the row versions in `relation` with the time in which each is valid; empty intervals are left out. #}
{% macro version_intervals(relation, id) %}
    select * from (
        select
            *,
            case when lag(updated_at) over versions is null then created_at else updated_at end as valid_from,
            least(coalesce(lead(updated_at) over versions, {{ open_end() }}), coalesce(deleted_at, {{ open_end() }}))
                as valid_to
        from {{ relation }}
        window versions as (partition by {{ id }} order by updated_at)
    )
    where valid_from < valid_to
{% endmacro %}

{# A select of the intervals in `relation` where those that touch and are equal in `tracked` have become one. #}
{% macro merge_intervals(relation, id, tracked) %}
    select
        {{ id }},
        {{ tracked | join(', ') }},
        min(valid_from) as valid_from,
        max(valid_to) as valid_to
    from (
        select
            *,
            sum(begins) over (partition by {{ id }} order by valid_from rows unbounded preceding) as stretch
        from (
            select
                *,
                (
                    lag(valid_to) over intervals is distinct from valid_from
                    {%- for column in tracked %}
                    or lag({{ column }}) over intervals is distinct from {{ column }}
                    {%- endfor %}
                )::integer as begins
            from {{ relation }}
            window intervals as (partition by {{ id }} order by valid_from)
        )
    )
    group by {{ id }}, stretch, {{ tracked | join(', ') }}
{% endmacro %}

{# The surrogate key of a version: 63 bits of the MD5 of the natural key and the start, the same in every build. #}
{% macro version_key(id) -%}
    cast(md5_number_lower(concat({{ id }}, '|', epoch_us(valid_from))) >> 1 as bigint)
{%- endmacro %}

{#
  The rows of a dimension from merged intervals: key, id, attributes, validity. A table that is built anew also gets its
  members for what is missing: `members` is {(key and id): {attribute: name}}.
#}
{% macro dimension_rows(relation, entity, tracked, members) %}
    select
        {{ version_key(entity ~ '_id') }} as {{ entity }}_key,
        {{ entity }}_id,
        {{ tracked | join(',\n        ') }},
        valid_from,
        valid_to,
        valid_to = {{ open_end() }} as is_current
    from {{ relation }}
    {%- for number, names in members.items() if not is_incremental() %}
    union all
    select
        {{ number }} as {{ entity }}_key,
        {{ number }} as {{ entity }}_id,
        {%- for column in tracked %}
        {{ "'" ~ names[column] ~ "'" if column in names else 'null' }} as {{ column }},
        {%- endfor %}
        timestamp '1900-01-01' as valid_from,
        {{ open_end() }} as valid_to,
        true as is_current
    {%- endfor %}
{% endmacro %}

{# From when on a version counts, where the first one of `id` also counts for all the time before it. #}
{% macro begins(id, start='valid_from') -%}
    case
        when lag({{ start }}) over (partition by {{ id }} order by {{ start }}) is null then timestamp '-infinity'
        else {{ start }}
    end
{%- endmacro %}

{# yyyymmdd of a time, as an integer. #}
{% macro date_key(time) -%}
    cast(year({{ time }}) * 10000 + month({{ time }}) * 100 + day({{ time }}) as integer)
{%- endmacro %}
