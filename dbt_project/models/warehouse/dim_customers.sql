{{ config(unique_key='customer_key', scope_key='customer_id') }}

{{ dimension(
    'customer', ref('stg_customers'), ['first_name', 'last_name', 'email'], {-1: {'first_name': 'Unknown'}}
) }}
