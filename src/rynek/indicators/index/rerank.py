"""An index with other weights, from its document alone: what a reader moves on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.indicators.arrays import Array
from rynek.indicators.index.normalise import positive
from rynek.indicators.index.ranks import descending
from rynek.indicators.index.regions import region_means, shrink
from rynek.indicators.saying import say

__all__ = ["Reranked", "rerank"]


@dataclass(frozen=True)
class Reranked:
    """Scores and ranks of units and, by their shrunken means, of groups, in the document's order;
    NaN for a group without units."""

    scores: Array
    ranks: Array
    group_scores: Array
    group_ranks: Array


def rerank(found: Mapping[str, Any], weights: Mapping[str, float]) -> Reranked:
    """Scores of a document's normalised values under `weights` by indicator (0 for one that is not
    named), by its own aggregation. BadRequestData."""
    names = [one["id"] for one in found["indicators"]]
    for name, weight in weights.items():
        if name not in names:
            raise BadRequestData(say("weights-unknown", indicator=name[:60]))
        if not (math.isfinite(weight) and 0 <= weight <= 1e6):
            raise BadRequestData(say("weights-range", indicator=name, weight=str(weight)))
    own = np.array([weights.get(name, 0.0) for name in names])
    if own.sum() <= 0:
        raise BadRequestData(say("weights-zero"))
    values = np.array(
        [[np.nan if one is None else one for one in unit["values"]] for unit in found["units"]],
        dtype=np.float64,
    ).T
    scores = _aggregated(values, own, found["method"])
    groups = [one["id"] for one in found["groups"]]
    if not groups:
        return Reranked(scores, descending(scores), np.empty(0), np.empty(0))
    place = {code: n for n, code in enumerate(groups)}
    group = np.array([place[unit["group"]] for unit in found["units"]], dtype=np.intp)
    within = np.array([unit.get("weight", 1.0) for unit in found["units"]])
    means, variances = region_means(scores, group, len(groups), within)
    there = ~np.isnan(means)
    shrunk, ranks = np.full(len(groups), np.nan), np.full(len(groups), np.nan)
    shrunk[there] = shrink(means[None, there], variances[None, there]).mean[0]
    ranks[there] = descending(shrunk[there])
    return Reranked(scores, descending(scores), shrunk, ranks)


def _aggregated(values: Array, weights: Array, method: Mapping[str, Any]) -> Array:
    how = str(method["normalisation"]["choice"])
    points = 1.0 if how == "zscore" else 100.0
    geometric = method["aggregation"]["choice"] == "geometric"
    if geometric:
        values = np.log(positive(values / points, how))
    there = ~np.isnan(values)
    total = weights @ there
    found = (weights @ np.where(there, values, 0.0)) / np.where(total > 0, total, 1.0)
    found = np.where(total > 0, found, np.median(found[total > 0]) if (total > 0).any() else 0.0)
    return np.asarray(points * np.exp(found) if geometric else found)
