"""Whether the treated place already moved away from those it is compared with."""

from __future__ import annotations

import math

import numpy as np

from rynek.practices.arrays import Array
from rynek.practices.estimate import Case, Check, first_treated
from rynek.practices.saying import say

__all__ = ["before_trend"]

_NAME = "trend before the start"
_FEWEST = 5
_NEWS = 1e-9


def before_trend(case: Case) -> Check:
    """A slope of the gap between observed and expected over the periods before the start. The
    error allows for gaps that hang together (AR(1), effective number of periods)."""
    task, _design, estimate = case.task, case.design, case.estimate
    if estimate.design == "its":
        return Check(_NAME, "not applicable", say("trend-own"))
    fit = [n for n, one in enumerate(estimate.periods) if one < first_treated(task, estimate)]
    if len(fit) < _FEWEST:
        return Check(_NAME, "not applicable", say("trend-few", periods=len(fit)))
    gap = (np.array(estimate.observed) - np.array(estimate.expected))[fit]
    slope, error = _slope(gap, np.array([estimate.periods[n] for n in fit], dtype=np.float64))
    # A slope without any noise is one, unless it is rounding.
    moved = abs(slope) * len(gap) > _NEWS * float(np.abs(estimate.observed).max())
    size = abs(slope) / error if error > 0 else math.inf
    size = size if moved else 0.0
    figures = {"slope": slope, "standard_error": error}
    if size > 2:
        return Check(_NAME, "failed", say("trend-moved", slope=slope), figures)
    return Check(_NAME, "passed", say("trend-none"), figures)


def _slope(gap: Array, times: Array) -> tuple[float, float]:
    centred = times - times.mean()
    spread = float(centred @ centred)
    slope = float(centred @ gap) / spread
    rest = gap - gap.mean() - slope * centred
    power = float(rest @ rest)
    if power <= 0:
        return slope, 0.0
    lag = float(rest[1:] @ rest[:-1]) / power
    lag = min(max(lag, 0.0), 0.95)
    error = np.sqrt(power / (len(gap) - 2) / spread) * np.sqrt((1 + lag) / (1 - lag))
    return slope, float(error)
