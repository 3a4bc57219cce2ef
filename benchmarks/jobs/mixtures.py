"""Weights of a synthetic control beside pysyncon's (MIT), on the same problems and objective.

pysyncon brings pandas and matplotlib and is no dependency of ours: `pip install pysyncon==1.7.0`
before this job; without it the job says so.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
from benchmarks.results import Result
from numpy.typing import NDArray

from rynek.practices import predictor_weights, simplex_least_squares

LONG = True
_ROUNDS = 5
Rows = NDArray[np.float64]
# Donors and periods before the start: California, the Basque Country, thirty years of months.
_SIZES = ((38, 19), (16, 10), (40, 360), (100, 120))
# Predictors, units and periods: California with its seven, the Basque Country, a longer panel, and
# small ones.
_PREDICTED = ((7, 39, 19), (13, 17, 10), (6, 31, 60), (5, 13, 20), (4, 10, 15), (3, 7, 12))


def problem(donors: int, periods: int, seed: int) -> tuple[Rows, Rows]:
    """(periods × donors) and the treated series, from three common factors."""
    rng = np.random.default_rng(seed)
    common = np.cumsum(rng.standard_normal((periods, 3)), axis=0)
    rows = common @ rng.uniform(0, 1, (3, donors + 1)) + 0.3 * rng.standard_normal(
        (periods, donors + 1)
    )
    return rows[:, 1:], rows[:, 0]


def error(columns: Rows, target: Rows, weights: Rows) -> float:
    """What both minimise."""
    return float(((columns @ weights - target) ** 2).sum())


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Print the table; each size as a result."""
    del options
    try:
        mixin = importlib.import_module("pysyncon.base").VanillaOptimMixin
    except ImportError:
        print("pysyncon is not installed: pip install pysyncon==1.7.0")
        return

    def theirs(columns: Rows, target: Rows) -> Rows:
        found = mixin.w_optimize(np.eye(len(target)), columns, target)
        return np.asarray(found[0], dtype=np.float64)

    print("\n| donors, periods | rynek, ms | pysyncon, ms | times | error: rynek, pysyncon |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for donors, periods in _SIZES:
        given = [problem(donors, periods, seed) for seed in range(_ROUNDS)]
        ours, mine = _timed(simplex_least_squares, given)
        other, yours = _timed(theirs, given)
        print(
            f"| {donors}, {periods} | {ours * 1e3:.2f} | {other * 1e3:.1f} | {other / ours:.0f}"
            f" | {mine:.6g}, {yours:.6g} |",
            flush=True,
        )
        yield Result(
            job=f"mixtures: {donors} donors, {periods} periods",
            unit=" ms",
            value=ours * 1e3,
            note=f"pysyncon {other * 1e3:.1f} ms",
        )
    yield from _with_predictors()


def _with_predictors() -> Iterator[Result]:
    """Predictor weights too: the error is that in the fit window, which both minimise over them."""
    frames = importlib.import_module("pandas")
    theirs = importlib.import_module("pysyncon").Synth
    print(
        "\n| predictors, donors, periods | rynek, ms | pysyncon, ms | times, least | error:"
        " rynek, pysyncon | larger than there |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    rows = np.random.default_rng(0).standard_normal((4, 6))
    predictor_weights(rows[:, 0], rows[:, 1:], rows[:, 1:], rows[:, 0])  # what is imported late
    for predictors, donors, periods in _PREDICTED:
        ours, other, mine, yours = [], [], [], []
        for seed in range(_ROUNDS):
            told = np.random.default_rng((seed, predictors)).standard_normal((predictors, donors))
            fitted, _ = problem(donors, periods, seed)
            # What is told of a donor says something about its outcome.
            told += np.resize(fitted.mean(axis=0), told.shape) / max(float(fitted.std()), 1e-9)
            candidates, one = told[:, 1:], told[:, 0]
            before, outcome = fitted[:, 1:], fitted[:, 0]
            start = time.process_time()
            weights = predictor_weights(one, candidates, before, outcome)[1]
            ours.append(time.process_time() - start)
            mine.append(float(np.mean((outcome - before @ weights) ** 2)))
            names = [f"d{n}" for n in range(donors - 1)]
            synth, start = theirs(), time.process_time()
            synth.fit(
                X0=frames.DataFrame(candidates, columns=names),
                X1=frames.Series(one, name="treated"),
                Z0=frames.DataFrame(before, columns=names),
                Z1=frames.Series(outcome, name="treated"),
            )
            other.append(time.process_time() - start)
            yours.append(float(synth.loss_V))
        fast, slow = statistics.median(ours), statistics.median(other)
        least = min(one / our for one, our in zip(other, ours, strict=True))
        # Both stop before the last digit.
        worse = sum(our > one * (1 + 1e-6) for our, one in zip(mine, yours, strict=True))
        print(
            f"| {predictors}, {donors - 1}, {periods} | {fast * 1e3:.1f} | {slow * 1e3:.0f}"
            f" | {slow / fast:.0f}, {least:.0f} | {np.mean(mine):.6g}, {np.mean(yours):.6g}"
            f" | {worse} of {_ROUNDS} |",
            flush=True,
        )
        yield Result(
            job=f"mixtures: {predictors} predictors, {donors - 1} donors",
            unit=" ms",
            value=fast * 1e3,
            note=f"pysyncon {slow * 1e3:.0f} ms",
        )


def _timed(
    solve: Callable[[Rows, Rows], Rows], given: list[tuple[Rows, Rows]]
) -> tuple[float, float]:
    """The median of CPU seconds, and the sum of errors."""
    spent, errors = [], 0.0
    for columns, target in given:
        start = time.process_time()
        weights = solve(columns, target)
        spent.append(time.process_time() - start)
        errors += error(columns, target, weights)
    return statistics.median(spent), errors
