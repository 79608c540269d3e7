"""Benchmarks: ratios of what Rainbow does to what the bare engines need for the same. `make bench` runs them.

Here: one module a ratio, and what they share: the stack (`stack.py`), the sources (`sources.py`), both ways to fill a
lake (`lakes.py`; the bare one: `bare.py`, `sql/`), the alternation (`harness.py`) and the report (`report.py`). Not
here: tests; nothing asserts a time.
"""
