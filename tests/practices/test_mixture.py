"""A mixture against the distributions that it is made of."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from rynek.practices.mixture import Mixture


def test_one_part_is_its_distribution() -> None:
    one = np.array([1.0])
    normal = Mixture(one, one * 3, one * 2)
    assert normal.quantile(0.975) == pytest.approx(norm.ppf(0.975, 3, 2))
    assert normal.spread == pytest.approx(2)
    student = Mixture(one, one * 3, one * 2, 7)
    assert student.quantile(0.025) == pytest.approx(t.ppf(0.025, 7, 3, 2))
    assert student.spread == pytest.approx(t.std(7, 3, 2))
    assert student.p_value(0.0) == pytest.approx(2 * t.sf(1.5, 7))


def test_two_parts_weigh_as_much_as_they_should() -> None:
    both = Mixture(np.array([0.25, 0.75]), np.array([-10.0, 10.0]), np.array([1.0, 1.0]))
    assert both.mean == pytest.approx(5)
    assert both.below(0) == pytest.approx(0.25)
    assert both.spread == pytest.approx(np.sqrt(1 + 75))
    assert both.quantile(0.25 / 2) == pytest.approx(-10, abs=1e-6)
