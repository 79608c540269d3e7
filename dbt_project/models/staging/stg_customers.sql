{{ config(unique_key=['customer_id', 'updated_at']) }}

{{ stage('customers', ['customer_id'], {
    'customer_id': ('id', 'bigint'),
    'first_name': ('first_name', 'varchar'),
    'last_name': ('last_name', 'varchar'),
    'email': ('email', 'varchar'),
}) }}
