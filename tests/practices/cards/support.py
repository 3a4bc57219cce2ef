"""A card with something in every field, and a store in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rynek.practices.cards import Card, Cards, parse_card, specification_digest

OWNER = "ruse"


def document(**changes: Any) -> dict[str, Any]:
    """A whole card of a city on the Danube."""
    source = {
        "title": "Municipal report",
        "url": "https://example.org/ruse/report",
        "date": "2024-05",
    }
    whole: dict[str, Any] = {
        "title": {"en": "Bicycle streets", "bg": "Велосипедни улици"},
        "summary": {"en": "Two streets where bicycles set the pace.", "uk": "Дві вулиці."},
        "theme": "cycling",
        "cluster": "mobility",
        "status": "stopped",
        "verdict": {"outcome": "did_not", "reason": {"en": "Cars kept driving through."}},
        "city": {"name": {"en": "Ruse", "bg": "Русе"}, "country": "BG", "population": 123_134},
        "places": [{"name": "Aleksandrovska", "longitude": 25.95, "latitude": 43.85}],
        "problem": {"en": "Few people cycle."},
        "done": {"en": "Signs and paint."},
        "phases": [
            {"title": {"en": "Signs"}, "start": "2022-04", "end": "2023", "units": 2,
             "unit": {"en": "streets"}, "source": source}
        ],
        "technology": ["Induction loops"],
        "costs": [
            {"kind": "capital", "what": {"en": "Paint"}, "amount": 12_000.5, "currency": "BGN",
             "year": 2022, "source": source}
        ],
        "funding": [{"who": "Municipality of Ruse", "amount": 12_000, "currency": "BGN", "year": 2022}],
        "procurement": [{"ocid": "ocds-213czf-000-00001", "url": "https://example.org/ruse/tender"}],
        "partners": ["University of Ruse"],
        "accounts": [
            {"key": "town", "title": {"en": "The town"}, "text": {"en": "It went well."}},
            {"key": "riders", "title": {"en": "Riders"}, "text": {"en": "It did not."}},
        ],
        "claims": [
            {"who": {"en": "The town"}, "effect": {"en": "More riders"}, "size": 12.0, "unit": "%",
             "date": "2023-06-01", "account": "town", "source": source}
        ],
        "facts": [{"text": {"en": "Nobody counted before."}, "source": source}],
        "barriers": [{"kind": "social", "text": {"en": "Drivers were angry."}}],
        "lessons": [{"en": "Count before you paint."}],
        "conditions": [{"en": "A street beside it that takes the cars."}],
        "limits": {"en": "One summer."},
        "to_know": {"en": "Streets drawn by lot."},
        "questions": [
            {"key": "riders", "title": {"en": "Riders a day"},
             "specification": {"outcome": "riders", "treated": "Ruse", "start": 2022}}
        ],
        "sources": [source],
    }  # fmt: skip
    return whole | changes


def card(**changes: Any) -> Card:
    """`document` as a card."""
    return parse_card(document(**changes))


def store(folder: Path) -> Cards:
    """A store in a folder."""
    return Cards(folder / "practices.db")


def asked() -> str:
    """The digest of the question that `document` asks."""
    return specification_digest(card().questions[0])
