"""The source that Rainbow ships: its schema, a generator, a simulation and the Olist loader. No Dagster."""
