{#
  The build window: the raw snapshots (from, to] that a build turns into tables, and what they and new code touch.

  rainbow_assets/transform/builds.py finds both when dbt connects, and leaves them in `memory.main.build_window` (one row)
  and `memory.main.build_nodes` (a row a model and blocking test). `from` is where the last whole build ended. A build is
  whole when all that was touched is done, by it or by builds before it of the same window and code. One that fails,
  crashes or leaves something out leaves `from` where it is, so the next takes the same changes again: every model gives
  the same rows when it sees a change twice. Until then the tables may be of different times, and `unfinished_builds` has
  a row: nothing is published. A test that fails stands in `open_checks` until a whole build has passed.

  A model that other code made than today's (or a model before it) is built anew, from everything.
#}

{% macro open_build() %}
    {% if execute and flags.WHICH in ('build', 'run') %}
        {% if run_query("select build_id from memory.main.build_window").rows[0][0] != invocation_id %}
            {{ exceptions.raise_compiler_error("The window is that of another build: close dbt's connection first.") }}
        {% endif %}
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
            "begin; insert into lake.ops.unfinished_builds by name "
            ~ "select build_id, now()::timestamp as begun_at, to_snapshot, code, why, "
            ~ "(select coalesce(list(node), []) from memory.main.build_nodes where is_anew) as anew "
            ~ "from memory.main.build_window; " ~ name_the_run('open the build') ~ "; commit"
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
    {% set failed = results | selectattr('node.resource_type', 'equalto', 'test')
        | selectattr('status', 'in', ['fail', 'error']) | list %}
    {% if execute and flags.WHICH in ('build', 'run', 'test') and failed %}
            begin;
            {% for result in failed %}
            insert into lake.ops.open_checks by name
            select
                '{{ tested(result.node) }}' as asset,
                '{{ (result.node.test_metadata or result.node).name }}' as check_name,
                '{{ result.failures ~ " rows" if result.status == "fail" else "it could not run" }}' as reason,
                '{{ run_id() }}' as run_id, now()::timestamp as opened_at;
            {% endfor %}
            {% if flags.WHICH == 'test' %} {# what the last whole build has made is wrong: the next makes it anew #}
            insert into lake.ops.unfinished_builds (build_id, begun_at) values ('{{ invocation_id }}', now()::timestamp);
            update lake.ops.last_build set code = null;
            {% endif %}
            {{ name_the_run('refuse the build') }};
            commit;
    {% elif execute and flags.WHICH in ('build', 'run') %}
        {% set done, left = done_nodes(results), [] %}
        {% for row in run_query("select node from memory.main.build_nodes where is_touched order by node").rows %}
            {% do left.append(row[0]) if row[0] not in done %}
        {% endfor %}
        {% if not left %}
            begin;
            delete from lake.ops.open_checks where day is null and not starts_with(asset, 'serving/');
            delete from lake.ops.unfinished_builds;
            {% if not done %} {# its tables are as they were, whatever was asked for #}
            update lake.ops.last_build set completed_at = now()::timestamp;
            {% else %}
            delete from lake.ops.last_build;
            insert into lake.ops.last_build by name
            select
                build_id, from_snapshot, to_snapshot, now()::timestamp as completed_at, '{{ run_id() }}' as run_id, code
            from memory.main.build_window;
            {% endif %}
            {{ name_the_run('close the build') }};
            commit;
        {% elif results | rejectattr('status', 'in', ['success', 'pass', 'warn']) | list | length == 0 %}
            begin;
            update lake.ops.unfinished_builds set
                done = {{ done }}::varchar[], left_out = {{ left }}::varchar[]
            where build_id = '{{ invocation_id }}';
            {{ name_the_run('leave the build open') }};
            commit;
        {% endif %}
    {% endif %}
{% endmacro %}

{# What is done of the window: by builds before this one, or by this one behind all that it stands on. #}
{% macro done_nodes(results) %}
    {% set done, touched = [], [] %}
    {% for row in run_query("select node, is_done from memory.main.build_nodes where is_touched").rows %}
        {% do touched.append(row[0]) %}
        {% do done.append(row[0]) if row[1] %}
    {% endfor %}
    {% for result in results if result.status in ['success', 'pass', 'warn']
        and result.node.unique_id in touched and result.node.unique_id not in done %}
        {% set waiting = result.node.depends_on.nodes | select('in', touched) | reject('in', done) | list %}
        {% do done.append(result.node.unique_id) if not waiting %}
    {% endfor %}
    {{ return(done) }}
{% endmacro %}

{# The asset that a test looks at. #}
{% macro tested(test) %}
    {% set model = graph.nodes[test.depends_on.nodes | select('in', graph.nodes) | list | last] %}
    {{ return(model.schema ~ '/' ~ model.name) }}
{% endmacro %}

{# Whether the model that is built, or one of those that a test looks at, is made by other code than last time. #}
{% macro is_anew() %}
    {% set own = [model.unique_id] if model.resource_type != 'test' else model.depends_on.nodes %}
    {{ return(run_query(
        "select count(*) > 0 from memory.main.build_nodes where is_anew and node in ('" ~ own | join("', '") ~ "')"
    ).rows[0][0]) }}
{% endmacro %}

{# dbt asks this of every incremental model: whether it is to be built anew. #}
{% macro should_full_refresh() %}
    {% if config.get('full_refresh') is not none %}
        {{ return(config.get('full_refresh')) }}
    {% elif execute and flags.WHICH in ('build', 'run') %}
        {{ return(flags.FULL_REFRESH or is_anew()) }}
    {% endif %}
    {{ return(flags.FULL_REFRESH) }}
{% endmacro %}

{#
  The window as literals, for file pruning; everything for a model that is built anew, and outside of builds. A test has
  the window of its build, as long as whole builds alone wrote the tables; otherwise, and in `dbt test`, everything.
#}
{% macro build_window() %}
    {% if execute and flags.WHICH == 'test' %}
        {% set row = run_query("select coalesce(max(to_snapshot), -1) from lake.ops.last_build").rows[0] %}
        {{ return({'from': -1, 'to': row[0], 'is_listed': false}) }}
    {% elif not (execute and flags.WHICH in ('build', 'run')) %}
        {{ return({'from': -1, 'to': 9223372036854775807, 'is_listed': false}) }}
    {% endif %}
    {% set row = run_query(
        "select from_snapshot, to_snapshot, is_listed, is_as_it_was from memory.main.build_window"
    ).rows[0] %}
    {% set narrow = (row[3] if model.resource_type == 'test' else is_incremental()) and not is_anew() %}
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
