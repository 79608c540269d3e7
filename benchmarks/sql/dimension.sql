-- An SCD2 dimension: {entity}, of {source}, with {tracked}. Versions become intervals; those that touch and are equal
-- become one.
CREATE TABLE {target} AS
WITH intervals AS (
    SELECT * FROM (
        SELECT
            *,
            CASE WHEN lag(updated_at) OVER versions IS NULL THEN created_at ELSE updated_at END AS valid_from,
            least(lead(updated_at, 1, TIMESTAMP '2100-01-01') OVER versions, coalesce(deleted_at, '2100-01-01'))
                AS valid_to
        FROM {source}
        WINDOW versions AS (PARTITION BY {entity}_id ORDER BY updated_at)
    )
    WHERE valid_from < valid_to
),

{named}

marked AS (
    SELECT
        *,
        lag(valid_to) OVER w IS DISTINCT FROM valid_from
            OR lag(row({tracked})) OVER w IS DISTINCT FROM row({tracked}) AS is_new
    FROM {merged}
    WINDOW w AS (PARTITION BY {entity}_id ORDER BY valid_from)
),

numbered AS (
    SELECT *, count(*) FILTER (is_new) OVER (PARTITION BY {entity}_id ORDER BY valid_from) AS stretch FROM marked
),

versions AS (
    SELECT {entity}_id, {tracked}, min(valid_from) AS valid_from, max(valid_to) AS valid_to
    FROM numbered
    GROUP BY {entity}_id, stretch, {tracked}
)

SELECT
    (md5_number_lower(concat({entity}_id, '|', epoch_us(valid_from))) >> 1)::BIGINT AS {entity}_key,
    *,
    valid_to = '2100-01-01' AS is_current
FROM versions;

INSERT INTO {target} BY NAME
SELECT
    id AS {entity}_key, id AS {entity}_id, name AS {label}, TIMESTAMP '1900-01-01' AS valid_from,
    TIMESTAMP '2100-01-01' AS valid_to, true AS is_current
FROM (VALUES {members}) AS special (id, name);
