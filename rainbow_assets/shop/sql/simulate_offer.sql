-- One more business day, in PostgreSQL itself: nothing is moved. Parameters: day (a timestamp), orders, salt, words.
-- A touched row's updated_at lies within the day and after its old one; rows that are newer stay as they are.

CREATE FUNCTION pg_temp.dice(stream text, key bigint, sides bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
RETURN mod(hashint8extended(key, hashtextextended(stream || %(salt)s, 0)) & 9223372036854775807, sides);

CREATE FUNCTION pg_temp.pick(stream text, key bigint, words text[]) RETURNS text LANGUAGE sql IMMUTABLE
RETURN words[1 + pg_temp.dice(stream, key, cardinality(words))];

-- Another id than the present one; the present one where there is no other.
CREATE FUNCTION pg_temp.other(stream text, key bigint, present bigint, ids bigint[]) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN coalesce(
    (array_remove(ids, present))[1 + pg_temp.dice(stream, key, greatest(1, cardinality(array_remove(ids, present))))],
    present
);

CREATE FUNCTION pg_temp.moment(stream text, key bigint) RETURNS timestamp LANGUAGE sql IMMUTABLE
RETURN %(day)s::timestamp + pg_temp.dice(stream, key, 86400000000) * interval '1 microsecond';

-- What is on offer this morning: products by how often they sell, and those that change during the day.
CREATE TEMP TABLE offer ON COMMIT DROP AS
SELECT
    id, price, promotion_id, seller_id, brand_id, category_id, name, updated_at,
    sum(greatest(0, coalesce(sold_count, 0)) + 3) OVER (ORDER BY id)::bigint AS upto
FROM products
WHERE deleted_at IS NULL AND price IS NOT NULL AND created_at < %(day)s;
CREATE INDEX ON offer (upto);

CREATE TEMP TABLE product_changes ON COMMIT DROP AS
WITH chosen AS (
    SELECT *, pg_temp.moment('product', id) AS moment,
        row_number() OVER (ORDER BY pg_temp.dice('product change', id, 1000000007), id) AS place
    FROM offer
    WHERE updated_at < pg_temp.moment('product', id)
),
ids AS (
    SELECT
        (SELECT array_agg(id::bigint ORDER BY id) FROM categories
            WHERE deleted_at IS NULL AND created_at < %(day)s) AS categories,
        (SELECT array_agg(id::bigint ORDER BY id) FROM sellers
            WHERE deleted_at IS NULL AND created_at < %(day)s) AS sellers,
        (SELECT array_agg(id::bigint ORDER BY id) FROM brands
            WHERE deleted_at IS NULL AND created_at < %(day)s) AS brands,
        (SELECT array_agg(id::bigint ORDER BY id) FROM promotions
            WHERE deleted_at IS NULL AND created_at < %(day)s AND NOT is_global AND promo_end > %(day)s) AS promotions
)
SELECT
    id,
    moment,
    CASE
        WHEN mod(place, 8) IN (1, 3, 5) THEN round(price * (85 + pg_temp.dice('price', id, 31)) / 100, 2) ELSE price
    END AS price,
    CASE
        WHEN mod(place, 8) = 2
            THEN split_part(name, ' – ', 1) || ' – '
                || pg_temp.pick('edition', id, %(adjectives)s::text[]) || ' edition'
        ELSE name
    END AS name,
    CASE WHEN mod(place, 8) = 4 THEN pg_temp.other('seller', id, seller_id, sellers) ELSE seller_id END AS seller_id,
    CASE WHEN mod(place, 8) = 6 THEN pg_temp.other('brand', id, brand_id, brands) ELSE brand_id END AS brand_id,
    CASE WHEN mod(place, 8) = 7 THEN pg_temp.other('promotion', id, promotion_id, promotions) ELSE promotion_id END
        AS promotion_id,
    CASE WHEN mod(place, 8) = 0 THEN pg_temp.other('category', id, category_id, categories) ELSE category_id END
        AS category_id
FROM chosen, ids
WHERE place <= (SELECT greatest(8, count(*) / 33) FROM offer);
ANALYZE offer, product_changes;
