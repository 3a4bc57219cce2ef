"""Several readings of one unit in one period, taken together."""

from __future__ import annotations

import numpy as np

from rynek.practices.arrays import Array, Indexes

__all__ = ["aggregated"]


def aggregated(
    values: Array, cell: Indexes, shape: tuple[int, int], operation: str | None
) -> Array:
    """`values` by their cell of an array of `shape`, NaN where there is none: their mean (without
    `operation`), median, sum, smallest, largest or number."""
    found = np.full(shape[0] * shape[1], np.nan)
    there = ~np.isnan(values)
    values, cell = values[there], cell[there]
    if not len(values):
        return found.reshape(shape)
    order = np.lexsort((values, cell))
    values, cell = values[order], cell[order]
    cells, first, counts = np.unique(cell, return_index=True, return_counts=True)
    if operation == "count":
        found[cells] = counts
    elif operation == "min":
        found[cells] = values[first]
    elif operation == "max":
        found[cells] = values[first + counts - 1]
    elif operation == "median":
        found[cells] = (values[first + (counts - 1) // 2] + values[first + counts // 2]) / 2
    else:
        total = np.add.reduceat(values, first)
        found[cells] = total if operation == "sum" else total / counts
    return found.reshape(shape)
