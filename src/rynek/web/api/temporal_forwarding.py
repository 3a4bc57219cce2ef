"""Temporal writes that other context sources take part in (CIM 009 §5.6.11 - §5.6.16).

Handlers write what is held here; `shared` sends to sources what they are registered for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final, NamedTuple

import msgspec

from rynek.base.errors import BadRequestData, Problem, ResourceNotFound
from rynek.base.ids import is_uri
from rynek.context import (
    SCOPE,
    CompiledContext,
    Match,
    Registration,
    RegistrationSpec,
    TemporalSpan,
    distribution,
    parse_temporal,
)
from rynek.context.distribution import Outbound, Outcome, Part, Plan
from rynek.web.api.bodies import dumps, read_document
from rynek.web.api.call import Call, Reply
from rynek.web.api.distributed import is_local, matches_of
from rynek.web.api.forwarding import reply_of
from rynek.web.api.route import Handler, Route, replied

Document = dict[str, Any]
# Method and path → the operation's name (§4.20).
_OPERATIONS: Final[dict[tuple[str, str], str]] = {
    ("POST", "temporal/entities"): "upsertTemporal",
    ("DELETE", "temporal/entities/*"): "deleteTemporal",
    ("POST", "temporal/entities/*/attrs"): "appendAttrsTemporal",
    ("DELETE", "temporal/entities/*/attrs/*"): "deleteAttrsTemporal",
    ("PATCH", "temporal/entities/*/attrs/*/*"): "updateAttrInstanceTemporal",
    ("DELETE", "temporal/entities/*/attrs/*/*"): "deleteAttrInstanceTemporal",
}
_WITH_ATTRIBUTES: Final = frozenset(("upsertTemporal", "appendAttrsTemporal"))


class _Write(NamedTuple):
    """A temporal write: its document and @context, the entity and the attributes (IRIs; None: the
    evolution as a whole) that it is about."""

    operation: str
    entity_id: str
    ld: CompiledContext
    document: Document | None = None
    attrs: tuple[str, ...] | None = None
    types: list[str] | None = None


def shared(routes: Sequence[Route]) -> list[Route]:
    """The routes of temporal writes, carried out at sources too."""
    return [
        one._replace(handler=_wrapped(one.handler, _OPERATIONS[one.methods, one.path]))
        if (one.methods, one.path) in _OPERATIONS
        else one
        for one in routes
    ]


def _wrapped(handler: Handler, operation: str) -> Handler:
    @wraps(handler)
    async def write(call: Call) -> Reply:
        if is_local(call):
            return await replied(handler(call))
        asked = await _read(call, operation)
        plan = await _plan(call, asked)
        return (
            await _spread(call, handler, asked, plan)
            if plan.parts
            else await replied(handler(call))
        )

    return write


async def _read(call: Call, operation: str) -> _Write:
    args = call.path_args
    bodiless = call.method == "DELETE"
    document, ld = (None, call.ld) if bodiless else await read_document(call)
    entity_id = args[0] if args else (document or {}).get("id")
    if not isinstance(entity_id, str) or not is_uri(entity_id):
        raise BadRequestData("the id of the entity is no URI")
    attrs: tuple[str, ...] | None = None
    if len(args) > 1:
        attrs = (ld.expand_term(args[1]),)
    types = None
    if operation in _WITH_ATTRIBUTES:
        fragment = parse_temporal(document, ld)
        attrs = tuple(attr for attr in fragment.attrs if attr != SCOPE)
        types = fragment.types
    return _Write(operation, entity_id, ld, document, attrs, types)


async def _plan(call: Call, asked: _Write) -> Plan:
    tenant, types = call.tenant, asked.types
    if not types:
        current = tenant.context.get(asked.entity_id)
        known = await tenant.history.edit.about(asked.entity_id, current)
        types = known.types if known is not None else None
    matches: list[Match] = matches_of(
        call,
        RegistrationSpec(
            entity_types=types or None,
            ids=(asked.entity_id,),
            attrs=asked.attrs or (),
            temporal=TemporalSpan(),
        ),
        None,
    )

    def supports(source: Registration) -> bool:
        return source.supports(asked.operation)

    if asked.attrs is None:
        return distribution.split_whole(matches, supports)
    return distribution.split(matches, asked.attrs, supports)


async def _spread(call: Call, handler: Handler, asked: _Write, plan: Plan) -> Reply:
    outcomes = await distribution.send_parts(
        call.tenant.forwarder,
        plan.parts,
        distribution.Origin(call.headers, asked.ld),
        _requests(call, asked),
    )
    success = Reply(204)
    created = [one for one in outcomes if one.status == 201]
    if created:
        path = f"{call.base_path}/ngsi-ld/v1/temporal/entities/{asked.entity_id}"
        success = Reply(201, headers=[(b"location", path.encode())])
    if plan.here:
        outcome, reply = await _here(call, handler, asked, plan.local)
        if reply is not None:
            success = reply
        if not _is_missed(outcome, plan):
            outcomes.append(outcome)
    by_attribute = asked.operation not in {"upsertTemporal", "deleteTemporal"}
    return reply_of(outcomes, asked.entity_id, asked.attrs if by_attribute else None, success)


def _is_missed(here: Outcome, plan: Plan) -> bool:
    """Whether nothing is known here of what sources may know: no failure (§5.6.12.4), unless it
    is about attributes that no one else takes."""
    taken = {attr for part in plan.parts for attr in part.attrs or ()}
    return isinstance(here.problem, ResourceNotFound) and taken.issuperset(plan.local or ())


def _requests(call: Call, asked: _Write) -> Callable[[Part], Outbound]:
    path = tuple(call.path_args[1:])
    parts: tuple[str, ...] = ("temporal", "entities")
    if call.path_args:
        parts = (*parts, call.path_args[0])
        if asked.operation != "deleteTemporal":
            parts = (*parts, "attrs", *path)
    params = {name: value for name, value in call.params.items() if name != "local"}
    single = asked.operation == "updateAttrInstanceTemporal"

    def request(part: Part) -> Outbound:
        body = asked.document
        if body is not None and not single:
            body = distribution.part_of_document(body, asked.ld, part.attrs, part.types)
        return Outbound(
            call.method,
            parts,
            params,
            body,
            kind="attribute" if single else "entity",
            attribute=4 if path else None,
        )

    return request


async def _here(
    call: Call, handler: Handler, asked: _Write, attrs: tuple[str, ...] | None
) -> tuple[Outcome, Reply | None]:
    """The local part, by the handler: a request with what stays here."""
    if asked.operation in _WITH_ATTRIBUTES and asked.document is not None:
        kept = distribution.part_of_document(asked.document, asked.ld, attrs, None)
        call = msgspec.structs.replace(call, body=dumps(kept))
    try:
        return Outcome(None, attrs), await replied(handler(call))
    except Problem as problem:
        return Outcome(None, attrs, problem), None
