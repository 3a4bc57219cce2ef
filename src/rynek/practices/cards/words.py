"""The words of a card by language, for search."""

from __future__ import annotations

from typing import Any, Final

from rynek.practices.cards.doors import Seen
from rynek.practices.cards.model import LANGUAGES
from rynek.practices.cards.reading import to_document

__all__ = ["spoken"]

_UNSAID: Final = frozenset(
    ("url", "licence", "currency", "ocid", "key", "account", "date", "start", "end", "country")
)
_ENUMERATED: Final = frozenset(("theme", "cluster", "status", "outcome", "kind", "period"))


def spoken(seen: Seen) -> dict[str, dict[str, str]]:
    """Language → part → its words: `title` and the card's other fields. Words of no language (names
    of places, partners, technology) stand under ""."""
    found: dict[str, dict[str, list[str]]] = {}
    document = to_document(seen.card)
    document.pop("questions", None)
    for part, value in document.items():
        for language, text in _texts(value):
            found.setdefault(language, {}).setdefault(part, []).append(text)
    return {
        language: {part: "\n".join(lines) for part, lines in parts.items()}
        for language, parts in found.items()
    }


def _texts(value: Any, language: str = "") -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [(language, value)]
    if isinstance(value, list):
        return [each for inner in value for each in _texts(inner, language)]
    if not isinstance(value, dict):
        return []
    return [
        each
        for key, inner in value.items()
        if key not in _UNSAID and key not in _ENUMERATED
        for each in _texts(inner, key if key in LANGUAGES else language)
    ]
