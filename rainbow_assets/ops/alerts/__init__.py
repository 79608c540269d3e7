"""Alerts: what failed is told once, and once more when it is well again.

Here: incidents, their messages, the channels that carry them, and the record of both. Not here: how a failure is
seen (`defs/automation/`).
"""
