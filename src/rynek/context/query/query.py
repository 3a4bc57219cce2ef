"""One query of entities: every parameter parsed, and the exact test of an entity (§5.7.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import msgspec

from rynek.base.errors import BadRequestData
from rynek.context.model import NGSI_LD, Entity
from rynek.context.query import pattern
from rynek.context.query.geo import GeoQuery
from rynek.context.query.linked import compile_linked, has_links
from rynek.context.query.match import compile_q
from rynek.context.query.paths import Path
from rynek.context.query.q import Linked, QNode, Term
from rynek.context.query.scan import MAX_TERMS
from rynek.context.query.scope import ScopeExpr
from rynek.context.query.types import TypeExpr

__all__ = ["Query", "Selector", "parse_ids"]


SYSTEM_IRIS: Final = frozenset(
    NGSI_LD + name for name in ("createdAt", "modifiedAt", "deletedAt", "expiresAt")
)


class Selector(msgspec.Struct, frozen=True):
    """One of several ways to be selected (EntitySelector, §5.2.33): by types (None: any), and by
    ids or a pattern in the id."""

    types: TypeExpr | None = None
    ids: frozenset[str] | None = None
    id_pattern: str | None = None

    def matches(self, entity: Entity) -> bool:
        """Whether the entity is selected."""
        if self.types is not None and not self.types.matches(entity.types):
            return False
        if self.ids is not None:
            return entity.id in self.ids
        return self.id_pattern is None or pattern.search(self.id_pattern, "idPattern")(entity.id)


@dataclass(frozen=True)
class Query:
    """What selects entities; parts that are None (or empty) select everything.

    `attrs` are IRIs of which an entity has at least one. `id_pattern` is a regular expression
    found anywhere in the id; BadRequestData on construction when it is none. Of `selectors` an
    entity must fit one; `types` hold for all of them together.
    """

    ids: list[str] | None = None
    id_pattern: str | None = None
    types: TypeExpr | None = None
    attrs: list[str] = field(default_factory=list)
    q: QNode | None = None
    geo: GeoQuery | None = None
    scope: ScopeExpr | None = None
    selectors: tuple[Selector, ...] = ()

    def __post_init__(self) -> None:
        if self.types is not None and frozenset() in self.types.options:
            object.__setattr__(self, "types", None)  # `*`: no planner need know it
        for given in (self.id_pattern, *(one.id_pattern for one in self.selectors)):
            if given is not None:
                pattern.search(given, "idPattern")

    def matches(self, entity: Entity) -> bool:
        """Whether the entity is selected; the cheapest tests run first."""
        return all(test(entity) for test in self._tests)

    def matches_of_type(self, entity: Entity) -> bool:
        """`matches` for an entity whose types, id and scopes are known to fit."""
        return all(test(entity) for test in self._attribute_tests)

    @property
    def about_attributes_only(self) -> bool:
        """Whether nothing but types, attributes and places is asked for."""
        return (
            self.ids is None
            and self.id_pattern is None
            and self.scope is None
            and not self.selectors
        )

    @cached_property
    def needs(self) -> frozenset[str] | None:
        """The attributes that `matches` looks at; None when it also looks at system times."""
        found = set(self.attrs)
        if self.geo is not None:
            found.add(self.geo.geoproperty)
        for path in paths(self.q) if self.q is not None else ():
            if path.attr.startswith("@") or path.member in ("createdAt", "modifiedAt", "expiresAt"):
                return None
            found.add(path.attr)
        return frozenset(found)

    @cached_property
    def names_attribute(self) -> bool:
        """Whether attrs, q or the place restrict it to entities with some attribute that is not
        of the system's own (§5.7.2.4)."""
        if self.geo is not None or not SYSTEM_IRIS.issuperset(self.attrs):
            return True
        if self.q is None:
            return False
        return any(p.attr[0] != "@" and p.attr not in SYSTEM_IRIS for p in paths(self.q))

    @cached_property
    def linked(self) -> bool:
        """Whether `q` tests linked entities: then `matches` only asks whether the relationships
        are there, and `matches_linked` decides."""
        return self.q is not None and has_links(self.q)

    def matches_linked(self, entity: Entity, linked: Mapping[str, Entity]) -> bool:
        """Whether `q` holds for an entity, given those that its relationships lead to, by id."""
        assert self.q is not None
        return self._linked_test(entity, linked)

    @cached_property
    def _linked_test(self) -> Callable[[Entity, Mapping[str, Entity]], bool]:
        assert self.q is not None
        return compile_linked(self.q)

    @cached_property
    def _tests(self) -> list[Callable[[Entity], bool]]:
        tests: list[Callable[[Entity], bool]] = []
        if self.ids is not None:
            wanted = frozenset(self.ids)
            tests.append(lambda entity: entity.id in wanted)
        if self.types is not None:
            types = self.types
            tests.append(lambda entity: types.matches(entity.types))
        if self.scope is not None:
            scope = self.scope
            tests.append(lambda entity: scope.matches(entity.scopes))
        if self.id_pattern is not None:
            found = pattern.search(self.id_pattern, "idPattern")
            tests.append(lambda entity: found(entity.id))
        if self.selectors:
            selectors = self.selectors
            tests.append(lambda entity: any(one.matches(entity) for one in selectors))
        return tests + self._attribute_tests

    @cached_property
    def _attribute_tests(self) -> list[Callable[[Entity], bool]]:
        tests: list[Callable[[Entity], bool]] = []
        if self.attrs:
            attrs = frozenset(self.attrs)
            tests.append(lambda entity: not attrs.isdisjoint(entity.attrs))
        if self.q is not None:
            tests.append(compile_q(self.q))
        if self.geo is not None:
            tests.append(_geo_test(self.geo))
        return tests


def _geo_test(geo: GeoQuery) -> Callable[[Entity], bool]:
    """Any instance of the GeoProperty; an entity without it never matches (§4.10)."""
    attr, matches = geo.geoproperty, geo.matches

    def test(entity: Entity) -> bool:
        return any(
            instance.kind == "GeoProperty" and matches(instance.value)
            for instance in entity.attrs.get(attr, ())
        )

    return test


def paths(node: QNode) -> Iterator[Path]:
    """Every path in a `q` tree that begins at the entity itself."""
    if isinstance(node, Term):
        yield node.path
    elif isinstance(node, Linked):
        yield Path(node.relationship)
    else:
        for part in node.nodes:
            yield from paths(part)


def parse_ids(text: str) -> list[str]:
    """Parse `id`: URIs separated by `,`, each once; BadRequestData when one has no scheme."""
    ids = list(dict.fromkeys(part.strip() for part in text.split(",")))
    if len(ids) > MAX_TERMS * 4:
        raise BadRequestData(f"id: more than {MAX_TERMS * 4} identifiers")
    for one in ids:
        scheme, colon, rest = one.partition(":")
        if not (colon and rest and scheme[:1].isalpha()) or any(c.isspace() for c in one):
            raise BadRequestData(f"id: expected URIs separated by ',', found {one[:64]!r}")
    return ids
