"""Each step of the index against published figures, or another program's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rynek.indicators.arrays import Array
from rynek.indicators.index.audit import cronbach_alpha
from rynek.indicators.index.normalise import normalise
from rynek.indicators.index.outliers import kurtosis, skewness, treatment
from rynek.indicators.index.ranks import descending, positions
from rynek.indicators.index.regions import shrink
from rynek.indicators.index.sobol import design, indices
from rynek.indicators.index.specification import Outliers
from rynek.indicators.index.weights import correlations, pca_weights

# Technology Achievement Index, 23 countries from Finland to Slovenia: patents, royalties, internet,
# exports, telephones (log), electricity (log), schooling, university. OECD/JRC, Handbook on
# Constructing Composite Indicators (2008), table A.2.
TAI = np.array([
    [187, 289, 271, 994, 779, 189, 82, 31, 75, 8, 235, 103, 106, 72, 103, 165, 205, 74, 42, 13, 28, 26, 105],
    [125.6, 130, 156.6, 64.6, 9.8, 151.2, 134, 38.6, 18.2, 25.5, 36.8, 20.2, 110.3, 73.9, 13, 14.8, 33.6, 43.6, 8.6, 9.8, 4.2, 6.2, 4],
    [200.2, 179.1, 125.8, 49, 4.8, 136, 57.4, 108, 125.9, 72.3, 41.2, 193.6, 48.6, 58.9, 146.7, 84.2, 36.4, 43.2, 21, 30.4, 25, 21.6, 20.3],
    [50.7, 66.2, 59.7, 80.8, 66.7, 50.9, 61.9, 48.7, 16.2, 74.9, 64.2, 19, 53.6, 47.6, 15.4, 50.3, 58.9, 45, 53.4, 51, 51.7, 63.5, 49.5],
    [3.08, 3.00, 3.10, 3.00, 2.97, 3.02, 3.02, 2.94, 2.94, 2.95, 2.94, 3.12, 2.97, 2.91, 2.86, 2.99, 2.97, 2.96, 2.86, 3.00, 2.75, 2.73, 2.84],
    [4.15, 4.07, 4.14, 3.86, 3.65, 3.77, 3.73, 4.18, 3.94, 3.83, 3.75, 4.39, 3.68, 3.86, 3.91, 3.79, 3.80, 3.74, 3.62, 3.65, 3.68, 3.46, 3.71],
    [10, 12, 11.4, 9.5, 10.8, 9.4, 9.4, 11.6, 10.9, 7.1, 10.2, 11.9, 9.4, 9.3, 11.7, 8.4, 7.9, 9.6, 7.3, 7.2, 9.5, 9.1, 7.1],
    [27.4, 13.9, 15.3, 10, 23.2, 9.5, 14.9, 14.2, 25.3, 24.2, 14.4, 11.2, 12.3, 13.6, 13.1, 13.6, 12.6, 11, 15.6, 13, 8.2, 7.7, 10.6],
])  # fmt: skip
SCHOOLING = TAI[6:7]


@pytest.mark.parametrize(
    ("how", "factor", "published"),
    [
        # Handbook, table 15: rank, z-score, min-max, ratio to the best, percentile, categorical;
        # Finland, United States, Sweden, Japan, Korea, Netherlands, …, Norway, …, Slovenia.
        ("zscore", 1, {0: 0.26, 1: 1.52, 2: 1.14, 3: -0.06, 4: 0.76, 5: -0.12, 9: -1.58, 22: -1.58}),
        ("minmax", 1, {0: 0.59, 1: 1.0, 2: 0.88, 3: 0.49, 4: 0.76, 9: 0.0, 11: 0.98, 15: 0.27}),
        ("target", 1, {0: 0.83, 1: 1.0, 2: 0.95, 3: 0.79, 4: 0.90, 9: 0.59, 11: 0.99, 16: 0.66}),
        ("percentile", 100, {0: 65.2, 1: 100, 3: 52.2, 4: 73.9, 5: 39.1, 9: 4.3, 22: 4.3, 11: 95.7}),
        ("categorical", 100, {0: 60, 1: 100, 2: 60, 3: 50, 5: 50, 7: 80, 9: 0, 11: 100, 13: 40, 19: 20}),
    ],
)  # fmt: skip
def test_normalisations_are_those_of_the_handbook(
    how: str, factor: float, published: dict[int, float]
) -> None:
    found = factor * normalise(SCHOOLING, how)[0]
    digits = 1 if factor == 100 else 2
    assert {n: round(float(found[n]), digits) + 0.0 for n in published} == published


def test_pca_weights_are_those_of_the_handbook() -> None:
    """Tables 16 and 18: eigenvalues, and weights by four rotated principal components."""
    table = correlations(TAI)
    values = np.linalg.eigvalsh(table)[::-1]
    # The handbook cuts 0.98 and 0.47 to 1.0 and 0.5; its shares of the variance have a digit more.
    shares = [41.9, 21.8, 12.3, 11.1, 6.0, 3.7, 2.2, 0.9]
    assert np.allclose(100 * values / 8, shares, atol=0.2)
    weights = pca_weights(table, 4)
    assert np.allclose(weights, [0.17, 0.15, 0.11, 0.07, 0.08, 0.12, 0.14, 0.16], atol=0.0056)


def test_alpha_is_that_of_the_sum_of_standardised_indicators() -> None:
    """Cronbach (1951): k / (k − 1) · (1 − Σ variances / variance of the sum)."""
    scaled = normalise(TAI, "zscore")
    by_variances = 8 / 7 * (1 - 8 / scaled.sum(axis=0).var(ddof=1))
    assert cronbach_alpha(correlations(TAI)) == pytest.approx(by_variances, abs=1e-12)


def test_shrinkage_is_efron_and_morris_baseball() -> None:
    """Efron and Morris, Stein's Paradox in Statistics, Scientific American 236:5 (1977): batting
    averages of 18 players after 45 times at bat, shrunk by c = 0.212 to 0.294 … 0.242."""
    averages = np.array(
        [.400, .378, .356, .333, .311, .311, .289, .267, .244, .244]
        + [.222] * 5 + [.200, .178, .156]
    )  # fmt: skip
    mean = averages.mean()
    found = shrink(averages[None], np.full((1, 18), mean * (1 - mean) / 45))
    assert 1 - found.factor[0, 0] == pytest.approx(0.212, abs=0.0005)
    published = [
        .294, .289, .285, .280, .275, .275, .270, .266, .261, .261,
        .256, .256, .256, .256, .256, .252, .247, .242,
    ]  # fmt: skip
    assert found.mean[0].round(3).tolist() == published


def test_shrinkage_with_unequal_variances_finds_what_was_drawn() -> None:
    """Over many draws of a known population the shrunken means err less than the plain ones, and
    their variances err on the careful side, as Morris means them to."""
    random = np.random.default_rng(4)
    spread = np.linspace(0.02, 1.5, 24)
    true = random.normal(5, 0.5, (4000, 24))
    seen = random.normal(true, np.sqrt(spread))
    found = shrink(seen, np.tile(spread, (4000, 1)))
    error = (found.mean - true) ** 2
    assert error.mean() < 0.45 * ((seen - true) ** 2).mean()
    assert 1 <= found.variance.mean() / error.mean() < 1.3
    covered = np.abs(found.mean - true) <= stats.norm.ppf(0.95) * np.sqrt(found.variance)
    assert 0.9 <= covered.mean() <= 0.95


def ishigami(points: Array) -> Array:
    x = (2 * points - 1) * np.pi
    return np.asarray(
        np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
    )


def sensitivity(samples: int, seed: int) -> tuple[Array, Array, Array, Array]:
    a, b = design(samples, 3, seed)

    def mixed(n: int) -> Array:
        where = a.copy()
        where[:, n] = b[:, n]
        return ishigami(where)[:, None]

    found = indices(ishigami(a)[:, None], ishigami(b)[:, None], mixed, 3, 200, 1)
    return found.first[:, 0], found.total[:, 0], found.first_half[:, 0], found.total_half[:, 0]


def test_sobol_indices_are_the_analytic_ones_of_ishigami() -> None:
    """Ishigami and Homma (1990), a = 7, b = 0.1; the closed form stands in Saltelli et al., Global
    Sensitivity Analysis (2008), p. 179."""
    first, total, first_half, total_half = sensitivity(8192, 3)
    exact_first, exact_total = [0.3139, 0.4424, 0.0], [0.5576, 0.4424, 0.2437]
    assert np.allclose(first, exact_first, atol=0.01)
    assert np.allclose(total, exact_total, atol=0.01)
    assert (np.abs(first - exact_first) < 1.5 * first_half).all()
    assert (np.abs(total - exact_total) < 1.5 * total_half).all()


def test_sobol_indices_are_those_of_salib() -> None:
    """SALib 1.6.0, SALib.analyze.sobol on the same 1,024 rows (seed 7 of the design here); its
    half widths come from 200 resamples with other random numbers."""
    first, total, first_half, total_half = sensitivity(1024, 7)
    assert np.allclose(first, [0.34070684, 0.4385386, 0.01688364], atol=1e-6)
    assert np.allclose(total, [0.55469583, 0.44307079, 0.24477511], atol=1e-6)
    assert np.allclose(first_half, [0.06235337, 0.05097207, 0.05855437], rtol=0.2)
    assert np.allclose(total_half, [0.09258509, 0.03861608, 0.02942186], rtol=0.2)


def test_shape_and_power_are_those_of_scipy() -> None:
    values = np.exp(np.random.default_rng(1).normal(0, 1.2, 300))
    assert skewness(values) == pytest.approx(stats.skew(values, bias=False))
    assert kurtosis(values) == pytest.approx(stats.kurtosis(values, bias=False))
    (found,) = treatment(values[None], Outliers(), "boxcox")
    scaled = (values - values.min()) / (values.max() - values.min()) + 0.01
    bent, power = stats.boxcox(scaled)
    assert found.power == pytest.approx(power, abs=1e-3)
    assert np.allclose(found.apply(values), bent, atol=0.01)


@pytest.mark.parametrize("choice", ["winsorise", "log", "boxcox"])
@pytest.mark.parametrize("sign", [1, -1])
def test_treatment_keeps_the_order_and_mends_the_shape(choice: str, sign: int) -> None:
    values = sign * np.exp(np.random.default_rng(2).normal(0, 1, 400))
    (found,) = treatment(values[None], Outliers(), choice)
    treated = np.asarray(found.apply(values), dtype=np.float64)
    assert (np.diff(treated[np.argsort(values)]) >= 0).all()
    assert abs(skewness(treated)) < 2 or kurtosis(treated) < 3.5
    if choice == "winsorise":
        changed = treated != values
        assert 0 < changed.sum() == found.clipped <= 20
        assert (np.argsort(sign * values)[-found.clipped :] == np.flatnonzero(changed)).size


def test_ranks_are_those_of_scipy() -> None:
    values = np.random.default_rng(5).integers(0, 9, (6, 40)).astype(float)
    assert np.array_equal(positions(values), stats.rankdata(values, axis=1))
    assert np.array_equal(positions(values, lowest=True), stats.rankdata(values, "min", axis=1))
    assert np.array_equal(descending(values[0]), stats.rankdata(-values[0]))
