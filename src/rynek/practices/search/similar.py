"""Cities like the one that asks, by what is measured of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rynek.base.messages import Message
from rynek.indicators import FEWEST_SHARED, Alike, Likeness, Profile
from rynek.practices.cards import Seen
from rynek.practices.saying import say

__all__ = ["Cities", "alike_document", "alike_message", "unlike"]

_WHY: Final = {
    "own": say("alike-own"),
    "other": say("alike-other"),
    "self": say("alike-self"),
}


class Cities:
    """The cities whose measured values whoever asks may see (`profiles` by tenant), and the one that
    asks (`own`, "" for none).

    A card's city is that of its owner, or the one that its `known_as` names; of a card that hides
    its city neither is there, so that nothing measured gives the city away.
    """

    def __init__(self, profiles: Mapping[str, Profile], own: str = "") -> None:
        self._profiles = profiles
        self.own = profiles.get(own)
        self._likeness = Likeness(one.measured for one in profiles.values())
        self._by_key = {
            (one.country, key.casefold()): one for one in profiles.values() for key in one.known_as
        }

    def find(self, seen: Seen) -> Profile | None:
        """What is measured of a card's city; None where that is not known."""
        if seen.owner and seen.owner in self._profiles:
            return self._profiles[seen.owner]
        city = seen.card.city
        for key in city.known_as if city else ():
            found = self._by_key.get((city.country if city else "", key.casefold()))
            if found is not None:
                return found
        return None

    def nearest(self) -> list[tuple[Profile, Alike]]:
        """The other cities of which it can be said how alike they and the one that asks are, the
        most alike first."""
        if self.own is None:
            return []
        every = (
            (one, self._likeness.of(self.own.measured, one.measured))
            for one in self._profiles.values()
            if one is not self.own
        )
        known = [(one, alike) for one, alike in every if alike.share is not None]
        return sorted(known, key=lambda pair: (-(pair[1].share or 0.0), pair[0].name))

    def alike(self, seen: Seen) -> Alike:
        """How alike a card's city and the one that asks are."""
        other = self.find(seen)
        if other is not None and other is self.own:
            return Alike(None, why="self")
        return self._likeness.of(
            self.own.measured if self.own else None, other.measured if other else None
        )


def unlike(alike: Alike | None) -> float:
    """By which cards are put in order: the most alike first, those of which it cannot be said last."""
    return 1.0 if alike is None or alike.share is None else -alike.share


def alike_message(alike: Alike) -> Message:
    """How alike two cities are, or why that cannot be said, in words."""
    if alike.share is not None:
        return say("alike-said", share=alike.share, shared=alike.count)
    if alike.why == "few":
        return say("alike-few", shared=alike.count, least=FEWEST_SHARED)
    return _WHY[alike.why]


def alike_document(alike: Alike | None) -> dict[str, Any] | None:
    """As JSON has it: the share, in which indicators with both values, and the words."""
    if alike is None:
        return None
    said = alike_message(alike)
    return {
        "share": alike.share,
        "indicators": [
            {
                "id": one.indicator,
                "period": one.label,
                "own": one.own,
                "other": one.other,
                "alike": one.alike,
            }
            | ({} if one.own_year is None else {"own_year": one.own_year})
            | ({} if one.other_year is None else {"other_year": one.other_year})
            for one in alike.shared
        ],
        "reason": str(said),
        "message": said.document(),
    }
