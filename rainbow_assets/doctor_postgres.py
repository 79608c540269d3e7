"""What the doctor asks of PostgreSQL beyond reachable and usable: that the next ids of orders are free.

Not here: tables, indexes and rights (`doctor.py`), clocks (`doctor_machine.py`).
"""

from rainbow_assets.errors import RainbowError
from rainbow_assets.settings import PREFIX, Settings

SOURCE = f"{PREFIX}SOURCE_URL"


def free_ids(settings: Settings) -> None:
    """The sequence of orders.id is not behind the table; of one that this user may not read nothing is said.

    Raises:
        RainbowError: it is.
    """
    from rainbow_assets.systems.postgres import fetch

    url = settings.secret("source_url")
    readable = """
        SELECT name FROM pg_get_serial_sequence('public.orders', 'id') AS s (name)
        WHERE has_sequence_privilege(name, 'SELECT')"""
    for (name,) in fetch(url, SOURCE, readable):  # quoted by PostgreSQL
        # The sequence itself: after RESTART WITH the next id is in no catalog.
        behind = f"""
            SELECT last_value + is_called::int <= (SELECT max(id) FROM public.orders) FROM {name}"""
        if fetch(url, SOURCE, behind) == [(True,)]:
            hint = "SELECT setval(pg_get_serial_sequence('orders', 'id'), max(id)) FROM orders;"
            raise RainbowError("The sequence of orders.id lies behind: new orders would get ids that are taken.", hint)
