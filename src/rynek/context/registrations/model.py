"""The data types of a context source registration (CIM 009 §5.2.8 - §5.2.11, §5.2.34).

Names inside are expanded IRIs; parse.py reads documents, render.py writes them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

import msgspec

from rynek.context.query import pattern
from rynek.context.registrations.operations import CONSUMPTION, expand_operations

__all__ = [
    "AUXILIARY",
    "EXCLUSIVE",
    "INCLUSIVE",
    "MODES",
    "PROXIED",
    "REDIRECT",
    "RESERVED_KEYS",
    "EntityInfo",
    "Interval",
    "KeyValue",
    "Management",
    "Registration",
    "RegistrationInfo",
]

INCLUSIVE: Final = "inclusive"
EXCLUSIVE: Final = "exclusive"
REDIRECT: Final = "redirect"
AUXILIARY: Final = "auxiliary"
MODES: Final = frozenset((INCLUSIVE, EXCLUSIVE, REDIRECT, AUXILIARY))
PROXIED: Final = frozenset((EXCLUSIVE, REDIRECT))
"""Modes under which the broker itself holds nothing of what is registered (§4.3.6.3)."""

RESERVED_KEYS: Final = frozenset(("accept", "contentType", "jsonldContext", "ngsildConformance"))
"""Keys of contextSourceInfo that say how to speak with a source (§4.3.6.6)."""


class EntityInfo(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """Which entities: all of `types` (IRIs), and where given this id or this pattern of ids; an
    id takes precedence over a pattern (§5.2.8)."""

    types: tuple[str, ...]
    id: str | None = None
    id_pattern: str | None = None

    @cached_property
    def found_in(self) -> Callable[[str], bool]:
        """Whether the pattern of ids is found in an id; only where there is one."""
        return pattern.search(self.id_pattern or "", "idPattern")


class RegistrationInfo(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """Entities and names of attributes (IRIs) that go together; an empty part means "any"
    (§5.2.10)."""

    entities: tuple[EntityInfo, ...] = ()
    properties: tuple[str, ...] = ()
    relationships: tuple[str, ...] = ()

    @cached_property
    def names(self) -> frozenset[str]:
        """The combination of properties and relationships; empty when there are none."""
        return frozenset((*self.properties, *self.relationships))


class Interval(msgspec.Struct, frozen=True, omit_defaults=True):
    """A time interval in epoch microseconds, with the texts it came as; open without an end
    (§5.2.11)."""

    start_at: str
    start: int
    end_at: str | None = None
    end: int | None = None


class KeyValue(msgspec.Struct, frozen=True):
    """One element of contextSourceInfo (§5.2.22)."""

    key: str
    value: str


class Management(msgspec.Struct, frozen=True, omit_defaults=True):
    """How to limit requests to the source (§5.2.34): `timeout_ms` until one counts as failed,
    `cooldown_ms` without any after a failure, `cache_seconds` for which an answer may be used
    again (`cache_duration` is its ISO 8601 text), `local_only`: the source asks no one else."""

    local_only: bool | None = None
    cache_duration: str | None = None
    cache_seconds: float | None = None
    timeout_ms: int | float | None = None
    cooldown_ms: int | float | None = None


class Registration(msgspec.Struct, frozen=True, omit_defaults=True, dict=True, kw_only=True):
    """A context source and what it may have (§5.2.9).

    `operations` are as registered (names and groups); ask `supports` whether one may be sent.
    `properties` are the registration's own additional members (Context Source Properties) by IRI,
    as plain JSON. Times of the system are epoch microseconds, `expires` is that of `expires_at`.
    """

    id: str
    endpoint: str
    information: tuple[RegistrationInfo, ...]
    mode: str = INCLUSIVE
    mode_given: bool = False
    name: str | None = None
    description: str | None = None
    operations: tuple[str, ...] | None = None
    tenant: str | None = None
    context_source_info: tuple[KeyValue, ...] | None = None
    context_source_alias: str | None = None
    dataset_ids: tuple[str, ...] | None = None
    scopes: tuple[str, ...] | None = None
    observation_interval: Interval | None = None
    management_interval: Interval | None = None
    location: dict[str, Any] | None = None
    observation_space: dict[str, Any] | None = None
    operation_space: dict[str, Any] | None = None
    expires_at: str | None = None
    expires: int | None = None
    refresh_rate: str | None = None
    management: Management = Management()
    properties: dict[str, Any] = {}
    created_at: int = 0
    modified_at: int = 0

    @property
    def alias(self) -> str | None:
        """The pseudonym by which the source stands in a Via list (§4.3.6.4)."""
        return self.context_source_alias

    @property
    def proxied(self) -> bool:
        """Whether what is registered is held by the source alone (§4.3.6.3)."""
        return self.mode in PROXIED

    @property
    def is_temporal(self) -> bool:
        """Whether it is about temporal representations rather than what is now (§5.2.9)."""
        return self.observation_interval is not None or self.management_interval is not None

    def supports(self, operation: str) -> bool:
        """Whether the source takes this operation, by its name in §4.20."""
        return operation in self.supported

    @cached_property
    def supported(self) -> frozenset[str]:
        """The names of all operations the source takes (§4.20); with mode auxiliary none but
        those that consume (§4.3.6.2)."""
        found = expand_operations(self.operations, temporal=self.is_temporal)
        return found & CONSUMPTION if self.mode == AUXILIARY else found

    def info_value(self, key: str) -> str | None:
        """The value of a key of contextSourceInfo, such as `accept` or `jsonldContext`
        (§4.3.6.6); None when it is not there."""
        for pair in self.context_source_info or ():
            if pair.key == key:
                return pair.value
        return None
