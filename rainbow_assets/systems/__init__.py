"""One module an outside system: how to reach it and how to speak to it. No Dagster, no business rule."""
