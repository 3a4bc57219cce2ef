"""How often 95 % intervals of estimates hold what was put in; 2,000 made-up series a cell.

RYNEK_CELLS takes some cells alone, RYNEK_SERIES and RYNEK_SEED other series than the usual ones.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from benchmarks.results import Result
from numpy.typing import NDArray

from rynek.practices import DESIGNS, Panel, parse_specification, task_of

LONG = True
SERIES = 2000
_SEED = 1
_MISSING = 0.05
Rows = NDArray[np.float64]


class Cell(NamedTuple):
    """One cell: a design, and what makes a panel (units × periods) with an effect in it."""

    name: str
    design: str
    treated: int
    start: int
    make: Callable[[np.random.Generator, float], Rows]
    more: dict[str, Any]


class Covered(NamedTuple):
    """Shares: of intervals that hold the effect, of those that find one where there is none, and
    of series for which the design was refused; the width of an interval on average."""

    held: float
    false: float
    width: float
    refused: float = 0.0


def cells() -> Iterator[Cell]:
    """Every cell, with what it is called."""
    for periods in (96, 240):
        for hangs in (0.0, 0.4, 0.8):
            yield Cell(
                f"its, {periods} periods, autocorrelation {hangs:g}",
                "its",
                1,
                periods * 3 // 4,
                lambda rng, effect, n=periods, r=hangs: _series(rng, effect, n, r),  # type: ignore[misc]
                {"season": 12},
            )
    for treated, compared in ((4, 20), (5, 40), (6, 12)):
        for noise in (1.0, 2.0):
            for design in ("did", "event_study"):
                yield Cell(
                    f"{design}, {treated} of {treated + compared}, noise ratio {noise:g}",
                    design,
                    treated,
                    24,
                    lambda rng, effect, t=treated, c=compared, s=noise, d=design: _groups(
                        rng, effect, t, c, s, stepped=d == "event_study"
                    ),  # type: ignore[misc]
                    {},
                )
    for donors in (20, 40):
        for design in ("synthetic_control", "augmented_synthetic_control", "sdid"):
            yield Cell(
                f"{design}, {donors} donors",
                design,
                1,
                60,
                lambda rng, effect, d=donors: _factors(rng, effect, d),  # type: ignore[misc]
                {"intercept": True} if design == "synthetic_control" else {},
            )
    yield Cell(
        "randomised, stepped wedge of 12",
        "randomised",
        12,
        0,
        _wedge,
        {"assignment": "randomised"},
    )
    yield Cell(
        "randomised, 6 of 12 at once",
        "randomised",
        6,
        20,
        lambda rng, effect: _wedge(rng, effect, at_once=True),
        {"assignment": "randomised"},
    )
    yield from _moving_levels()


def _moving_levels() -> Iterator[Cell]:
    for level in (0.01, 0.1):
        for hangs in (0.0, 0.6):
            yield Cell(
                f"bsts, level {level:g}, autocorrelation {hangs:g}",
                "bsts",
                1,
                60,
                lambda rng, effect, s=level, r=hangs: _level(rng, effect, s, r),  # type: ignore[misc]
                {},
            )


def measure(cell: Cell, count: int, seed: int = _SEED) -> Covered:
    """Estimate `count` series with an effect of 0 and as many with one of 1."""
    held = false = refused = 0
    widths: list[float] = []
    none = 0
    for effect in (0.0, 1.0):
        rng = np.random.default_rng((seed, int(effect)))
        for _ in range(count):
            found = _interval(cell, cell.make(rng, effect))
            if found is None:
                refused += 1
                continue
            held += found[0] <= effect <= found[1]
            none += effect == 0
            false += effect == 0 and not found[0] <= 0 <= found[1]
            widths.append(found[1] - found[0])
    many = max(len(widths), 1)
    return Covered(
        held / many, false / max(none, 1), float(np.mean(widths or [0.0])), refused / (2 * count)
    )


def _interval(cell: Cell, rows: Rows) -> tuple[float, float] | None:
    """The interval; None where the design is refused."""
    units = tuple(f"p{n}" for n in range(len(rows)))
    treated: dict[str, Any] = dict.fromkeys(units[: cell.treated], cell.start)
    if cell.design == "randomised" and not cell.start:
        treated = {unit: _wedge_start(n) for n, unit in enumerate(units)}
    if cell.design == "event_study":
        treated = {unit: _step(n) for n, unit in enumerate(treated)}
    document = {"panel": "", "outcome": "y", "treated": treated, "design": cell.design} | cell.more
    times = np.arange(rows.shape[1], dtype=np.float64)
    panel = Panel(units, times, tuple(map(str, range(rows.shape[1]))), {"y": rows})
    task = task_of(parse_specification(document), panel)
    design = DESIGNS[cell.design]
    # The Bayesian series alone is refused by what the data are like.
    if cell.design == "bsts" and design.refuses(task) is not None:
        return None
    found = design.estimate(task).interval
    return found or (-np.inf, np.inf)


def _noise(rng: np.random.Generator, units: int, periods: int, hangs: float) -> Rows:
    drawn = rng.standard_normal((units, periods))
    drawn[:, 1:] *= np.sqrt(1 - hangs**2)
    for one in range(1, periods):
        drawn[:, one] += hangs * drawn[:, one - 1]
    return drawn


def _holes(rng: np.random.Generator, rows: Rows) -> Rows:
    """Blocks of four periods go missing, one in twenty values."""
    for row in rows:
        for start in rng.integers(0, len(row) - 4, max(1, round(len(row) * _MISSING / 4))):
            row[start : start + 4] = np.nan
    return rows


def _series(rng: np.random.Generator, effect: float, periods: int, hangs: float) -> Rows:
    place = np.arange(periods)
    row = 0.01 * place + np.sin(2 * np.pi * place / 12) + _noise(rng, 1, periods, hangs)[0]
    row += effect * (place >= periods * 3 // 4)
    return _holes(rng, row[None])


def _groups(
    rng: np.random.Generator,
    effect: float,
    treated: int,
    compared: int,
    ratio: float,
    *,
    stepped: bool,
) -> Rows:
    rows = _noise(rng, treated + compared, 36, 0.4)
    rows[:treated] *= ratio
    rows += rng.standard_normal(36) + rng.standard_normal((treated + compared, 1))
    for unit in range(treated):
        rows[unit, _step(unit) if stepped else 24 :] += effect
    return _holes(rng, rows)


def _step(unit: int) -> int:
    """When a place of an event study starts."""
    return 20 + 4 * (unit % 3)


def _factors(rng: np.random.Generator, effect: float, donors: int) -> Rows:
    loads = rng.uniform(0, 1, (donors + 1, 3))
    common = np.cumsum(rng.standard_normal((3, 72)), axis=1) * 0.5
    rows = loads @ common + rng.standard_normal((donors + 1, 72))
    rows[0, 60:] += effect
    return _holes(rng, rows)


def _level(rng: np.random.Generator, effect: float, level: float, hangs: float) -> Rows:
    """A series that two others explain, on a level that moves; 60 periods and 20 with an effect."""
    others = np.cumsum(rng.standard_normal((2, 80)), axis=1) * 0.3 + rng.standard_normal((2, 80))
    moves = np.cumsum(rng.standard_normal(80)) * level
    ours = 1.2 * others[0] + 0.5 * others[1] + moves + _noise(rng, 1, 80, hangs)[0]
    ours[60:] += effect
    rows = np.vstack([ours, others])
    _holes(rng, rows[:1])
    return rows


def _wedge_start(unit: int) -> int:
    return 8 + 8 * (unit % 4)


def _wedge(rng: np.random.Generator, effect: float, *, at_once: bool = False) -> Rows:
    """Twelve places, whose order is the lot: in four steps, or the first half of them at once."""
    rows = _noise(rng, 12, 40, 0.4) + rng.standard_normal((12, 1)) + rng.standard_normal(40)
    rows = rows[rng.permutation(12)]
    for unit in range(6 if at_once else 12):
        rows[unit, 20 if at_once else _wedge_start(unit) :] += effect
    return rows


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Print the table; of the cells alone that RYNEK_CELLS names in part ("bsts, level 0.1")."""
    del options
    count = int(os.environ.get("RYNEK_SERIES", SERIES))
    seed = int(os.environ.get("RYNEK_SEED", _SEED))
    print(f"\n{count:,} series a cell with an effect of 0 and as many with one of 1, seed {seed}\n")
    print("| cell | interval holds the effect | finds one where there is none | width | refused |")
    print("| --- | ---: | ---: | ---: | ---: |")
    wanted = os.environ.get("RYNEK_CELLS", "")
    for cell in cells():
        if wanted not in cell.name:
            continue
        found = measure(cell, count, seed)
        print(
            f"| {cell.name} | {found.held:.1%} | {found.false:.1%} | {found.width:.2f}"
            f" | {found.refused:.1%} |",
            flush=True,
        )
        yield Result(
            job=f"intervals: {cell.name}",
            unit=" % held",
            value=100 * found.held,
            note=f"finds one where there is none {found.false:.1%}",
        )
