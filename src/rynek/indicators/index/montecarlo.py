"""Uncertainty analysis: ranks over thousands of variants (OECD/JRC handbook, step 7)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.indicators.arrays import Array, Floats
from rynek.indicators.index.ranks import positions
from rynek.indicators.index.regions import region_means, shrink
from rynek.indicators.index.variants import FACTORS, Machine, Variant

__all__ = ["MAX_CELLS", "Ranks", "evaluate", "monte_carlo", "shifts", "variant_at"]

MAX_CELLS: Final = 60_000_000
"""Most variants × units whose ranks are kept."""
_CHUNK: Final = 64
_MOST_WORKERS: Final = 8


@dataclass(frozen=True)
class Ranks:
    """Ranks (variants × units), 1 the best; of regions their shrunken means and the variances left
    (variants × regions), where there are regions; and each unit's score as a share of the way from
    the variant's lowest to its highest."""

    units: Floats
    region_means: Array
    region_variances: Array

    @property
    def regions(self) -> Floats:
        """Ranks of regions by their shrunken means; NaN for one without units."""
        return _with_gaps(self.region_means)


def _with_gaps(means: Array) -> Floats:
    gone = np.isnan(means)
    found = positions(np.where(gone, np.inf, -means))
    found[gone] = np.nan
    return found


def variant_at(
    machine: Machine, where: Array, weights: tuple[int, ...], noise: tuple[int, ...]
) -> Variant:
    """The variant at a point of the unit cube (a coordinate for each of FACTORS); the weights' and
    the noise's random numbers come from their own seeds."""
    choices = machine.choices
    place = [
        min(int(where[n] * len(choices[name])), len(choices[name]) - 1)
        for n, name in enumerate(FACTORS[:5])
    ]
    many = len(machine.spec.indicators)
    out = None
    if machine.spec.method.inclusion.leave_one_out:
        chosen = min(int(where[5] * (many + 1)), many)
        out = None if chosen == many else chosen
    imputation, outliers, normalisation, scheme, aggregation = place
    return Variant(
        imputation=imputation,
        outliers=outliers,
        normalisation=normalisation,
        scheme=scheme,
        aggregation=aggregation,
        left_out=out,
        weights=weights,
        noise=noise,
    )


def evaluate(machine: Machine, variants: Sequence[Variant]) -> Ranks:
    """The ranks of every variant, computed on all cores."""
    many, units = len(variants), len(machine.matrix.units)
    regions = len(machine.matrix.groups)
    _bounded(many, units)
    ranks = np.empty((many, units), dtype=np.float32)
    means, variances = np.empty((many, regions)), np.empty((many, regions))
    matrix = machine.matrix

    def chunk(start: int) -> None:
        rows = range(start, min(start + _CHUNK, many))
        for row in rows:
            scores = machine.scores(variants[row])
            ranks[row] = positions(-scores)
            if regions:
                means[row], variances[row] = region_means(
                    scores.astype(np.float64), matrix.group, regions, matrix.group_weight
                )

    _everywhere(chunk, range(0, many, _CHUNK))
    if regions:
        there = ~np.isnan(means[0]) if many else np.ones(regions, dtype=bool)
        shrunk = shrink(means[:, there], variances[:, there])
        means[:, there], variances[:, there] = shrunk.mean, shrunk.variance
    return Ranks(ranks, means, variances)


def _everywhere(chunk: Callable[[int], None], starts: range) -> None:
    workers = max(1, min(_MOST_WORKERS, len(os.sched_getaffinity(0))))
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(chunk, starts):
            pass


def monte_carlo(machine: Machine, runs: int, seed: int) -> Ranks:
    """`runs` variants drawn at random, every choice as likely as its alternatives."""
    _bounded(runs, len(machine.matrix.units))
    where = np.random.Generator(np.random.SFC64([seed, 0])).random((runs, len(FACTORS)))
    return evaluate(
        machine,
        [
            variant_at(machine, point, (seed, 1, number), (seed, 2, number))
            for number, point in enumerate(where)
        ],
    )


def _bounded(variants: int, units: int) -> None:
    if variants * units > MAX_CELLS:
        raise BadRequestData(
            f"{variants} variants of {units} units are {variants * units:,} ranks, of which"
            f" {MAX_CELLS:,} are kept: ask for fewer runs"
        )


def shifts(ranks: Floats, reference: Array) -> Array:
    """The mean rank shift of each variant from the reference (Saisana, Saltelli and Tarantola
    2005): how far units move on average, in places."""
    return np.asarray(np.abs(ranks - reference.astype(ranks.dtype)).mean(axis=1), dtype=np.float64)
