"""What an entity map is made of: who has which entity (CIM 009 §4.5.25, §5.14.4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from rynek.base.errors import TooManyResults
from rynek.context.distribution.forward import Outbound
from rynek.context.distribution.query import Inquiry, SelectLocal, all_local, all_remote, by_id
from rynek.context.distribution.reading import Asked, Reader
from rynek.context.maps import LOCAL

__all__ = ["candidates", "mapped"]

_OPERATION: Final = "createEntityMapQueryEntity"
_OF_PAST: Final = "createEntityMapQueryTemporal"
_loads: Final = msgspec.json.Decoder().decode


async def candidates(
    reader: Reader, inquiry: Inquiry, select: SelectLocal, most: int
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The registrations behind each entity that we or the sources have (LOCAL for ours), ours
    first, and the maps that sources made for it, by registration.

    Sources that make entity maps are asked for one; the others, and those that turn out not to,
    are asked for the entities. TooManyResults beyond `most` of one source.
    """
    maps, linked = await mapped(reader, inquiry.asked, most)
    rest = [one for one in inquiry.asked if one.match.registration.id not in maps]
    ours = await all_local(inquiry, select, most)
    theirs = await all_remote(reader, msgspec.structs.replace(inquiry, asked=rest), most)
    for one, listed in zip(rest, theirs, strict=True):
        maps[one.match.registration.id] = [entity_id for entity_id, _ in listed.pieces]
    found = {entity_id: [LOCAL] for entity_id in by_id([ours])[0]}
    for one in inquiry.asked:
        source = one.match.registration.id
        for entity_id in maps[source]:
            found.setdefault(entity_id, []).append(source)
    return found, linked


async def mapped(
    reader: Reader, asked: Sequence[Asked], most: int, *, of_past: bool = False
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The ids in the map that each source made, and the ids of the maps, by registration; of
    those only that make maps (of the past)."""
    operation = _OF_PAST if of_past else _OPERATION
    path = ("temporal", "entityMaps") if of_past else ("entityMaps",)
    able = [one for one in asked if one.match.registration.supports(operation)]
    requests = [Asked(one.match, Outbound("GET", path, one.request.params)) for one in able]
    maps: dict[str, list[str]] = {}
    linked: dict[str, str] = {}
    for one, answer in zip(able, await reader.ask(requests, quiet=True), strict=True):
        document = _document(answer.body) if answer.ok else None
        if document is None:
            continue
        source = one.match.registration.id
        maps[source] = list(document["entityMap"])
        linked[source] = document["id"]
        if len(maps[source]) > most:
            raise TooManyResults(f"{source} has more than {most} entities for one map")
    return maps, linked


def _document(body: bytes) -> dict[str, Any] | None:
    """An EntityMap (§5.2.39); None when it is none."""
    try:
        document = _loads(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("entityMap"), dict):
        return None
    return document if isinstance(document.get("id"), str) else None
