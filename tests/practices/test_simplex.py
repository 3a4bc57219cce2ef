"""The optimum of weights: against a general solver, on any data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from rynek.practices.simplex import simplex_least_squares, simplex_quadratic


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_no_better_weights_exist(seed: int, rows: int, count: int, ridge: bool) -> None:
    rng = np.random.default_rng(seed)
    columns, target = rng.normal(size=(rows, count)), rng.normal(size=rows)
    ridged = 0.5 if ridge else 0.0
    weights = simplex_least_squares(columns, target, ridged)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0

    def objective(w: np.ndarray) -> float:
        return float(((columns @ w - target) ** 2).sum() + ridged * (w**2).sum())

    slope = 2 * (columns.T @ (columns @ weights - target) + ridged * weights)
    # No direction along the simplex leads down (Karush-Kuhn-Tucker).
    assert slope.min() >= float(slope @ weights) - 1e-6 * max(1.0, float(np.abs(slope).max()))
    for _ in range(20):
        other = rng.dirichlet(np.ones(count))
        assert objective(other) >= objective(weights) - 1e-9


def test_a_general_solver_finds_the_same() -> None:
    rng = np.random.default_rng(3)
    columns, target = rng.normal(size=(30, 6)), rng.normal(size=30)
    found = minimize(
        lambda w: ((columns @ w - target) ** 2).sum(),
        np.full(6, 1 / 6),
        bounds=[(0, 1)] * 6,
        constraints=[{"type": "eq", "fun": lambda w: w.sum() - 1}],
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    assert simplex_least_squares(columns, target) == pytest.approx(found.x, abs=1e-5)


def test_a_near_start_changes_nothing() -> None:
    rng = np.random.default_rng(4)
    columns, target = rng.normal(size=(40, 9)), rng.normal(size=40)
    gram, linear = columns.T @ columns, columns.T @ target
    first = simplex_quadratic(gram, linear)
    for _ in range(10):
        near = rng.dirichlet(np.ones(9)) * (rng.random(9) > 0.4)
        if near.any():
            assert simplex_quadratic(gram, linear, near) == pytest.approx(first, abs=1e-9)
