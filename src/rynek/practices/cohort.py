"""Who is treated from when, and over which periods one learns and reads the effect."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Cohort"]


@dataclass(frozen=True)
class Cohort:
    """Units treated from the same period on: `units`, the index `start` of their first treated
    period, the periods `fit` before it and `effect` from it on, over which the effect is read."""

    units: tuple[int, ...]
    start: int
    fit: tuple[int, ...]
    effect: tuple[int, ...]
