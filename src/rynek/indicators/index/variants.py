"""One variant of an index: which choices it makes, and the scores that come of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.indicators.arrays import Array, Flags, Floats, Indexes
from rynek.indicators.index.impute import impute
from rynek.indicators.index.normalise import normalise, positive
from rynek.indicators.index.outliers import Treatment, treatment
from rynek.indicators.index.quantities import Matrix
from rynek.indicators.index.specification import Indicator, Specification, limits
from rynek.indicators.index.weights import concentration, correlations, pca_weights

__all__ = ["FACTORS", "Machine", "Variant"]

_NEAR_ZERO: Final = 1e-9

FACTORS: Final = (
    "imputation",
    "outliers",
    "normalisation",
    "weights",
    "aggregation",
    "inclusion",
    "errors",
)
"""What the variants differ in. The weights' scheme and their values are one, and so is the noise of
all indicators."""


@dataclass(frozen=True)
class Variant:
    """Places in the lists of choices (the first is the specification's own). `left_out` is an
    indicator or None; `weights` and `noise` are what their random numbers are drawn from, or None
    for the weights as they stand and the values as they are."""

    imputation: int = 0
    outliers: int = 0
    normalisation: int = 0
    scheme: int = 0
    aggregation: int = 0
    left_out: int | None = None
    weights: tuple[int, ...] | None = None
    noise: tuple[int, ...] | None = None


@dataclass(frozen=True)
class _Base:
    """Filled values under one imputation, errors of the rows `noisy` that have any, and for each
    choice about outliers its treatments and the weights of each scheme."""

    values: Floats
    errors: Floats
    noisy: Indexes
    gaps: Flags | None
    treatments: tuple[tuple[Treatment, ...], ...]
    schemes: tuple[tuple[Array, ...], ...]


class Machine:
    """Computes variants of one index. All arrays are made once; `scores` may be called from several
    threads. `dtype` single is enough where ranks of thousands of variants are wanted."""

    def __init__(self, spec: Specification, matrix: Matrix, dtype: type = np.float64) -> None:
        self.spec, self.matrix = spec, matrix
        method = spec.method
        self.choices: dict[str, list[str]] = {
            name: [getattr(method, name).choice, *getattr(method, name).alternatives]
            for name in ("imputation", "outliers", "normalisation", "weights", "aggregation")
        }
        raw, errors, low, high = _oriented(spec.indicators, matrix)
        aims = np.array([[one.target or 0.0] for one in spec.indicators])
        if "target" in self.choices["normalisation"]:
            dtype = np.float64  # a share of a goal needs the values as they are
        else:
            # All other scales are the same after a shift and a stretch, and singles then have
            # digits enough, also for a column of large numbers that differ little.
            shift = np.nanmedian(raw, axis=1, keepdims=True)
            stretch = np.nanmax(raw, axis=1, keepdims=True) - np.nanmin(raw, axis=1, keepdims=True)
            raw, errors = (raw - shift) / stretch, errors / stretch
            low, high = (low - shift) / stretch, (high - shift) / stretch
            aims = (aims - shift) / stretch
        self._dtype = dtype
        self._low: Floats = low.astype(dtype)
        self._high: Floats = high.astype(dtype)
        self._targets = np.array(
            [n for n, one in enumerate(spec.indicators) if one.direction == "target"], dtype=int
        )
        self._aims: Floats = aims[self._targets].astype(dtype)
        self.bases = tuple(self._base(raw, errors, how) for how in self.choices["imputation"])
        self._missed = self._missing_zeros()
        self._uncertain = method.weights.uncertainty
        self.goals = self._goals()

    def active(self) -> tuple[str, ...]:
        """The factors in which variants can differ at all."""
        found = []
        for name in FACTORS[:5]:
            many = len(self.choices[name]) > 1
            if many or (name == "weights" and self._uncertain > 0):
                found.append(name)
        if self.spec.method.inclusion.leave_one_out:
            found.append("inclusion")
        if any(len(base.noisy) for base in self.bases) or self._missed:
            found.append("errors")
        return tuple(found)

    def weights(self, variant: Variant) -> Array:
        """The weights of a variant; they sum to 1."""
        base = self.bases[variant.imputation]
        found = base.schemes[variant.outliers][variant.scheme]
        if variant.weights is not None and self._uncertain > 0 and len(found) > 1:
            parameters = found * concentration(len(found), self._uncertain)
            drawn = _generator(variant.weights).standard_gamma(parameters)
            found = drawn / drawn.sum() if drawn.sum() > 0 else found
        if variant.left_out is not None:
            kept = found.copy()
            kept[variant.left_out] = 0
            # The one that is left out may carry all of the weight: then the others share it.
            found = kept / kept.sum() if kept.sum() > 0 else _others(len(kept), variant.left_out)
        return found

    def normalised(self, variant: Variant) -> Floats:
        """Indicators (indicators × units) on one scale; NaN where one is missing."""
        base = self.bases[variant.imputation]
        values = self.treated(variant, self._with_errors(base, variant))
        how = self.choices["normalisation"][variant.normalisation]
        goals = self.goals[variant.imputation][variant.outliers] if how == "target" else None
        return normalise(values, how, goals)

    def treated(self, variant: Variant, values: Floats | None = None) -> Floats:
        """Indicators oriented so that more is better, outliers treated."""
        base = self.bases[variant.imputation]
        found = base.values if values is None else values
        treatments = base.treatments[variant.outliers]
        if len(self._targets) or treatments:
            found = found.copy() if found is base.values else found
            if len(self._targets):
                found[self._targets] = -np.abs(found[self._targets] - self._aims)
            for one in treatments:
                found[one.row] = one.apply(found[one.row])
        return found

    def scores(self, variant: Variant) -> Floats:
        """The index of each unit, higher is better."""
        scaled = self.normalised(variant)
        weights: Floats = self.weights(variant).astype(self._dtype)
        how = self.choices["normalisation"][variant.normalisation]
        geometric = self.choices["aggregation"][variant.aggregation] == "geometric"
        if geometric:
            scaled = np.log(positive(scaled, how))
        gaps = self.bases[variant.imputation].gaps
        if gaps is None:
            found = weights @ scaled
        else:
            there: Floats = (~gaps).astype(self._dtype)
            total = weights @ there
            # A unit that has only what the variant leaves out has no score of its own: the middle.
            sums = weights @ np.where(gaps, 0, scaled)
            found = np.divide(sums, total, out=np.full_like(sums, np.nan), where=total > 0)
            found = np.where(np.isnan(found), np.nanmedian(found), found)
        return np.exp(found) if geometric else found

    def _with_errors(self, base: _Base, variant: Variant) -> Floats:
        if variant.noise is None:
            return base.values
        found = base.values.copy()
        random = _generator(variant.noise)
        rows = base.noisy
        if len(rows):
            drawn = random.standard_normal((len(rows), found.shape[1]), dtype=np.float32)
            noisy = base.errors * drawn + found[rows]
            found[rows] = np.clip(noisy, self._low[rows], self._high[rows], out=noisy)
        for row, zeros, others, share in self._missed:
            hidden = zeros[random.random(len(zeros)) < share]
            found[row, hidden] = random.choice(others, len(hidden))
        return found

    def _base(self, raw: Array, errors: Array, how: str) -> _Base:
        filled, doubt = impute(raw, self.matrix.group, how)
        gaps = np.isnan(filled)
        oriented = filled.copy()
        oriented[self._targets] = -np.abs(oriented[self._targets] - self._aims)
        outliers = self.spec.method.outliers
        treatments = tuple(
            treatment(oriented, outliers, choice) for choice in self.choices["outliers"]
        )
        schemes = tuple(self._schemes(_apply(oriented, each)) for each in treatments)
        doubts = np.sqrt(errors**2 + doubt**2)
        noisy = np.flatnonzero((doubts > 0).any(axis=1))
        return _Base(
            values=np.ascontiguousarray(filled, dtype=self._dtype),
            errors=doubts[noisy].astype(self._dtype),
            noisy=noisy,
            gaps=gaps if gaps.any() else None,
            treatments=treatments,
            schemes=schemes,
        )

    def _schemes(self, treated: Array) -> tuple[Array, ...]:
        k = len(treated)
        found = []
        for choice in self.choices["weights"]:
            if choice == "equal":
                found.append(np.full(k, 1 / k))
            elif choice == "given":
                given = np.array([one.weight for one in self.spec.indicators])
                found.append(given / given.sum())
            else:
                found.append(pca_weights(correlations(treated)))
        return tuple(found)

    def _missing_zeros(self) -> list[tuple[int, Indexes, Floats, float]]:
        found = []
        values = self.bases[0].values
        for row, one in enumerate(self.spec.indicators):
            if one.error.missed > 0:
                listed = self.matrix.values[row] != 0
                zeros = np.flatnonzero(~listed)
                others = values[row][listed]
                others = others[~np.isnan(others)]
                if len(zeros) and len(others):
                    found.append((row, zeros, others, one.error.missed))
        return found

    def _goals(self) -> tuple[tuple[Floats, ...], ...]:
        """Goals of the normalisation `target` after each treatment, on the oriented scale."""
        if "target" not in self.choices["normalisation"]:
            return ()
        every = []
        for base in self.bases:
            row: list[Floats] = []
            for each in base.treatments:
                goals = np.array([[_goal(one)] for one in self.spec.indicators])
                for step in each:
                    goals[step.row] = step.apply(goals[step.row])
                treated = _apply(base.values.astype(float), each)
                best = np.nanmax(treated, axis=1, keepdims=True)
                at = np.where(np.isnan(goals), best, goals)
                most = np.nanmax(np.abs(treated), axis=1, keepdims=True)
                for n in np.flatnonzero(np.abs(at) <= _NEAR_ZERO * most):
                    raise BadRequestData(
                        f"indicator {self.spec.indicators[n].id!r}: distance to a target of 0 is no"
                        " share of it; give it a target or take another normalisation"
                    )
                row.append(goals.astype(self._dtype))
            every.append(tuple(row))
        return tuple(every)


def _generator(key: tuple[int, ...]) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(list(key)))


def _others(many: int, out: int) -> Array:
    found = np.full(many, 1 / (many - 1))
    found[out] = 0
    return found


def _apply(values: Array, treatments: tuple[Treatment, ...]) -> Array:
    found = values.copy()
    for one in treatments:
        found[one.row] = one.apply(found[one.row])
    return found


def _goal(one: Indicator) -> float:
    if one.target is None:
        return float("nan")
    value = _transformed(np.array([one.target]), one)[0]
    return float(-value if one.direction == "less" else value)


def _transformed(values: Array, one: Indicator) -> Array:
    if one.transformation == "log":
        if (values <= 0).any():
            raise BadRequestData(f"indicator {one.id!r}: its target has no logarithm")
        return np.asarray(np.log(values))
    return np.asarray(np.sqrt(values)) if one.transformation == "sqrt" else values


def _oriented(indicators: list[Indicator], matrix: Matrix) -> tuple[Array, Array, Array, Array]:
    """Values after each transformation, turned so that more is better (but for targets), their
    errors to first order on that scale, and the bounds that no error may carry them over."""
    values, errors = matrix.values.copy(), matrix.errors.copy()
    low, high = np.full((len(values), 1), -np.inf), np.full((len(values), 1), np.inf)
    for n, one in enumerate(indicators):
        least, most = limits(one)
        row = values[n]
        if least is None and np.nanmin(row) >= 0:
            least = 0.0
        if one.transformation == "log":
            errors[n] = errors[n] / row
            values[n] = np.log(row)
            least = None if least is None or least <= 0 else float(np.log(least))
            most = None if most is None else float(np.log(most))
        elif one.transformation == "sqrt":
            values[n] = np.sqrt(row)
            errors[n] = errors[n] / (2 * np.maximum(values[n], 1e-12))
            errors[n] = np.where(values[n] == 0, np.sqrt(matrix.errors[n]), errors[n])
            least = None if least is None else float(np.sqrt(max(least, 0)))
            most = None if most is None else float(np.sqrt(most))
        low[n] = -np.inf if least is None else least
        high[n] = np.inf if most is None else most
        if one.direction == "less":
            values[n] = -values[n]
            low[n], high[n] = -high[n], -low[n]
    errors = np.where(np.isnan(values), 0.0, errors)
    return values, np.nan_to_num(errors), low, high
