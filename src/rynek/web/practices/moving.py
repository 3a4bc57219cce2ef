"""`/moved` of the cards' paths: what moved an indicator elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from rynek.base.clock import to_iso
from rynek.base.errors import BadRequestData, InvalidRequest, ResourceNotFound
from rynek.indicators import Definition, definitions, find_definition
from rynek.practices import say
from rynek.practices.cards import Cards, Viewer
from rynek.practices.search import Cities, Like, mover_document, movers, read_people
from rynek.web.people import people_of

__all__ = ["PARAMETERS", "cities_for", "find_indicator", "moved", "read_like"]

PARAMETERS: Final = ("indicator", "like", "population", "country", "limit", "offset")
Readable = Callable[[str], bool]


def moved(
    engine: Any,
    viewer: Viewer,
    readable: Readable,
    asked: Mapping[str, str],
    offset: int,
    limit: int,
) -> dict[str, Any]:
    """Cards about an indicator, best first, each with `moved`: what its answers say of it.

    BadRequestData and InvalidRequest name the parameter that is wrong.
    """
    indicator = find_indicator(asked.get("indicator", ""))
    like = read_like(asked, engine, readable)
    cards: Cards = engine.cards
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
    except ResourceNotFound:
        known = [one.id for one in definitions()]
        raise BadRequestData(say("indicator-none", name=name[:64], known=known)) from None


def read_like(asked: Mapping[str, str], engine: Any, readable: Readable) -> Like:
    """The city that `like` (a tenant), `population` and `country` tell of; InvalidRequest."""
    people, country = asked.get("population", ""), asked.get("country", "")
    if country and not re.fullmatch(r"[A-Z]{2}", country):
        raise InvalidRequest(say("like-country"))
    cities = cities_for(engine, readable, asked.get("like", ""))
    many = read_people(people) if people else None
    if cities is not None:
        # Also of a city that is not measured: where there are too few to compare none is.
        tenant = engine.tenants[asked["like"]]
        many = many or people_of(engine.references, tenant)
        country = country or tenant.city.country
    return Like(many, country, cities)


def cities_for(engine: Any, readable: Readable, name: str) -> Cities | None:
    """What is measured of the cities that a client may read, as a city `name` of them asks; None
    where no city does. InvalidRequest. Reads files: not for the event loop."""
    if not name:
        return None
    if name not in engine.tenants or not readable(name):
        raise InvalidRequest(say("like-city", name=name[:80]))
    return Cities({key: one for key, one in engine.profiles.all().items() if readable(key)}, name)
