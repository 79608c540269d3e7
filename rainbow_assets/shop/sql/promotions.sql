-- Promotions of both kinds (a percentage, or an amount in thousands): for the products that name them, or for the whole
-- shop on some days. Some ran out before the shop's first day; of those that ran out, some are deleted.

CREATE TABLE promotions AS
WITH drawn AS (
    SELECT
        p,
        p % 5 = 0 AS is_global,
        CASE WHEN p % 3 = 1 THEN 'Fixed Amount' ELSE 'Percentage' END AS coupon_type,
        CASE
            WHEN p % 3 = 1 THEN [500, 1000, 1250, 1500, 2000, 2550, 3000, 5000, 7525, 10000]
            ELSE [500, 750, 1000, 1250, 1500, 2000, 2500, 3000, 4000, 5000]
        END[1 + dice('treatment', p, 10)] AS cents,
        CASE
            WHEN p % 5 = 0 THEN date_trunc('day', moment('campaign', p))
            ELSE date_trunc('hour', getvariable('start') - to_days(10)
                + to_microseconds(dice('begin', p, (getvariable('days') + 10) * 86400000000)))
        END AS promo_begin,
        promo_begin + to_days(
            (CASE WHEN p % 5 = 0 THEN 1 + dice('length', p, 4) ELSE 2 + dice('length', p, 19) END)::INTEGER
        ) AS promo_end,
        greatest(
            getvariable('start'), promo_begin - to_microseconds(dice('announced', p, 3 * 86400000000))
        ) AS created_at
    FROM range(getvariable('promotions')) AS r (p)
),
ordered AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY promo_end < getvariable('end_at') ORDER BY dice('dropped promotion', p, 1000000007), p
        ) AS place
    FROM drawn
),
fated AS (
    SELECT
        *,
        CASE
            WHEN promo_end < getvariable('end_at') AND place <= 1 + getvariable('promotions') // 10
                THEN between_times('promotion deleted', p, greatest(promo_end, created_at), getvariable('end_at'))
        END AS deleted_at,
        CASE
            WHEN dice('prolonged', p, 100) < 15
                THEN between_times('promotion updated', p, created_at, getvariable('end_at'))
            ELSE created_at
        END AS changed_at
    FROM ordered
)
SELECT
    row_number() OVER (ORDER BY created_at, p) AS id,
    pick('promotion name', p, getvariable('campaigns')) || ' ' || strftime(promo_begin, '%-d %b') AS name,
    CASE WHEN is_global THEN 'Campaign' ELSE pick('promotion type', p, ['Discount', 'Voucher']) END AS type,
    money(cents) AS price_treatment,
    coupon_type,
    is_global,
    promo_begin,
    promo_end,
    created_at,
    coalesce(deleted_at, changed_at) AS updated_at,
    deleted_at
FROM fated;

CREATE TABLE product_promotions AS
SELECT row_number() OVER (ORDER BY id) - 1 AS number, id FROM promotions WHERE NOT is_global;

CREATE TABLE campaign_days AS
SELECT days.day, min(promotions.id) AS promotion_id
FROM days
JOIN promotions ON promotions.is_global AND days.day >= promo_begin AND days.day < promo_end
GROUP BY days.day;
