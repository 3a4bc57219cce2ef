"""Themes of indicators in words, and the indicators by theme, as several pages offer them."""

from __future__ import annotations

from typing import Final

from rynek.indicators import definitions
from rynek.web.i18n import Translator

__all__ = ["indicator_choices", "theme_name"]


def N_(message: str) -> str:  # noqa: N802 - gettext's customary name for "mark, don't translate"
    """Mark a message for the catalogues."""
    return message


_THEMES: Final = {
    "air": N_("Air"),
    "buildings": N_("Buildings"),
    "charging": N_("Charging"),
    "cycling": N_("Cycling"),
    "digital services": N_("Digital services"),
    "energy": N_("Energy"),
    "governance": N_("Governance"),
    "lighting": N_("Lighting"),
    "mobility": N_("Mobility"),
    "open data": N_("Open data"),
    "parking": N_("Parking"),
    "participation": N_("Participation"),
    "population": N_("Population"),
    "public transport": N_("Public transport"),
    "waste": N_("Waste"),
}


def theme_name(t: Translator, theme: str) -> str:
    """What a theme is called."""
    return t(_THEMES[theme]) if theme in _THEMES else theme.replace("_", " ").capitalize()


def indicator_choices(t: Translator) -> list[tuple[str, list[tuple[str, str]]]]:
    """Every indicator, id and name, by the name of its theme."""
    found: dict[str, list[tuple[str, str]]] = {}
    for one in definitions():
        found.setdefault(theme_name(t, one.theme), []).append((one.id, one.name[t.language]))
    return sorted((theme, sorted(some, key=lambda pair: pair[1])) for theme, some in found.items())
