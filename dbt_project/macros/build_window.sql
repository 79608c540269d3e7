{#
  The build window: the raw snapshots (from, to] that a build turns into tables.

  `from` is where the last whole build ended, `to` is the lake's snapshot when this build starts. A build that fails,
  crashes or covers some models only leaves `from` where it is, so the next build takes the same changes again: every
  model gives the same rows when it sees a change twice. Until then the tables may be of different times, and
  `unfinished_builds` has a row: nothing is published. A test that fails keeps the build open, and stands in `open_checks`
  until a whole build has passed.

  Where the rules for bad rows (quality.sql) are others than at the last whole build, the window is everything and the
  tables are built anew: a row that a rule no longer refuses is taken, one that a new rule refuses goes.
#}

{% macro open_build() %}
    {% if execute and flags.WHICH in ('build', 'run') %}
        {% do run_query("create schema if not exists lake.ops") %}
        {% do run_query(
            "create table if not exists lake.ops.last_build "
            ~ "(build_id varchar, from_snapshot bigint, to_snapshot bigint, completed_at timestamp, run_id varchar, "
            ~ "rules varchar)"
        ) %}
        {% do run_query(
            "create table if not exists lake.ops.unfinished_builds (build_id varchar, begun_at timestamp)"
        ) %}
        {% do run_query(
            "create table if not exists lake.ops.coverage "
            ~ "(table_name varchar, first_day date, last_day date, is_first boolean, verified_at timestamp)"
        ) %}
        {% do run_query(
            "create table if not exists lake.ops.open_checks (asset varchar, check_name varchar, day date, "
            ~ "reason varchar, run_id varchar, opened_at timestamp)"
        ) %}
        {% do run_query(
            "create table if not exists lake.ops.unplaced_rows "
            ~ "(table_name varchar, row_key varchar, updated_at timestamp, row_content varchar)"
        ) %}
        {% do complete_raw() %}
        {% do run_query(
            "begin; insert into lake.ops.unfinished_builds values ('" ~ invocation_id ~ "', now()::timestamp); "
            ~ name_the_run('open the build') ~ "; commit"
        ) %}
        {% if 'run_id' not in run_query("describe lake.ops.last_build").columns[0].values() %}
            {% do run_query("alter table lake.ops.last_build add column run_id varchar") %}
        {% endif %}
        {% do run_query("alter table lake.ops.last_build add column if not exists rules varchar") %}
        {% set begin = "-1" if flags.FULL_REFRESH
            else "coalesce((select max(to_snapshot) from lake.ops.last_build where rules = '" ~ rules() ~ "'), -1)" %}
        {% do run_query(
            "create or replace table memory.main.build_window as "
            ~ "select from_snapshot, to_snapshot, exists ("
            ~ "select 1 from ducklake_snapshots('lake') where snapshot_id = from_snapshot) as is_listed, exists ("
            ~ "select 1 from lake.ops.last_build where rules is distinct from '" ~ rules() ~ "') as is_anew "
            ~ "from (select " ~ begin ~ " as from_snapshot, id as to_snapshot from ducklake_current_snapshot('lake'))"
        ) %}
    {% endif %}
{% endmacro %}

{# Give raw tables from before `rescued_data` that column; the next registration gives it to Iceberg. #}
{% macro complete_raw() %}
    {% for row in run_query(
        "select table_name from duckdb_tables() where database_name = 'lake' and schema_name = 'raw' except "
        ~ "select table_name from duckdb_columns() where database_name = 'lake' and schema_name = 'raw' "
        ~ "and column_name = 'rescued_data'"
    ).rows %}
        {% do run_query("alter table lake.raw." ~ adapter.quote(row[0]) ~ " add column rescued_data varchar") %}
    {% endfor %}
{% endmacro %}

{% macro close_build(results) %}
    {% if execute and flags.WHICH in ('build', 'run') %}
        {% set built = results | selectattr('status', 'in', ['success', 'pass'])
            | map(attribute='node.unique_id') | list %}
        {% set models = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
            | map(attribute='unique_id') | list %}
        {% set failed = results | selectattr('node.resource_type', 'equalto', 'test')
            | selectattr('status', 'in', ['fail', 'error']) | list %}
        {% if failed %}
            begin;
            {% for result in failed %}
            insert into lake.ops.open_checks by name
            select
                '{{ tested(result.node) }}' as asset,
                '{{ (result.node.test_metadata or result.node).name }}' as check_name,
                '{{ result.failures ~ " rows" if result.status == "fail" else "it could not run" }}' as reason,
                '{{ run_id() }}' as run_id, now()::timestamp as opened_at;
            {% endfor %}
            {{ name_the_run('refuse the build') }};
            commit;
        {% elif models | reject('in', built) | list | length == 0 %}
            begin;
            delete from lake.ops.open_checks where day is null and not starts_with(asset, 'serving/');
            delete from lake.ops.unfinished_builds;
            delete from lake.ops.last_build;
            insert into lake.ops.last_build by name
            select
                '{{ invocation_id }}' as build_id, from_snapshot, to_snapshot, now()::timestamp as completed_at,
                '{{ run_id() }}' as run_id, '{{ rules() }}' as rules
            from memory.main.build_window;
            {{ name_the_run('close the build') }};
            commit;
        {% endif %}
    {% endif %}
{% endmacro %}

{# The asset that a test looks at. #}
{% macro tested(test) %}
    {% set model = graph.nodes[test.depends_on.nodes | select('in', graph.nodes) | list | last] %}
    {{ return(model.schema ~ '/' ~ model.name) }}
{% endmacro %}

{# dbt asks this of every incremental model: whether it is to be built anew. #}
{% macro should_full_refresh() %}
    {% if config.get('full_refresh') is not none %}
        {{ return(config.get('full_refresh')) }}
    {% elif execute and flags.WHICH in ('build', 'run') and not flags.FULL_REFRESH %}
        {{ return(run_query("select is_anew from memory.main.build_window").rows[0][0]) }}
    {% endif %}
    {{ return(flags.FULL_REFRESH) }}
{% endmacro %}

{#
  The window as literals, for file pruning; everything for a model that is built anew, and outside of builds. A test has
  the window of its build; in `dbt test`, everything that the last whole build had seen.
#}
{% macro build_window() %}
    {% if execute and flags.WHICH == 'test' %}
        {% set row = run_query("select coalesce(max(to_snapshot), -1) from lake.ops.last_build").rows[0] %}
        {{ return({'from': -1, 'to': row[0], 'is_listed': false}) }}
    {% elif not (execute and flags.WHICH in ('build', 'run')) %}
        {{ return({'from': -1, 'to': 9223372036854775807, 'is_listed': false}) }}
    {% endif %}
    {% set row = run_query("select from_snapshot, to_snapshot, is_listed from memory.main.build_window").rows[0] %}
    {% set narrow = is_incremental() or model.resource_type == 'test' %}
    {{ return({'from': row[0] if narrow else -1, 'to': row[1], 'is_listed': narrow and row[2]}) }}
{% endmacro %}

{#
  The rows of a raw table in the window. DuckLake's feed opens the window's files only; the filter alone, for a window
  that begins before everything or at a snapshot that has expired, opens the footer of every file.
#}
{% macro raw_rows(table) %}
    {%- set window, relation = build_window(), source('raw', table) %}
    {%- if window.is_listed -%}
        ducklake_table_insertions('lake', 'raw', '{{ table }}', {{ window['from'] }}, {{ window.to }})
    {%- else -%}
        {{ relation }}
    {%- endif %}
    where snapshot_id > {{ window['from'] }} and snapshot_id <= {{ window.to }}
{%- endmacro %}
