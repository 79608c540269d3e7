SELECT
    payment_id,
    payment_name,
    payment_type,
    order_count,
    -- Half up, in integers.
    CAST(toDecimal64(intDiv(2000000 * order_count + total, 2 * total), 6) / 1000000 AS Decimal(9, 6)) AS order_share,
    sales_amount
FROM (
    SELECT *, sum(order_count) OVER () AS total
    FROM (
        SELECT
            id AS payment_id,
            argMax(tuple(text), place).1 AS payment_name,
            argMax(tuple(kind), place).1 AS payment_type,
            sum(orders) AS order_count,
            sum(amount) AS sales_amount
        FROM (
            SELECT payment_id::Int64 AS id, payment_name::Nullable(String) AS text, payment_type::Nullable(String) AS kind,
                1 AS place, order_count AS orders, sales_amount AS amount
            FROM v_payment_methods_batch
            UNION ALL
            SELECT payment_id, NULL, NULL, 0, order_count, sales_amount FROM v_payment_methods_speed
            UNION ALL
            SELECT id, name, detail, 2, 0, 0 FROM speed_newest_names WHERE kind = 'payments'
        )
        GROUP BY id
        HAVING order_count > 0
    )
)
