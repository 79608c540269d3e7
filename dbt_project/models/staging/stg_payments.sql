{{ config(unique_key=['payment_id', 'updated_at']) }}

{{ stage('payments', ['payment_id'], {
    'payment_id': ('id', 'bigint'),
    'name': ('name', 'varchar'),
    'type': ('type', 'varchar'),
}) }}
