"""Predictor weights of a synthetic control, chosen so that the outcome before the start is met.

For weights v of the predictors the donors' weights are exact (`simplex`); v is searched from the
equal weights and from those of a regression of the outcome on the predictors, as Abadie, Diamond &
Hainmueller's software does: by BFGS with exact slopes, by Nelder-Mead from the better end, and by
BFGS again from there and from between the two.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.practices.arrays import Array
from rynek.practices.saying import say
from rynek.practices.simplex import least_distance, simplex_quadratic
from rynek.practices.task import Task

__all__ = ["Fitted", "fit_predictors", "predictor_weights"]

_ROUNDS = 1000
_SIMPLEX_ROUNDS = 150


@dataclass(frozen=True)
class Fitted:
    """Weights of donors, and of predictors where there are some."""

    weights: Array
    importance: dict[str, float] | None = None


def fit_predictors(
    task: Task, own: Sequence[int], donors: list[int], before: Array, ours: Array
) -> Fitted:
    """Weights for units `own` by the predictors; `before` (periods × donors) and `ours` are the
    outcome in the fit window. BadRequestData where a predictor is missing."""
    assert task.predictors is not None
    names = [one.column for one in task.spec.predictors]
    values = np.column_stack(
        [task.predictors[:, list(own)].mean(axis=1), task.predictors[:, donors]]
    )
    _refuse_missing(task, names, values, donors)
    size = values.std(axis=1, ddof=1, keepdims=True)
    if (size == 0).any():
        same = names[int(np.argmax(size == 0))]
        raise BadRequestData(say("predictor-constant", predictor=same))
    chosen, weights = predictor_weights(values[:, 0], values[:, 1:], before, ours)
    labels = [f"{name} {n + 1}" if names.count(name) > 1 else name for n, name in enumerate(names)]
    return Fitted(weights, dict(zip(labels, map(float, chosen), strict=True)))


def predictor_weights(
    target: Array, candidates: Array, before: Array, ours: Array
) -> tuple[Array, Array]:
    """Weights of predictors and of donors: of `candidates` (predictors × donors) for `target`,
    so that `before` (periods × donors) meets `ours` best. Each predictor counts by its standard
    deviation over all units, which must not be 0."""
    values = np.column_stack([target, candidates])
    scaled = values / values.std(axis=1, ddof=1, keepdims=True)
    target, candidates = scaled[:, 0], scaled[:, 1:]
    chosen = np.array(_remembered(*map(_kept, (target, candidates, before, ours))))
    return chosen, _mixture(chosen, candidates - target[:, None])


_Kept = tuple[bytes, tuple[int, ...]]


def _kept(values: Array) -> _Kept:
    return np.ascontiguousarray(values).tobytes(), values.shape


@functools.lru_cache(maxsize=256)
def _remembered(target: _Kept, candidates: _Kept, before: _Kept, ours: _Kept) -> tuple[float, ...]:
    """The same search is asked for by refusal, estimate and checks."""
    given = (np.frombuffer(one).reshape(shape) for one, shape in (target, candidates, before, ours))
    return tuple(map(float, _search(*given)))


def _search(target: Array, candidates: Array, before: Array, ours: Array) -> Array:
    from scipy.optimize import minimize

    # What a mixture misses is the same mixture of what each candidate misses.
    gaps, missed = candidates - target[:, None], before - ours[:, None]

    def error(raw: Array) -> float:
        shares = _shares(raw)
        if shares is None:
            return float("inf")
        rest = missed @ _mixture(shares, gaps)
        return float(rest @ rest) / len(ours)

    def both(raw: Array) -> tuple[float, Array]:
        shares = _shares(raw)
        if shares is None:
            return float("inf"), np.zeros(len(raw))
        weights = _mixture(shares, gaps)
        slopes = _slopes(shares, target, candidates, before, ours, weights)
        turned = np.sign(raw) / np.abs(raw).sum() * (slopes - float(slopes @ shares))
        rest = missed @ weights
        return float(rest @ rest) / len(ours), turned

    def sloped(start: Array) -> tuple[float, Array]:
        return _end(minimize(both, start, method="BFGS", jac=True, options={"maxiter": _ROUNDS}))

    equal = np.full(len(target), 1 / len(target))
    if len(target) == 1:
        return equal
    starts = (equal, _regressed(target, candidates, before, ours))
    ends = sorted((sloped(one) for one in starts), key=lambda end: end[0])
    # Where donors enter or leave there is no slope: a search without one goes on from there.
    settings = {"maxiter": _SIMPLEX_ROUNDS}
    ends.append(_end(minimize(error, ends[0][1], method="Nelder-Mead", options=settings)))
    ends.append(sloped(ends[2][1]))
    ends.append(sloped((ends[1][1] + ends[3][1]) / 2))
    return min(ends, key=lambda end: end[0])[1]


def _end(found: Any) -> tuple[float, Array]:
    """The error where a search ended, and the weights there."""
    shares = _shares(found.x)
    return float(found.fun), found.x if shares is None else shares


def _shares(raw: Array) -> Array | None:
    """Weights that add up to one; None where they do not."""
    size = np.abs(raw)
    total = float(size.sum())
    return size / total if 0 < total < math.inf else None


def _mixture(shares: Array, gaps: Array) -> Array:
    """Donors' weights for the predictors' `shares`; `gaps` are what each donor misses of them."""
    found = least_distance(gaps * np.sqrt(shares)[:, None])
    if found is None:
        scaled = gaps * np.sqrt(shares)[:, None]
        return simplex_quadratic(scaled.T @ scaled, np.zeros(gaps.shape[1]))
    return found


def _slopes(
    shares: Array, target: Array, candidates: Array, before: Array, ours: Array, weights: Array
) -> Array:
    """How the error in the fit window changes with each predictor's share: donors' weights that
    are in use follow from one linear system, which is differentiated."""
    used = weights.nonzero()[0]
    some, mine = candidates[:, used], weights[used]
    missed = target - some @ mine
    size = len(used)
    system = np.ones((size + 1, size + 1))
    system[:size, :size] = some.T @ (some * shares[:, None])
    system[size, size] = 0.0
    right = np.zeros(size + 1)
    right[:size] = -2 / len(ours) * (before[:, used].T @ (ours - before[:, used] @ mine))
    try:
        turned = np.linalg.solve(system, right)[:size]
    except np.linalg.LinAlgError:
        turned = np.linalg.lstsq(system, right, rcond=None)[0][:size]
    found: Array = (some @ turned) * missed
    return found


def _regressed(target: Array, candidates: Array, before: Array, ours: Array) -> Array:
    """How much each predictor says about the outcome, over all units."""
    features = np.column_stack([target, candidates]).T
    design = np.column_stack([np.ones(len(features)), features])
    outcome = np.column_stack([ours, before]).T
    slopes = np.linalg.lstsq(design, outcome, rcond=None)[0][1:]
    power = (slopes**2).sum(axis=1)
    total = float(power.sum())
    if not total > 0:
        return np.full(len(target), 1 / len(target))
    shares: Array = power / total
    return shares


def _refuse_missing(task: Task, names: list[str], values: Array, donors: list[int]) -> None:
    if not np.isnan(values).any():
        return
    row, column = (int(one) for one in np.argwhere(np.isnan(values))[0])
    if column == 0:
        raise BadRequestData(say("predictor-missing-treated", predictor=names[row]))
    unit = task.panel.units[donors[column - 1]]
    raise BadRequestData(say("predictor-missing", predictor=names[row], unit=unit))
