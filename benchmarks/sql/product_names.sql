-- The part of the products' dimension that gives them the names of their category and brand, split where those change.
category_names AS (
    SELECT category_id, name, CASE WHEN lag(name) OVER w IS NULL THEN '-infinity' ELSE updated_at END AS begins
    FROM lake.staging.stg_categories
    WINDOW w AS (PARTITION BY category_id ORDER BY updated_at)
),

brand_names AS (
    SELECT brand_id, name, CASE WHEN lag(name) OVER w IS NULL THEN '-infinity' ELSE updated_at END AS begins
    FROM lake.staging.stg_brands
    WINDOW w AS (PARTITION BY brand_id ORDER BY updated_at)
),

starts AS (
    SELECT product_id, updated_at, valid_from FROM intervals
    UNION
    SELECT product_id, updated_at, begins
    FROM intervals JOIN category_names USING (category_id)
    WHERE begins > valid_from AND begins < valid_to
    UNION
    SELECT product_id, updated_at, begins
    FROM intervals JOIN brand_names USING (brand_id)
    WHERE begins > valid_from AND begins < valid_to
),

pieces AS (
    SELECT
        intervals.* EXCLUDE (valid_from, valid_to),
        starts.valid_from,
        lead(starts.valid_from, 1, valid_to) OVER (
            PARTITION BY product_id, updated_at ORDER BY starts.valid_from
        ) AS valid_to
    FROM intervals JOIN starts USING (product_id, updated_at)
),

named AS (
    SELECT
        pieces.*,
        CASE WHEN c.category_id IS NULL THEN 'Unknown' ELSE c.name END AS category,
        CASE WHEN b.brand_id IS NULL THEN 'Unknown' ELSE b.name END AS brand
    FROM pieces
    ASOF LEFT JOIN category_names AS c ON pieces.category_id = c.category_id AND valid_from >= c.begins
    ASOF LEFT JOIN brand_names AS b ON pieces.brand_id = b.brand_id AND valid_from >= b.begins
),
