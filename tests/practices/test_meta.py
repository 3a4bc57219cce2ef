"""Random-effects summaries against published figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rynek.base.errors import BadRequestData
from rynek.practices import log_ratio, together

# BCG vaccine trials, log risk ratios and their variances (Colditz et al. 1994); figures below are
# those of metafor's documentation (Viechtbauer 2010): rma(yi, vi, method = "REML").
EFFECTS = (
    -0.8893, -1.5854, -1.3481, -1.4416, -0.2175, -0.7861, -1.6209, 0.0120, -0.4694, -1.3713,
    -0.3394, 0.4459, -0.0173,
)  # fmt: skip
VARIANCES = (
    0.3256, 0.1946, 0.4154, 0.0200, 0.0512, 0.0069, 0.2230, 0.0040, 0.0564, 0.0730, 0.0124, 0.5325,
    0.0714,
)  # fmt: skip


def test_the_vaccine_trials() -> None:
    found = together(EFFECTS, [one**0.5 for one in VARIANCES])
    assert found.mean == pytest.approx(-0.7145, abs=0.001)
    assert found.tau**2 == pytest.approx(0.3132, abs=0.001)
    assert found.i2 == pytest.approx(0.9222, abs=0.001)
    assert found.q == pytest.approx(152.23, rel=0.005)
    assert found.standard_error == pytest.approx(0.1808, abs=0.002)  # test = "knha"
    assert sum(found.weights) == pytest.approx(1)
    assert found.prediction is not None
    assert found.prediction[0] < found.interval[0] < found.interval[1] < found.prediction[1]


def test_estimates_that_agree_vary_by_nothing_but_error() -> None:
    found = together([1.0, 1.1, 0.9, 1.0], [0.5] * 4)
    assert found.tau == 0
    assert found.i2 == 0
    assert found.standard_error == pytest.approx(0.25)


def test_too_few_or_without_error_are_refused() -> None:
    with pytest.raises(BadRequestData, match="needs two"):
        together([1.0], [0.1])
    with pytest.raises(BadRequestData, match="standard error"):
        together([1.0, 2.0], [0.1, 0.0])
    assert together([1.0, 2.0], [0.1, 0.1]).prediction is None


def test_effects_in_units_and_in_logarithms_are_ratios() -> None:
    told = {"effect": -7.0, "effect_percent": -17.5, "standard_error": 2.0}  # 40 expected, 33 seen
    found = log_ratio(told)
    assert found is not None
    assert found[0] == pytest.approx(math.log(33 / 40))
    assert found[1] == pytest.approx(2 / 40)
    logs = {"effect": -0.2, "effect_percent": -18.1, "standard_error": None, "transform": "log"}
    assert log_ratio(logs) == (-0.2, None)
    for percent in (None, -100.0):
        assert log_ratio(told | {"effect_percent": percent}) is None


def test_of_several_tops_of_the_likelihood_the_highest_is_taken() -> None:
    """One estimate that claims to be very sure makes a top at zero, far below the other."""
    effects = (0.0, 3.0, -2.5, 2.0, -3.0, 2.2, -1.8)
    errors = (0.001, 0.8, 0.7, 0.9, 0.8, 0.9, 0.7)
    grid = [together(effects, errors).tau ** 2, *np.geomspace(1e-7, 100, 400), 0.0]
    variances = np.array(errors) ** 2

    def likelihood(between: float) -> float:
        weights = 1 / (variances + between)
        apart = weights @ (effects - weights @ np.array(effects) / weights.sum()) ** 2
        return float(np.log(weights).sum() - np.log(weights.sum()) - apart)

    assert max(grid, key=likelihood) == pytest.approx(grid[0], rel=0.05)
