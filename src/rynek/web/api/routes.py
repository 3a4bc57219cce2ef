"""The routes of the NGSI-LD API: each module of handlers lists its own, here they become a tree."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from rynek.web.access import Right
from rynek.web.api import (
    batch,
    consumption,
    contexts,
    description,
    discovery,
    entities,
    entity_maps,
    identity,
    purge,
    registrations,
    snapshots,
    source_subscriptions,
    subscriptions,
    temporal_forwarding,
    temporal_maps,
    temporal_writes,
)
from rynek.web.api.parameters import (
    ENTITIES,
    ENTITY,
    EVOLUTION,
    EVOLUTIONS,
    Allowed,
    allowed,
)
from rynek.web.api.route import Handler, Route

_NOT_YET: Final = ()

ROUTES: Final[tuple[Route, ...]] = (
    *consumption.ROUTES,
    *entities.ROUTES,
    *purge.ROUTES,
    *batch.ROUTES,
    *discovery.ROUTES,
    *entity_maps.ROUTES,
    *contexts.ROUTES,
    *description.ROUTES,
    *temporal_maps.ROUTES,
    *temporal_forwarding.shared(temporal_writes.ROUTES),
    *registrations.ROUTES,
    *snapshots.ROUTES,
    *identity.ROUTES,
    *subscriptions.ROUTES,
    *source_subscriptions.ROUTES,
    *_NOT_YET,
)


VARIABLE: Final = None
"""What a variable part has in the tree: no part that a client may send."""


class Served(NamedTuple):
    """What the dispatcher needs of one operation; `answers` says that there is something to be
    accepted (§6.3.4), `tagged` that it has an ETag, `entities` that it sends those."""

    handler: Handler
    right: Right
    geojson: bool
    creates: bool
    tenant_in_path: bool
    answers: bool
    tagged: bool
    entities: bool
    takes: Allowed


# Answers that clients ask for again and again while little changes carry an ETag.
_TAGGED: Final = ("entities/*", "types", "types/*", "attributes", "attributes/*",
                  "jsonldContexts/*", "openapi.json")  # fmt: skip

# Operations that send entities, which a client may want as an earlier version had them.
_ENTITIES: Final = frozenset(ENTITY + ENTITIES + EVOLUTION + EVOLUTIONS)


class Leaf:
    """The operations of one path by method; `route` is the path with * for its variable parts."""

    __slots__ = ("route", "routes")

    def __init__(self, route: str) -> None:
        self.route = route
        self.routes: dict[str, Served] = {}

    @property
    def allow(self) -> str:
        """The value of an Allow header."""
        methods = set(self.routes) | {"OPTIONS"}
        if "GET" in methods:
            methods.add("HEAD")
        return ", ".join(sorted(methods))


def build() -> dict[str | None, Any]:
    """A tree of path parts: literal parts first, VARIABLE for a variable one, "" holds the Leaf."""
    root: dict[str | None, Any] = {}
    for route in ROUTES:
        node = root
        for part in route.path.split("/"):
            node = node.setdefault(VARIABLE if part == "*" else part, {})
        leaf = node.setdefault("", Leaf(route.path))
        for method in route.methods.split():
            leaf.routes[method] = Served(
                route.handler,
                route.right,
                route.geojson,
                route.creates,
                route.tenant_in_path,
                method == "GET" or (method == "POST" and route.right == "read"),
                method == "GET" and route.path in _TAGGED,
                f"{method} {route.path}" in _ENTITIES,
                allowed(f"{method} {route.path}"),
            )
    return root


def find(root: dict[str | None, Any], parts: list[str]) -> tuple[Leaf, tuple[str, ...]] | None:
    """The leaf at a path and its variable parts; None when there is no such path."""
    node = root
    args: list[str] = []
    for part in parts:
        child = node.get(part) if part and part != "*" else None
        if child is None:
            child = node.get(VARIABLE)
            if child is None or not part:
                return None
            args.append(part)
        node = child
    leaf = node.get("")
    return None if leaf is None else (leaf, tuple(args))
