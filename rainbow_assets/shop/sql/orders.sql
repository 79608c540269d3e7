-- Who buys what and when. Orders and their lines are views: pure functions of their number, made anew where they are
-- read, so that a large shop needs no memory. Customers and products are ranks here; `entities.sql` gives them ids.

-- The days: a week's rhythm, a slow growth (0.1 % a day) and some noise, sharing all orders to the last one.
CREATE TABLE days AS
WITH weighted AS (
    SELECT
        i,
        (getvariable('start') + to_days(i::INTEGER)) AS day,
        [90, 86, 92, 97, 108, 122, 105][isodow(day)] * (1000 + i) * (95 + dice('day', i, 11)) AS weight
    FROM range(getvariable('days')) AS r (i)
),
shared AS (
    SELECT day, getvariable('orders') * sum(weight) OVER (ORDER BY i) // sum(weight) OVER () AS upto FROM weighted
)
SELECT day, coalesce(lag(upto) OVER (ORDER BY day), 0)::BIGINT AS before, (upto - before)::BIGINT AS orders
FROM shared;

-- The hours: 1,000 slots of equal weight, of which 22 lie between midnight and five and 162 between eight and ten.
CREATE TABLE hours AS
WITH weights AS (
    SELECT
        unnest(range(24)) AS hour,
        unnest([12, 7, 4, 3, 3, 5, 12, 25, 42, 52, 58, 60, 56, 54, 53, 54, 55, 56, 60, 70, 82, 80, 62, 35]) AS weight
),
hours AS (SELECT hour, weight, sum(weight) OVER (ORDER BY hour) - weight AS first_slot FROM weights)
SELECT hour, weight, first_slot::BIGINT AS first_slot, first_slot::BIGINT + unnest(range(weight)) AS slot FROM hours;

CREATE TABLE customer_slots AS FROM zipf(getvariable('customers'), 100);
CREATE TABLE product_slots AS FROM zipf(getvariable('products') // 6, 2);

-- One row an order, in the order of time: the k-th of a day takes the k-th part of the day's rhythm.
CREATE VIEW placed AS
WITH numbered AS (
    SELECT day, orders, before, unnest(range(orders)) AS k FROM days
),
positioned AS (
    SELECT
        before + k + 1 AS id,
        day,
        (k * 1000000 + dice('time', before + k + 1, 1000000)) * 1000 // orders AS position
    FROM numbered
)
SELECT
    p.id,
    p.day,
    p.day + to_microseconds(
        h.hour * 3600000000 + (p.position - h.first_slot * 1000000) * 3600 // h.weight
    ) AS placed_at,
    c.low + dice('customer', p.id, c.width) AS customer_rank,
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 6][1 + dice('payment', p.id, 20)] AS payment_id,
    CASE
        WHEN dice('lines', p.id, 100) < 24 THEN 1
        WHEN dice('lines', p.id, 100) < 57 THEN 2
        WHEN dice('lines', p.id, 100) < 79 THEN 3
        WHEN dice('lines', p.id, 100) < 92 THEN 4
        WHEN dice('lines', p.id, 100) < 97 THEN 5
        ELSE 6
    END AS lines
FROM positioned AS p
JOIN hours AS h ON h.slot = p.position // 1000000
JOIN customer_slots AS c ON c.slot = dice('customer slot', p.id, 4096);

-- One row a line. Products stand in groups of six of like popularity; the lines of an order take different places in
-- their groups, so no product comes twice in an order.
CREATE VIEW lines AS
WITH numbered AS (
    SELECT id, day, placed_at, unnest(range(lines)) AS line FROM placed
),
keyed AS (
    SELECT *, id * 8 + line AS key FROM numbered
)
SELECT
    k.id,
    k.key,
    k.day,
    k.placed_at,
    (s.low + dice('product', k.key, s.width)) * 6 + (k.line + dice('place', k.id, 6)) % 6 AS product_rank,
    [1, 1, 1, 1, 1, 1, 1, 2, 2, 3][1 + dice('quantity', k.key, 10)] AS quantity
FROM keyed AS k
JOIN product_slots AS s ON s.slot = dice('product slot', k.key, 4096);
