"""The entity ordering language `orderBy` (CIM 009 §4.23).

    ordering  = term *( "," term )
    term      = path [ ";" direction ]
    direction = "asc" / "desc" / "dist-asc" / "dist-desc"

A path is one of `q` (§4.9), or one of the entity's own members id, type, scope, createdAt,
modifiedAt and expiresAt. What the clause leaves open is so here: what has no value comes last in
either direction; of several instances the default one counts, or else the first; a language map
counts in the language asked for, or else in any; objects and arrays compare as JSON text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec

from rynek.base.collation import ROOT, is_collation
from rynek.base.errors import BadRequestData
from rynek.base.geo import haversine_m
from rynek.context.language import choose_language
from rynek.context.model import Entity, Instance
from rynek.context.query.geo import parse_geometry
from rynek.context.query.literals import (
    Day,
    Moment,
    TimeOfDay,
    day_of,
    moment_of,
    time_of,
    unwrap,
)
from rynek.context.query.paths import Path, scan_path
from rynek.context.query.scan import Scanner
from rynek.context.query.shapes import BadShape, DistanceMap
from rynek.context.query.targets import descend, entity_time, targets

__all__ = ["OrderTerm", "Ordering", "Rank", "parse_ordering"]

DIRECTIONS: Final = ("asc", "desc", "dist-asc", "dist-desc")
_OWN: Final = frozenset({"id", "type", "scope"})
# So many ranks are looked at in one step of putting them in order.
_AT_ONCE: Final = 1_000

# The order of data types (§4.23.2); places come before all of them when sorting by distance.
PLACE, NUMBER, TEXT, OBJECT, ARRAY, BOOLEAN, TIME, DATE, DATETIME, NULL, ABSENT = range(-1, 10)

Rank = tuple[int, Any]
"""Data type, and the value as it compares within it."""
_ABSENT: Final[Rank] = (ABSENT, 0)


class OrderTerm(msgspec.Struct, frozen=True):
    """One criterion; `path.attr` is `@id`, `@type`, `@scope` or an entity's time, or an IRI."""

    path: Path
    descending: bool = False
    by_distance: bool = False


@dataclass(frozen=True)
class Ordering:
    """In which order entities come. `reference` is the geometry that distances are from."""

    terms: tuple[OrderTerm, ...]
    collation: str = ROOT
    reference: dict[str, Any] | None = None
    lang: str | None = None

    @cached_property
    def needs(self) -> frozenset[str] | None:
        """The attributes that decide; None when system times do."""
        names = {term.path.attr for term in self.terms}
        members = {term.path.member for term in self.terms}
        if any(name.endswith("At") for name in names if name[0] == "@"):
            return None
        if members & {"createdAt", "modifiedAt", "expiresAt"}:
            return None
        return frozenset(name for name in names if name[0] != "@")

    def ranks(self, entity: Entity, compact: Callable[[str], str]) -> list[Rank]:
        """What decides the place of one entity: a rank for each term."""
        return [self._rank(entity, term, compact) for term in self.terms]

    def arrange(self, ranks: Sequence[list[Rank]], keys: Mapping[str, str]) -> list[int]:
        """The positions of `ranks` in order; equal ones stay as they came. `keys` has the sort key
        of every text (see texts)."""
        order = list(range(len(ranks)))
        for _ in self.arranging(order, ranks, keys):
            pass
        return order

    def arranging(
        self, order: list[int], ranks: Sequence[list[Rank]], keys: Mapping[str, str]
    ) -> Iterator[None]:
        """Bring the positions `order` in order, step by step."""
        for index in reversed(range(len(self.terms))):
            term = self.terms[index]
            column: list[Rank] = []
            for first in range(0, len(ranks), _AT_ONCE):
                some = ranks[first : first + _AT_ONCE]
                column += [_with_key(one[index], keys) for one in some]
                yield
            if term.by_distance:
                if term.descending:
                    column = [(r, -v) if r == PLACE else (r, v) for r, v in column]
                order.sort(key=column.__getitem__)
            else:
                order.sort(key=column.__getitem__, reverse=term.descending)
                if term.descending:
                    yield
                    end = [rank if rank >= NULL else -1 for rank, _ in column]
                    order.sort(key=end.__getitem__)
            yield

    def texts(self, ranks: Iterable[list[Rank]]) -> list[str]:
        """Every text among the ranks, each once."""
        return list({value for one in ranks for rank, value in one if rank == TEXT})

    def _rank(self, entity: Entity, term: OrderTerm, compact: Callable[[str], str]) -> Rank:
        attr = term.path.attr
        if attr[0] == "@":
            return _own(entity, attr, compact)
        instance = entity.default(attr)
        if instance is not None and term.path.subs:
            instance = _default(descend((instance,), term.path.subs))
        if instance is None:
            return _ABSENT
        if term.by_distance and instance.kind == "GeoProperty":
            metres = self._distance(instance.value)
            if metres is not None:
                return (PLACE, metres)
        return _value_rank(instance, term.path, self.lang)

    def _distance(self, geometry: Any) -> float | None:
        try:
            return self._measure(geometry)
        except (BadShape, KeyError, TypeError, IndexError, ValueError):
            return None

    @cached_property
    def _measure(self) -> Callable[[dict[str, Any]], float]:
        assert self.reference is not None
        reference = self.reference
        around = DistanceMap(reference)
        if reference["type"] != "Point":
            return around.nearest
        lon, lat = reference["coordinates"][:2]

        def metres(target: dict[str, Any]) -> float:
            if target["type"] == "Point":
                x, y = target["coordinates"][:2]
                return haversine_m(lon, lat, x, y)
            return around.nearest(target)

        return metres


def _own(entity: Entity, attr: str, compact: Callable[[str], str]) -> Rank:
    if attr == "@id":
        return (TEXT, entity.id)
    if attr == "@type":
        return (TEXT, ",".join(sorted(map(compact, entity.types))))
    if attr == "@scope":
        return (TEXT, ",".join(entity.scopes)) if entity.scopes else _ABSENT
    found = entity_time(entity, attr)
    return _rank_of(found[0]) if found else _ABSENT


def _default(instances: Sequence[Instance]) -> Instance | None:
    for instance in instances:
        if instance.dataset_id is None:
            return instance
    return instances[0] if instances else None


def _value_rank(instance: Instance, path: Path, lang: str | None) -> Rank:
    value = instance.value
    if instance.kind == "LanguageProperty" and not path.trail and path.member is None:
        if type(value) is dict and value:
            value = value[choose_language(value, lang or "*")]
        return _rank_of(value)
    found = targets(instance, path.member, path.trail)
    return _rank_of(found[0]) if found else _ABSENT


def _rank_of(value: Any) -> Rank:
    if type(value) is dict:
        value = unwrap(value)
    kind = type(value)
    if kind is bool:
        return (BOOLEAN, value)
    if kind is int or kind is float:
        return (NUMBER, value)
    if kind is str:
        return _text_rank(value)
    if kind is Moment:
        return (DATETIME, int(value))
    if kind is TimeOfDay:
        return (TIME, int(value))
    if kind is Day:
        return (DATE, str(value))
    if value is None:
        return (NULL, 0)
    return (ARRAY if kind is list else OBJECT, msgspec.json.encode(value, order="sorted"))


def _text_rank(text: str) -> Rank:
    """JSON has no dates: a text that is one counts as one (§4.6.3)."""
    if text[:1].isdigit():
        for rank, read in ((DATETIME, moment_of), (DATE, day_of), (TIME, time_of)):
            found = read(text)
            if found is not None:
                return (rank, found)
    return (TEXT, text)


def _with_key(rank: Rank, keys: Mapping[str, str]) -> Rank:
    return (TEXT, (keys[rank[1]], rank[1])) if rank[0] == TEXT else rank


def parse_ordering(
    text: str,
    expand: Callable[[str], str],
    *,
    collation: str | None = None,
    coordinates: Any = None,
    geometry: str | None = None,
    lang: str | None = None,
) -> Ordering:
    """Parse `orderBy` with what belongs to it: `collation`, `orderFrom` (JSON text or the array
    itself) and `orderGeometry` (Point without it).

    BadRequestData for bad syntax, an unknown collation, a geometry that is none, and for an
    order by distance without a place to measure from (§5.7.2.4).
    """
    if collation is not None and not is_collation(collation):
        raise BadRequestData(f"collation: {collation[:64]!r} is no ICU collation (RFC 6067)")
    reference = None
    if coordinates is not None:
        reference = parse_geometry(geometry or "Point", coordinates, "orderGeometry, orderFrom")
    elif geometry is not None:
        raise BadRequestData("orderGeometry needs the coordinates in orderFrom")
    terms = tuple(_terms(Scanner("orderBy", text), expand))
    if reference is None and any(term.by_distance for term in terms):
        raise BadRequestData("orderBy: an order by distance needs orderFrom")
    return Ordering(terms, collation or ROOT, reference, lang)


def _terms(scanner: Scanner, expand: Callable[[str], str]) -> Iterable[OrderTerm]:
    while True:
        scanner.count_term()
        path, _ = scan_path(scanner, lambda name: "@" + name if name in _OWN else expand(name))
        direction = "asc"
        if scanner.take(";"):
            start = scanner.pos
            direction = scanner.run(",;")
            if direction not in DIRECTIONS:
                scanner.error(", ".join(DIRECTIONS), start)
        yield OrderTerm(path, direction.endswith("desc"), direction.startswith("dist"))
        if not scanner.take(","):
            break
    if not scanner.at_end():
        scanner.error("',', ';' or the end")
