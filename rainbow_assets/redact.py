"""The last guard before anything is shown: no secret of the settings passes it."""

import re
from urllib.parse import unquote, urlsplit

# Where a password stands in a URL: up to its last @, up to its first, and among the options.
PASSWORDS = (r"://[^:@/]*:(.*)@", r"://[^:@/]*:([^@]*)@", r"[?&]\w*password=([^&]*)")
SHORT = 8  # a path of a few letters is no password


def redact(text: str) -> str:
    """`text` with every secret of the settings, also a password inside a URL, as `***`."""
    for secret in sorted(_secrets(), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _secrets() -> set[str]:
    from rainbow_assets.settings import Settings

    found: set[str] = set()
    for clear in Settings.secrets():
        written = {one for where in PASSWORDS for one in re.findall(where, clear)} if "://" in clear else {clear}
        found |= written | {unquote(password) for password in written}
        if clear.startswith(("http://", "https://")):  # a webhook: whoever knows it may use it
            url = urlsplit(clear)
            found |= {clear, *(part for part in (url.path, url.query) if len(part) > SHORT)}
    return {secret for secret in found if len(secret) > 1}
