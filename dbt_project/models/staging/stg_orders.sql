{{ config(unique_key=['order_id', 'updated_at']) }}

{{ stage('orders', ['order_id'], {
    'order_id': ('id', 'bigint'),
    'customer_id': ('customer_id', 'bigint'),
    'payment_id': ('payment_id', 'bigint'),
}) }}
