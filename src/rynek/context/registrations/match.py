"""Which registrations a request is about (CIM 009 §5.12), found by what could match.

`RegistrationSpec` says what a request asks for, `match` is the exact test of one registration,
`RegistrationIndex` holds many and looks only at candidates.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rynek.context.model import NGSI_LD, Entity
from rynek.context.query import GeoQuery, ScopeExpr, TypeExpr, pattern
from rynek.context.query.possible import possible
from rynek.context.registrations.model import (
    EntityInfo,
    Interval,
    Registration,
    RegistrationInfo,
)

__all__ = ["Match", "MatchedInfo", "RegistrationIndex", "RegistrationSpec", "TemporalSpan", "match"]

_SPACES: Final = {
    NGSI_LD + "location": "location",
    NGSI_LD + "observationSpace": "observation_space",
    NGSI_LD + "operationSpace": "operation_space",
}
_NONE: Final = "@none"


@dataclass(frozen=True)
class TemporalSpan:
    """The time that a temporal query is about, in epoch µs with both ends included; an end that
    is None is open. `observed` says whether observationInterval or managementInterval counts."""

    start: int | None = None
    end: int | None = None
    observed: bool = True

    def meets(self, interval: Interval | None) -> bool:
        """Whether they have a moment in common."""
        if interval is None:
            return False
        return (self.start is None or interval.end is None or self.start <= interval.end) and (
            self.end is None or interval.start <= self.end
        )


@dataclass(frozen=True)
class RegistrationSpec:
    """What a request specifies; a part that is None (or empty) asks for nothing.

    `types` is a selector as in a query; `entity_types` are the types of one entity that is
    written (all IRIs). `attrs` are the names (IRIs) asked for or written, also those of q and
    the geoquery. Without `temporal` only registrations about what is now match, with it only
    those with the interval it is about (§5.10.2.4). A registration without location or scope may
    have entities anywhere; `strict` is for discovery, where it then does not match. `via` are
    the pseudonyms that the request has passed (§4.3.6.4).
    """

    types: TypeExpr | None = None
    entity_types: Sequence[str] | None = None
    ids: Sequence[str] | None = None
    id_pattern: str | None = None
    attrs: Collection[str] = ()
    dataset_ids: Collection[str] | None = None
    geo: GeoQuery | None = None
    scope: ScopeExpr | None = None
    temporal: TemporalSpan | None = None
    via: Collection[str] = ()
    strict: bool = False

    @classmethod
    def of_entity(cls, entity: Entity) -> RegistrationSpec:
        """What one entity, as it stands or as it is to be written, is about."""
        return cls(entity_types=entity.types, ids=(entity.id,), attrs=tuple(entity.attrs))


@dataclass(frozen=True)
class MatchedInfo:
    """One RegistrationInfo that matched: the entities in it that did (None: it names none, so any)
    and the attributes (IRIs) it can have of those asked for (None: all that are asked for)."""

    info: RegistrationInfo
    entities: tuple[EntityInfo, ...] | None
    attrs: frozenset[str] | None


@dataclass(frozen=True)
class Match:
    """A registration that a request is about, and the parts of its information that are why."""

    registration: Registration
    parts: tuple[MatchedInfo, ...]

    @property
    def attrs(self) -> frozenset[str] | None:
        """The attributes of all parts together; None as soon as one part has all."""
        found: set[str] = set()
        for part in self.parts:
            if part.attrs is None:
                return None
            found |= part.attrs
        return frozenset(found)


def match(registration: Registration, spec: RegistrationSpec) -> Match | None:
    """The exact test (§5.12): the parts of the information that match; None when none does."""
    if not _as_a_whole(registration, spec):
        return None
    parts = tuple(
        part
        for part in (_match_info(info, spec) for info in registration.information)
        if part is not None
    )
    return Match(registration, parts) if parts else None


def _as_a_whole(registration: Registration, spec: RegistrationSpec) -> bool:
    """The conditions that are not about single parts of the information."""
    span = spec.temporal
    if span is None:
        if registration.is_temporal:
            return False
    elif not span.meets(
        registration.observation_interval if span.observed else registration.management_interval
    ):
        return False
    if spec.via and registration.context_source_alias in spec.via:
        return False
    if (
        spec.dataset_ids
        and registration.dataset_ids
        and not set(spec.dataset_ids).intersection(registration.dataset_ids)
    ):
        return False
    return _in_place(registration, spec) and _in_scope(registration, spec)


def _in_place(registration: Registration, spec: RegistrationSpec) -> bool:
    geo = spec.geo
    if geo is None:
        return True
    field = _SPACES.get(geo.geoproperty)
    if field is None:
        space = registration.properties.get(geo.geoproperty)
        if isinstance(space, dict) and space.get("type") == "GeoProperty":
            space = space.get("value")
    else:
        space = getattr(registration, field)
    return not spec.strict if space is None else possible(geo, space)


def _in_scope(registration: Registration, spec: RegistrationSpec) -> bool:
    if spec.scope is None:
        return True
    if registration.scopes is None:
        return not spec.strict
    return spec.scope.matches(list(registration.scopes))


def _match_info(info: RegistrationInfo, spec: RegistrationSpec) -> MatchedInfo | None:
    entities: tuple[EntityInfo, ...] | None = None
    if info.entities:
        entities = tuple(one for one in info.entities if _match_entity(one, spec))
        if not entities:
            return None
    names = info.names
    if not names:
        return MatchedInfo(info, entities, None)
    attrs = names.intersection(spec.attrs) if spec.attrs else names
    return MatchedInfo(info, entities, attrs) if attrs else None


def _match_entity(one: EntityInfo, spec: RegistrationSpec) -> bool:
    if spec.types is not None and not spec.types.matches(one.types):
        return False
    if spec.entity_types is not None and not set(one.types).issubset(spec.entity_types):
        return False
    ids, wanted = spec.ids, spec.id_pattern
    if ids is None and wanted is None:
        return True
    if one.id is not None:
        if ids is not None and one.id in ids:
            return True
        return wanted is not None and pattern.search(wanted, "idPattern")(one.id)
    if one.id_pattern is None or wanted is not None:
        return True
    return any(one.found_in(entity_id) for entity_id in ids or ())


class _Bucket:
    """Registrations under one type: those bound to single ids, and the rest."""

    __slots__ = ("by_id", "open")

    def __init__(self) -> None:
        self.by_id: dict[str, dict[str, None]] = {}
        self.open: dict[str, None] = {}

    def add(self, entity_id: str | None, registration_id: str) -> None:
        rows = self.open if entity_id is None else self.by_id.setdefault(entity_id, {})
        rows[registration_id] = None

    def discard(self, entity_id: str | None, registration_id: str) -> None:
        if entity_id is None:
            self.open.pop(registration_id, None)
            return
        rows = self.by_id.get(entity_id)
        if rows is not None:
            rows.pop(registration_id, None)
            if not rows:
                del self.by_id[entity_id]

    def find(self, ids: Sequence[str] | None) -> Iterator[str]:
        """Candidates for these ids; None asks for any."""
        yield from self.open
        if ids is None:
            for rows in self.by_id.values():
                yield from rows
        else:
            for entity_id in ids:
                yield from self.by_id.get(entity_id, ())

    def __bool__(self) -> bool:
        return bool(self.open or self.by_id)


class RegistrationIndex:
    """Registrations in the order in which they came, found by type and id of what could match.

    `empty` is a plain attribute, so that requests where there are none cost one look at it.
    """

    def __init__(self) -> None:
        self.empty = True
        self._all: dict[str, Registration] = {}
        self._order: dict[str, int] = {}
        self._next = 0
        self._types: dict[str, _Bucket] = {}
        self._any_type = _Bucket()
        self._untyped: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Registration]:
        return iter(self._all.values())

    def find(self, registration_id: str) -> Registration | None:
        """The registration, or None."""
        return self._all.get(registration_id)

    def put(self, registration: Registration) -> None:
        """Add it, or put it in the place of the one with its id."""
        self._unlink(registration.id)
        if registration.id not in self._order:
            self._order[registration.id] = self._next
            self._next += 1
        self._all[registration.id] = registration
        self.empty = False
        for info in registration.information:
            if not info.entities:
                self._untyped[registration.id] = None
            for one in info.entities:
                self._any_type.add(one.id, registration.id)
                for name in one.types:
                    self._types.setdefault(name, _Bucket()).add(one.id, registration.id)

    def remove(self, registration_id: str) -> None:
        """Take it out; a no-op when it is not there."""
        self._unlink(registration_id)
        self._all.pop(registration_id, None)
        self._order.pop(registration_id, None)
        self.empty = not self._all

    def matching(self, spec: RegistrationSpec) -> list[Match]:
        """All that match, in the order in which they came."""
        if self.empty:
            return []
        candidates = self._candidates(spec)
        found = (match(self._all[one], spec) for one in sorted(candidates, key=self._order.get))  # type: ignore[arg-type]
        return [one for one in found if one is not None]

    def _unlink(self, registration_id: str) -> None:
        known = self._all.get(registration_id)
        if known is None:
            return
        self._untyped.pop(registration_id, None)
        for info in known.information:
            for one in info.entities:
                self._any_type.discard(one.id, registration_id)
                for name in one.types:
                    bucket = self._types.get(name)
                    if bucket is not None:
                        bucket.discard(one.id, registration_id)
                        if not bucket:
                            del self._types[name]

    def _candidates(self, spec: RegistrationSpec) -> set[str]:
        """Whoever could match: by types where there are some, by ids, or all."""
        ids = spec.ids if spec.id_pattern is None else None
        found = set(self._untyped)
        for bucket in self._buckets(spec):
            found.update(bucket.find(ids))
        return found

    def _buckets(self, spec: RegistrationSpec) -> Iterable[_Bucket]:
        names: list[str] = []
        if spec.types is not None:
            for option in spec.types.options:
                if not option:
                    return (self._any_type,)
                names.append(min(option, key=self._size))
        elif spec.entity_types is not None:
            names.extend(spec.entity_types)
        else:
            return (self._any_type,)
        return [self._types[name] for name in dict.fromkeys(names) if name in self._types]

    def _size(self, name: str) -> int:
        bucket = self._types.get(name)
        return 0 if bucket is None else len(bucket.open) + len(bucket.by_id)
