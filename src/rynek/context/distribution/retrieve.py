"""Retrieve Entity from several sources (CIM 009 §5.7.1.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from rynek.context.distribution.forward import Outbound
from rynek.context.distribution.merge import merge, supplement, undecided
from rynek.context.distribution.narrow import narrowed_attrs, narrowed_datasets
from rynek.context.distribution.read import InvalidAnswer, read_entity, words_of
from rynek.context.distribution.reading import Asked, Reader, held_elsewhere, with_times
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity
from rynek.context.registrations import Match

__all__ = ["Retrieval", "retrieve"]


class Retrieval(msgspec.Struct, frozen=True):
    """What of an entity is wanted: attributes (IRIs, None for all), `type` as the client gave it,
    dataset ids, and whether system times are. `maps` are the entity maps of sources, by
    registration, that they are to use."""

    entity_id: str
    ld: CompiledContext
    attrs: Collection[str] | None = None
    type: str | None = None
    dataset_ids: Collection[str] | None = None
    sys_attrs: bool = False
    maps: Mapping[str, str] = {}


async def retrieve(
    reader: Reader, wanted: Retrieval, local: Entity | None, matches: Sequence[Match]
) -> Entity | None:
    """The entity as all together have it; None when no one has."""
    here = held_elsewhere(matches, local) if local is not None else None
    asked = [Asked(match, _request(wanted, match)) for match in matches]
    found = await _parts(reader, wanted, asked)
    main = [part for one, part in found if not one.auxiliary]
    parts = main if here is None else [here, *main]
    if len(parts) > 1 and not wanted.sys_attrs and undecided(parts, reader.now):
        # Only modifiedAt decides, so those who have a part are asked again, for their times.
        again = [
            Asked(one.match, msgspec.structs.replace(
                one.request, params=with_times(one.request.params)))
            for one, _ in found if not one.auxiliary
        ]  # fmt: skip
        parts = [part for _, part in await _parts(reader, wanted, again)]
        parts = parts if here is None else [here, *parts]
    extras = [part for one, part in found if one.auxiliary]
    return supplement(merge(parts, reader.now) if parts else None, extras, reader.now)


def _request(wanted: Retrieval, match: Match) -> Outbound:
    params: dict[str, str] = {}
    if wanted.type is not None:
        params["type"] = wanted.type
    attrs = narrowed_attrs(match, wanted.attrs, wanted.ld)
    if attrs is not None:
        params["attrs"] = attrs
    dataset_ids = narrowed_datasets(match, wanted.dataset_ids)
    if dataset_ids is not None:
        params["datasetId"] = dataset_ids
    if wanted.sys_attrs:
        params["options"] = "sysAttrs"
    own_map = wanted.maps.get(match.registration.id)
    return Outbound("GET", ("entities", wanted.entity_id), params, entity_map=own_map)


async def _parts(
    reader: Reader, wanted: Retrieval, asked: Sequence[Asked]
) -> list[tuple[Asked, Entity]]:
    found = []
    for one, answer in zip(asked, await reader.ask(asked), strict=True):
        if not answer.ok:
            continue
        try:
            remote = read_entity(answer.body)
            if remote.id != wanted.entity_id:
                raise InvalidAnswer(f"another entity than {wanted.entity_id}")
            ld = await words_of(answer, reader.resolve)
        except InvalidAnswer as error:
            reader.invalid(answer, error)
            continue
        entity = await reader.entity(remote, answer, one.match, ld)
        if entity is not None:
            found.append((one, entity))
    return found
