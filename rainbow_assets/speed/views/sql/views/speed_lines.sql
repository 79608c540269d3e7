SELECT 0::Int8 AS sign, toDate32('1970-01-01') AS order_date, 0::Int64 AS order_transaction, 0::Int64 AS product_id,
    0::Int64 AS seller_id, 0::Int64 AS customer_id, 0::Int64 AS payment_id, 0::Int64 AS sales_quantity,
    0::Decimal(38, 2) AS sales_amount, 0::Decimal(38, 2) AS discount_amount
FROM speed_refreshes WHERE false
UNION ALL
SELECT * EXCEPT (refresh)
FROM speed_sales
WHERE refresh = (SELECT max(refresh) FROM speed_refreshes WHERE publication = (SELECT max(publication) FROM publications))
