-- The lines of the changed orders as the source has them now: the newest good version of each, unless it is deleted.
INSERT INTO speed_details
WITH
    orders AS (
        SELECT
            id,
            argMax(is_deleted, lsn) AS is_gone,
            argMaxIf(
                (customer_id, payment_id, created_at, deleted_at), (updated_at, lsn), NOT is_deleted AND {good_times}
            ) AS newest
        FROM speed_orders
        WHERE id IN (SELECT id FROM speed_changed WHERE refresh = {refresh}) AND flush <= {flush}
        GROUP BY id
        HAVING NOT is_gone AND newest.4 IS NULL AND newest.3 IS NOT NULL
    ),
    details AS (
        SELECT
            id,
            product_id,
            argMax(is_deleted, lsn) AS is_gone,
            argMaxIf(
                (quantity, price, promotion_id, deleted_at),
                (updated_at, lsn),
                NOT is_deleted AND {good_detail}
            ) AS newest
        FROM speed_orderdetails
        WHERE id IN (SELECT id FROM speed_changed WHERE refresh = {refresh}) AND flush <= {flush}
        GROUP BY id, product_id
        HAVING NOT is_gone AND newest.4 IS NULL AND newest.1 IS NOT NULL
    )
SELECT
    {refresh} AS refresh,
    orders.id AS order_transaction,
    details.product_id AS product_id,
    ifNull(orders.newest.1, -1) AS customer,
    ifNull(orders.newest.2, -1) AS payment,
    assumeNotNull(orders.newest.3) AS created_at,
    assumeNotNull(details.newest.1) AS quantity,
    toDecimal128(assumeNotNull(details.newest.2), 2) AS price,
    ifNull(details.newest.3, 0) AS promotion
FROM details
INNER JOIN orders ON details.id = orders.id
