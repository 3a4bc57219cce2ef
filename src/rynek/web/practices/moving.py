"""`/moved` of the cards' paths: what moved an indicator elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from rynek.base.clock import to_iso
from rynek.base.errors import BadRequestData, InvalidRequest, ResourceNotFound
from rynek.indicators import Definition, find_definition
from rynek.practices.cards import Cards, Viewer
from rynek.practices.search import Like, mover_document, movers, read_people

__all__ = ["PARAMETERS", "find_indicator", "moved", "read_like"]

PARAMETERS: Final = ("indicator", "population", "country", "limit", "offset")


def moved(
    cards: Cards, viewer: Viewer, asked: Mapping[str, str], offset: int, limit: int
) -> dict[str, Any]:
    """Cards about an indicator, best first, each with `moved`: what its answers say of it.

    BadRequestData and InvalidRequest name the parameter that is wrong.
    """
    indicator = find_indicator(asked.get("indicator", ""))
    like = read_like(asked)
    found = movers(cards, indicator, viewer, like)
    return {
        "indicator": indicator.id,
        "better": indicator.direction,
        "total": len(found),
        "measured": sum(one.direction != "unmeasured" for one in found),
        "cards": [
            one.seen.document()
            | {"changed": to_iso(one.seen.written.at), "moved": mover_document(one)}
            for one in found[offset : offset + limit]
        ],
    }


def find_indicator(name: str) -> Definition:
    """The indicator that a request names; BadRequestData."""
    try:
        return find_definition(name)
    except ResourceNotFound as problem:
        raise BadRequestData(f"indicator: {problem.detail}") from None


def read_like(asked: Mapping[str, str]) -> Like:
    """The city that `population` and `country` tell of; InvalidRequest."""
    people, country = asked.get("population", ""), asked.get("country", "")
    if country and not re.fullmatch(r"[A-Z]{2}", country):
        raise InvalidRequest("country: two capital letters (ISO 3166-1)")
    return Like(read_people(people) if people else None, country)
