"""What a source is subscribed to: a subscription of ours within what it is registered for
(CIM 009 §5.8.1.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rynek.context.jsonld import CompiledContext
from rynek.context.registrations import EntityInfo, Match
from rynek.context.subscriptions import Subscription, render_subscription
from rynek.context.subscriptions.model import Selector
from rynek.context.subscriptions.render import format_types

__all__ = ["reduced_copy"]

# Members that are ours alone: what people call it, which sources it is for, what the system says.
_OURS: Final = (
    "id", "subscriptionName", "description", "csf", "splitEntities", "localOnly", "jsonldContext",
    "status", "entities", "watchedAttributes", "datasetId",
)  # fmt: skip
_FILTERS: Final = ("q", "geoQ", "scopeQ", "ngsildConformance", "expandValues", "jsonKeys", "lang")
_SHOWN: Final = ("format", "sysAttrs", "showChanges", "join", "joinLevel", "attributes", "pick",
                 "omit")  # fmt: skip
_GEO_JSON: Final = "application/geo+json"


def reduced_copy(
    one: Subscription,
    match: Match,
    ld: CompiledContext,
    *,
    split: bool,
    remote_id: str,
    uri: str,
) -> dict[str, Any] | None:
    """The document for the source, in the words of `ld`, notified at `uri`; None when nothing is
    left of the watched attributes or dataset ids there.

    With `split` entities, conditions and forms are left out: they can only be looked at where all
    parts of an entity come together.
    """
    watched = _watched(one, match)
    datasets = _datasets(one, match)
    if watched == [] or datasets == []:
        return None
    document = render_subscription(one, ld, None, 0, sys_attrs=False)
    given = document["notification"]
    for name in _OURS:
        document.pop(name, None)
    if split:
        for name in _FILTERS:
            document.pop(name, None)
    document["id"] = remote_id
    entities = _entities(one, match, ld)
    if entities:
        document["entities"] = entities
    if watched is not None and one.time_interval is None:
        document["watchedAttributes"] = [ld.compact_iri(iri) for iri in watched]
    if datasets is not None:
        document["datasetId"] = datasets
    if match.registration.management.local_only:
        document["localOnly"] = True
    shown = {} if split else {name: given[name] for name in _SHOWN if name in given}
    endpoint = {"uri": uri}
    if one.endpoint.media == _GEO_JSON and not split:
        endpoint["accept"] = _GEO_JSON
    document["notification"] = shown | {"endpoint": endpoint}
    return document


def _watched(one: Subscription, match: Match) -> list[str] | None:
    """Watched attributes that the source may have; None: any, empty: none of them."""
    mine = match.attrs
    if mine is None:
        return None if one.watched is None else sorted(one.watched)
    registered = frozenset().union(*(part.info.names for part in match.parts))
    return sorted(registered if one.watched is None else registered & one.watched)


def _datasets(one: Subscription, match: Match) -> list[str] | None:
    mine, wanted = match.registration.dataset_ids, one.view.dataset_ids
    if mine is None:
        return None if wanted is None else list(wanted)
    return list(mine) if wanted is None else [each for each in wanted if each in mine]


def _entities(one: Subscription, match: Match, ld: CompiledContext) -> list[dict[str, Any]]:
    """Entity selectors (§5.2.33) for what both the subscription and the registration are about;
    empty for any entity."""
    infos = _infos(match)
    if infos is None:
        return [_selector(each, ld) for each in one.selectors]
    found: list[dict[str, Any]] = []
    for info in infos:
        made: Iterable[dict[str, Any] | None] = [_of_info(info, ld)]
        if one.selectors:
            made = (_both(each, info, ld) for each in one.selectors)
        found += [each for each in made if each is not None and each not in found]
    return found


def _infos(match: Match) -> list[EntityInfo] | None:
    """Those that matched; None where some part is about any entity."""
    found: dict[EntityInfo, None] = {}
    for part in match.parts:
        if part.entities is None:
            return None
        found |= dict.fromkeys(part.entities)
    return list(found)


def _selector(each: Selector, ld: CompiledContext) -> dict[str, Any]:
    out: dict[str, Any] = {"type": "*"}
    if each.types is not None:
        out["type"] = format_types(each.types, ld.compact_iri)
    if each.ids is not None:
        return out | _ids(sorted(each.ids))
    return out if each.id_pattern is None else out | {"idPattern": each.id_pattern}


def _of_info(info: EntityInfo, ld: CompiledContext) -> dict[str, Any]:
    out: dict[str, Any] = {"type": ";".join(ld.compact_iri(name) for name in info.types)}
    if info.id is not None:
        return out | {"id": info.id}
    return out if info.id_pattern is None else out | {"idPattern": info.id_pattern}


def _both(each: Selector, info: EntityInfo, ld: CompiledContext) -> dict[str, Any] | None:
    """What both select; None when nothing can be. Of two patterns the subscription's is taken:
    what comes is looked at again."""
    if each.types is not None and not each.types.matches(info.types):
        return None
    out = _of_info(info, ld)
    out["type"] = _selector(each, ld)["type"] if each.types is not None else out["type"]
    if each.ids is not None:
        ids = sorted(one for one in each.ids if _takes(info, one))
        return {"type": out["type"]} | _ids(ids) if ids else None
    if each.id_pattern is None:
        return out
    if info.id is not None:
        return out if each.takes_id(info.id) else None
    return out | {"idPattern": each.id_pattern}


def _takes(info: EntityInfo, entity_id: str) -> bool:
    if info.id is not None:
        return info.id == entity_id
    return info.id_pattern is None or info.found_in(entity_id)


def _ids(ids: list[str]) -> dict[str, Any]:
    return {"id": ids[0] if len(ids) == 1 else ids}
