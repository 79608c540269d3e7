"""The colours can be told from the ground, light and dark (WCAG 2.2: 3:1 for graphics, 4.5:1 for text)."""

import pytest

from rainbow_assets.dashboard import theme

GROUNDS = [theme.OPTIONS[f"theme.{mode}.backgroundColor"] for mode in ("light", "dark")]


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("ground", GROUNDS)
def test_graphics_stand_out(ground: str) -> None:
    for colour in (theme.BATCH, theme.LIVE, theme.GOOD, theme.BAD, *theme.LAYERS):
        assert contrast(colour, ground) >= 3, colour


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_is_legible(mode: str) -> None:
    ground = theme.OPTIONS[f"theme.{mode}.backgroundColor"]
    for name in ("textColor", "linkColor"):
        assert contrast(theme.OPTIONS[f"theme.{mode}.{name}"], ground) >= 4.5
