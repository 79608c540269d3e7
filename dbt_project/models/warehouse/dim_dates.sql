{{ config(materialized='table') }}

with years as (
    select
        make_date(min(year(created_at)), 1, 1) as first_day,
        make_date(max(year(created_at)), 12, 31) as last_day
    from {{ ref('stg_orders') }}
),

days as (
    select cast(unnest(generate_series(first_day, last_day, interval 1 day)) as date) as date
    from years
),

final as (
    select
        {{ date_key('date') }} as date_key,
        date,
        cast(day(date) as integer) as day,
        cast(month(date) as integer) as month,
        cast(year(date) as integer) as year,
        cast(quarter(date) as integer) as quarter,
        cast(week(date) as integer) as week,
        cast(isodow(date) as integer) as day_of_week,
        dayname(date) as day_name,
        isodow(date) >= 6 as is_weekend,
        monthname(date) as month_name,
        cast(dayofyear(date) as integer) as day_of_year,
        cast(date_trunc('month', date) as date) as first_day_of_month,
        last_day(date) as last_day_of_month
    from days
    order by date_key
)

select * from final
