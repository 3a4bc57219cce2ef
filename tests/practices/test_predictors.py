"""Weights of predictors: none drawn at random meet the outcome better, and ties go to the outcome."""

from __future__ import annotations

import numpy as np
import pytest

from rynek.practices import predictor_weights, simplex_least_squares


def made_up(seed: int, predictors: int, donors: int) -> tuple[np.ndarray, ...]:
    """Predictors and outcomes of a treated unit and of donors, which have three factors."""
    rng = np.random.default_rng(seed)
    loads = rng.normal(size=(3, donors + 1))
    told = rng.normal(size=(predictors, 3)) @ loads + rng.normal(size=(predictors, donors + 1))
    seen = rng.normal(size=(12, 3)) @ loads + 0.5 * rng.normal(size=(12, donors + 1))
    return told[:, 0], told[:, 1:], seen[:, 1:], seen[:, 0]


def scaled(target: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By their standard deviations over all units."""
    size = np.column_stack([target, candidates]).std(axis=1, ddof=1)
    return target / size, candidates / size[:, None]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("predictors", "donors"), [(4, 8), (8, 10)])
def test_no_drawn_weights_meet_the_outcome_better(seed: int, predictors: int, donors: int) -> None:
    target, candidates, before, ours = made_up(seed, predictors, donors)
    chosen, weights = predictor_weights(target, candidates, before, ours)
    assert chosen.min() >= 0
    assert chosen.sum() == pytest.approx(1)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    found = float(((ours - before @ weights) ** 2).mean())
    mine, theirs = scaled(target, candidates)
    rng = np.random.default_rng(seed)
    for _ in range(40):
        root = np.sqrt(rng.dirichlet(np.ones(predictors)))
        drawn = simplex_least_squares(theirs * root[:, None], mine * root)
        assert found <= float(((ours - before @ drawn) ** 2).mean()) * (1 + 1e-6)


def test_of_mixtures_that_meet_all_predictors_the_outcome_decides() -> None:
    rng = np.random.default_rng(1)
    candidates = np.array([[1.0, -1.0, 1.0, -1.0, 0.5], [1.0, 1.0, -1.0, -1.0, 0.2]])
    before = rng.normal(size=(8, 5))
    weights = np.array([0.4, 0.2, 0.1, 0.3, 0.0])
    chosen, found = predictor_weights(candidates @ weights, candidates, before, before @ weights)
    assert found == pytest.approx(weights, abs=1e-6)
    assert chosen.sum() == pytest.approx(1)


def test_weights_follow_from_the_predictors_that_count() -> None:
    """Donors' weights are the optimum for the predictors' weights that are given with them."""
    target, candidates, before, ours = made_up(3, 6, 7)
    chosen, weights = predictor_weights(target, candidates, before, ours)
    mine, theirs = scaled(target, candidates)
    root = np.sqrt(chosen)
    best = simplex_least_squares(theirs * root[:, None], mine * root)
    missed = [float((chosen * (theirs @ one - mine) ** 2).sum()) for one in (weights, best)]
    assert missed[0] == pytest.approx(missed[1], rel=1e-6, abs=1e-12)
