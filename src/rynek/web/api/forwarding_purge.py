"""Purges that other context sources take part in (CIM 009 §5.6.21)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rynek.base.errors import Conflict
from rynek.context import Match, Query, Registration, distribution, operations
from rynek.context.distribution import Outbound, Outcome, Part
from rynek.web.api.bodies import dumps
from rynek.web.api.call import Call, Reply
from rynek.web.api.distributed import is_local, matches_of, spec_of

__all__ = ["is_local", "purge_elsewhere", "purge_reply"]

_OPERATION: Final = "purgeEntity"
_NOBODY: Final = "urn:ngsi-ld:null"


async def purge_elsewhere(call: Call, query: Query) -> list[Outcome]:
    """What became of the purge at each source that takes part."""
    params = call.params
    matches = matches_of(call, spec_of(query, params), None, params.get("csf"))
    by_source: dict[str, Match] = {one.registration.id: one for one in matches}
    plan = distribution.split_whole(matches, _supports)

    def request(part: Part) -> Outbound:
        match = by_source[part.source.id]
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
