"""The Dagster UI as Rainbow serves it: behind the guard, with the project's documents, and with an end.

`serve.py` starts the parts, says when the page is there, and ends them; `part.py` is what each part runs;
`documents.py` shows docs/ as pages. Not here: what the UI shows (`defs/`).
"""
