"""What moves rows from one system to the next, and what compares them afterwards. No Dagster."""
