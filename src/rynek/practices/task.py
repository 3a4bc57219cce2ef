"""From a specification to arrays: who is treated from when, who is compared, over which periods."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.practices.arrays import Array
from rynek.practices.panel import ONE, Panel, read_panel
from rynek.practices.specification import Predictor, Specification

__all__ = ["Cohort", "Task", "make_task", "task_of"]

_OPERATIONS: Final[dict[str, Callable[[Array], Array]]] = {
    "mean": lambda values: np.nanmean(values, axis=1),
    "median": lambda values: np.nanmedian(values, axis=1),
    "sum": lambda values: np.nansum(values, axis=1),
    "first": lambda values: values[:, 0],
    "last": lambda values: values[:, -1],
}


@dataclass(frozen=True)
class Cohort:
    """Units treated from the same period on: `units`, the index `start` of their first treated
    period, the periods `fit` before it and `effect` from it on, over which the effect is read."""

    units: tuple[int, ...]
    start: int
    fit: tuple[int, ...]
    effect: tuple[int, ...]


@dataclass(frozen=True)
class Task:
    """A question in arrays: `outcome` (units × times) with its gaps filled, `filled` of them, for
    designs that need every value; `seen` the same with NaN where nothing was seen; cohorts of
    treated units, `donors` that never are; `covariates` by name, each (units × times)."""

    panel: Panel
    spec: Specification
    outcome: Array
    seen: Array
    cohorts: tuple[Cohort, ...]
    donors: tuple[int, ...]
    covariates: dict[str, Array]
    predictors: Array | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    filled: int = 0

    @property
    def treated(self) -> tuple[int, ...]:
        """Every treated unit."""
        return tuple(unit for cohort in self.cohorts for unit in cohort.units)

    def names(self, units: tuple[int, ...]) -> list[str]:
        """How units are called."""
        return [self.panel.units[one] for one in units]

    def replace(self, **changes: Any) -> Task:
        """A task that differs in some parts."""
        return dataclasses.replace(self, **changes)


def make_task(spec: Specification, folder: Path) -> Task:
    """Read the panel that `spec` names beside it in `folder`. BadRequestData says what is missing:
    never a number from nothing."""
    numbers = [spec.outcome, *spec.covariates, *(one.column for one in spec.predictors)]
    panel = read_panel(folder / spec.panel, unit=spec.unit, time=spec.time, numbers=numbers)
    return task_of(spec, panel)


def task_of(spec: Specification, panel: Panel) -> Task:
    """The same for a panel that was read. BadRequestData."""
    if len(panel.times) < 2:
        raise BadRequestData("the panel has one period: an effect needs a before and an after")
    starts = {ONE if name is None else name: start for name, start in spec.starts().items()}
    if None in spec.starts() and len(panel.units) > 1:
        raise BadRequestData("treated: name the treated units of a panel with several")
    outcome = _transformed(panel.columns[spec.outcome], spec)
    cohorts = _cohorts(panel, spec, starts, outcome)
    treated = {unit for cohort in cohorts for unit in cohort.units}
    donors, left_out = _donors(panel, spec, treated, outcome, min(one.start for one in cohorts))
    filled, count = _fill(outcome, [*treated, *donors])
    return Task(
        panel=panel,
        spec=spec,
        outcome=filled,
        seen=outcome,
        cohorts=cohorts,
        donors=donors,
        covariates={name: panel.columns[name] for name in spec.covariates},
        predictors=_predictors(panel, spec, cohorts[0]) if spec.predictors else None,
        left_out=left_out,
        filled=count,
    )


def _transformed(values: Array, spec: Specification) -> Array:
    if spec.transform == "none":
        return values
    if np.nanmin(values) <= 0:
        many = int((values <= 0).sum())
        raise BadRequestData(
            f"transform: the logarithm needs values above 0; {spec.outcome!r} has {many} that are not"
        )
    logs: Array = np.log(values)
    return logs


def _cohorts(
    panel: Panel, spec: Specification, starts: dict[str, Any], outcome: Array
) -> tuple[Cohort, ...]:
    by_start: dict[int, list[int]] = {}
    for name, start in starts.items():
        unit = panel.unit(name)
        at = panel.at(start, "start")
        if at == 0 or at >= len(panel.times):
            raise BadRequestData(
                f"start: {start} is outside the data, which go from {panel.labels[0]} to"
                f" {panel.labels[-1]}; there has to be a period before it and one from it on"
            )
        if np.isnan(outcome[unit]).all():
            raise BadRequestData(f"the treated unit {name!r} has no value of {spec.outcome!r}")
        by_start.setdefault(at, []).append(unit)
    return tuple(_cohort(panel, spec, units, at, outcome) for at, units in sorted(by_start.items()))


def _cohort(panel: Panel, spec: Specification, units: list[int], at: int, outcome: Array) -> Cohort:
    """Only periods in which something was seen of the treated: none is made up."""
    seen = np.atleast_1d(~np.isnan(outcome[units]).all(axis=0))
    fit = tuple(one for one in _before(panel, spec, at) if seen[one])
    effect = tuple(one for one in _after(panel, spec, at) if seen[one])
    if not fit or not effect:
        where = "before the start" if not fit else "from the start on"
        raise BadRequestData(f"the treated units have no value of {spec.outcome!r} {where}")
    return Cohort(tuple(units), at, fit, effect)


def _before(panel: Panel, spec: Specification, start: int) -> tuple[int, ...]:
    if spec.fit_window is None:
        return tuple(range(start))
    span = panel.span(spec.fit_window[0], spec.fit_window[1], "fit_window")
    if span.stop > start:
        raise BadRequestData("fit_window: it reaches into the treated periods")
    return tuple(range(span.start, span.stop))


def _after(panel: Panel, spec: Specification, start: int) -> tuple[int, ...]:
    if spec.effect_periods is None:
        return tuple(range(start, len(panel.times)))
    span = panel.span(spec.effect_periods[0], spec.effect_periods[1], "effect_periods")
    if span.start < start:
        raise BadRequestData("effect_periods: they begin before the start")
    return tuple(range(span.start, span.stop))


def _donors(
    panel: Panel, spec: Specification, treated: set[int], outcome: Array, start: int
) -> tuple[tuple[int, ...], dict[str, str]]:
    excluded = {panel.unit(name) for name in spec.exclude}
    if spec.donors is None:
        named = [one for one in range(len(panel.units)) if one not in treated]
    else:
        named = [panel.unit(name) for name in dict.fromkeys(spec.donors)]
        both = [panel.units[one] for one in named if one in treated]
        if both:
            raise BadRequestData(
                f"donors: {both[0]!r} is treated, it cannot be compared with itself"
            )
    left_out: dict[str, str] = {}
    kept = []
    for one in named:
        values = outcome[one]
        if one in excluded:
            left_out[panel.units[one]] = "left out by the specification"
        elif np.isnan(values[:start]).all() or np.isnan(values[start:]).all():
            left_out[panel.units[one]] = "no values before or none after the start"
        else:
            kept.append(one)
    if named and not kept:
        reasons = "; ".join(f"{name}: {why}" for name, why in list(left_out.items())[:3])
        raise BadRequestData(f"no donor is left ({reasons})")
    return tuple(kept), left_out


def _fill(outcome: Array, units: list[int]) -> tuple[Array, int]:
    """Gaps filled between their neighbours in a line (ends as the nearest), and how many those of
    `units` were."""
    gaps = np.isnan(outcome)
    if not gaps.any():
        return outcome, 0
    filled = outcome.copy()
    places = np.arange(outcome.shape[1])
    for row, gap in zip(filled, gaps, strict=True):
        if gap.any() and not gap.all():
            row[gap] = np.interp(places[gap], places[~gap], row[~gap])
    return filled, int(gaps[units].sum())


def _predictors(panel: Panel, spec: Specification, cohort: Cohort) -> Array:
    """(predictors × units)."""
    rows = [_predictor(panel, one, cohort, spec) for one in spec.predictors]
    return np.array(rows)


def _predictor(panel: Panel, one: Predictor, cohort: Cohort, spec: Specification) -> Array:
    where = _periods(panel, one, cohort)
    values = panel.columns[one.column][:, where]
    if one.column == spec.outcome and spec.transform == "log":
        values = np.log(values)
    empty = np.atleast_1d(np.isnan(values).all(axis=1))
    values = np.where(empty[:, None], 0.0, values)
    found: Array = np.asarray(_OPERATIONS[one.operation](values), dtype=np.float64)
    found[empty] = np.nan
    return found


def _periods(panel: Panel, one: Predictor, cohort: Cohort) -> list[int]:
    what = f"predictor {one.column}: periods"
    if one.periods is None:
        return list(cohort.fit)
    if len(one.periods) == 1:
        span = panel.span(one.periods[0], one.periods[0], what)
    elif len(one.periods) == 2:
        span = panel.span(one.periods[0], one.periods[1], what)
    else:
        return [panel.span(value, value, what).start for value in one.periods]
    return list(range(span.start, span.stop))
