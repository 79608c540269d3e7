-- Typed, renamed, one row a version: of several for one key and updated_at the one extracted last.

CREATE TABLE lake.staging.stg_categories AS
SELECT id::BIGINT AS category_id, name, description, created_at, updated_at, deleted_at, extracted_at
FROM lake.raw.categories
QUALIFY row_number() OVER (PARTITION BY id, updated_at ORDER BY extracted_at DESC) = 1;

CREATE TABLE lake.staging.stg_brands AS
SELECT id::BIGINT AS brand_id, name, created_at, updated_at, deleted_at, extracted_at
FROM lake.raw.brands
QUALIFY row_number() OVER (PARTITION BY id, updated_at ORDER BY extracted_at DESC) = 1;

CREATE TABLE lake.staging.stg_sellers AS
SELECT id::BIGINT AS seller_id, name, link, is_best_store, created_at, updated_at, deleted_at, extracted_at
FROM lake.raw.sellers
QUALIFY row_number() OVER (PARTITION BY id, updated_at ORDER BY extracted_at DESC) = 1;

CREATE TABLE lake.staging.stg_promotions AS
SELECT
    id::BIGINT AS promotion_id, name, type, price_treatment, coupon_type, is_global, promo_begin, promo_end,
    created_at, updated_at, deleted_at, extracted_at
FROM lake.raw.promotions
QUALIFY row_number() OVER (PARTITION BY id, updated_at ORDER BY extracted_at DESC) = 1;

CREATE TABLE lake.staging.stg_payments AS
SELECT id::BIGINT AS payment_id, name, type, created_at, updated_at, deleted_at, extracted_at
FROM lake.raw.payments
QUALIFY row_number() OVER (PARTITION BY id, updated_at ORDER BY extracted_at DESC) = 1;

CREATE TABLE lake.staging.stg_customers AS
SELECT id::BIGINT AS customer_id, first_name, last_name, email, created_at, updated_at, deleted_at, extracted_at
FROM lake.raw.customers
QUALIFY row_number() OVER (PARTITION BY id, updated_at ORDER BY extracted_at DESC) = 1;

CREATE TABLE lake.staging.stg_products AS
SELECT
    id AS product_id, name, price, original_price, rating_average, review_count, sold_count,
    category_id, seller_id, brand_id, promotion_id, created_at, updated_at, deleted_at, extracted_at
FROM lake.raw.products
QUALIFY row_number() OVER (PARTITION BY id, updated_at ORDER BY extracted_at DESC) = 1;

CREATE TABLE lake.staging.stg_inventories AS
SELECT id AS product_id, quantity, created_at, updated_at, deleted_at, extracted_at
FROM lake.raw.inventories
QUALIFY row_number() OVER (PARTITION BY id, updated_at ORDER BY extracted_at DESC) = 1;

CREATE TABLE lake.staging.stg_orders AS
SELECT id AS order_id, customer_id, payment_id, created_at, updated_at, deleted_at, extracted_at
FROM lake.raw.orders
QUALIFY row_number() OVER (PARTITION BY id, updated_at ORDER BY extracted_at DESC) = 1;

CREATE TABLE lake.staging.stg_order_details AS
SELECT
    id AS order_id, product_id, quantity, price, promotion_id, created_at, updated_at, deleted_at, extracted_at
FROM lake.raw.orderdetails
QUALIFY row_number() OVER (PARTITION BY id, product_id, updated_at ORDER BY extracted_at DESC) = 1;
