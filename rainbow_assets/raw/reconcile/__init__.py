"""The source against raw, over all days. No Dagster."""
