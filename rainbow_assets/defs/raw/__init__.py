"""landing -> raw: the same files in Iceberg and DuckLake, and the checks that guard them."""
