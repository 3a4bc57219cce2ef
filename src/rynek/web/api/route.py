"""What one operation of the API is: method, path, handler, rights."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from rynek.base.errors import OperationNotSupported
from rynek.web.access import Right
from rynek.web.api.call import Call, Reply

Handler = Callable[[Call], Reply | Awaitable[Reply]]
"""What answers a call: at once, or a coroutine where it has to wait for something."""


async def replied(made: Reply | Awaitable[Reply]) -> Reply:
    """What a handler answers, waited for where need be."""
    return made if isinstance(made, Reply) else await made


class Route(NamedTuple):
    """One operation: methods (separated by blanks), path below /ngsi-ld/v1 ("*" is a variable
    part), its handler, the right it needs, whether it can answer in GeoJSON (§6.3.4), whether
    it may bring a tenant into being (§5.5.10) and whether an id in the path tells the tenant where
    no header does."""

    methods: str
    path: str
    handler: Handler
    right: Right
    geojson: bool = False
    creates: bool = False
    tenant_in_path: bool = False


async def not_yet(call: Call) -> Reply:
    """Part of the standard that this version does not do (docs/ngsi-ld.md lists it)."""
    raise OperationNotSupported(f"{call.method} {call.path} is not supported yet")
