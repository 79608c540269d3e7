{{ config(unique_key='product_key', scope_key='product_id') }}

{% set tracked = ['name', 'rating_average', 'review_count', 'sold_count', 'category', 'brand'] %}
{% set unknown = {'name': 'Unknown', 'category': 'Unknown', 'brand': 'Unknown'} %}
{% set products, categories, brands = ref('stg_products'), ref('stg_categories'), ref('stg_brands') %}
{% set changed = 'where raw_snapshot > ' ~ build_window()['from'] %}
{% do set_scope(
    "select product_id from " ~ products ~ " " ~ changed
    ~ " union select product_id from " ~ products
    ~ " where category_id in (select category_id from " ~ categories ~ " " ~ changed ~ ")"
    ~ " or brand_id in (select brand_id from " ~ brands ~ " " ~ changed ~ ")"
) %}
with versions as (
    select * from {{ products }}
    {% if is_incremental() %}
    where product_id in (select product_id from {{ scope_table() }})
    {% endif %}
),

intervals as ({{ version_intervals('versions', 'product_id') }}),

-- A name is valid from its row's updated_at; the first one also before it.
category_names as (
    select
        category_id,
        name,
        {{ begins('category_id', 'updated_at') }} as begins
    from {{ categories }}
),

brand_names as (
    select
        brand_id,
        name,
        {{ begins('brand_id', 'updated_at') }} as begins
    from {{ brands }}
),

-- A product's interval is split where the name of its category or brand may change.
starts as (
    select
        product_id,
        updated_at,
        valid_from
    from intervals
    union
    select
        intervals.product_id,
        intervals.updated_at,
        category_names.begins
    from intervals
    inner join category_names on intervals.category_id = category_names.category_id
    where category_names.begins > intervals.valid_from and category_names.begins < intervals.valid_to
    union
    select
        intervals.product_id,
        intervals.updated_at,
        brand_names.begins
    from intervals
    inner join brand_names on intervals.brand_id = brand_names.brand_id
    where brand_names.begins > intervals.valid_from and brand_names.begins < intervals.valid_to
),

pieces as (
    select
        intervals.product_id,
        intervals.name,
        intervals.rating_average,
        intervals.review_count,
        intervals.sold_count,
        intervals.category_id,
        intervals.brand_id,
        starts.valid_from,
        coalesce(
            lead(starts.valid_from) over (
                partition by starts.product_id, starts.updated_at order by starts.valid_from
            ),
            intervals.valid_to
        ) as valid_to
    from intervals
    inner join starts
        on intervals.product_id = starts.product_id and intervals.updated_at = starts.updated_at
),

named as (
    select
        pieces.*,
        case when category_names.category_id is null then 'Unknown' else category_names.name end as category,
        case when brand_names.brand_id is null then 'Unknown' else brand_names.name end as brand
    from pieces
    asof left join category_names
        on pieces.category_id = category_names.category_id and pieces.valid_from >= category_names.begins
    asof left join brand_names
        on pieces.brand_id = brand_names.brand_id and pieces.valid_from >= brand_names.begins
),

merged as ({{ merge_intervals('named', 'product_id', tracked) }}),

final as ({{ dimension_rows('merged', 'product', tracked, {-1: unknown}) }})

select * from final
