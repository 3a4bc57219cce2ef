"""The routes of the NGSI-LD API: method and path to handler, with the right each one needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from rynek.base.errors import OperationNotSupported
from rynek.web.access import Right
from rynek.web.api import batch, discovery, entities, purge, temporal
from rynek.web.api.call import Call, Reply

Handler = Callable[[Call], Awaitable[Reply]]


class Routed(NamedTuple):
    """One operation: its handler, the right it needs, whether it can answer in GeoJSON (§6.3.4)
    and whether it may bring a tenant into being (§5.5.10)."""

    handler: Handler
    right: Right
    geojson: bool
    creates: bool


async def not_yet(call: Call) -> Reply:
    """Part of the standard that this version does not do (docs/ngsi-ld.md lists it)."""
    raise OperationNotSupported(f"{call.method} {call.path} is not supported yet")


# (methods, path below /ngsi-ld/v1, handler, right); "*" is a variable part.
ROUTES: Final[tuple[tuple[str, str, Handler, Right], ...]] = (
    ("GET", "entities", entities.query_entities, "read"),
    ("POST", "entities", entities.create_entity, "write"),
    ("DELETE", "entities", purge.purge_entities, "write"),
    ("GET", "entities/*", entities.retrieve_entity, "read"),
    ("PUT", "entities/*", entities.replace_entity, "write"),
    ("PATCH", "entities/*", entities.merge_entity, "write"),
    ("DELETE", "entities/*", entities.delete_entity, "write"),
    ("POST", "entities/*/attrs", entities.append_attributes, "write"),
    ("PATCH", "entities/*/attrs", entities.update_attributes, "write"),
    ("PATCH", "entities/*/attrs/*", entities.partial_update, "write"),
    ("PUT", "entities/*/attrs/*", entities.replace_attribute, "write"),
    ("DELETE", "entities/*/attrs/*", entities.delete_attribute, "write"),
    ("POST", "entityOperations/create", batch.create_batch, "write"),
    ("POST", "entityOperations/upsert", batch.upsert_batch, "write"),
    ("POST", "entityOperations/update", batch.update_batch, "write"),
    ("POST", "entityOperations/merge", batch.merge_batch, "write"),
    ("POST", "entityOperations/delete", batch.delete_batch, "write"),
    ("POST", "entityOperations/query", batch.query_batch, "read"),
    ("GET", "types", discovery.list_types, "read"),
    ("GET", "types/*", discovery.describe_type, "read"),
    ("GET", "attributes", discovery.list_attributes, "read"),
    ("GET", "attributes/*", discovery.describe_attribute, "read"),
    ("GET", "jsonldContexts/*", discovery.serve_context, "read"),
    ("GET", "temporal/entities", temporal.query_temporal, "read"),
    ("GET", "temporal/entities/*", temporal.retrieve_temporal, "read"),
    ("POST", "temporal/entities", not_yet, "write"),
    ("DELETE", "temporal/entities/*", not_yet, "write"),
    ("POST", "temporal/entities/*/attrs", not_yet, "write"),
    ("DELETE", "temporal/entities/*/attrs/*", not_yet, "write"),
    ("PATCH DELETE", "temporal/entities/*/attrs/*/*", not_yet, "write"),
    ("POST", "temporal/entityOperations/query", temporal.query_temporal_by_post, "read"),
    ("GET", "subscriptions", not_yet, "read"),
    ("POST", "subscriptions", not_yet, "write"),
    ("GET", "subscriptions/*", not_yet, "read"),
    ("PATCH DELETE", "subscriptions/*", not_yet, "write"),
    ("GET", "csourceRegistrations", not_yet, "read"),
    ("POST", "csourceRegistrations", not_yet, "write"),
    ("GET", "csourceRegistrations/*", not_yet, "read"),
    ("PATCH DELETE", "csourceRegistrations/*", not_yet, "write"),
    ("GET", "csourceSubscriptions", not_yet, "read"),
    ("POST", "csourceSubscriptions", not_yet, "write"),
    ("GET", "csourceSubscriptions/*", not_yet, "read"),
    ("PATCH DELETE", "csourceSubscriptions/*", not_yet, "write"),
    ("GET", "jsonldContexts", not_yet, "read"),
    ("POST", "jsonldContexts", not_yet, "write"),
    ("DELETE", "jsonldContexts/*", not_yet, "write"),
    ("GET DELETE", "entityMaps/*", not_yet, "read"),
    ("GET", "info/sourceIdentity", not_yet, "read"),
)

_GEOJSON: Final = frozenset((entities.retrieve_entity, entities.query_entities, batch.query_batch))
# Upsert is not in the clause's list of these, but it creates what is not there.
_CREATORS: Final = frozenset((entities.create_entity, batch.create_batch, batch.upsert_batch))


class Leaf:
    """The handlers of one path by method."""

    __slots__ = ("handlers",)

    def __init__(self) -> None:
        self.handlers: dict[str, Routed] = {}

    @property
    def allow(self) -> str:
        """The value of an Allow header."""
        methods = set(self.handlers) | {"OPTIONS"}
        if "GET" in methods:
            methods.add("HEAD")
        return ", ".join(sorted(methods))


def build() -> dict[str, Any]:
    """A tree of path parts: literal parts first, "*" for a variable one, "" holds the Leaf."""
    root: dict[str, Any] = {}
    for methods, path, handler, right in ROUTES:
        node = root
        for part in path.split("/"):
            node = node.setdefault(part, {})
        leaf = node.setdefault("", Leaf())
        for method in methods.split():
            leaf.handlers[method] = Routed(
                handler, right, handler in _GEOJSON, handler in _CREATORS
            )
    return root


def find(root: dict[str, Any], parts: list[str]) -> tuple[Leaf, tuple[str, ...]] | None:
    """The leaf at a path and its variable parts; None when there is no such path."""
    node = root
    args: list[str] = []
    for part in parts:
        child = node.get(part) if part else None
        if child is None:
            child = node.get("*")
            if child is None or not part:
                return None
            args.append(part)
        node = child
    leaf = node.get("")
    return None if leaf is None else (leaf, tuple(args))
