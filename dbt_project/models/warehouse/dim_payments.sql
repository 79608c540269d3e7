{{ config(unique_key='payment_key', scope_key='payment_id') }}

{{ dimension('payment', ref('stg_payments'), ['name', 'type'], {-1: {'name': 'Unknown'}}) }}
