"""Filling snapshots: the results of their queries, or another snapshot's content (§5.16.1.4)."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from rynek.base.errors import Problem, TooManyResults
from rynek.context import (
    CompiledContext,
    Context,
    Detail,
    Entity,
    EntityMap,
    Instance,
    Query,
    Snapshot,
    Snapshots,
    Txn,
    View,
    failed,
    status_of,
)
from rynek.web.api import selecting
from rynek.web.api.call import Call
from rynek.web.api.freezing_past import asking_call, copy_past, read_past, run_past
from rynek.web.api.linking import Links
from rynek.web.api.params import entity_query, require_filter, view_of
from rynek.web.api.query_body import query_params
from rynek.web.api.reading import Join, check_sources, join_of

Fill = Callable[[Snapshot], Awaitable[Snapshot]]

_CHUNK: Final = 500
_PATH: Final = "/ngsi-ld/v1/entityOperations/query"


class _Asked(msgspec.Struct):
    """One query of a snapshot, read: what is selected, and what is kept of it."""

    call: Call
    query: Query
    view: View
    join: Join | None


def prepared(call: Call, ld: CompiledContext, one: Snapshot) -> Fill:
    """What fills a snapshot with the results of its queries. BadRequestData when one of them is no
    query; what goes wrong later stands in the snapshot's details."""
    asked = [_read(call, ld, document) for document in one.queries or ()]
    past = [read_past(call, ld, document) for document in one.temporal_queries or ()]
    snapshots: Snapshots = call.tenant.snapshots

    async def fill(one: Snapshot) -> Snapshot:
        async with snapshots.opened(one) as scope:
            room = snapshots.limits.max_entities
            details = [await _run(one, scope.context, room) for one in asked]
            most = snapshots.limits.max_readings
            temporal = [await run_past(one, scope, most) for one in past]
        return msgspec.structs.replace(
            one,
            status=status_of([*details, *temporal]),
            details=details,
            temporal_details=temporal,
        )

    return fill


def copied(snapshots: Snapshots, original: Snapshot) -> Fill:
    """What fills a snapshot with the content of another one (§5.16.2.4)."""

    async def fill(one: Snapshot) -> Snapshot:
        # In use from here on: when it is deleted, its files stay until the copy is made.
        kept = snapshots.get(original.id)
        async with snapshots.opened(kept) as source, snapshots.opened(one) as scope:
            await _copy(source.context, scope.context)
            await copy_past(source, scope)
        return msgspec.structs.replace(
            one,
            status="success",
            details=kept.details,
            temporal_details=kept.temporal_details,
            queries=kept.queries,
            temporal_queries=kept.temporal_queries,
        )

    return fill


async def _copy(source: Context, target: Context) -> None:
    after = 0
    while batch := source.scan(after, _CHUNK):
        after = batch[-1][0]
        rows = [(entity, source.row(entity.id)) for _, entity in batch]
        await target.write(
            lambda txn, rows=rows: [  # type: ignore[misc]
                txn.restore(entity, row.ctx) for entity, row in rows if row is not None
            ]
        )


def _read(call: Call, ld: CompiledContext, document: Mapping[str, Any]) -> _Asked:
    asking = asking_call(call, ld, "POST", _PATH, query_params(dict(document)))
    check_sources(asking)
    join = join_of(asking.params)
    links = join.level if join else 0
    view = view_of(asking, links)
    query = entity_query(asking.params, ld, links)
    require_filter(asking.params, query)
    return _Asked(asking, query, view, join)


async def _run(asked: _Asked, context: Context, room: int) -> Detail:
    """Put the result of one query into the snapshot."""
    try:
        found = await _put(asked, context, room)
    except Problem as problem:
        return failed(problem)
    return Detail("success" if found else "empty")


async def _put(asked: _Asked, context: Context, room: int) -> int:
    call, ld = asked.call, asked.call.ld
    found = await selecting.candidates(call, asked.query, None)
    # Which entities is settled once: pages by offset would miss some while others come and go.
    settled = EntityMap("", 0, ld.id, found.entities, found.linked)
    ids = list(found.entities)
    links = Links(call, call.limits.max_sorted)
    count = 0
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        query = dataclasses.replace(asked.query, ids=some)
        page = await selecting.matching(call, query, len(some), settled)
        shown = [(one, asked.view) for one in page.entities]
        if asked.join is not None:
            shown += await links.follow(page.entities, asked.view, asked.join)
        count += len(shown)
        if count > room:
            raise TooManyResults(f"more than {room} entities: a snapshot does not hold so many")
        parts = [_frozen(one, view) for one, view in shown]
        await context.write(lambda txn, parts=parts: _keep(txn, parts, ld))  # type: ignore[misc]
    return count


def _keep(txn: Txn, parts: Sequence[Entity], ld: CompiledContext) -> None:
    """Store entities; of one that several queries found, what each of them shows."""
    for part in parts:
        before = txn.get(part.id)
        if before is not None:
            part = msgspec.structs.replace(part, attrs=before.attrs | part.attrs)
        txn.restore(part, ld)


def _frozen(entity: Entity, view: View) -> Entity:
    """What a query shows of an entity, with its times; in a snapshot nothing expires."""
    attrs = {
        attr: [_lasting(one) for one in shown]
        for attr, instances in entity.attrs.items()
        if (shown := view.instances(attr, instances))
    }
    return msgspec.structs.replace(entity, attrs=attrs, expires_at=None)


def _lasting(instance: Instance) -> Instance:
    subs = instance.subs
    if subs is not None:
        subs = {name: [_lasting(one) for one in found] for name, found in subs.items()}
    return msgspec.structs.replace(instance, expires_at=None, subs=subs)
