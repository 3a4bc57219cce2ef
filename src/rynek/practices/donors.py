"""Who can be compared: everybody who was not treated, is not near, and was recorded throughout."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.base.messages import Message
from rynek.practices.arrays import Array
from rynek.practices.cohort import Cohort
from rynek.practices.panel import Panel
from rynek.practices.saying import say
from rynek.practices.specification import Specification

__all__ = ["choose_donors", "distance_km"]

_EARTH_KM = 6371.0
# A donor of which more is missing is mostly made up of what was filled in.
_MOST_MISSING = 0.5
# One whose record ends early, or begins late, would be carried on by its last value.
_MOST_AT_ENDS = 0.2
# So many different values, each met, are no coincidence.
_FEWEST_COPIED = 8


def choose_donors(
    panel: Panel,
    spec: Specification,
    treated: set[int],
    outcome: Array,
    cohorts: Sequence[Cohort],
) -> tuple[tuple[int, ...], dict[str, Message]]:
    """The donors, and those left out with the reason. BadRequestData where none is left."""
    excluded = {panel.unit(name) for name in spec.exclude}
    neighbours = {panel.unit(name) for name in spec.neighbours}
    if spec.donors is None:
        named = [one for one in range(len(panel.units)) if one not in treated]
    else:
        named = [panel.unit(name) for name in dict.fromkeys(spec.donors)]
        both = [panel.units[one] for one in named if one in treated]
        if both:
            raise BadRequestData(say("donor-treated", unit=both[0]))
    left_out: dict[str, Message] = {}
    kept = []
    for one in named:
        near = distance_km(panel, one, treated)
        if one in excluded:
            why: Message | None = say("left-asked")
        elif one in neighbours:
            why = say("left-neighbour")
        elif near is not None and near <= spec.near_km:
            why = say("left-near", km=near, near=spec.near_km)
        else:
            why = _too_little(outcome[one], cohorts) or _copied(outcome, one, treated, panel)
        if why is None:
            kept.append(one)
        else:
            left_out[panel.units[one]] = why
    if named and not kept:
        reasons = [say("left-of", unit=name, why=why) for name, why in left_out.items()]
        raise BadRequestData(say("left-none", reasons=reasons[:3]))
    return tuple(kept), left_out


def _copied(outcome: Array, donor: int, treated: set[int], panel: Panel) -> Message | None:
    """A record that is a treated one's under another name would show no effect, whatever it was."""
    for one in sorted(treated):
        both = ~(np.isnan(outcome[one]) | np.isnan(outcome[donor]))
        ours, theirs = outcome[one][both], outcome[donor][both]
        alike = len(ours) > _FEWEST_COPIED and bool((ours == theirs).all())
        if alike and len(np.unique(ours)) > _FEWEST_COPIED:
            return say("left-copy", unit=panel.units[one])
    return None


def distance_km(panel: Panel, unit: int, treated: set[int]) -> float | None:
    """The distance of a unit from the nearest treated one; None where nobody says where they
    are."""
    here = panel.places.get(panel.units[unit])
    others = [panel.places[panel.units[one]] for one in treated if panel.units[one] in panel.places]
    if here is None or not others:
        return None
    return min(_haversine(here, other) for other in others)


def _haversine(one: tuple[float, float], other: tuple[float, float]) -> float:
    (lat, lon), (there, away) = np.radians(one), np.radians(other)
    half = (
        np.sin((there - lat) / 2) ** 2 + np.cos(lat) * np.cos(there) * np.sin((away - lon) / 2) ** 2
    )
    return float(2 * _EARTH_KM * np.arcsin(np.sqrt(min(1.0, float(half)))))


def _too_little(values: Array, cohorts: Sequence[Cohort]) -> Message | None:
    """Why a record is too thin to stand for what would have been; None where it is not."""
    there = ~np.isnan(values)
    start = cohorts[0].start
    if not there[:start].any() or not there[start:].any():
        return say("left-one-side")
    used = sorted({one for cohort in cohorts for one in (*cohort.fit, *cohort.effect)})
    seen = there[used]
    if not seen.any():
        return say("left-nothing")
    if 1 - seen.mean() > _MOST_MISSING:
        return say("left-missing", share=1 - seen.mean())
    first, last = int(np.argmax(seen)), int(np.argmax(seen[::-1]))
    if max(first, last) > _MOST_AT_ENDS * len(used):
        which = "left-late" if first > last else "left-early"
        return say(which, outside=max(first, last), periods=len(used))
    return None
