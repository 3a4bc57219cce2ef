"""Designs against the same computed another way: by regression, by hand, by every lot."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal, t

from rynek.base.errors import BadRequestData
from rynek.practices import Evaluation, Panel, evaluate_panel, parse_specification
from rynek.practices.local_level import LevelPrior, learn

Rows = NDArray[np.float64]


def rows(units: int = 24, times: int = 40, seed: int = 1) -> Rows:
    """Places (units × times) with a common movement and their own noise and level."""
    rng = np.random.default_rng(seed)
    common = 50 + np.cumsum(rng.normal(size=times))
    return common + rng.normal(size=(units, times)) + rng.normal(size=(units, 1))


def ask(values: Rows, **more: Any) -> Evaluation:
    units = tuple(f"p{n}" for n in range(len(values)))
    times = np.arange(values.shape[1], dtype=np.float64)
    panel = Panel(units, times, tuple(f"{one:g}" for one in times), {"y": values})
    return evaluate_panel(parse_specification({"panel": "", "outcome": "y"} | more), panel)


def starts(units: int, first: int = 16, step: int = 4) -> dict[str, int]:
    return {f"p{n}": first + step * (n % 3) for n in range(units)}


def test_a_clustered_error_is_that_of_a_regression() -> None:
    """HC2 of the changes by place and Bell & McCaffrey's degrees of freedom, from matrices."""
    values = rows()
    values[:5] *= 1.02
    found = ask(values, treated=[f"p{n}" for n in range(5)], start=30, design="did").estimate
    change = values[:, 30:].mean(axis=1) - values[:, :30].mean(axis=1)
    columns = np.column_stack([np.ones(24), np.arange(24) < 5])
    bread = np.linalg.inv(columns.T @ columns)
    hat = columns @ bread @ columns.T
    rest = change - hat @ change
    line = (bread @ columns.T)[1]
    scaled = line / np.sqrt(1 - np.diag(hat))
    error = math.sqrt(float(((scaled * rest) ** 2).sum()))
    turned = (np.eye(24) - hat) * scaled
    products = turned.T @ turned
    supposed = np.trace(products) ** 2 / np.trace(products @ products)
    parts = np.array([change[:5].var(ddof=1) / 5, change[5:].var(ddof=1) / 19])
    seen = parts.sum() ** 2 / (parts**2 / [4, 18]).sum()
    reach = t.ppf(0.975, min(supposed, seen)) * error
    assert found.effect == pytest.approx((bread @ columns.T @ change)[1])
    assert found.standard_error == pytest.approx(error)
    assert found.interval == pytest.approx((found.effect - reach, found.effect + reach))


def test_what_happens_to_everybody_is_no_noise_of_an_event_study() -> None:
    """Places that start at different times see other common shocks, which the compared see too."""
    values = rows()
    quiet = ask(values, treated=starts(6)).estimate
    shaken = ask(values + 40 * (np.arange(40) >= 18), treated=starts(6)).estimate
    assert quiet.design == shaken.design == "event_study"
    assert shaken.effect == pytest.approx(quiet.effect)
    assert shaken.standard_error == pytest.approx(quiet.standard_error)
    assert shaken.interval == pytest.approx(quiet.interval)
    each = []
    for name, start in starts(6).items():
        change = values[:, start:].mean(axis=1) - values[:, :start].mean(axis=1)
        each.append((change[int(name[1:])] - change[6:].mean(), change[6:] - change[6:].mean()))
    ours, theirs = np.array([one for one, _ in each]), np.mean([one for _, one in each], axis=0)
    assert quiet.effect == pytest.approx(ours.mean())
    error = math.sqrt(ours.var(ddof=1) / 6 + theirs.var(ddof=1) / 18)
    assert quiet.standard_error == pytest.approx(error)


def test_ranks_of_placebos_by_hand() -> None:
    values = rows(25)
    values[0, 30:] += 0.9
    found = ask(values, treated="p0", start=30, design="did").estimate
    change = values[:, 30:].mean(axis=1) - values[:, :30].mean(axis=1)
    others = [
        change[n] - np.delete(change[1:], n - 1).mean() for n in range(1, 25)
    ]  # each against the other donors
    effect = change[0] - change[1:].mean()
    assert found.effect == pytest.approx(effect)
    assert found.placebos == pytest.approx(others)
    assert found.p_value == pytest.approx((1 + sum(np.abs(others) >= abs(effect))) / 25)
    reach = np.sort(np.abs(others))[-1]
    assert found.interval == pytest.approx((effect - reach, effect + reach))


def test_a_lot_of_six_places_by_every_way_it_could_have_fallen() -> None:
    values = rows(6, 20)
    values[:3, 10:] += 1.0
    asked = {"treated": ["p0", "p1", "p2"], "start": 10, "assignment": "randomised"}
    found = ask(values, **asked).estimate

    def slope(drawn: tuple[int, ...]) -> float:
        """Of treatment, beside a level for each place and each period."""
        treated = np.zeros((6, 20))
        treated[list(drawn), 10:] = 1
        levels = np.kron(np.eye(6), np.ones((20, 1)))
        periods = np.tile(np.eye(20), (6, 1))
        columns = np.column_stack([treated.ravel(), levels, periods])
        return float(np.linalg.lstsq(columns, values.ravel(), rcond=None)[0][0])

    effect = slope((0, 1, 2))
    every = [slope(one) for one in itertools.combinations(range(6), 3)]
    assert found.effect == pytest.approx(effect)
    share = np.mean([abs(one) >= abs(effect) - 1e-9 for one in every])
    assert found.p_value == pytest.approx(share)
    assert found.interval is None
    assert "20 ways, too few for an interval at 95%" in str(found.uncertainty)
    assert "too few places" in ask(values, **asked).document()["sentence"]


def test_the_error_of_a_lot_does_not_grow_with_the_effect() -> None:
    values = rows(8, 20)
    asked = {"treated": [f"p{n}" for n in range(4)], "start": 15, "assignment": "randomised"}
    small = ask(values, **asked).estimate
    large = ask(values + 50 * np.outer(np.arange(8) < 4, np.arange(20) >= 15), **asked).estimate
    assert large.effect == pytest.approx(small.effect + 50)
    assert large.standard_error == pytest.approx(small.standard_error)
    assert large.interval == pytest.approx([one + 50 for one in small.interval or ()])


@pytest.mark.parametrize(
    "design",
    [
        "did",
        "sdid",
        "synthetic_control",
        "augmented_synthetic_control",
        "its",
        "bsts",
        "randomised",
    ],
)
def test_an_effect_is_the_same_in_any_unit(design: str) -> None:
    values = rows(7 if design == "randomised" else 21, 48 if design == "bsts" else 30, seed=2)
    start = values.shape[1] * 3 // 4
    values[0, start:] += 3
    asked: dict[str, Any] = {"treated": "p0", "start": start, "design": design}
    if design == "synthetic_control":
        asked["intercept"] = True
    if design in {"bsts", "its"}:
        asked["donors"] = ["p1", "p2", "p3"]
    if design == "randomised":
        asked |= {"assignment": "randomised", "treated": ["p0", "p1", "p2"]}
    one = ask(values, **asked).estimate
    for size in (1e-12, 1e40):
        other = ask(values * size, **asked).estimate
        assert other.effect / size == pytest.approx(one.effect, rel=1e-5)
        assert other.p_value == pytest.approx(one.p_value, rel=1e-4)
        assert [end / size for end in other.interval or ()] == pytest.approx(
            one.interval or (), rel=1e-5
        )


@pytest.mark.parametrize("size", [1e-200, 1e160])
def test_what_no_number_can_hold_is_refused(size: float) -> None:
    with pytest.raises(BadRequestData, match="give them in another unit"):
        ask(rows() * size, treated="p0", start=30)


def test_large_and_small_numbers_are_read_in_every_language() -> None:
    for size, word in ((1e-13, "× 10⁻¹"), (1e33, "× 10³")):
        found = ask(rows(25) * size, treated="p0", start=30).document()
        assert all(word in one for one in found["sentences"].values())


def test_what_does_not_vary_has_no_error() -> None:
    still = np.tile(5.0 + np.arange(24)[:, None], (1, 40)) + np.arange(40.0) % 3
    still[:4, 30:] += 2
    for treated in (["p0"], [f"p{n}" for n in range(4)]):
        found = ask(still, treated=treated, start=30, design="did")
        assert found.estimate.effect == pytest.approx(2 if len(treated) > 1 else 2 - 6 / 23)
        few = ask(
            still, treated=treated, start=30, design="did", donors=[f"p{n}" for n in range(4, 24)]
        )
        assert few.estimate.effect == pytest.approx(2)
        assert few.estimate.interval is None
        assert few.estimate.standard_error is None
        assert few.level.number <= 2
        assert "varies by nothing" in str(few.estimate.uncertainty)
        assert "how sure this is can't be said" in few.sentence["en"]


def test_a_gap_that_grows_without_noise_is_no_passed_trend() -> None:
    values = rows(24, 40)
    for unit in range(24):
        values[unit] = 100 + unit + np.arange(40) * (2.0 if unit == 0 else 1.0)
    found = ask(values, treated="p0", start=30, design="did")
    (trend,) = (one for one in found.checks if one.name == "trend before the start")
    assert trend.verdict == "failed"


def test_a_confidence_is_not_rounded() -> None:
    values = rows(25)
    found = ask(values, treated="p0", start=30, confidence=0.975).document()
    assert "at 97.5% needs at least 39" in found["uncertainty"]
    assert "can't be told from zero at 2.5%" in found["sentence"]
    assert "2,5 %" in found["sentences"]["cs"].replace("\xa0", " ")


def test_per_cent_is_of_what_would_have_been() -> None:
    values = rows(25)
    values[0, 30:] *= 1.1
    found = ask(values, treated="p0", start=30, design="did").document()
    seen = float(values[0, 30:].mean())
    assert found["effect_percent"] == pytest.approx(
        100 * found["effect"] / (seen - found["effect"])
    )
    ends = [100 * one / (seen - one) for one in found["interval"]]
    assert found["interval_percent"] == pytest.approx(ends)
    cold = ask(values - 50, treated="p0", start=30, design="did").document()
    assert cold["effect"] == pytest.approx(found["effect"])
    assert cold["effect_percent"] is None
    logs = ask(values, treated="p0", start=30, design="did", transform="log").document()
    assert logs["effect_percent"] == pytest.approx(100 * math.expm1(logs["effect"]))
    assert logs["interval_percent"] == pytest.approx(
        [100 * math.expm1(x) for x in logs["interval"]]
    )


def test_a_level_that_moves_by_brute_force() -> None:
    """The forecast and its evidence from whole covariance matrices over a grid of three numbers."""
    rng = np.random.default_rng(6)
    fit, after = 20, 4
    other = rng.normal(size=(fit + after, 1))
    outcome = 1.5 * other[:, 0] + np.cumsum(rng.normal(size=fit + after)) * 0.2
    outcome += rng.normal(size=fit + after)
    outcome[[4, 11, 12]] = np.nan
    prior = LevelPrior(0.1, wide=True)
    later: Any = np.arange(fit, fit + after)
    found = learn(outcome[:fit], other, fit, prior).mean_over(later)
    centre, size = float(np.nanmean(outcome[:fit])), float(np.nanstd(outcome[:fit]))
    column = (other[:, 0] - other[:fit, 0].mean()) / other[:fit, 0].std()
    there = np.flatnonzero(~np.isnan(outcome[:fit]))
    target = (outcome[there] - centre) / size
    place = np.arange(fit + after)
    slope_variance = 1 / (0.01 * np.mean(column[:fit] ** 2))
    logs, means, spreads = [], [], []
    for level in np.exp(np.linspace(math.log(0.002), math.log(2), 24)):
        for hangs in np.linspace(-0.42, 0.92, 14):
            apart = np.abs(np.subtract.outer(place, place))
            for noise in np.exp(np.linspace(math.log(0.15), math.log(1.6), 14)):
                whole = 10 * noise**2 + level**2 * np.minimum.outer(place, place)
                whole = whole + noise**2 * hangs**apart
                whole = whole + noise**2 * slope_variance * np.outer(column, column)
                ours = whole[np.ix_(there, there)]
                cross = whole[np.ix_(later, there)].mean(axis=0)
                half = np.linalg.solve(ours, np.column_stack([target, cross]))
                distance = math.sqrt(-math.log1p(-(hangs**2)))
                far = math.log(20) / math.sqrt(-math.log(1 - 0.9**2))
                shape = abs(hangs) / distance if distance > 1e-6 else 1.0
                log = multivariate_normal.logpdf(target, cov=ours)
                log += math.log(level) - level / 0.1 - far * distance
                log += math.log(shape) - math.log1p(-(hangs**2))
                new = noise**2 * (1 - hangs**2)
                log += -25 * math.log(new) - 50 * 0.2 / 2 / new
                logs.append(log)
                means.append(float(cross @ half[:, 0]))
                spreads.append(float(whole[np.ix_(later, later)].mean() - cross @ half[:, 1]))
    weights = np.exp(np.array(logs) - max(logs))
    weights /= weights.sum()
    mean = float(weights @ means)
    spread = math.sqrt(float(weights @ (np.array(spreads) + (np.array(means) - mean) ** 2)))
    assert found.mean == pytest.approx(centre + size * mean, abs=0.02 * spread * size)
    assert found.spread == pytest.approx(size * spread, rel=0.02)
    assert found.quantile(0.5) == pytest.approx(centre + size * mean, abs=0.1 * spread * size)


def test_what_comes_after_moves_a_forecast_by_nothing() -> None:
    """So false positives and intervals that miss an effect are one and the same share."""
    values = rows(4, 48, seed=5)
    asked = {"treated": "p0", "start": 36, "design": "bsts"}
    none = ask(values, **asked).estimate
    effect = np.zeros((4, 48))
    effect[0, 36:] = np.linspace(0, 2, 12)
    some = ask(values + effect, **asked).estimate
    assert some.effect == pytest.approx(none.effect + 1)
    assert some.standard_error == pytest.approx(none.standard_error)
    assert some.interval == pytest.approx([one + 1 for one in none.interval or ()])


def test_weights_of_a_panel_of_months_are_an_optimum() -> None:
    """Each period has a weight of its own; by the conditions of Karush, Kuhn and Tucker, with the
    penalties of Arkhangelsky et al. 2021 (for periods a larger one: there are more than donors)."""
    values = rows(31, 200, seed=9)
    found = ask(values, treated="p0", start=180, design="sdid").estimate
    before, after = values[1:, :180], values[1:, 180:].mean(axis=1)
    noise = np.diff(before, axis=1).std(ddof=1)

    def least(columns: Rows, target: Rows, weights: Rows, ridge: float) -> None:
        slope = columns.T @ (columns @ weights - target) + ridge * weights
        level = float(slope @ weights)
        assert weights.sum() == pytest.approx(1)
        assert slope.min() >= level - 1e-6 * float(np.abs(slope).max())
        assert slope[weights > 1e-9] == pytest.approx(level, abs=1e-6 * np.abs(slope).max())

    times = np.array(list((found.time_weights or {}).values()))
    least(before - before.mean(axis=0), after - after.mean(), times, 30 * (1e-2 * noise) ** 2)
    units = np.array(list((found.weights or {}).values()))
    own = values[0, :180]
    centred = (before - before.mean(axis=1, keepdims=True)).T
    least(centred, own - own.mean(), units, math.sqrt(20) * noise**2 * 180)
    change = values[0, 180:].mean() - times @ own
    assert found.effect == pytest.approx(change - units @ (after - before @ times))
