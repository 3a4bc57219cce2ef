"""Which sums belong together: those over one attribute of a type, and the sightings of a type."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from rynek.history import parse_duration
from rynek.indicators.definition import Computation, Definition, definitions
from rynek.indicators.kpi.measures import STATE_MEASURES
from rynek.indicators.kpi.states import DAY_US, Variant

__all__ = ["SIGHTING_MEASURES", "Family", "family_of"]

SIGHTING_MEASURES: Final = frozenset({"age", "silent", "count"})
_FORMAT: Final = 2
"""Of the sums of days: to be raised with every change of what they hold or mean."""


class Family(msgspec.Struct, frozen=True):
    """What is summed up of days in one go: of an attribute of a type in one or more variants, or
    when things of a type were heard of (no attribute)."""

    type: str
    attribute: str
    variants: tuple[Variant, ...] = ()

    @property
    def about(self) -> str:
        """What it is of."""
        return f"{self.type} {self.attribute}"

    def key(self, zone: str) -> bytes:
        """What equal sums have in common, in days of a zone."""
        return hashlib.sha256(msgspec.msgpack.encode((_FORMAT, zone, self))).digest()

    def place(self, asked: Computation) -> tuple[int, int]:
        """Which variant a computation is in, and where in that."""
        wanted = _variant(asked)
        for number, one in enumerate(self.variants):
            if (one.micros, one.follow, one.bucket) == wanted:
                return number, one.asked.index(asked)
        raise ValueError(f"not of this family: {asked}")


def family_of(asked: Computation, wanted: Sequence[Definition]) -> Family:
    """The family of a computation: with all others over its attribute, those that come with rynek
    and those that are wanted, so that whichever is asked for finds what was kept for another."""
    if asked.measure in SIGHTING_MEASURES:
        return Family(asked.type, "")
    every = {
        one.computation
        for one in (*definitions(), *wanted)
        if one.computation is not None
        and one.computation.measure in STATE_MEASURES
        and (one.computation.type, one.computation.attribute) == (asked.type, asked.attribute)
    }
    return Family(asked.type, asked.attribute, _variants(every))


def _variants(every: Iterable[Computation]) -> tuple[Variant, ...]:
    groups: dict[tuple[int, bool, str], list[Computation]] = {}
    for one in sorted(every, key=msgspec.json.encode):
        groups.setdefault(_variant(one), []).append(one)
    return tuple(Variant(*key, tuple(held)) for key, held in sorted(groups.items()))


def _variant(asked: Computation) -> tuple[int, bool, str]:
    held = parse_duration(asked.holds)
    return held.micros + held.days * DAY_US, asked.follow, asked.bucket
