"""An index of 1,469 units × 30 indicators with errors: 10,000 variants, and Sobol's indices."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks import cores
from benchmarks.results import Result, Target

from rynek.indicators import evaluate_index, parse_specification

UNITS, INDICATORS, RUNS, SAMPLES = 1469, 30, 10_000, 1024
_METHOD = {
    "imputation": {"choice": "median", "alternatives": ["mean", "group_median"]},
    "outliers": {"choice": "winsorise", "alternatives": ["none", "log"]},
    "normalisation": {"choice": "minmax", "alternatives": ["zscore", "rank"]},
    "weights": {"choice": "given", "alternatives": ["equal", "pca"], "uncertainty": 0.25},
    "aggregation": {"choice": "arithmetic", "alternatives": ["geometric"]},
    "inclusion": {"leave_one_out": True},
}


def _table(path: Path) -> None:
    """Skewed indicators with a common part, one value in fifty missing, 24 regions."""
    random = np.random.default_rng(1)
    common = random.standard_normal((UNITS, 1))
    spread = random.uniform(0.3, 1.2, (1, INDICATORS))
    values = np.exp(spread * (0.6 * common + 0.8 * random.standard_normal((UNITS, INDICATORS))))
    gone = random.random(values.shape) < 0.02
    region = random.integers(0, 24, UNITS)
    lines = ["unit,region," + ",".join(f"i{n}" for n in range(INDICATORS))]
    for row in range(UNITS):
        cells = ("NA" if gone[row, n] else f"{values[row, n]:.6g}" for n in range(INDICATORS))
        lines.append(f"u{row},r{region[row]},{','.join(cells)}")
    path.write_text("\n".join(lines) + "\n")


def _asked(**more: Any) -> dict[str, Any]:
    indicators = [
        {
            "id": f"i{n}",
            "column": f"i{n}",
            "direction": "less" if n % 5 == 0 else "more",
            "error": {"relative": 0.05},
        }
        for n in range(INDICATORS)
    ]
    table = {"file": "units.csv", "unit": "unit", "group": "region"}
    return {"name": "x", "table": table, "indicators": indicators, "method": _METHOD, **more}


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Both parts with the whole way from the table; on every core."""
    os.sched_setaffinity(0, set(cores.ALL))
    parts = {
        "10,000 variants with errors": {"runs": RUNS, "sensitivity": {"samples": 0}},
        "Sobol, 1,024 × 7 factors": {"runs": 0, "sensitivity": {"samples": SAMPLES}},
    }
    with tempfile.TemporaryDirectory() as folder:
        _table(Path(folder) / "units.csv")
        for name, more in parts.items():
            spec = parse_specification(_asked(**more))
            began, used = time.perf_counter(), time.process_time()
            evaluate_index(spec, Path(folder))
            took, cpu = time.perf_counter() - began, time.process_time() - used
            yield Result(
                job=f"index: {name}",
                unit="s",
                value=took,
                target=Target(at_most=20.0),
                note=f"{cpu:.1f} s of processor time",
                rounds=[took],
            )
