"""Requests to a source, and what comes back, within what it is registered for (§4.3.6.1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity
from rynek.context.query import Query, pattern
from rynek.context.registrations import EntityInfo, Match

__all__ = [
    "is_about",
    "is_registered",
    "narrowed_attrs",
    "narrowed_datasets",
    "narrowed_params",
    "reduced",
]

_NONE: Final = "@none"
_FILTERS: Final = (
    "q", "expandValues", "georel", "geometry", "coordinates", "geoproperty", "scopeQ", "jsonKeys",
)  # fmt: skip


def narrowed_params(
    match: Match,
    query: Query,
    params: Mapping[str, str],
    ld: CompiledContext,
    *,
    split: bool,
) -> dict[str, str]:
    """What a source is asked for a query of ours: ids, types, attributes and dataset ids that it is
    registered for, and the filters unless entities may be `split` between sources (§5.7.2.4)."""
    out: dict[str, str] = {}
    infos = _entity_infos(match)
    types = _types(infos, query, params, ld)
    if types is not None:
        out["type"] = types
    out |= _ids(infos, query)
    attrs = narrowed_attrs(match, (query.attrs or None) if not split else None, ld)
    if attrs is not None:
        out["attrs"] = attrs
    if not split:
        out |= {name: params[name] for name in _FILTERS if name in params}
        if query.linked:
            del out["q"]  # linked entities may be anywhere: what q says of them is checked here
    wanted = params["datasetId"].split(",") if "datasetId" in params else None
    dataset_ids = narrowed_datasets(match, wanted)
    if dataset_ids is not None:
        out["datasetId"] = dataset_ids
    return out


def narrowed_attrs(match: Match, attrs: Collection[str] | None, ld: CompiledContext) -> str | None:
    """The `attrs` of a request: those asked for (None: all) that the source is registered for, as
    short names; None where no restriction is needed."""
    mine = match.attrs
    if mine is None:
        return None if attrs is None else ",".join(ld.compact_iri(attr) for attr in attrs)
    wanted = sorted(mine) if attrs is None else [attr for attr in attrs if attr in mine]
    return ",".join(ld.compact_iri(attr) for attr in wanted)


def narrowed_datasets(match: Match, wanted: Collection[str] | None) -> str | None:
    """The `datasetId` of a request: those asked for that the source is registered for."""
    mine = match.registration.dataset_ids
    if wanted is None:
        return None if mine is None else ",".join(mine)
    return ",".join(one for one in wanted if mine is None or one in mine)


def is_about(info: EntityInfo, entity: Entity) -> bool:
    """Whether an EntityInfo is about an entity (§5.2.8)."""
    if not set(info.types).issubset(entity.types):
        return False
    if info.id is not None:
        return info.id == entity.id
    return info.id_pattern is None or pattern.search(info.id_pattern, "idPattern")(entity.id)


def is_registered(entity: Entity, match: Match) -> bool:
    """Whether an entity that a source sent is one of those that it is registered for."""
    infos = _entity_infos(match)
    return infos is None or any(is_about(one, entity) for one in infos)


def reduced(entity: Entity, match: Match) -> Entity:
    """An entity that a source sent, less attributes and instances it is not registered for."""
    mine, names = match.attrs, match.registration.dataset_ids
    if mine is None and names is None:
        return entity
    attrs = {
        attr: [i for i in instances if names is None or (i.dataset_id or _NONE) in names]
        for attr, instances in entity.attrs.items()
        if mine is None or attr in mine
    }
    kept = {attr: instances for attr, instances in attrs.items() if instances}
    return msgspec.structs.replace(entity, attrs=kept)


def _entity_infos(match: Match) -> list[EntityInfo] | None:
    """Those that matched; None where the source is about any entity."""
    found: list[EntityInfo] = []
    for part in match.parts:
        if part.entities is None:
            return None
        found += part.entities
    return found


def _types(
    infos: list[EntityInfo] | None, query: Query, params: Mapping[str, str], ld: CompiledContext
) -> str | None:
    text = params.get("type")
    if infos is None:
        return text
    if query.types is None:
        return _selector([frozenset(info.types) for info in infos], ld)
    mine = [
        option
        for option in query.types.options
        if any(option.issubset(info.types) for info in infos)
    ]
    return text if len(mine) == len(query.types.options) else _selector(mine, ld)


def _selector(options: list[frozenset[str]], ld: CompiledContext) -> str:
    """A selector of entity types (§4.17) that takes any of the options."""
    terms = []
    for option in dict.fromkeys(options):
        names = [ld.compact_iri(name) for name in sorted(option)]
        terms.append(names[0] if len(names) == 1 else f"({';'.join(names)})")
    return ",".join(terms)


def _ids(infos: list[EntityInfo] | None, query: Query) -> dict[str, str]:
    """`id` or `idPattern`: the client's within the registration's, or the registration's own."""
    out: dict[str, str] = {}
    if query.id_pattern is not None:
        out["idPattern"] = query.id_pattern
    if query.ids is not None:
        ids = query.ids
        if infos is not None:
            ids = [one for one in ids if any(_takes(info, one) for info in infos)]
        out["id"] = ",".join(ids)
    elif infos and all(info.id is not None for info in infos):
        out["id"] = ",".join(dict.fromkeys(info.id or "" for info in infos))
    elif infos and "idPattern" not in out:
        patterns = list(dict.fromkeys(info.id_pattern for info in infos if info.id is None))
        if len(patterns) == 1 and patterns[0] is not None and all(i.id is None for i in infos):
            out["idPattern"] = patterns[0]
    return out


def _takes(info: EntityInfo, entity_id: str) -> bool:
    if info.id is not None:
        return info.id == entity_id
    return info.id_pattern is None or pattern.search(info.id_pattern, "idPattern")(entity_id)
