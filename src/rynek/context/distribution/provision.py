"""The parts of a write that go to other sources, and what became of them (CIM 009 §5.6, §6.3.17)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import msgspec

from rynek.base.errors import (
    AlreadyExists,
    BadGateway,
    Conflict,
    GatewayTimeout,
    LoopDetected,
    Problem,
    ResourceNotFound,
)
from rynek.context.distribution.answer import Answer
from rynek.context.distribution.forward import Forwarder, Origin, Outbound
from rynek.context.distribution.split import Part
from rynek.context.jsonld import CompiledContext

__all__ = ["Outcome", "conflict_of", "part_of_document", "problem_of", "send_parts"]

_loads: Final = msgspec.json.Decoder().decode
_MEMBERS: Final = frozenset(
    ("id", "@id", "type", "@type", "@context", "scope", "expiresAt", "createdAt", "modifiedAt",
     "deletedAt")
)  # fmt: skip
_MULTI_STATUS: Final = 207


class Outcome(msgspec.Struct):
    """What became of one part of a write: `registration_id` is None for what was done here.

    `attrs` are the attribute IRIs of the part (None: the whole request). With a `problem` it
    failed; `refused` are attributes of a part that otherwise succeeded, with the reason.
    """

    registration_id: str | None
    attrs: tuple[str, ...] | None
    problem: Problem | None = None
    refused: list[tuple[str, str]] = []
    body: Any = None
    status: int = 204


async def send_parts(
    forwarder: Forwarder,
    parts: Sequence[Part],
    origin: Origin,
    request: Callable[[Part], Outbound],
) -> list[Outcome]:
    """Send each part to its source, all at a time; a part that its source does not take is a
    Conflict and is not sent."""
    sent = [part for part in parts if part.supported]
    asked = [forwarder.ask(part.source, request(part), origin) for part in sent]
    answers = iter(await asyncio.gather(*asked))
    return [
        _outcome(part, next(answers))
        if part.supported
        else Outcome(part.source.id, part.attrs, conflict_of(part.source.id, part.source.mode))
        for part in parts
    ]


def conflict_of(registration_id: str, mode: str) -> Problem:
    """What a proxied source does not do cannot be done elsewhere either (§5.6.1.4)."""
    problem = Conflict(
        f"the {mode} registration {registration_id} has this, and does not take the operation"
    )
    problem.registration_id = registration_id
    return problem


def _outcome(part: Part, answer: Answer) -> Outcome:
    outcome = Outcome(part.source.id, part.attrs, status=answer.status)
    if not answer.ok:
        outcome.problem = problem_of(answer)
        return outcome
    if answer.status in {201, _MULTI_STATUS}:
        outcome.body = body_of(answer)
    if answer.status == _MULTI_STATUS:
        _take_partial(outcome, outcome.body, answer.source.id)
    return outcome


def _take_partial(outcome: Outcome, body: Any, source_id: str) -> None:
    """A source that did only some of its part says so by an UpdateResult (§5.2.18) or a
    BatchOperationResult (§5.2.16)."""
    if not isinstance(body, dict):
        outcome.problem = _failed(BadGateway, source_id, "207 without a result")
        return
    refused = body.get("notUpdated")
    if isinstance(refused, list):
        outcome.refused = [
            (str(one.get("attributeName"))[:2048], str(one.get("reason"))[:500])
            for one in refused
            if isinstance(one, dict)
        ]
    errors = body.get("errors")
    if isinstance(errors, list) and errors:
        first = errors[0].get("error") if isinstance(errors[0], dict) else None
        outcome.problem = _failed(BadGateway, source_id, f"did some of it only{_said(first)}")


def problem_of(answer: Answer) -> Problem:
    """The problem that a failed answer is for our client (§6.3.17)."""
    source = answer.source
    if answer.failure in {"timeout", "cooldown"}:
        return _failed(GatewayTimeout, source.id, answer.detail)
    if answer.failure:
        return _failed(BadGateway, source.id, answer.detail)
    told = body_of(answer)
    said = _said(told)
    if answer.status == 508:
        return _failed(LoopDetected, source.id, f"registrations form a loop{said}")
    if answer.status == 404:
        return _failed(ResourceNotFound, source.id, f"not found there{said}")
    if answer.status == 409:
        kind = told.get("type") if isinstance(told, dict) else None
        clash = Conflict if kind == Conflict().type else AlreadyExists
        return _failed(clash, source.id, f"conflicts with what is there{said}")
    if answer.status == 504:
        return _failed(GatewayTimeout, source.id, f"its own sources did not answer{said}")
    return _failed(BadGateway, source.id, f"answered with status {answer.status}{said}")


def _failed(kind: type[Problem], source_id: str, detail: str) -> Problem:
    problem = kind(f"{source_id}: {detail}")
    problem.registration_id = source_id
    return problem


def body_of(answer: Answer) -> Any:
    """The answer's body as JSON, None when it is none."""
    try:
        return _loads(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _said(document: Any) -> str:
    """What a problem document says, for the detail of ours."""
    if not isinstance(document, dict):
        return ""
    words = [document.get("title"), document.get("detail")]
    text = ": ".join(word for word in words if isinstance(word, str) and word)
    return f" ({text[:400]})" if text else ""


def part_of_document(
    document: dict[str, Any],
    ld: CompiledContext,
    attrs: Collection[str] | None,
    types: Collection[str] | None,
) -> dict[str, Any]:
    """A document with only those attributes (IRIs), and of several types only those that the
    source is registered for (§4.3.6.1)."""
    kept: dict[str, Any] = {}
    for name, item in document.items():
        if name in {"type", "@type"} and types and isinstance(item, list):
            mine = [one for one in item if ld.entity_type(one) in types]
            kept[name] = item if not mine else mine[0] if len(mine) == 1 else mine
        elif name in _MEMBERS or attrs is None or ld.attribute(name) in attrs:
            kept[name] = item
    return kept
