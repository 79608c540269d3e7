"""Rainbow: an e-commerce lakehouse as one Dagster asset graph."""
