"""The embedded stack: PostgreSQL and SeaweedFS as processes under RAINBOW_HOME. No Dagster."""
