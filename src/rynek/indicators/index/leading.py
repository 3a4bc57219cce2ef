"""Who is ahead, and can that be said: the leader compared with each other one, variant by variant."""

from __future__ import annotations

from typing import Any

import numpy as np

from rynek.indicators.arrays import Array, Floats
from rynek.indicators.index.evaluation import Index

__all__ = ["leading"]


def leading(index: Index) -> dict[str, Any]:
    """For units and for groups: who leads by the specification's own choices, and who cannot be
    told apart from it, because it is at least as good in more variants than the interval leaves
    outside on one side. None where variants do not differ: nothing was asked that could part them; and
    for a single group, which is ahead of nobody."""
    if index.ranks is None:
        return {"units": None, "groups": None}
    tail = (1 - index.spec.interval) / 2
    varied = bool(index.machine.active())
    units = None
    if varied:
        units = _apart(index.reference.ranks, index.ranks.units, index.matrix.units, tail)
    groups = None
    ranked = np.flatnonzero(~np.isnan(index.reference.region_ranks))
    if len(ranked) > 1 and index.drawn is not None:
        names = tuple(index.matrix.groups[n] for n in ranked)
        reference = index.reference.region_ranks[ranked]
        whole = _apart(reference, -index.ranks.region_means[:, ranked], names, tail)
        drawn = _apart(reference, -index.drawn[:, ranked], names, tail)
        first = whole if index.spec.groups.counted == "whole" else drawn
        if varied or first is drawn:
            groups = first | {"as_population": drawn}
    return {"units": units, "groups": groups}


def _apart(reference: Array, order: Floats, names: tuple[str, ...], tail: float) -> dict[str, Any]:
    """`order` (variants × names) is low for who is ahead."""
    leader = int(np.argmin(reference))
    level = np.asarray((order <= order[:, [leader]]).mean(axis=0))
    level[leader] = 0
    near = [int(n) for n in np.argsort(-level, kind="stable") if level[n] > tail]
    return {
        "leader": names[leader],
        "told_apart": not near,
        "not_told_apart": [
            {"id": names[n], "share_of_variants_at_least_as_good": round(float(level[n]), 4)}
            for n in near
        ],
    }
