"""A city's values among those of its peers: cities of the same installation that have as many of
the things that an indicator is about, within a factor of three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from rynek.indicators import Value
from rynek.web.indicators.words import apart, goodness

__all__ = ["ENOUGH", "Peer", "Place", "place"]

_FACTOR: Final = 3.0
ENOUGH: Final = 3
"""So many peers are needed before a value is called strong or weak."""
_QUARTER: Final = 0.75


class Peer(NamedTuple):
    """Another city's value: its tenant, and whether it is of similar size."""

    tenant: str
    value: Value
    similar: bool


class Place(NamedTuple):
    """Where a value stands: of `similar` peers it is better than `better`, worse than `worse`, and
    not to be told apart from the rest."""

    verdict: Literal["strong", "weak", "middle", "too few", "none"]
    better: int
    worse: int
    similar: int
    peers: Sequence[Peer]


def place(own: Value, others: Mapping[str, Sequence[Value]]) -> Place:
    """Where a value stands among those of other cities (by tenant) for the same indicator."""
    peers = [
        Peer(tenant, value, _similar(own, value))
        for tenant, values in others.items()
        for value in values
        if value.definition.id == own.definition.id and value.value is not None
    ]
    if own.value is None or not peers or own.definition.direction == "none":
        return Place("none", 0, 0, 0, peers)
    alike = [one.value for one in peers if one.similar]
    better = sum(_beats(own, one) for one in alike)
    worse = sum(_beats(one, own) for one in alike)
    many = len(alike)
    if many < ENOUGH:
        return Place("too few", better, worse, many, peers)
    strong, weak = better >= _QUARTER * many, worse >= _QUARTER * many
    return Place("strong" if strong else "weak" if weak else "middle", better, worse, many, peers)


def _similar(own: Value, other: Value) -> bool:
    mine, theirs = max(len(own.things), 1), max(len(other.things), 1)
    return 1 / _FACTOR <= mine / theirs <= _FACTOR


def _beats(one: Value, other: Value) -> bool:
    if one.value is None or other.value is None or not apart(one, other):
        return False
    return goodness(one.definition, one.value) > goodness(other.definition, other.value)
