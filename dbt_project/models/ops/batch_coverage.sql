{{ config(materialized='table', meta={'reads': ['ops.coverage']}) }}

-- depends_on: {{ ref('stg_orders') }}, {{ ref('stg_order_details') }}
with notes as (
    select *
    from lake.ops.coverage
    where snapshot_id <= {{ build_window().to }}
),

table_days as (
    select
        table_name,
        cast(unnest(generate_series(first_day, last_day, interval '1 day')) as date) as covered_day,
        is_first,
        first_day,
        verified_at
    from notes
),

newest as (
    select
        table_name,
        covered_day,
        max(verified_at) as verified_at,
        bool_or(is_first and covered_day = first_day) as is_first
    from table_days
    group by table_name, covered_day
),

final as (
    select
        covered_day as day,
        bool_or(is_first) as is_first,
        min(verified_at) as verified_at
    from newest
    group by covered_day
    having count(*) = 2
)

select * from final
