"""Several estimates of one kind of practice together: a random-effects summary.

The variance between them by restricted maximum likelihood (Viechtbauer 2005), the interval of the
mean after Hartung & Knapp (2001) and Sidik & Jonkman (2002), never shorter than the usual one
(Jackson et al. 2017), and what the next place may expect (Higgins, Thompson & Spiegelhalter 2009).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.practices.arrays import Array

__all__ = ["Together", "log_ratio", "together"]

_FEWEST = 2
_STEPS = 200


@dataclass(frozen=True)
class Together:
    """The mean effect with its interval, the standard deviation between places `tau`, the share
    `i2` of what varies that is not error, Cochran's `q` with its p-value, each estimate's weight,
    and the interval in which the effect of another place lies (None with fewer than three)."""

    mean: float
    standard_error: float
    interval: tuple[float, float]
    tau: float
    i2: float
    q: float
    q_p_value: float
    weights: tuple[float, ...]
    prediction: tuple[float, float] | None


def together(
    effects: Sequence[float], errors: Sequence[float], confidence: float = 0.95
) -> Together:
    """The summary of `effects` with their standard errors. BadRequestData with fewer than two, or
    an error that is none."""
    from scipy.stats import chi2, t

    values, variances = np.array(effects, dtype=np.float64), np.array(errors, dtype=np.float64) ** 2
    many = len(values)
    if many < _FEWEST:
        raise BadRequestData(f"{many} estimates with a standard error: a summary needs two")
    if not (np.isfinite(values).all() and np.isfinite(variances).all() and (variances > 0).all()):
        raise BadRequestData("an estimate has no positive standard error")
    between = _between(values, variances)
    weights = 1 / (variances + between)
    mean = float(weights @ values / weights.sum())
    scale = float(weights @ (values - mean) ** 2 / (many - 1))
    error = math.sqrt(max(scale, 1.0) / float(weights.sum()))
    reach = float(t.ppf(0.5 + confidence / 2, many - 1)) * error
    fixed = 1 / variances
    centre = float(fixed @ values / fixed.sum())
    q = float(fixed @ (values - centre) ** 2)
    typical = (many - 1) * fixed.sum() / (fixed.sum() ** 2 - (fixed**2).sum())
    prediction = None
    if many > 2:
        wide = float(t.ppf(0.5 + confidence / 2, many - 2)) * math.sqrt(between + error**2)
        prediction = (mean - wide, mean + wide)
    return Together(
        mean,
        error,
        (mean - reach, mean + reach),
        math.sqrt(between),
        float(between / (between + typical)),
        q,
        float(chi2.sf(q, many - 1)),
        tuple(map(float, weights / weights.sum())),
        prediction,
    )


def log_ratio(document: Mapping[str, Any]) -> tuple[float, float | None] | None:
    """The logarithm of what was seen as a ratio to what would have been, with its standard error, of
    an estimate's JSON: what effects in other units, and in logarithms, have in common (Hedges,
    Gurevitch & Curtis 1999). None where nothing was seen any more, or a share says nothing.

    Of an effect in the outcome's unit the error is that of what would have been, by the delta method.
    """
    effect, error = document.get("effect"), document.get("standard_error")
    percent = document.get("effect_percent")
    if not isinstance(effect, int | float) or not math.isfinite(effect) or percent is None:
        return None
    if document.get("transform") == "log":
        return float(effect), error
    if not effect or not -100 < percent < math.inf:
        return None
    base = 100 * effect / percent
    return math.log1p(percent / 100), None if error is None else abs(error / base)


def _between(values: Array, variances: Array) -> float:
    """The variance between, by Fisher scoring of the restricted likelihood; never below zero. Where
    errors differ much it may have several tops: the highest that is reached from several starts."""
    spread = float(values.var(ddof=1))
    starts = (max(0.0, spread - float(variances.mean())), spread, float(np.ptp(values)) ** 2)
    found = (_climbed(values, variances, one) for one in starts)
    return max((0.0, *found), key=lambda one: _likelihood(values, variances, one))


def _likelihood(values: Array, variances: Array, between: float) -> float:
    """The restricted log likelihood, but for a constant."""
    weights = 1 / (variances + between)
    mean = float(weights @ values / weights.sum())
    apart = float(weights @ (values - mean) ** 2)
    return (float(np.log(weights).sum()) - math.log(float(weights.sum())) - apart) / 2


def _climbed(values: Array, variances: Array, found: float) -> float:
    """The top that Fisher scoring reaches from `found`."""
    for _ in range(_STEPS):
        weights = 1 / (variances + found)
        mean = float(weights @ values / weights.sum())
        squares = float((weights**2).sum())
        score = float(weights**2 @ (values - mean) ** 2) - float(weights.sum())
        score += squares / float(weights.sum())
        information = squares - 2 * float((weights**3).sum()) / float(weights.sum())
        information += (squares / float(weights.sum())) ** 2
        if information <= 0:
            break
        moved = max(0.0, found + score / information)
        if abs(moved - found) <= 1e-12 * (1 + found):
            return moved
        found = moved
    return found
