"""The dashboard: the unified views and the lakehouse's health, as two pages of a Streamlit server on loopback.

`serve.py` starts it, `server.py` is what Streamlit serves, and `app.py` what it runs. `queries.py`,
`health_queries.py` and `storage.py` say what is read, `reading.py` reads it; `texts.py`, `charts.py` and `parts.py`
draw; `sales.py` and `health.py` are the pages.
Every sum is ClickHouse's; Python shows what it gets.
"""
