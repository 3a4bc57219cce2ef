"""Handlers of /snapshots (CIM 009 §5.16, §6.36 - §6.38)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from rynek.base.clock import MICRO
from rynek.base.errors import BadRequestData, Problem, ResourceNotFound
from rynek.base.ids import is_uri
from rynek.context import (
    Snapshots,
    changed_snapshot,
    new_snapshot,
    operations,
    render_snapshot,
    snapshot_test,
)
from rynek.web.api import freezing
from rynek.web.api.bodies import document_reply, dumps, read_document
from rynek.web.api.call import JSON, Call, Reply
from rynek.web.api.reading import lifetime_of
from rynek.web.api.route import Route

_CREATED: Final = 201


async def create_snapshot(call: Call) -> Reply:
    """Create Snapshot (§5.16.1): POST /snapshots. Its queries run in the background."""
    document, ld = await read_document(call)
    snapshots = _of(call)
    made = new_snapshot(
        document, now=call.tenant.clock.now(), lifetime=_lifetime(snapshots), clone=False
    )
    made.tenant = call.headers.get("ngsild-tenant")
    fill = freezing.prepared(call, ld, made)
    await snapshots.create(made, fill)
    return _created(call, made.id)


async def clone_snapshot(call: Call) -> Reply:
    """Clone Snapshot (§5.16.2): POST /snapshots/{id}/clone."""
    snapshots = _of(call)
    original = snapshots.get(_id(call))
    document, _ = await read_document(call)
    made = new_snapshot(
        document, now=call.tenant.clock.now(), lifetime=_lifetime(snapshots), clone=True
    )
    made.tenant = call.headers.get("ngsild-tenant")
    await snapshots.create(made, freezing.copied(snapshots, original))
    return _created(call, made.id)


async def retrieve_snapshot(call: Call) -> Reply:
    """Retrieve Snapshot Status (§5.16.3): GET /snapshots/{id}."""
    return document_reply(call, render_snapshot(_of(call).get(_id(call))))


async def update_snapshot(call: Call) -> Reply:
    """Update Snapshot Status (§5.16.4): PATCH /snapshots/{id}."""
    snapshots = _of(call)
    snapshots.get(_id(call))
    fragment, _ = await read_document(call)
    # Once more: it may have become ready, or have been deleted, while the body came in.
    old = snapshots.get(_id(call))
    now = call.tenant.clock.now()
    made = changed_snapshot(old, fragment, now=now, lifetime=_lifetime(snapshots))
    return document_reply(call, render_snapshot(await snapshots.update(made)))


async def delete_snapshot(call: Call) -> Reply:
    """Delete Snapshot (§5.16.5): DELETE /snapshots/{id}."""
    snapshots = _of(call)
    await snapshots.delete(snapshots.get(_id(call)).id)
    return Reply(204)


async def purge_snapshots(call: Call) -> Reply:
    """Purge Snapshots (§5.16.7): DELETE /snapshots?q=…; 404 when none fits."""
    snapshots = _of(call)
    if not call.params.get("q"):
        raise BadRequestData("q is needed: which snapshots are to go")
    fits = snapshot_test(call.params["q"])
    chosen = [one for one in snapshots.all() if fits(one)]
    if not chosen:
        raise ResourceNotFound("no snapshot fits")
    result = operations.BatchResult()
    for one in chosen:
        try:
            await snapshots.delete(one.id)
            result.updated.append(one.id)
        except Problem as problem:
            result.errors.append((one.id, problem))
    return Reply(207, dumps(result.body()), JSON) if result.errors else Reply(204)


def _of(call: Call) -> Snapshots:
    known: Snapshots = call.tenant.snapshots
    return known


def _id(call: Call) -> str:
    snapshot_id = call.path_args[0]
    if not is_uri(snapshot_id):
        raise BadRequestData(f"{snapshot_id[:200]!r} is not a URI")
    return snapshot_id


def _lifetime(snapshots: Snapshots) -> Callable[[str | None], int]:
    """How long a snapshot lives for a wish (ISO 8601) or without one, in microseconds."""
    limits = snapshots.limits

    def micros(wish: str | None) -> int:
        longest = int(limits.max_lifetime * MICRO)
        if wish is None:
            return min(int(limits.lifetime * MICRO), longest)
        return min(lifetime_of("snapshotLifetime", wish), longest)

    return micros


def _created(call: Call, snapshot_id: str) -> Reply:
    location = f"{call.base_path}/ngsi-ld/v1/snapshots/{quote(snapshot_id, safe=':')}"
    return Reply(_CREATED, headers=[(b"location", location.encode())])


ROUTES: Final = (
    Route("POST", "snapshots", create_snapshot, "write"),
    Route("DELETE", "snapshots", purge_snapshots, "write"),
    Route("GET", "snapshots/*", retrieve_snapshot, "read"),
    Route("PATCH", "snapshots/*", update_snapshot, "write"),
    Route("DELETE", "snapshots/*", delete_snapshot, "write"),
    Route("POST", "snapshots/*/clone", clone_snapshot, "write"),
)
