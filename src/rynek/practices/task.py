"""From a specification to arrays: who is treated from when, who is compared, over which periods."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from rynek.base.errors import BadRequestData
from rynek.base.messages import Message
from rynek.practices.arrays import Array, bridged, mean_of, same_record
from rynek.practices.cohort import Cohort
from rynek.practices.donors import choose_donors
from rynek.practices.events import events_of
from rynek.practices.panel import Panel, read_panel
from rynek.practices.saying import say
from rynek.practices.specification import Event, Predictor, Question, Specification

__all__ = ["Ask", "Cohort", "Task", "make_task", "outcome_of", "task_of"]

# Of outcomes; the smallest is as far below one.
_LARGEST: Final = 1e60
_LARGEST_LOG: Final = math.log(_LARGEST)
# What is less than any year: a distance from the start.
_FAR: Final = 1000

Ask = Callable[[Question], Panel]

_OPERATIONS: Final[dict[str, Callable[[Array], Array]]] = {
    "mean": lambda values: np.nanmean(values, axis=1),
    "median": lambda values: np.nanmedian(values, axis=1),
    "sum": lambda values: np.nansum(values, axis=1),
    "first": lambda values: values[:, 0],
    "last": lambda values: values[:, -1],
}


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
    left_out: dict[str, Message] = field(default_factory=dict)
    filled: int = 0
    events: tuple[Event, ...] | None = None

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


def make_task(spec: Specification, folder: Path, ask: Ask | None = None) -> Task:
    """Read the panel that `spec` names beside it in `folder`, or `ask` history for it.
    BadRequestData says what is missing: never a number from nothing."""
    if isinstance(spec.panel, Question):
        if ask is None:
            raise BadRequestData("panel: it asks recorded history, and none is at hand (--data)")
        panel = ask(spec.panel)
    else:
        panel = read_panel(folder, spec)
    return task_of(spec, panel).replace(events=events_of(spec, folder))


def task_of(spec: Specification, panel: Panel) -> Task:
    """The same for a panel that was read. BadRequestData."""
    if len(panel.times) < 2:
        raise BadRequestData(say("one-period"))
    for name in (outcome_of(spec), *spec.outcomes):
        if name not in panel.columns:
            raise BadRequestData(f"outcomes: the panel has no column {name!r} of numbers")
    spec, panel = _plain(spec, panel)
    starts = {_named(panel, name): start for name, start in spec.starts().items()}
    values = panel.columns[outcome_of(spec)]
    _refuse_extreme(values, spec)
    _refuse_logs(values, spec, [panel.unit(name) for name in starts])
    outcome = _transformed(values, spec)
    cohorts = _cohorts(panel, spec, starts, outcome)
    treated = {unit for cohort in cohorts for unit in cohort.units}
    donors, left_out = choose_donors(panel, spec, treated, outcome, cohorts)
    _refuse_logs(values, spec, [*treated, *donors])
    _refuse_echoes(panel, spec, values, sorted(treated))
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
        events=tuple(spec.events) if isinstance(spec.events, list) else None,
    )


def outcome_of(spec: Specification) -> str:
    """The name under which a panel has the outcome."""
    if isinstance(spec.panel, Question) and not spec.outcome:
        return spec.panel.attribute
    return spec.outcome


def _plain(spec: Specification, panel: Panel) -> tuple[Specification, Panel]:
    """An outcome that came as a logarithm is taken back to its own scale, of which the logarithm
    is asked: what is a share of it, and what a check looks at, is the same as if it had come so."""
    if spec.transform != "logged":
        return spec, panel
    names = {outcome_of(spec), *spec.outcomes}
    for name in names:
        size = float(np.nanmax(np.abs(panel.columns[name]), initial=0.0))
        if size > _LARGEST_LOG:
            raise BadRequestData(say("logged-large", outcome=name, size=size))
    values = {name: np.exp(panel.columns[name]) for name in names}
    changed = dataclasses.replace(panel, columns=panel.columns | values)
    return msgspec.structs.replace(spec, transform="log"), changed


def _named(panel: Panel, name: str | None) -> str:
    if name is not None:
        return name
    if len(panel.units) > 1:
        raise BadRequestData(say("treated-several"))
    return panel.units[0]


def _transformed(values: Array, spec: Specification) -> Array:
    if spec.transform == "none":
        return values
    logs: Array = np.log(np.where(values > 0, values, np.nan))
    return logs


def _refuse_extreme(values: Array, spec: Specification) -> None:
    """Products of what is much larger or smaller are no numbers any more."""
    size = float(np.nanmax(np.abs(values), initial=0.0))
    if size > _LARGEST or 0 < size < 1 / _LARGEST:
        raise BadRequestData(say("extreme", outcome=spec.outcome, size=size))


def _refuse_logs(values: Array, spec: Specification, used: list[int]) -> None:
    """A logarithm of what is not above zero would be a gap that nobody asked for."""
    if spec.transform == "none":
        return
    there = values[used]
    below, zeros = int((there < 0).sum()), int((there == 0).sum())
    if below or zeros:
        told = {"outcome": spec.outcome, "zeros": zeros, "below": below}
        raise BadRequestData(say("log-zeros", **told))


def _refuse_echoes(panel: Panel, spec: Specification, values: Array, treated: list[int]) -> None:
    """A covariate that is the outcome itself would explain the effect away."""
    ours = mean_of(values[treated], axis=0)
    for name in spec.covariates:
        theirs = mean_of(panel.columns[name][treated], axis=0)
        both = ~(np.isnan(ours) | np.isnan(theirs))
        if both.sum() > 1 and same_record(ours[both], theirs[both]):
            raise BadRequestData(say("covariate-outcome", covariate=name, outcome=outcome_of(spec)))


def _cohorts(
    panel: Panel, spec: Specification, starts: dict[str, Any], outcome: Array
) -> tuple[Cohort, ...]:
    by_start: dict[int, list[int]] = {}
    for name, start in starts.items():
        unit = panel.unit(name)
        at = panel.at(start, "start")
        if at == 0 or at >= len(panel.times):
            ends = {"first": panel.labels[0], "last": panel.labels[-1]}
            raise BadRequestData(say("start-outside", start=start, **ends))
        if at >= len(panel.times) or np.isnan(outcome[unit, :at]).all():
            raise BadRequestData(say("lacks-before", unit=name, outcome=spec.outcome))
        if np.isnan(outcome[unit, at:]).all():
            raise BadRequestData(say("lacks-after", unit=name, outcome=spec.outcome))
        by_start.setdefault(at, []).append(unit)
    several = len(by_start) > 1
    return tuple(
        _cohort(panel, spec, units, at, outcome, several=several)
        for at, units in sorted(by_start.items())
    )


def _cohort(
    panel: Panel, spec: Specification, units: list[int], at: int, outcome: Array, *, several: bool
) -> Cohort:
    """Only periods in which something was seen of the treated: none is made up."""
    seen = np.atleast_1d(~np.isnan(outcome[units]).all(axis=0))
    fit = tuple(one for one in _before(panel, spec, at, several=several) if seen[one])
    effect = tuple(one for one in _after(panel, spec, at, several=several) if seen[one])
    if not fit or not effect:
        raise BadRequestData(
            say("all-lack-after" if fit else "all-lack-before", outcome=spec.outcome)
        )
    return Cohort(tuple(units), at, fit, effect)


def _before(panel: Panel, spec: Specification, start: int, *, several: bool) -> tuple[int, ...]:
    if spec.fit_window is None:
        return tuple(range(start))
    near = _distances(panel, spec.fit_window, spec, several=several)
    if near is not None:
        if near[1] >= 0:
            raise BadRequestData(say("fit-window-late"))
        first, stop = start + near[0], start + near[1] + 1
        if stop <= 0:
            raise BadRequestData(say("fit-window-far", start=panel.labels[start]))
        return tuple(range(max(first, 0), stop))
    span = panel.span(spec.fit_window[0], spec.fit_window[1], "fit_window")
    if span.stop > start:
        raise BadRequestData(say("fit-window-late"))
    return tuple(range(span.start, span.stop))


def _after(panel: Panel, spec: Specification, start: int, *, several: bool) -> tuple[int, ...]:
    """Where places start at different times each counts from its own start on."""
    last = len(panel.times)
    if spec.effect_periods is None:
        return tuple(range(start, last))
    near = _distances(panel, spec.effect_periods, spec, several=several)
    if near is not None:
        if near[0] < 0:
            raise BadRequestData(say("effect-early"))
        return _some(panel, start, start + near[0], min(start + near[1] + 1, last))
    span = panel.span(spec.effect_periods[0], spec.effect_periods[1], "effect_periods")
    if span.start < start and not several:
        raise BadRequestData(say("effect-early"))
    return _some(panel, start, max(span.start, start), span.stop)


def _some(panel: Panel, start: int, first: int, stop: int) -> tuple[int, ...]:
    if first >= stop:
        raise BadRequestData(say("effect-none", start=panel.labels[start]))
    return tuple(range(first, stop))


def _distances(
    panel: Panel, window: list[Any], spec: Specification, *, several: bool
) -> tuple[int, int] | None:
    """A window by the distance from each place's own start, as [-1, -1] is the period before it:
    for an event study of a panel with dates, in which such numbers are no times."""
    if panel.clock.kind == "number" or not (several or spec.design == "event_study"):
        return None
    if not all(type(one) is int and abs(one) < _FAR for one in window):
        return None
    first, last = window
    if first > last:
        raise BadRequestData(say("window-order", first=first, last=last))
    return first, last


def _fill(outcome: Array, units: list[int]) -> tuple[Array, int]:
    """Gaps filled between their neighbours in a line (ends as the nearest), and how many those of
    `units` were."""
    gaps = np.isnan(outcome)
    if not gaps.any():
        return outcome, 0
    filled = np.array([bridged(row) for row in outcome])
    return filled, int(gaps[units].sum())


def _predictors(panel: Panel, spec: Specification, cohort: Cohort) -> Array:
    """(predictors × units)."""
    rows = [_predictor(panel, one, cohort, spec) for one in spec.predictors]
    return np.array(rows)


def _predictor(panel: Panel, one: Predictor, cohort: Cohort, spec: Specification) -> Array:
    where = _periods(panel, one, cohort)
    if max(where) >= cohort.start:
        label = panel.labels[max(where)]
        raise BadRequestData(say("predictor-late", predictor=one.column, period=label))
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
