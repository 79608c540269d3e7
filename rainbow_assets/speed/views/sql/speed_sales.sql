-- The speed part, line by line: the facts of every changed order, by the batch layer's rules
-- (dbt_project/models/warehouse), with sign 1; what `fact_sales` says of the same orders, with sign -1.
INSERT INTO speed_sales
WITH
    lines AS (SELECT * FROM speed_details WHERE refresh = {refresh}),
    -- As the timelines of the batch layer: a version that was deleted when it began has no time, the first is of always.
    product_versions AS (
        SELECT product_id, seller,
            if(row_number() OVER (PARTITION BY product_id ORDER BY began) = 1, {beginning}, began) AS begins
        FROM (
            SELECT product_id, began, argMax(tuple(seller_id), place).1 AS seller,
                argMax(created, place) AS made, argMax(tuple(deleted), place).1 AS gone,
                row_number() OVER (PARTITION BY product_id ORDER BY began) AS number
            FROM (
                SELECT product_id, seller_id, valid_from AS created, NULL AS deleted, valid_from AS began,
                    0 AS place
                FROM {stg_product_sellers}
                WHERE product_id IN (SELECT product_id FROM lines)
                UNION ALL
                SELECT id, seller_id, created_at, deleted_at, assumeNotNull(updated_at), lsn
                FROM speed_products
                WHERE id IN (SELECT product_id FROM lines) AND flush <= {flush} AND NOT is_deleted AND {good_product}
            )
            GROUP BY product_id, began
        )
        WHERE ifNull(gone > if(number = 1, made, began), true)
    ),
    promotion_versions AS (
        SELECT promotion_id, terms,
            if(row_number() OVER (PARTITION BY promotion_id ORDER BY began) = 1, {beginning}, began) AS begins
        FROM (
            SELECT promotion_id, began, argMax((kind, treatment), place) AS terms,
                argMax(created, place) AS made, argMax(tuple(deleted), place).1 AS gone,
                row_number() OVER (PARTITION BY promotion_id ORDER BY began) AS number
            FROM (
                SELECT toInt64(promotion_id) AS promotion_id, coupon_type AS kind, price_treatment AS treatment,
                    valid_from AS created, NULL AS deleted, valid_from AS began, 0 AS place
                FROM {dim_promotions}
                WHERE promotion_id IN (SELECT promotion FROM lines)
                UNION ALL
                SELECT toInt64(id), coupon_type, price_treatment, created_at, deleted_at, assumeNotNull(updated_at), lsn
                FROM speed_promotions
                WHERE id IN (SELECT promotion FROM lines) AND flush <= {flush} AND NOT is_deleted AND {good_promotion}
            )
            GROUP BY promotion_id, began
        )
        WHERE ifNull(gone > if(number = 1, made, began), true)
    ),
    priced AS (
        SELECT
            lines.order_transaction AS order_transaction,
            lines.product_id AS product_id,
            lines.customer AS customer,
            lines.payment AS payment,
            lines.created_at AS created_at,
            lines.quantity AS quantity,
            lines.price AS price,
            product_versions.seller AS seller,
            toDecimal128(ifNull(promotion_versions.terms.2, 0), 2) AS treatment,
            -- Hundredths of the money, rounded half away from zero; held between 0 and the price.
            multiIf(
                promotion_versions.terms.1 = 'Percentage',
                intDiv(toInt128(
                    least(greatest(price * treatment, toDecimal128(0, 4)), price * toDecimal128(100, 2)) * 10000
                ) + 5000, 10000),
                promotion_versions.terms.1 = 'Fixed Amount',
                toInt128(least(greatest(treatment * 1000, toDecimal128(0, 2)), price) * 100),
                0
            ) AS discount_cents
        FROM lines
        ASOF LEFT JOIN product_versions
            ON lines.product_id = product_versions.product_id AND lines.created_at >= product_versions.begins
        ASOF LEFT JOIN promotion_versions
            ON lines.promotion = promotion_versions.promotion_id AND lines.created_at >= promotion_versions.begins
    ),
    live AS (
        SELECT
            1 AS sign,
            toDate32(created_at) AS order_date,
            order_transaction,
            product_id,
            if(seller IN (SELECT seller_id FROM {dim_sellers})
                OR seller IN (SELECT id FROM speed_sellers WHERE flush <= {flush} AND {known}), seller, -1) AS seller_id,
            if(customer IN (SELECT customer_id FROM {dim_customers})
                OR customer IN (SELECT id FROM speed_customers WHERE id IN (SELECT customer FROM lines) AND flush <= {flush}
                    AND {known}),
                customer, -1) AS customer_id,
            if(payment IN (SELECT payment_id FROM {dim_payments})
                OR payment IN (SELECT id FROM speed_payments WHERE flush <= {flush} AND {known}), payment, -1) AS payment_id,
            quantity AS sales_quantity,
            price * quantity AS sales_amount,
            toDecimal128(discount_cents * quantity, 2) / 100 AS discount_amount
        FROM priced
    ),
    known AS (
        SELECT *
        FROM {fact_sales}
        WHERE order_transaction IN (SELECT id FROM speed_changed WHERE refresh = {refresh})
    ),
    batch AS (
        SELECT
            -1 AS sign,
            YYYYMMDDToDate32(known.date_key) AS order_date,
            known.order_transaction AS order_transaction,
            known.product_id AS product_id,
            sellers.seller_id AS seller_id,
            customers.customer_id AS customer_id,
            payments.payment_id AS payment_id,
            known.sales_quantity AS sales_quantity,
            known.extended_sales_amount AS sales_amount,
            known.extended_discount_amount AS discount_amount
        FROM known
        INNER JOIN {dim_sellers} AS sellers ON known.seller_key = sellers.seller_key
        INNER JOIN {dim_customers} AS customers ON known.customer_key = customers.customer_key
        INNER JOIN {dim_payments} AS payments ON known.payment_key = payments.payment_key
    )
SELECT {refresh} AS refresh, * FROM live
UNION ALL
SELECT {refresh} AS refresh, * FROM batch
