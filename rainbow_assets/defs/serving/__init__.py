"""marts and warehouse -> ClickHouse, as one atomic set."""
