"""What the doctor asks of PostgreSQL beyond reachable and usable: free ids for orders, and failures told in English.

Not here: tables, indexes and rights (`ops/doctor`), clocks (`machine.py`).
"""

import re
from contextlib import suppress

from rainbow_assets.errors import RainbowError
from rainbow_assets.settings import PREFIX, Settings

SOURCE = f"{PREFIX}SOURCE_URL"
# As `lc_messages` names it, on Windows too; an empty one is that of the server's own environment.
ENGLISH = re.compile(r"(?:C|POSIX|en|English)?(?:[_.@ -].*)?", re.IGNORECASE)


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


def messages(settings: Settings) -> str:
    """The source and the catalog tell failures in English; of what does not answer others tell.

    Raises:
        RainbowError: one of them does not.
    """
    from rainbow_assets.systems.postgres import fetch

    query, spoken = "SELECT current_setting('lc_messages'), quote_ident(current_user)", dict[str, tuple[str, str]]()
    for field in ("source_url", "catalog_url"):
        setting = f"{PREFIX}{field.upper()}"
        with suppress(RainbowError):
            [spoken[setting]] = fetch(settings.secret(field), setting, query)
    for setting, (language, role) in spoken.items():
        if not ENGLISH.fullmatch(language):
            raise RainbowError(
                f"The server of {setting} tells failures in {language}: where only their words say so, one that passes "
                "is not known from one that stays.",
                f"As a superuser: ALTER ROLE {role} SET lc_messages = 'C';",
            )
    languages = ", ".join(sorted({language for language, _ in spoken.values()}))
    return f"in English ({languages})" if spoken else "neither the source nor the catalog answers"
