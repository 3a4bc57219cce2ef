"""The model of subscriptions (CIM 009 §5.2.12 - §5.2.15, §5.2.22, §5.2.33)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, Literal

import msgspec

from rynek.base.delivery import Target
from rynek.base.mqtt import MqttTarget, Version
from rynek.context.formats import View
from rynek.context.jsonld import CompiledContext
from rynek.context.query import Query, TypeExpr, pattern

ENTITY_CREATED: Final = "entityCreated"
ENTITY_UPDATED: Final = "entityUpdated"
ENTITY_DELETED: Final = "entityDeleted"
ATTRIBUTE_CREATED: Final = "attributeCreated"
ATTRIBUTE_UPDATED: Final = "attributeUpdated"
ATTRIBUTE_DELETED: Final = "attributeDeleted"
TRIGGERS: Final = frozenset(
    (ENTITY_CREATED, ENTITY_UPDATED, ENTITY_DELETED,
     ATTRIBUTE_CREATED, ATTRIBUTE_UPDATED, ATTRIBUTE_DELETED)
)  # fmt: skip
DEFAULT_TRIGGERS: Final = frozenset((ATTRIBUTE_CREATED, ATTRIBUTE_UPDATED))

Status = Literal["active", "paused", "expired"]


class Member(msgspec.Struct, frozen=True):
    """A member of the document as the client gave it, and the @context its names are from."""

    value: Any
    ld: CompiledContext


class Selector(msgspec.Struct, frozen=True, dict=True):
    """Which entities (§5.2.33): types (None: any), and ids or a pattern of ids."""

    types: TypeExpr | None
    ids: frozenset[str] | None = None
    id_pattern: str | None = None

    @cached_property
    def single(self) -> str | None:
        """The only type, where just one is asked for."""
        options = self.types.options if self.types is not None else ()
        return next(iter(options[0])) if len(options) == 1 == len(options[0]) else None

    @cached_property
    def _found(self) -> Callable[[str], bool]:
        assert self.id_pattern is not None
        return pattern.search(self.id_pattern, "idPattern")

    def takes_id(self, entity_id: str) -> bool:
        """Whether an id fits the ids or the pattern."""
        if self.ids is not None:
            return entity_id in self.ids
        return self.id_pattern is None or self._found(entity_id)

    def matches(self, entity_id: str, types: list[str]) -> bool:
        """Whether an entity is one of them; an id takes precedence over a pattern."""
        single = self.single
        if single is not None:
            if single not in types:
                return False
        elif self.types is not None and not self.types.matches(types):
            return False
        return self.takes_id(entity_id)

    def query(self, rest: Query) -> Query:
        """`rest` for just these entities."""
        return Query(
            ids=sorted(self.ids) if self.ids is not None else None,
            id_pattern=self.id_pattern if self.ids is None else None,
            types=self.types,
            q=rest.q,
            geo=rest.geo,
            scope=rest.scope,
        )


class Endpoint(msgspec.Struct, frozen=True):
    """Where notifications go and how (§5.2.15). Exactly one of `http` and `mqtt` is set.

    `cooldown` and `timeout` in seconds; `headers` are the receiverInfo's pairs.
    """

    uri: str
    media: str = "application/json"
    cooldown: float | None = None
    timeout: float | None = None
    headers: tuple[tuple[str, str], ...] = ()
    http: Target | None = None
    mqtt: MqttTarget | None = None
    mqtt_qos: int = 0
    mqtt_version: Version = "mqtt5.0"

    @property
    def prefers_plain_body(self) -> bool:
        """Whether a GeoJSON body goes without @context (§5.3.1)."""
        return any(
            key.lower() == "prefer" and value.replace(" ", "").replace('"', "") == "body=json"
            for key, value in self.headers
        )


class Subscription(msgspec.Struct, frozen=True, dict=True, kw_only=True):
    """A subscription, parsed. `members` hold the document, by member; times of the system are
    epoch microseconds, spans seconds.

    `query` has only q, geoQ and scopeQ. `notify_ld` is the @context of notifications, `link` the
    URL under which a receiver finds it; `tenant` what the client's NGSILD-Tenant header said; `via`
    are the sources through which it came (§6.3.18).
    """

    id: str
    members: dict[str, Member]
    selectors: tuple[Selector, ...]
    query: Query
    triggers: frozenset[str]
    watched: frozenset[str] | None
    csf: bool
    time_interval: float | None
    throttling: float | None
    is_active: bool
    expires: int | None
    endpoint: Endpoint
    view: View
    join: str | None
    join_level: int
    show_changes: bool
    conformance: tuple[int, int] | None
    notify_ld: CompiledContext
    link: str
    tenant: str | None = None
    via: tuple[str, ...] = ()
    created_at: int = 0
    modified_at: int = 0

    def status(self, now: int) -> Status:
        """Its status at a time (§5.2.12)."""
        if self.expires is not None and self.expires <= now:
            return "expired"
        return "active" if self.is_active else "paused"

    def selects(self, entity_id: str, types: list[str]) -> bool:
        """Whether an entity is among those subscribed to, whatever its attributes are."""
        for one in self.selectors:
            if one.matches(entity_id, types):
                return True
        return not self.selectors

    @cached_property
    def id_json(self) -> str:
        """The id as it stands in JSON."""
        return msgspec.json.encode(self.id).decode()

    @cached_property
    def plain(self) -> bool:
        """Whether notifications hold entities just as they are stored."""
        return (
            self.view == View()
            and self.join is None
            and not self.show_changes
            and self.conformance is None
        )

    @cached_property
    def simple(self) -> str | None:
        """The type of entities of which any attribute's update is told, where that is all."""
        one = self.selectors[0] if len(self.selectors) == 1 else None
        if one is None or one.ids is not None or one.id_pattern is not None:
            return None
        asks = self.csf or self.watched is not None or not self.unconditional
        return None if asks or ATTRIBUTE_UPDATED not in self.triggers else one.single

    @cached_property
    def told(self) -> bytes:
        """What stands between the id and the time of a notification."""
        said = f'","type":"Notification","subscriptionId":{self.id_json},"notifiedAt":"'
        return said.encode()

    @cached_property
    def unconditional(self) -> bool:
        """Whether there is no q, geoQ or scopeQ."""
        return self.query.q is None and self.query.geo is None and self.query.scope is None
