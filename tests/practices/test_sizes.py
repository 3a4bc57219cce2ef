"""Panels as large as a city has them: answered, or refused with what would be less."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rynek.base.errors import BadRequestData
from rynek.practices import DESIGNS, Panel, evaluate_panel, parse_specification, task_of
from rynek.practices.times import Clock


def panel(units: int, periods: int, treated: int = 1, start: int = 40) -> Panel:
    """Places with two common movements; the treated have 1 more from the start on."""
    rng = np.random.default_rng(0)
    common = np.cumsum(rng.normal(size=(2, periods)), axis=1)
    rows = 50 + rng.uniform(0, 1, (units, 2)) @ common + rng.normal(size=(units, periods))
    rows[:treated, start:] += 1
    names = tuple(f"p{n}" for n in range(units))
    times = np.arange(periods, dtype=np.float64)
    return Panel(names, times, tuple(map(str, range(periods))), {"y": rows})


def specification(**more: Any) -> Any:
    return parse_specification({"panel": "", "outcome": "y", "start": 40} | more)


def test_hundreds_of_places_are_compared_and_mixtures_of_them_say_what_is_too_large() -> None:
    treated = [f"p{n}" for n in range(100)]
    found = evaluate_panel(specification(treated=treated), panel(405, 50, 100))
    assert found.estimate.design == "did"
    assert found.estimate.effect == pytest.approx(1, abs=0.3)
    others = {one["design"]: one for one in found.others}
    for design in ("sdid", "augmented_synthetic_control"):
        assert "305 places is too large: at most 300" in others[design]["refused"]
    with pytest.raises(BadRequestData, match="at most 300"):
        evaluate_panel(specification(treated="p0", design="sdid"), panel(310, 50))


def test_more_places_than_periods_are_corrected_as_fewer_are() -> None:
    """The ridge correction is solved over the shorter side: the effect is what a plain solution
    over donors gives."""
    task = task_of(specification(treated="p0"), panel(50, 48))
    found = DESIGNS["augmented_synthetic_control"].estimate(task)
    weights = np.array(list((found.weights or {}).values()))
    assert weights.sum() == pytest.approx(1)
    assert found.effect == pytest.approx(1, abs=1)
    gaps = np.array(found.observed) - np.array(found.expected)
    assert np.abs(gaps[:40]).mean() < 1.5


def test_waves_of_a_year_are_no_covariates_that_somebody_named() -> None:
    """Two years of days with as many covariates as are allowed, and with one too many."""
    days, rng = 740, np.random.default_rng(1)
    told = {f"x{n}": rng.normal(size=(1, days)) for n in range(21)}
    outcome = sum(told[f"x{n}"] for n in range(5)) + rng.normal(size=(1, days))
    names = tuple(map(str, range(days)))
    made = Panel(("p",), np.arange(float(days)), names, {"y": outcome} | told, Clock("day"))
    asked = {"treated": "p", "start": "1972-01-05", "design": "bsts"}
    bsts = DESIGNS["bsts"]
    some = task_of(specification(**asked, covariates=[f"x{n}" for n in range(20)]), made)
    assert bsts.refuses(some) is None
    many = task_of(specification(**asked, covariates=list(told)), made)
    assert "21 compared series" in str(bsts.refuses(many))
