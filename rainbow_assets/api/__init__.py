"""The orders API of the shop, on its PostgreSQL.

Here: routes (`routes.py`) over a service (`service.py`) over repositories (`repositories.py`) in a unit of work
(`unit_of_work.py`). Not here: the shop's tables (`shop/`) and the verb that starts it (`cli/live.py`).
"""
