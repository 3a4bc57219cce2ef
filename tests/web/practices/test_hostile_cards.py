"""Cards with one field of what nobody would write: refused by name, or kept and shown everywhere."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
from tests.practices.cards.support import document

from .test_cards import API, new, serve

__all__ = ["serve"]

_HOSTILE: Final[list[Any]] = [
    None, True, -1, 0, 1e308, -1e-308, 10**30, "", " ", "\x00",
    "x" * 30_000, "\u202egnp.exe", "<script>alert(1)</script>", "{{ 7*7 }}", "%(name)s", "{size:>99999}",
    "javascript:alert(1)", "http://[::1", "0000-00-00", "9999-12-31", "2024-02-30", "NaN", [], {}, [[]],
    [None], {"en": None}, {"xx": "y"}, {"en": "x", "pl": ["y"]}, [{}] * 300, {"": ""}, {"en": "🚲" * 500},
]  # fmt: skip
_TRIES: Final = 160


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each field of a card is, and each item of a list."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from paths(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from paths(each, (*path, index))


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The card with something else in one place."""
    card: Any = copy.deepcopy(document())
    place = card
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    whole: dict[str, Any] = card
    return whole


def test_a_hostile_field_is_refused_or_shown(serve: Callable[..., None]) -> None:
    drawn = random.Random(20261126)
    every = list(paths(document()))
    cases = [(drawn.choice(every), drawn.choice(_HOSTILE)) for _ in range(_TRIES)]

    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        kept = []
        for number, (path, value) in enumerate(cases):
            body = new(changed(path, value), id=f"h{number}")
            made = await client.post(f"{API}/cards", json=body, headers=heads["editor"])
            assert made.status_code in {201, 400, 413, 422}, (path, value, made.text)
            if made.status_code == 201:
                kept.append(f"h{number}")
            else:
                assert made.json()["detail"], (path, value)
        assert 10 < len(kept) < _TRIES
        for card in drawn.sample(kept, 10):
            for address in (
                f"{API}/cards/{card}",
                f"/practices/{card}/card.pdf",
                f"/practices/{card}",
                f"/practices/{card}?lang=uk",
            ):
                shown = await client.get(address)
                assert shown.status_code == 200, (card, address, shown.text[:500])
                assert "<script>alert(1)" not in shown.text or address.startswith(API)
            entities = await client.get(
                f"{API}/cards/{card}", headers={"Accept": "application/ld+json"}
            )
            assert entities.status_code == 200, entities.text
        found = await client.get(f"{API}/cards", params={"q": "bicycle streets"})
        assert found.status_code == 200

    serve(test)
