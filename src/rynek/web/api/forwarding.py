"""Writes that other context sources take part in (CIM 009 §5.6.1 - §5.6.6, §5.6.17 - §5.6.19)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from rynek.base.errors import Conflict, Problem, ResourceNotFound
from rynek.context import CompiledContext, Entity, Match, RegistrationSpec, Txn, distribution
from rynek.context import operations as verbs
from rynek.context.distribution import Outbound, Outcome, Part, Plan
from rynek.web.api.bodies import dumps, load_json
from rynek.web.api.call import Call, Reply
from rynek.web.api.distributed import is_local, matches_of
from rynek.web.api.params import types_wanted

__all__ = ["Job", "Write", "is_local", "reply_of", "spread"]

Job = Callable[[Txn], Any]
_ATTRIBUTE_OPERATIONS: Final = frozenset(("updateAttrs", "replaceAttrs", "deleteAttrs"))
_BY_ATTRIBUTE: Final = _ATTRIBUTE_OPERATIONS | {"appendAttrs", "updateEntity"}
_HERE_ONLY: Final = frozenset(("local",))


class Write(NamedTuple):
    """A write on one entity. `content` is the Entity or Fragment that the body says (None without
    one), `attrs` the attributes (IRIs) it is about (None: the entity as a whole), `job` makes the
    local write of a content of which some attributes may have gone elsewhere."""

    operation: str
    entity_id: str
    ld: CompiledContext
    job: Callable[[Any], Job]
    content: Any = None
    attrs: tuple[str, ...] | None = None


async def spread(call: Call, write: Write) -> Reply | None:
    """Carry out a write here and at the sources that take part; None when none does, and nothing
    has been done then."""
    held = _held(call, write.entity_id)
    matches = _matches(call, write, held)
    if not matches:
        return None
    plan = _plan(write, matches)
    if not plan.parts:
        return None
    outcomes = await distribution.send_parts(
        call.tenant.forwarder,
        plan.parts,
        distribution.Origin(call.headers, write.ld),
        _requests(call, write),
    )
    if held is None and _is_blind(call, write):
        outcomes = _without_misses(outcomes)
    here = await _here(call, write, plan, held)
    if here is not None and not _is_only_elsewhere(write, here, outcomes):
        outcomes.append(here)
    return _reply(call, write, outcomes)


def _is_only_elsewhere(write: Write, here: Outcome, outcomes: Sequence[Outcome]) -> bool:
    """Whether an attribute is just not part of what is held here, while a source has it."""
    return (
        write.operation in _ATTRIBUTE_OPERATIONS
        and isinstance(here.problem, ResourceNotFound)
        and any(one.problem is None for one in outcomes)
    )


def _held(call: Call, entity_id: str) -> Entity | None:
    """What is held here of the entity; of another type than asked for does not count."""
    entity: Entity | None = call.tenant.context.get(entity_id)
    if entity is None:
        return None
    wanted = types_wanted(call.params, call.ld)
    return entity if wanted is None or wanted.matches(entity.types) else None


def _matches(call: Call, write: Write, held: Entity | None) -> list[Match]:
    """Who takes part. The types are those of the body, else those of the entity held here: who is
    registered for others is not asked."""
    types = _types_of(write) or (held.types if held is not None else None)
    spec = RegistrationSpec(
        types=None if types else types_wanted(call.params, write.ld),
        entity_types=types,
        ids=(write.entity_id,),
        attrs=write.attrs or (),
    )
    return matches_of(call, spec, None)


def _types_of(write: Write) -> list[str] | None:
    return getattr(write.content, "types", None)


def _is_blind(call: Call, write: Write) -> bool:
    return not _types_of(write) and not call.params.get("type")


def _without_misses(outcomes: list[Outcome]) -> list[Outcome]:
    """Where nothing tells the type of the entity, sources that turn out not to have it are no
    failures, as long as one has it."""
    had = [one for one in outcomes if not isinstance(one.problem, ResourceNotFound)]
    return had or outcomes


def _plan(write: Write, matches: Sequence[Match]) -> Plan:
    def supports(source: Any) -> bool:
        return bool(source.supports(write.operation))

    if write.attrs is None:
        return distribution.split_whole(matches, supports)
    return distribution.split(matches, write.attrs, supports)


def _requests(call: Call, write: Write) -> Callable[[Part], Outbound]:
    """What each source is asked: what we were, with its part of the body."""
    params = {name: value for name, value in call.params.items() if name not in _HERE_ONLY}
    document = load_json(call.body) if call.body and write.operation != "deleteAttrs" else None
    path = _path(call, write)
    whole = write.operation in _ATTRIBUTE_OPERATIONS
    form = call.params.get("format")
    words = call.options if form is None else (form,)
    simplified = "keyValues" in words or "simplified" in words

    def request(part: Part) -> Outbound:
        body = document
        if not whole and isinstance(document, dict):
            body = distribution.part_of_document(document, write.ld, part.attrs, part.types)
        return Outbound(
            call.method,
            path,
            params,
            body,
            kind="attribute" if whole else "entity",
            attribute=3 if whole else None,
            simplified=simplified,
        )

    return request


def _path(call: Call, write: Write) -> tuple[str, ...]:
    if write.operation == "createEntity":
        return ("entities",)
    path: tuple[str, ...] = ("entities", write.entity_id)
    if write.operation in _BY_ATTRIBUTE:
        path = (*path, "attrs")
    return (*path, call.path_args[1]) if write.operation in _ATTRIBUTE_OPERATIONS else path


async def _here(call: Call, write: Write, plan: Plan, held: Entity | None) -> Outcome | None:
    """The local part; None where there is nothing to do. That an entity is not held here is no
    failure, except for attributes that no one else takes."""
    if not plan.here:
        return None
    rest = plan.local
    if held is None and write.operation != "createEntity":
        taken = {attr for part in plan.parts for attr in part.attrs or ()}
        left = tuple(attr for attr in rest or () if attr not in taken)
        problem = ResourceNotFound(f"no entity {write.entity_id} is held here")
        return Outcome(None, left, problem) if left else None
    content = write.content
    if rest is not None and hasattr(content, "attrs"):
        kept = {attr: found for attr, found in content.attrs.items() if attr in rest}
        content = msgspec.structs.replace(content, attrs=kept)
    outcome = Outcome(None, rest)
    try:
        done = await call.tenant.context.write(write.job(content))
    except Problem as problem:
        outcome.problem = problem
    else:
        if isinstance(done, verbs.UpdateResult):
            outcome.refused = done.not_updated
    return outcome


def _reply(call: Call, write: Write, outcomes: Sequence[Outcome]) -> Reply:
    """One answer for all parts."""
    success = Reply(204)
    if write.operation == "createEntity":
        path = f"{call.base_path}/ngsi-ld/v1/entities/{quote(write.entity_id, safe=':')}"
        success = Reply(201, headers=[(b"location", path.encode())])
    attrs = write.attrs or () if write.operation in _BY_ATTRIBUTE else None
    return reply_of(outcomes, write.entity_id, attrs, success)


def reply_of(
    outcomes: Sequence[Outcome], entity_id: str, attrs: tuple[str, ...] | None, success: Reply
) -> Reply:
    """`success` where all parts succeeded, an error where the whole failed, else 207 (§6.3.17): with
    an UpdateResult of an operation on these `attrs`, with a BatchOperationResult of one on the
    entity (None)."""
    failed = [one for one in outcomes if one.problem is not None]
    if not failed and not any(one.refused for one in outcomes):
        return success
    if len(failed) == len(outcomes):
        _raise_if_whole(failed)
    if attrs is None:
        body = _batch_result(entity_id, outcomes)
    else:
        body = _update_result(attrs, outcomes)
    return Reply(207, dumps(body), headers=success.headers)


def _raise_if_whole(failed: Sequence[Outcome]) -> None:
    """Raise the error of an operation that failed altogether; where sources failed in different
    ways 207 says how each did."""
    problems = [one.problem for one in failed if one.problem is not None]
    here = [one.problem for one in failed if one.registration_id is None]
    if here and here[0] is not None:
        raise here[0]
    if len(problems) == 1 or all(isinstance(one, Conflict) for one in problems):
        raise problems[0]


def _batch_result(entity_id: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """BatchOperationResult (§5.2.16) of an operation on one entity."""
    done = any(one.problem is None for one in outcomes)
    return {
        "success": [entity_id] if done else [],
        "errors": [
            verbs.entity_error(entity_id, one.problem)
            for one in outcomes
            if one.problem is not None
        ],
    }


def _update_result(every: tuple[str, ...], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """UpdateResult (§5.2.18), with full names as every answer without an @context (§6.3.6)."""
    updated: dict[str, None] = {}
    refused: list[dict[str, Any]] = []
    for one in outcomes:
        attrs = one.attrs if one.attrs is not None else every
        reasons = dict(one.refused)
        if one.problem is not None:
            reasons = dict.fromkeys(attrs, one.problem.detail or one.problem.title)
        for name, reason in reasons.items():
            detail = {"attributeName": name, "reason": reason}
            if one.registration_id is not None:
                detail["registrationId"] = one.registration_id
            refused.append(detail)
        if one.problem is None:
            updated |= dict.fromkeys(attr for attr in attrs if attr not in reasons)
    return {"updated": list(updated), "notUpdated": refused}
