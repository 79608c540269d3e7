"""marts -> ClickHouse: the served set, switched at once. No Dagster."""
