"""Places drawn by lot, at once or in steps: inference by the lot itself.

The statistic is the slope of the outcome on treatment once places' and periods' means are taken
out. Who starts when is drawn again from the same starts; the p-value is the rank of what was seen.
The interval is every constant effect that the lot does not reject, which is linear and so solved
exactly (Fisher 1935; Rosenbaum 2002; for stepped wedges Ji, Fink, Robyn & Small 2017).
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from rynek.base.messages import Message
from rynek.practices.arrays import Array, mean_of
from rynek.practices.estimate import Estimate
from rynek.practices.saying import say
from rynek.practices.task import Task

__all__ = ["NAME", "Randomised", "residuals_of", "treatment_of", "ways_of"]

NAME = "randomised"
_DRAWS = 4999
_ENUMERATED = 20_000
_CELLS = 4_000_000


class Randomised:
    """The contract's `Design`."""

    name = NAME

    def refuses(self, task: Task) -> Message | None:
        """Needs a documented lot, and enough places that it could have fallen otherwise."""
        if task.spec.assignment != "randomised":
            return say("lot-unknown")
        ways = ways_of(_starts(task))
        if ways < 1 / (1 - task.spec.confidence):
            return say("lot-few", ways=ways)
        return None

    def effect(self, task: Task) -> float:
        """The effect alone."""
        outcome, starts = _window(task)
        return float(
            _slopes(residuals_of(treatment_of(starts, outcome.shape[1])[None]), outcome)[0]
        )

    def estimate(self, task: Task) -> Estimate:
        """The effect, its p-value and interval from the lot."""
        outcome, starts = _window(task)
        actual = treatment_of(starts, outcome.shape[1])
        effect = float(_slopes(residuals_of(actual[None]), outcome)[0])
        slopes, shares = _drawn(_lots(task, starts), outcome, actual)
        interval = _interval(effect, slopes, shares, task.spec.confidence)
        words = say("sure-lot", draws=len(slopes))
        if interval is None:
            ways = ways_of(starts)
            words = say("sure-lot-few", ways=ways, confidence=task.spec.confidence)
        periods, observed, expected = _path(task, actual, effect)
        return Estimate(
            NAME,
            effect,
            periods,
            observed,
            expected,
            # What the lot would do to an outcome from which the effect was taken out.
            standard_error=float((slopes - effect * shares).std()) or None,
            interval=interval,
            p_value=_p_value(effect, 0.0, slopes, shares),
            uncertainty=words,
        )


def _starts(task: Task) -> tuple[int, ...]:
    """The start of every place, in the order of `_places`; beyond the last period for those that
    never were."""
    never = len(task.panel.times)
    found = dict.fromkeys(task.donors, never)
    found |= {unit: cohort.start for cohort in task.cohorts for unit in cohort.units}
    return tuple(found[one] for one in _places(task))


def _places(task: Task) -> list[int]:
    return sorted({*task.treated, *task.donors})


def ways_of(starts: tuple[int, ...]) -> int:
    """In how many ways the lot could have fallen."""
    ways, left = 1, len(starts)
    for one in set(starts):
        count = starts.count(one)
        ways *= math.comb(left, count)
        left -= count
    return ways


def _window(task: Task) -> tuple[Array, tuple[int, ...]]:
    """Outcomes of the places over the periods that count, and their starts among these. A period
    in which nothing was seen does not count: what fills a gap was made from both sides of it."""
    periods = _periods(task)
    outcome = task.outcome[np.ix_(_places(task), periods)]
    starts = np.searchsorted(periods, _starts(task))
    return outcome, tuple(int(one) for one in starts)


def _periods(task: Task) -> list[int]:
    return sorted({one for cohort in task.cohorts for one in (*cohort.fit, *cohort.effect)})


def treatment_of(starts: tuple[int, ...], periods: int) -> Array:
    """(places × periods): 1 where treated."""
    return (np.arange(periods)[None, :] >= np.array(starts)[:, None]).astype(np.float64)


def residuals_of(treatment: Array) -> Array:
    """Treatments (draws × places × periods) without places' and periods' means."""
    found: Array = (
        treatment
        - treatment.mean(axis=2, keepdims=True)
        - treatment.mean(axis=1, keepdims=True)
        + treatment.mean(axis=(1, 2), keepdims=True)
    )
    return found


def _slopes(residuals: Array, outcome: Array) -> Array:
    """The slope of the outcome on each treatment."""
    found: Array = np.einsum("dpt,pt->d", residuals, outcome) / np.maximum(
        np.einsum("dpt,dpt->d", residuals, residuals), 1e-300
    )
    return found


def _drawn(lots: list[tuple[int, ...]], outcome: Array, actual: Array) -> tuple[Array, Array]:
    """For every lot the slope of the outcome, and that of the actual treatment, some at a time."""
    step = max(1, _CELLS // outcome.size)
    slopes, shares = [], []
    for start in range(0, len(lots), step):
        some = lots[start : start + step]
        residuals = residuals_of(np.array([treatment_of(one, outcome.shape[1]) for one in some]))
        slopes.append(_slopes(residuals, outcome))
        shares.append(_slopes(residuals, actual))
    return np.concatenate(slopes), np.concatenate(shares)


def _lots(task: Task, starts: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Every way in which the lot could have fallen, or many drawn ones with the actual first."""
    if ways_of(starts) <= _ENUMERATED and len(starts) <= 9:
        return sorted(set(itertools.permutations(starts)))
    rng = np.random.default_rng(task.spec.seed)
    values = np.array(starts)
    return [starts, *(tuple(map(int, rng.permutation(values))) for _ in range(_DRAWS))]


def _p_value(effect: float, supposed: float, slopes: Array, shares: Array) -> float:
    """How often the lot gives a statistic at least as far out, were the effect `supposed`."""
    far = np.abs(slopes - supposed * shares) >= abs(effect - supposed) * (1 - 1e-9)
    return float(far.mean())


def _interval(
    effect: float, slopes: Array, shares: Array, confidence: float
) -> tuple[float, float] | None:
    """The effects with a p-value above 1 − confidence, by bisection on either side."""
    alpha = 1 - confidence
    spread = float(np.abs(slopes).max()) + abs(effect) or 1.0
    ends = []
    for side in (-1.0, 1.0):
        inside, outside = 0.0, spread
        for _ in range(60):
            if _p_value(effect, effect + side * outside, slopes, shares) <= alpha:
                break
            outside *= 2
        else:
            return None
        for _ in range(60):
            middle = (inside + outside) / 2
            kept = _p_value(effect, effect + side * middle, slopes, shares) > alpha
            inside, outside = (middle, outside) if kept else (inside, middle)
        ends.append(effect + side * inside)
    return ends[0], ends[1]


def _path(
    task: Task, actual: Array, effect: float
) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]:
    """The mean of treated places, and the same less the effect where they were treated."""
    places = _places(task)
    rows = [places.index(one) for one in task.treated]
    periods = tuple(_periods(task))
    ours = mean_of(task.outcome[list(task.treated)], axis=0)[list(periods)]
    without = ours - effect * actual[rows].mean(axis=0)
    return periods, tuple(map(float, ours)), tuple(map(float, without))
