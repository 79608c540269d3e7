"""The speed layer: the source's changes as they are committed, in ClickHouse, and what they add to the batch views."""
