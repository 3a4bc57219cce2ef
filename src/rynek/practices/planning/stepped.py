"""The smallest effect that a pilot could find whose groups start one after another.

Starts are drawn by lot on the city's own past, at places and at times drawn anew, where nothing was
done, and judged as `randomised` judges them, by the lot itself. Simulated: the smallest effect is the
one that, added there, is found as often as `power` says. Analytic: the spread of the estimate over
lots and times, taken for that of a normal one; where a place's values do not hang together over time
it is what Hussey & Hughes (2007) give, where they do theirs is far too small.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import norm

from rynek.practices.arrays import Array
from rynek.practices.estimators.randomised import residuals_of, treatment_of, ways_of
from rynek.practices.planning.power import Power

__all__ = ["stepped"]

_WINDOWS = 30
_LOTS = 200
_MOST_LOTS = 2000
# Of the lots so many are in turn the one that fell.
_FALLEN = 16
_HALVINGS = 20


def stepped(
    outcome: Array,
    pilot: int,
    periods: int,
    before: int,
    steps: int,
    step: int,
    *,
    confidence: float,
    power: float,
    seed: int,
) -> Power:
    """What `pilot` of the places can show that start in `steps` groups, `step` periods apart, after
    `before` periods without; all have it for `periods` at the end. `outcome` is (places × times),
    complete."""
    places, times = outcome.shape
    length = before + (steps - 1) * step + periods
    starts = _starts(places, pilot, steps, step, before, length)
    if length > times or ways_of(tuple(map(int, starts))) < 1 / (1 - confidence):
        return Power(pilot, places - pilot, periods, before, None, None, 0, steps, step)
    rng = np.random.default_rng((seed, pilot, periods, steps, step))
    # Of fewer than 1 / (1 - confidence) none could be told from the others.
    many = min(_MOST_LOTS, max(_LOTS, math.ceil(2 / (1 - confidence))))
    lots = rng.permuted(np.tile(starts, (many, 1)), axis=1)
    treatments = np.array([treatment_of(tuple(one), length) for one in lots])
    residuals = residuals_of(treatments).reshape(many, -1)
    weights = residuals / (residuals**2).sum(axis=1, keepdims=True)
    last = times - length
    first = np.unique(np.linspace(0, last, min(_WINDOWS, last + 1)).round().astype(int))
    windows = [outcome[:, one : one + length] for one in first]
    # Slopes of the outcome on each lot (windows × lots), and how much of an effect of the lot that
    # fell another would show (fallen × lots).
    slopes = np.array([one.ravel() for one in windows]) @ weights.T
    shares = treatments[:_FALLEN].reshape(_FALLEN, -1) @ weights.T
    reach = norm.ppf(0.5 + confidence / 2) + norm.ppf(power)
    return Power(
        pilot,
        places - pilot,
        periods,
        before,
        float(slopes.std() * reach),
        _found(slopes, shares, confidence, power),
        len(windows) * _FALLEN,
        steps,
        step,
    )


def _starts(
    places: int, pilot: int, steps: int, step: int, before: int, length: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The starts of all places, groups as even as in the lot; `length` for those that never do."""
    group = np.arange(pilot) * steps // pilot
    return np.concatenate([before + step * group, np.full(places - pilot, length)]).astype(np.int64)


def _found(slopes: Array, shares: Array, confidence: float, power: float) -> float | None:
    """The effect that is told from zero in a share `power` of windows and lots; both signs alike.
    None where no effect is."""

    def found(size: float) -> float:
        seen = [
            np.abs(slopes[:, None, :] + one * shares[None])
            >= np.abs(slopes[:, : len(shares), None] + one) * (1 - 1e-9)
            for one in (size, -size)
        ]
        return float(np.mean([one.mean(axis=2) <= 1 - confidence + 1e-9 for one in seen]))

    low, high = 0.0, float(np.abs(slopes).max()) or 1.0
    for _ in range(6):
        if found(high) >= power:
            break
        low, high = high, 2 * high
    else:
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) >= power else (middle, high)
    return high
