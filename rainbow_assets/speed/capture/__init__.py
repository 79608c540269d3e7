"""The source's log into ClickHouse, as it is written. No Dagster."""
