"""An index as JSON: what `rynek index run --json` prints, pages draw and downloads hold."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec
import numpy as np

from rynek.base.messages import Message
from rynek.indicators.arrays import Array, Floats
from rynek.indicators.index.evaluation import Index
from rynek.indicators.index.leading import leading
from rynek.indicators.index.outliers import kurtosis, skewness
from rynek.indicators.index.quantities import LeftOut
from rynek.indicators.index.ranks import positions
from rynek.indicators.index.sobol import Indices
from rynek.indicators.index.specification import limits
from rynek.indicators.index.variants import Variant
from rynek.indicators.saying import say

__all__ = ["document"]

FORMAT: Final = 1
WORDING: Final = (
    "Shares and intervals are over the variants of the index that were analysed: other choices of"
    " method, other weights, values that differ within their errors. They say how far the ranking"
    " depends on how it is made; they are no probabilities about cities or regions."
)
_WHOLE: Final = (
    "Every unit of a region that has data is counted, so the rank interval says nothing about"
    " sampling: it shows how the region's rank moves over the variants. The population interval adds"
    " what so many units leave open if they are seen as draws from what such a region brings forth."
)
_SAMPLE: Final = (
    "The table holds some units of each region, so the rank interval covers the variants and what"
    " so many units leave open about the region as a whole."
)
_COMPENSATION: Final = {
    "arithmetic": (
        "full: a low value of one indicator is made up for by a high one of another, at the rate of"
        " their weights"
    ),
    "geometric": (
        "partial: a low value of one indicator costs more the lower it is, and high ones of others"
        " make up for it less and less"
    ),
}


def document(index: Index) -> dict[str, Any]:
    """The whole result in plain values; nothing in it is NaN."""
    spec, machine = index.spec, index.machine
    return {
        "format": FORMAT,
        "id": spec.id,
        "name": spec.name,
        "statement": spec.statement,
        "notes": spec.notes,
        "source": msgspec.to_builtins(spec.source) if spec.source else None,
        "wording": WORDING,
        "runs": spec.runs,
        "seed": spec.seed,
        "interval": spec.interval,
        "method": {
            name: {"choice": every[0], "alternatives": every[1:]}
            for name, every in machine.choices.items()
        }
        | {
            "weights_uncertainty": spec.method.weights.uncertainty,
            "leave_one_out": spec.method.inclusion.leave_one_out,
            "compensation": _COMPENSATION[machine.choices["aggregation"][0]],
        },
        "indicators": _indicators(index),
        "units": _units(index),
        "groups": _groups(index),
        "groups_name": spec.groups.name,
        "groups_counted": spec.groups.counted,
        "groups_meaning": _WHOLE if spec.groups.counted == "whole" else _SAMPLE,
        "left_out": [_left(one) for one in index.matrix.left_out],
        "leading": leading(index),
        "mean_rank_shift": _shift(index),
        "variance": _variance(index),
        "audit": index.audit,
    }


def _left(one: LeftOut) -> dict[str, Any]:
    told = {"id": one.unit, "name": one.name, "group": one.group}
    if isinstance(one.reason, Message):
        return told | _told(one.reason)
    return told | {"reason": one.reason}


def _told(reason: Message) -> dict[str, Any]:
    """A reason in English, and its message beside it."""
    return {"reason": str(reason), "message": reason.document()}


def scale(index: Index) -> float:
    """What scores are multiplied by: shares become points of 100, standard deviations stay."""
    return 1.0 if index.machine.choices["normalisation"][0] == "zscore" else 100.0


def quantiles(ranks: Floats, interval: float) -> tuple[Array, Array, Array]:
    """The lowest and highest rank of the middle `interval` of variants, and the median; each a
    rank that occurred."""
    ordered = np.sort(ranks.T, axis=1)
    many = ordered.shape[1]
    tail = (1 - interval) / 2
    at = [math.floor(tail * many), math.ceil((1 - tail) * many) - 1, many // 2]
    low, high, middle = (np.asarray(ordered[:, min(max(n, 0), many - 1)], float) for n in at)
    return low, high, middle


def shares(ranks: Floats) -> tuple[Array, Array]:
    """The shares of variants in which each is first (also with others), and in the top quarter."""
    first = ranks == np.nanmin(ranks, axis=1, keepdims=True)
    there = (~np.isnan(ranks)).sum(axis=1, keepdims=True)
    top = ranks <= np.maximum(there / 4, 1)
    return np.asarray(first.mean(axis=0)), np.asarray((top | first).mean(axis=0))


def _units(index: Index) -> list[dict[str, Any]]:
    matrix, reference, factor = index.matrix, index.reference, scale(index)
    scaled = factor * np.asarray(index.machine.normalised(Variant()), dtype=np.float64)
    rows: list[dict[str, Any]] = []
    for n, unit in enumerate(matrix.units):
        row: dict[str, Any] = {
            "id": unit,
            "name": matrix.names[n],
            "group": matrix.groups[matrix.group[n]] if matrix.groups else None,
            "score": _round(factor * reference.scores[n], 4),
            "rank": _round(reference.ranks[n], 1),
            "values": [_round(value, 3) for value in scaled[:, n]],
        }
        if index.spec.groups.weight is not None:
            row["weight"] = _round(matrix.group_weight[n], 6)
        if not np.isnan(matrix.places[:, n]).any():
            row["place"] = [_round(matrix.places[1, n], 5), _round(matrix.places[0, n], 5)]
        rows.append(row)
    if index.ranks is not None:
        _add_ranks(rows, index.ranks.units, index.spec.interval)
    if index.sensitivity is not None:
        _add_variance(rows, index.sensitivity.factors, index.sensitivity.units)
    return rows


def _add_ranks(rows: list[dict[str, Any]], ranks: Floats, interval: float) -> None:
    low, high, middle = quantiles(ranks, interval)
    first, top = shares(ranks)
    for n, row in enumerate(rows):
        row["rank_interval"] = [_round(low[n], 1), _round(high[n], 1)]
        row["rank_median"] = _round(middle[n], 1)
        row["share_of_variants_first"] = _round(first[n], 4)
        row["share_of_variants_in_top_quarter"] = _round(top[n], 4)


def _add_variance(rows: list[dict[str, Any]], factors: tuple[str, ...], found: Indices) -> None:
    for n, row in enumerate(rows):
        row["variance"] = _explained(factors, found, n)


def _explained(factors: tuple[str, ...], found: Indices, at: int) -> dict[str, Any] | None:
    """What each choice explains of one output; None where it never varies."""
    if np.isnan(found.total[0, at]):
        return None
    return {
        name: {
            "first": _round(found.first[n, at], 4),
            "first_half_width": _round(found.first_half[n, at], 4),
            "total": _round(found.total[n, at], 4),
            "total_half_width": _round(found.total_half[n, at], 4),
        }
        for n, name in enumerate(factors)
    }


def _groups(index: Index) -> list[dict[str, Any]]:
    matrix, reference, spec = index.matrix, index.reference, index.spec
    factor = scale(index)
    rows: list[dict[str, Any]] = []
    for n, code in enumerate(matrix.groups):
        units = int((matrix.group == n).sum())
        row: dict[str, Any] = {
            "id": code,
            "name": spec.groups.names.get(code, matrix.group_names[n]),
            "units": units,
            "left_out": sum(one.group == code for one in matrix.left_out),
        }
        if not units:
            row |= {"score": None, "rank": None} | _told(say("group-empty"))
        else:
            row |= {
                "score": _round(factor * reference.shrunk.mean[n], 4),
                "plain_mean": _round(factor * reference.region_means[n], 4),
                "standard_error": _round(factor * math.sqrt(reference.shrunk.variance[n]), 4),
                "drawn_to_the_middle": _round(reference.shrunk.factor[n], 4),
                "rank": _round(reference.region_ranks[n], 1),
            }
        rows.append(row)
    there = [n for n, row in enumerate(rows) if row["rank"] is not None]
    kept = [rows[n] for n in there]
    if kept and index.ranks is not None and index.drawn is not None:
        drawn = positions(-index.drawn[:, there])
        plain = index.ranks.regions[:, there]
        _add_ranks(kept, plain if spec.groups.counted == "whole" else drawn, spec.interval)
        low, high, _ = quantiles(drawn, spec.interval)
        for n, row in enumerate(kept):
            row["population_rank_interval"] = [_round(low[n], 1), _round(high[n], 1)]
    if kept and index.sensitivity is not None:
        for n, row in zip(there, kept, strict=True):
            row["variance"] = _explained(index.sensitivity.factors, index.sensitivity.regions, n)
    return rows


def _shift(index: Index) -> dict[str, Any] | None:
    if index.shift is None:
        return None
    low, high = np.quantile(
        index.shift, [(1 - index.spec.interval) / 2, (1 + index.spec.interval) / 2]
    )
    return {
        "meaning": "by how many places units move on average, from the reference to a variant",
        "mean": _round(index.shift.mean(), 3),
        "interval": [_round(low, 3), _round(high, 3)],
    }


def _variance(index: Index) -> dict[str, Any] | None:
    found = index.sensitivity
    if found is None:
        return None
    of_shift = _explained(found.factors, found.shift, 0)
    strongest = max(of_shift, key=lambda name: of_shift[name]["total"]) if of_shift else None
    return {
        "output": "mean rank shift from the reference",
        "meaning": (
            "first: the share of the variance that the choice explains alone; total: with its"
            " interactions; half widths are of 95 % intervals by drawing the sample again"
        ),
        "samples": index.spec.sensitivity.samples,
        "evaluations": found.evaluations,
        "choices": of_shift,
        "strongest": strongest,
    }


def _indicators(index: Index) -> list[dict[str, Any]]:
    matrix, machine = index.matrix, index.machine
    rows = []
    for n, one in enumerate(index.spec.indicators):
        every = matrix.values[n]
        there = every[~np.isnan(every)]
        low, high = limits(one)
        rows.append(
            {
                "id": one.id,
                "name": one.name or one.id,
                "column": one.column,
                "denominator": one.denominator,
                "unit": one.unit,
                "direction": one.direction,
                "transformation": one.transformation,
                "limits": [low, high],
                "weight": _round(index.reference.weights[n], 6),
                "weights": {
                    name: _round(machine.bases[0].schemes[0][place][n], 6)
                    for place, name in enumerate(machine.choices["weights"])
                },
                "missing": int(np.isnan(every).sum()),
                "zeros": int((there == 0).sum()),
                "zero_means": one.zero or None,
                "note": one.note or None,
                "minimum": _round(there.min(), 6),
                "maximum": _round(there.max(), 6),
                "mean": _round(there.mean(), 6),
                "standard_deviation": _round(there.std(ddof=1), 6),
                "skewness": _round(skewness(there), 4),
                "kurtosis": _round(kurtosis(there), 4),
                "treatments": _treatments(index, n),
                "error": msgspec.to_builtins(one.error),
            }
        )
    return rows


def _treatments(index: Index, row: int) -> dict[str, Any]:
    found = {}
    for name, each in zip(
        index.machine.choices["outliers"], index.machine.bases[0].treatments, strict=True
    ):
        own = [one for one in each if one.row == row]
        found[name] = {
            "treated": bool(own),
            "clipped": own[0].clipped if own else 0,
            "power": _round(own[0].power, 4) if own and own[0].power is not None else None,
        }
    return found


def _round(value: Any, digits: int) -> float | None:
    number = float(value)
    if not math.isfinite(number):
        return None
    return round(number, digits) + 0.0
