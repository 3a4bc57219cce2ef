"""Whether a record is of the same sensor throughout: what a log says, and what the values show.

No log, no certainty: a sensor that is replaced by a like one leaves no trace. What does leave one is
looked for: another unit of measurement (the level changes many times over while that of others does
not), another resolution, another noise, two records exchanged, a jump at another date.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rynek.base.messages import Message
from rynek.practices.arrays import Array, mean_of
from rynek.practices.cohort import Cohort
from rynek.practices.estimate import Case, Check
from rynek.practices.saying import say
from rynek.practices.task import Task

__all__ = ["sensors"]

_NAME = "sensor changes"
_COUNTS = 0.05
# Steps come in busy places too: only of donors that count for much.
_HEAVY = 0.1
_SCALE = 5.0
_NOISE = 4.0
_JUMP = 12.0
_FEWEST = 8
# Of an exchange: periods on either side, how far both moved beside the others, how closely each
# goes on where the other was, and up to how many pairs that moved so far this is asked so loosely.
_FEWEST_MEANT = 3
_FAR = 4.0
_CROSSED = 0.3
_PAIRS = 10
_GRAINS = (100.0, 10.0, 1.0, 0.1, 0.01)


def sensors(case: Case) -> Check:
    """Changes that the log names, or that the records of the treated and of donors that count
    show."""
    task = case.task
    logged = task.spec.sensor_changes
    weights = case.estimate.weights or {}
    donors = [one for one in task.donors if abs(weights.get(task.panel.units[one], 1.0)) > _COUNTS]
    used = [*task.treated, *(donors or task.donors)]
    heavy = [one for one in used if abs(weights.get(task.panel.units[one], 0.0)) > _HEAVY]
    signs = [*_logged(task, used), *_seen(task, used), *_jumps(task, [*task.treated, *heavy])]
    if signs:
        why = say("parts", told=signs)
        if len(signs) > 3:
            why = say("parts-more", told=signs[:3], more=len(signs) - 3)
        return Check(_NAME, "failed", why, {"signs": [str(one) for one in signs]})
    return Check(_NAME, "passed", say("sensor-no-log" if logged is None else "sensor-none"))


def _logged(task: Task, used: list[int]) -> Iterator[Message]:
    panel = task.panel
    names = set(task.names(tuple(used)))
    first = min(one.fit[0] for one in task.cohorts)
    last = max(one.effect[-1] for one in task.cohorts)
    for one in task.spec.sensor_changes or []:
        panel.unit(one.unit)
        at = panel.clock.number(one.date, f"sensor_changes of {one.unit}")
        if one.unit in names and panel.times[first] <= at <= panel.times[last]:
            yield say("sensor-logged", unit=one.unit, what=one.what, date=one.date)


def _seen(task: Task, used: list[int]) -> Iterator[Message]:
    start = task.cohorts[0].start
    before, after = task.seen[:, :start], task.seen[:, start:]
    names = task.panel.units
    everybody = [*task.treated, *task.donors]
    for cohort in task.cohorts:
        yield from _swapped(task, everybody, cohort)
    levels, noises = (
        np.array([_ratio(size(_there(before[o])), size(_there(after[o]))) for o in everybody])
        for size in (_level, _jitter)
    )
    for one in used:
        ours, theirs = _there(before[one]), _there(after[one])
        if min(len(ours), len(theirs)) < _FEWEST:
            continue
        at = everybody.index(one)
        scale, typical = float(levels[at]), _usual(levels, at)
        if task.spec.transform == "none" and not 1 / _SCALE < scale / typical < _SCALE:
            yield say("sensor-scale", unit=names[one], times=scale, usual=typical)
        noise, typical = float(noises[at]), _usual(noises, at)
        if not 1 / _NOISE < noise / typical < _NOISE:
            yield say("sensor-noise", unit=names[one], times=noise, usual=typical)
        grains = _grain(ours), _grain(theirs)
        if _plain(task) and max(grains) >= 9.9 * min(grains) > 0:
            yield say("sensor-grain", unit=names[one], before=grains[0], after=grains[1])


def _usual(ratios: Array, at: int) -> float:
    """The middle of all others."""
    others = np.delete(ratios, at)
    return float(np.median(others)) if len(others) else 1.0


def _plain(task: Task) -> bool:
    return (
        task.spec.every is None and task.spec.aggregation is None and task.spec.transform == "none"
    )


def _there(values: Array) -> Array:
    found: Array = values[~np.isnan(values)]
    return found


def _level(values: Array) -> float:
    return float(np.median(np.abs(values))) if len(values) else 0.0


def _jitter(values: Array) -> float:
    return float(np.median(np.abs(np.diff(values)))) if len(values) > 1 else 0.0


def _ratio(before: float, after: float) -> float:
    """1 where one of them is nothing: a share of nothing says nothing."""
    return after / before if before > 0 and after > 0 else 1.0


def _grain(values: Array) -> float:
    """The largest step of which nearly all values are whole multiples; 0 where there is none."""
    for grain in _GRAINS:
        turns = values / grain
        if (np.abs(turns - np.round(turns)) < 1e-6).mean() > 0.99:
            return grain
    return 0.0


def _swapped(task: Task, units: list[int], cohort: Cohort) -> Iterator[Message]:
    """Two records that go on where the other left off. Units move by what is common; those two
    move towards each other by as much as lies between them, far more than anybody else moves."""
    start = cohort.start
    # None where a record begins later, or ended: it is no part of this.
    before = mean_of(task.seen[units, :start], axis=1)
    after = mean_of(task.seen[units, start:], axis=1)
    if min(start, task.seen.shape[1] - start) < _FEWEST_MEANT:
        return
    change = after - before
    common = float(np.nanmedian(change))
    own = np.abs(change - common)
    large = own >= _FAR * float(np.nanmedian(own))
    # Of many pairs that moved far some cross by chance.
    ours = [units.index(one) for one in cohort.units]
    pairs = int(large[ours].sum()) * int(large.sum())
    closely = _CROSSED * min(1.0, _PAIRS / max(pairs, 1))
    for first in ours:
        crossed = np.abs(after[first] - common - before) + np.abs(after - common - before[first])
        # Few of a thousand places lie so; only these are looked at.
        near = (crossed < closely * (own[first] + own)) & (own > 0)
        for second in np.flatnonzero(near).tolist():
            rest = np.delete(own, [first, second])
            if second == first or len(rest) < 2:
                continue
            if min(own[first], own[second]) >= _FAR * float(np.nanmedian(rest)):
                names = task.panel.units
                yield say("sensor-swapped", unit=names[units[first]], other=names[units[second]])
                return


def _jumps(task: Task, used: list[int]) -> Iterator[Message]:
    """A step at another date than the start, against the middle of all others."""
    start, times = task.cohorts[0].start, len(task.panel.times)
    width = max(4, times // 12)
    everybody = [*task.treated, *task.donors]
    if len(everybody) < 4 or times < 4 * width:
        return
    middle = np.median(task.outcome[everybody], axis=0)
    for one in used:
        last = start if one in task.treated else times
        gap = (task.outcome[one] - middle)[:last]
        if len(gap) < 4 * width:
            continue
        windows = np.median(np.lib.stride_tricks.sliding_window_view(gap, width), axis=1)
        steps = windows[width:] - windows[:-width]
        usual = float(np.median(np.abs(steps)))
        at = int(np.argmax(np.abs(steps)))
        if usual > 0 and abs(steps[at]) > _JUMP * usual:
            label = task.panel.labels[at + width]
            yield say("sensor-jump", unit=task.panel.units[one], jump=steps[at], at=label)
