{{ config(unique_key='seller_key', scope_key='seller_id') }}

{{ dimension(
    'seller', ref('stg_sellers'), ['name', 'link', 'is_best_store'], {-1: {'name': 'Unknown'}}
) }}
