{{ config(
    unique_key='quarantine_id',
    full_refresh=false,
    on_schema_change='append_new_columns',
    meta={'reads': ['ops.unplaced_rows']},
) }}

-- depends_on: {{ ref('stg_categories') }}, {{ ref('stg_brands') }}, {{ ref('stg_sellers') }}
-- depends_on: {{ ref('stg_promotions') }}, {{ ref('stg_payments') }}, {{ ref('stg_customers') }}
-- depends_on: {{ ref('stg_products') }}, {{ ref('stg_inventories') }}, {{ ref('stg_orders') }}
-- depends_on: {{ ref('stg_order_details') }}
with faults as (
    {{ faulty_rows() }}
),

candidates as (
    select
        *,
        true as is_refused,
        cast(null as timestamp) as resolved_at
    from faults
    {%- if is_incremental() %}
    union all by name
    select
        *,
        false as is_refused
    from {{ this }}
    {%- endif %}
),

known as (
    select
        quarantine_id,
        bool_or(is_refused) as is_refused,
        max(resolved_at) as resolved_at
    from candidates
    group by quarantine_id
),

quarantined as (
    select
        candidates.quarantine_id,
        candidates.table_name,
        candidates.row_key,
        candidates.updated_at,
        candidates.extracted_at,
        candidates.reason,
        candidates.row_content,
        {%- if build_window()['from'] == -1 %}
            -- Everything was looked at, by the rules of today: what they do not refuse any more is resolved.
            case
                when not known.is_refused then coalesce(known.resolved_at, cast(now() as timestamp))
            end as resolved_at
        {%- else %}
            case
                -- Refused again, and read later than it was mended: it is open again.
                when known.is_refused and candidates.extracted_at >= known.resolved_at then null
                when candidates.extracted_at is not null then known.resolved_at
                -- The list of rows without a day is whole: one that is not in it any more was mended.
                when not known.is_refused then coalesce(known.resolved_at, cast(now() as timestamp))
            end as resolved_at
        {%- endif %}
    from candidates
    inner join known on candidates.quarantine_id = known.quarantine_id
    qualify
        row_number() over (partition by candidates.quarantine_id order by candidates.extracted_at desc) = 1
),

mended as (
    {{ mended_rows('quarantined') }}
),

final as (
    select
        quarantined.quarantine_id,
        quarantined.table_name,
        quarantined.row_key,
        quarantined.updated_at,
        quarantined.extracted_at,
        quarantined.reason,
        quarantined.row_content,
        coalesce(quarantined.resolved_at, mended.mended_at) as resolved_at
    from quarantined
    left join mended on quarantined.quarantine_id = mended.quarantine_id
)

select * from final
