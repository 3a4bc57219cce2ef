"""Who starts when: places drawn by lot, all at once or one group after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rynek.practices.times import Clock

__all__ = ["Start", "draw"]


@dataclass(frozen=True)
class Start:
    """A place of the plan: its group (0 are those compared), and the period it starts in."""

    place: str
    group: int
    period: str | None


def draw(
    places: Sequence[str], pilot: int, steps: int, step: int, first: float, clock: Clock, seed: int
) -> list[Start]:
    """The lot: `pilot` of the places in `steps` groups as even as can be, the groups `step`
    periods apart from the period `first` on. The same seed and places draw the same."""
    rng = np.random.default_rng(seed)
    order = [sorted(places)[one] for one in rng.permutation(len(places))]
    starts = []
    for number, place in enumerate(order):
        group = number * steps // pilot + 1 if number < pilot else 0
        period = clock.label(first + (group - 1) * step) if group else None
        starts.append(Start(place, group, period))
    return sorted(starts, key=lambda one: (one.group == 0, one.group, one.place))
