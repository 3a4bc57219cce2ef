"""`q` of the cards' paths: what a client searches for, and what it is given."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from rynek.base.clock import to_iso
from rynek.base.errors import InvalidRequest
from rynek.practices import say
from rynek.practices.cards import LANGUAGES, Viewer
from rynek.practices.search import (
    MAX_LIMIT,
    MAX_OFFSET,
    PPS,
    Filters,
    alike_document,
    found_document,
    hit_document,
)
from rynek.web.practices.moving import cities_for

__all__ = ["PARAMETERS", "answer", "read_amount", "read_unit"]

_TEXTS: Final = ("theme", "cluster", "verdict", "status", "country", "size")
PARAMETERS: Final = (
    "q",
    *_TEXTS,
    "like",
    "told_in",
    "level",
    "cost_from",
    "cost_to",
    "cost_kind",
    "cost_in",
    "language",
    "limit",
    "offset",
)


def answer(
    engine: Any, viewer: Viewer, readable: Callable[[str], bool], asked: Mapping[str, str]
) -> dict[str, Any]:
    """What a search gives: cards with `found` (title and snippet, marked), counts and facets.

    InvalidRequest and BadRequestData name the parameter that is wrong.
    """
    for name in asked:
        if name not in PARAMETERS:
            raise InvalidRequest(say("parameter-unknown", name=name[:60], known=PARAMETERS))
    language = asked.get("language", "en")
    if language not in LANGUAGES:
        raise InvalidRequest(say("search-one-of", key="language", known=LANGUAGES))
    told_in = asked.get("told_in", "")
    if told_in and told_in not in LANGUAGES:
        raise InvalidRequest(say("search-one-of", key="told_in", known=LANGUAGES))
    texts = {name: asked.get(name, "")[:200] for name in _TEXTS}
    filters = Filters(
        language=told_in,
        level=_number(asked, "level", 0, 0, 5),
        cost_from=read_amount(asked, "cost_from"),
        cost_to=read_amount(asked, "cost_to"),
        cost_kind=asked.get("cost_kind", ""),
        cost_in=read_unit(asked),
        **texts,
    )
    cities = cities_for(engine, readable, asked.get("like", ""))
    found, seen = engine.card_index.ask(
        engine.cards,
        asked["q"],
        viewer,
        filters,
        languages=(language,),
        offset=_number(asked, "offset", 0, 0, MAX_OFFSET),
        limit=_number(asked, "limit", 20, 1, MAX_LIMIT),
        cities=cities,
    )
    told = found_document(found) | {"cost_in": filters.cost_in}
    del told["hits"]
    told["cards"] = [
        each.document()
        | {"changed": to_iso(each.written.at), "found": hit_document(hit)}
        | ({} if cities is None else {"alike": alike_document(cities.alike(each))})
        for hit, each in zip(found.hits, seen, strict=True)
    ]
    return told


def _number(asked: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = asked.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 8 and least <= int(text) <= most):
        raise InvalidRequest(say("parameter-number", name=name, least=least, most=most))
    return int(text)


def read_unit(asked: Mapping[str, str]) -> str:
    """The unit that costs are asked for in: PPS where `cost_in` says nothing. InvalidRequest."""
    unit = asked.get("cost_in", "") or PPS
    if not re.fullmatch(r"[A-Z]{3}", unit):
        raise InvalidRequest(say("search-unit"))
    return unit


def read_amount(asked: Mapping[str, str], name: str) -> float | None:
    """An amount of money; None where none is given. InvalidRequest."""
    text = asked.get(name, "").strip().replace(" ", "").replace("\u00a0", "")
    if not text:
        return None
    try:
        value = float(text[:40])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidRequest(say("search-amount", key=name))
    return value
