"""The smallest effect that a pilot could find, from how much places moved apart in the past.

Analytic: the error of a difference in differences from the variance of places' changes over windows
as long as the pilot, with the t distribution of its degrees of freedom (Bloom 1995; Bell & McCaffrey
2002 for these). Simulated: the
pilot is played on the city's own past, at places and at a time drawn anew, where nothing was done;
the smallest effect is the one that, added there, is found as often as `power` says. The second
knows what the first supposes: equal noise, no outliers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rynek.practices.arrays import Array
from rynek.practices.estimators.did import satterthwaite, two_samples

__all__ = ["FEWEST", "Power", "powers"]

_DRAWS = 2000
FEWEST = 4
_HALVINGS = 50


@dataclass(frozen=True)
class Power:
    """For `pilot` places and `compared`, over `periods` after `before`: the smallest effects; None
    where too few places have no error. With `steps` above 1 groups start `step` periods apart, and
    `periods` are those after the last start."""

    pilot: int
    compared: int
    periods: int
    before: int
    analytic: float | None
    simulated: float | None
    draws: int
    steps: int = 1
    step: int = 1


def powers(
    outcome: Array,
    pilot: int,
    periods: int,
    before: int,
    *,
    confidence: float,
    power: float,
    seed: int,
) -> Power:
    """What a pilot at `pilot` of the places can show; `outcome` is (places × times), complete."""
    places, times = outcome.shape
    compared = places - pilot
    none = Power(pilot, compared, periods, before, None, None, 0)
    length = before + periods
    if min(pilot, compared) < FEWEST or length > times:
        return none
    changes = _changes(outcome, before, periods)
    rng = np.random.default_rng((seed, pilot, periods))
    windows = rng.integers(0, changes.shape[1], _DRAWS)
    order = rng.permuted(np.tile(np.arange(places), (_DRAWS, 1)), axis=1)
    drawn = changes[order, windows[:, None]]
    ours, theirs = drawn[:, :pilot], drawn[:, pilot:]
    effects = ours.mean(axis=1) - theirs.mean(axis=1)
    errors, limits = two_samples(ours, theirs, confidence)
    return Power(
        pilot,
        compared,
        periods,
        before,
        _analytic(changes, pilot, confidence, power),
        _found(effects, errors * limits, power),
        _DRAWS,
    )


def _changes(outcome: Array, before: int, periods: int) -> Array:
    """The change of each place over each window of the past, (places × windows)."""
    sums = np.concatenate([np.zeros((len(outcome), 1)), np.cumsum(outcome, axis=1)], axis=1)
    last = outcome.shape[1] - before - periods
    first = np.arange(last + 1)
    early = (sums[:, first + before] - sums[:, first]) / before
    late = (sums[:, first + before + periods] - sums[:, first + before]) / periods
    found: Array = late - early
    return found


def _analytic(changes: Array, pilot: int, confidence: float, power: float) -> float:
    from scipy.stats import t

    places = len(changes)
    variance = float(changes.var(axis=0, ddof=1).mean())
    error = np.sqrt(variance * (1 / pilot + 1 / (places - pilot)))
    sizes = (pilot, places - pilot)
    freedom = satterthwaite([1 / many for many in sizes], sizes)
    return float(error * (t.ppf(0.5 + confidence / 2, freedom) + t.ppf(power, freedom)))


def _found(effects: Array, reach: Array, power: float) -> float:
    """The effect that is told from zero in a share `power` of the draws; both signs alike."""

    def share(size: float) -> float:
        up = np.abs(effects + size) > reach
        down = np.abs(effects - size) > reach
        return float((up.mean() + down.mean()) / 2)

    low, high = 0.0, float((np.abs(effects) + reach).max()) + 1e-12
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if share(middle) >= power else (middle, high)
    return high
