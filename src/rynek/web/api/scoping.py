"""Operations inside a snapshot: the header NGSILD-Snapshot (CIM 009 §5.5.15, §6.3.22)."""

from __future__ import annotations

from typing import Final

from rynek.base.errors import BadRequestData
from rynek.base.ids import is_uri
from rynek.web.api.call import Call, Reply
from rynek.web.api.route import Handler, replied

HEADER: Final = "ngsild-snapshot"
# What is about the tenant itself, or about nobody's entities.
_OUTSIDE: Final = frozenset(("snapshots", "jsonldContexts", "info", "openapi.json"))


def inside(handler: Handler, first: str) -> Handler:
    """The handler of a resource (by the first part of its path), at work inside the snapshot that
    the request names. Everything there is local, whatever the parameter says (§5.5.13)."""
    if first in _OUTSIDE:
        return handler

    async def run(call: Call) -> Reply:
        snapshot_id = call.headers[HEADER]
        if not is_uri(snapshot_id):
            raise BadRequestData(f"NGSILD-Snapshot: {snapshot_id[:100]!r} is not a URI")
        async with call.tenant.snapshots.using(snapshot_id) as scope:
            if scope.context.expires:
                await scope.context.settle()
            call.tenant = scope
            call.url_params = call.params
            call.params = call.params | {"local": "true"}
            return await replied(handler(call))

    return run
