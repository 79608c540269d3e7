"""The shop's tables, as external assets."""
