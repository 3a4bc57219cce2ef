"""Large answers beside the event loop, so that others are answered meanwhile.

A thread gives way to the loop between two steps of Python, but not within a call that is compiled:
so what is large is encoded, and let go of, in parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from rynek.base.aside import Aside
from rynek.context import (
    CompiledContext,
    TemporalAbout,
    TemporalEntity,
    TemporalInstance,
    body_with_context,
    join_bodies,
)
from rynek.web.api.bodies import context_headers, dumps
from rynek.web.api.call import JSON_LD, Call, Header, Reply
from rynek.web.api.temporal_form import TemporalView, render, series, shown_attributes, whole_head

T = TypeVar("T")

LARGE: Final = 2_000
"""From so many instances on an answer is made in a thread."""
PART: Final = 256
"""So many members of an array are encoded in one go."""
_DEPTH: Final = 3
# Each more would let the loop wait longer for the interpreter, and none would be done earlier.
_THREADS: Final = Aside(2, "answer")


async def calmly(size: int, work: Callable[[], T]) -> T:
    """What `work` returns, which makes so many instances: many of them in a thread."""
    if size < LARGE:
        return work()
    return await _THREADS.run(_call, work)


def _call(work: Callable[[], T]) -> T:
    return work()


def encoded(document: dict[str, Any]) -> bytes:
    """The JSON of a document, as `dumps` has it, with long arrays in parts."""
    return _encoded(document, _DEPTH)


def _encoded(item: Any, depth: int) -> bytes:
    if type(item) is dict and item and depth:
        members = [dumps(name) + b":" + _encoded(one, depth - 1) for name, one in item.items()]
        return b"{" + b",".join(members) + b"}"
    if type(item) is not list or not item:
        return dumps(item)
    if len(item) > PART:
        parts = [dumps(item[at : at + PART])[1:-1] for at in range(0, len(item), PART)]
    elif depth and any(type(one) is dict for one in item):
        parts = [_encoded(one, depth - 1) for one in item]
    else:
        return dumps(item)
    return b"[" + b",".join(parts) + b"]"


def evolution_body(
    entity: TemporalEntity, about: TemporalAbout, ctx: CompiledContext, view: TemporalView
) -> bytes:
    """The JSON of one entity's temporal representation. Takes the instances out of the entity: what
    was encoded is let go of."""
    if sum(map(len, entity.attrs.values())) <= PART:
        whole = dumps(render(entity, about, ctx, view))
        entity.attrs.clear()
        return whole
    out = whole_head(entity, about, ctx, view)
    shown = [(ctx.compact_iri(attr), attr) for attr, _ in shown_attributes(entity, view)]
    members = {name: dumps(item) for name, item in out.items()}
    for name, attr in shown:
        members[name] = _series_body(entity.attrs.pop(attr), ctx, view)
    return b"{" + b",".join([dumps(name) + b":" + body for name, body in members.items()]) + b"}"


def _series_body(
    instances: list[TemporalInstance], ctx: CompiledContext, view: TemporalView
) -> bytes:
    if view.form == "temporalValues":
        return _encoded(series(instances, ctx, view), _DEPTH)
    parts = [
        dumps(series(instances[at : at + PART], ctx, view))[1:-1]
        for at in range(0, len(instances), PART)
    ]
    return b"[" + b",".join(parts) + b"]"


def body_reply(call: Call, body: bytes, status: int = 200) -> Reply:
    """One object whose body stands but for its @context, for JSON and JSON-LD (§6.3.6)."""
    if call.accept == JSON_LD:
        return Reply(status, _with_context(body, call.ld), JSON_LD)
    return Reply(status, body, call.accept, context_headers(call))


def list_reply(call: Call, bodies: list[bytes], headers: list[Header], status: int = 200) -> Reply:
    """An array of such objects."""
    ld = call.ld
    if call.accept != JSON_LD:
        return Reply(status, join_bodies(bodies), call.accept, context_headers(call) + headers)
    whole = join_bodies([_with_context(one, ld) for one in bodies])
    return Reply(status, whole, JSON_LD, headers)


def _with_context(body: bytes, ld: CompiledContext) -> bytes:
    return dumps({"@context": ld.member}) if body == b"{}" else body_with_context(body, ld)
