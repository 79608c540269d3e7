{# The Dagster run that this build belongs to, from DBT_ENV_CUSTOM_ENV_RUN_ID; a build of its own names itself. #}
{% macro run_id() %}
    {{- return(dbt_metadata_envs.get('RUN_ID', invocation_id)) -}}
{% endmacro %}

{# Label the snapshot of the open transaction, as `ducklake.transaction` does. #}
{% macro name_the_run(message) -%}
    call lake.set_commit_message('rainbow', '{{ message }}', extra_info => '{{ tojson({"run_id": run_id()}) }}')
{%- endmacro %}
