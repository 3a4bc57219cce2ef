"""Predictor weights of a synthetic control, chosen so that the outcome before the start is met.

For weights v of the predictors the donors' weights are exact (`weighting`); v is searched by descent
with exact slopes from the equal weights and from those of a regression of the outcome on the
predictors, as Abadie, Diamond & Hainmueller's software does, and from the equal weights without each
predictor in turn. All of these are followed for some steps, the best to their end.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.practices.arrays import Array
from rynek.practices.descent import End, descend
from rynek.practices.estimators.weighting import Weighting
from rynek.practices.saying import say
from rynek.practices.task import Task

__all__ = ["Fitted", "fit_predictors", "predictor_weights"]

# Rounds, the share of the misfit that each must gain, and how many in a row may gain less.
_SHORT: Final = (10, 2e-2, 2)
_LONG: Final = (25, 1e-5, 2)
# So many are followed to their end, of those with a misfit up to so many times the smallest.
_FOLLOWED: Final = 5
_NEAR: Final = 1.2
# Of the largest weight.
_SMALL: Final = 0.02


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
    # Donors alike in all predictors that count mix in many ways: which is found must not depend on
    # the order of a table's rows.
    order = np.lexsort(np.vstack([candidates, before]))
    candidates, before = candidates[:, order], before[:, order]
    chosen = np.array(_remembered(*map(_kept, (target, candidates, before, ours))))
    weights = np.empty(len(order))
    weights[order] = _weighting(target, candidates, before, ours).weights(chosen)
    return chosen, weights


_Kept = tuple[bytes, tuple[int, ...]]


def _kept(values: Array) -> _Kept:
    return np.ascontiguousarray(values).tobytes(), values.shape


@functools.lru_cache(maxsize=256)
def _remembered(target: _Kept, candidates: _Kept, before: _Kept, ours: _Kept) -> tuple[float, ...]:
    """The same search is asked for by refusal, estimate and checks."""
    given = (np.frombuffer(one).reshape(shape) for one, shape in (target, candidates, before, ours))
    return tuple(map(float, _search(*given)))


def _search(target: Array, candidates: Array, before: Array, ours: Array) -> Array:
    many = len(target)
    equal = np.full(many, 1 / many)
    if many == 1:
        return equal
    weighting = _weighting(target, candidates, before, ours)

    def misfit(raw: Array) -> tuple[float, Array]:
        value, slopes = weighting.misfit(np.abs(raw))
        return value, np.sign(raw) * slopes

    def down(start: Array, rounds: int, gain: float, patience: int) -> End:
        weighting.forget()
        return descend(misfit, start, rounds, gain, patience)

    starts = [equal, _regressed(target, candidates, before, ours)]
    starts += [(1 - row) / (many - 1) for row in np.eye(many)]
    ends = sorted((down(one, *_SHORT) for one in starts), key=_value)
    near = _NEAR * ends[0].value
    ends = [down(one.place, *_LONG) for one in ends[:_FOLLOWED] if one.value <= near]
    # What counts for next to nothing may count for nothing, which a descent never reaches.
    near = min(ends, key=_value).value
    cut = [one for end in ends if (one := _cut(end.place)) is not None]
    ends += [down(one, *_LONG) for one in cut if misfit(one)[0] <= near]
    shares = np.abs(min(ends, key=_value).place)
    found: Array = shares / shares.sum()
    return found


def _cut(raw: Array) -> Array | None:
    """Without those that are small; None where none is."""
    size = np.abs(raw)
    kept: Array = np.where(size < _SMALL * size.max(), 0.0, size)
    return kept if (kept < size).any() else None


def _value(end: End) -> float:
    return end.value


def _weighting(target: Array, candidates: Array, before: Array, ours: Array) -> Weighting:
    """What a mixture misses is the same mixture of what each candidate misses."""
    return Weighting(candidates - target[:, None], before - ours[:, None])


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
