SELECT
    lines.order_date AS order_date, lines.order_transaction AS order_transaction, lines.product_id AS product_id,
    products.category AS category, products.product_name AS product_name, lines.seller_id AS seller_id,
    sellers.seller_name AS seller_name, lines.customer_id AS customer_id, lines.payment_id AS payment_id,
    payments.payment_name AS payment_name, lines.sales_quantity AS sales_quantity, lines.sales_amount AS sales_amount,
    lines.discount_amount AS discount_amount, lines.sales_amount - lines.discount_amount AS profit, lines.is_live AS is_live
FROM (
    SELECT
        YYYYMMDDToDate32(date_key) AS order_date, order_transaction, product_id,
        seller.seller_id::Int64 AS seller_id, customer.customer_id::Int64 AS customer_id,
        payment.payment_id::Int64 AS payment_id, facts.sales_quantity AS sales_quantity,
        extended_sales_amount::Decimal(38, 2) AS sales_amount, extended_discount_amount::Decimal(38, 2) AS discount_amount,
        false AS is_live
    FROM fact_sales AS facts
    INNER JOIN (SELECT seller_key, seller_id FROM dim_sellers) AS seller ON facts.seller_key = seller.seller_key
    INNER JOIN (SELECT customer_key, customer_id FROM dim_customers) AS customer
        ON facts.customer_key = customer.customer_key
    INNER JOIN (SELECT payment_key, payment_id FROM dim_payments) AS payment ON facts.payment_key = payment.payment_key
    WHERE order_transaction NOT IN (SELECT order_transaction FROM speed_lines)
    UNION ALL
    SELECT order_date, order_transaction, product_id, seller_id, customer_id, payment_id, sales_quantity, sales_amount,
        discount_amount, true
    FROM speed_lines
    WHERE sign = 1
) AS lines
LEFT JOIN speed_all_products AS products ON lines.product_id = products.product_id
LEFT JOIN (SELECT seller_id, seller_name FROM v_top_sellers) AS sellers ON lines.seller_id = sellers.seller_id
LEFT JOIN (SELECT payment_id, payment_name FROM v_payment_methods) AS payments ON lines.payment_id = payments.payment_id
