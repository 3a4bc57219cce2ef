"""Purges that other context sources take part in (CIM 009 §5.6.21)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from rynek.base.errors import Conflict
from rynek.context import EntityMap, Match, Query, Registration, distribution, operations
from rynek.context.distribution import Outbound, Outcome, Part
from rynek.web.api.bodies import dumps
from rynek.web.api.call import Call, Reply
from rynek.web.api.distributed import behind, is_local, matches_of, spec_of

__all__ = ["is_local", "purge_elsewhere", "purge_reply"]

_OPERATION: Final = "purgeEntity"
_AT_ONCE: Final = 100
_NOBODY: Final = "urn:ngsi-ld:null"


async def purge_elsewhere(
    call: Call, query: Query, entity_map: EntityMap | None = None
) -> list[Outcome]:
    """What became of the purge at each source that takes part; with a map, of just the entities
    that it has behind each."""
    params = call.params
    matches = matches_of(call, spec_of(query, params), None, params.get("csf"))
    if entity_map is None:
        return await _purge_at(call, matches, lambda _: query)
    outcomes: list[Outcome] = []
    held = entity_map.entities
    ids = list(held) if query.ids is None else [one for one in query.ids if one in held]
    for first in range(0, len(ids), _AT_ONCE):
        some = ids[first : first + _AT_ONCE]

        def of(source: Registration, some: list[str] = some) -> Query:
            return replace(query, ids=[one for one in some if source.id in held[one]])

        outcomes += await _purge_at(call, behind(entity_map, some, matches), of)
    return outcomes


async def _purge_at(
    call: Call, matches: Sequence[Match], query_of: Callable[[Registration], Query]
) -> list[Outcome]:
    params = call.params
    by_source: dict[str, Match] = {one.registration.id: one for one in matches}
    plan = distribution.split_whole(matches, _supports)

    def request(part: Part) -> Outbound:
        match, query = by_source[part.source.id], query_of(part.source)
        asked = distribution.narrowed_params(match, query, params, call.ld, split=False)
        asked |= {name: params[name] for name in ("keep", "drop") if name in params}
        return Outbound("DELETE", ("entities",), asked)

    origin = distribution.Origin(call.headers, call.ld)
    return await distribution.send_parts(call.tenant.forwarder, plan.parts, origin, request)


def _supports(source: Registration) -> bool:
    return source.supports(_OPERATION)


def purge_reply(outcomes: Sequence[Outcome], purged: Sequence[str]) -> Reply:
    """204, the error where nothing was purged and all sources failed alike, else 207."""
    problems = [one.problem for one in outcomes if one.problem is not None]
    if not problems:
        return Reply(204)
    alike = len(problems) == 1 or all(isinstance(one, Conflict) for one in problems)
    if alike and not purged and len(problems) == len(outcomes):
        raise problems[0]
    errors: list[dict[str, Any]] = []
    for one in outcomes:
        told = one.body.get("errors") if isinstance(one.body, dict) else None
        if isinstance(told, list) and told:
            errors += [
                {**error, "registrationId": one.registration_id}
                for error in told
                if isinstance(error, dict)
            ]
        elif one.problem is not None:
            errors.append(operations.entity_error(_NOBODY, one.problem))
    return Reply(207, dumps({"success": list(purged), "errors": errors}))
