"""The last guard before anything is shown: no secret of the settings passes it."""

from urllib.parse import unquote, urlsplit

from pydantic import SecretStr


def redact(text: str) -> str:
    """`text` with every secret of the settings, also a password inside a URL, as `***`."""
    for secret in sorted(_secrets(), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _secrets() -> set[str]:
    from rainbow_assets.errors import SettingsError
    from rainbow_assets.settings import Settings

    try:
        settings = Settings.load()
    except SettingsError:  # its own message holds no value
        return set()
    found: set[str] = set()
    for field in Settings.model_fields:
        value = getattr(settings, field)
        if isinstance(value, SecretStr):
            clear = value.get_secret_value()
            password = urlsplit(clear).password if "://" in clear else clear
            found |= {password, unquote(password)} if password else set()
    return {secret for secret in found if len(secret) > 1}
