"""How long a thing's readings usually are apart, as arrays: see `joined`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from rynek.indicators.kpi.states import STRETCH, Variant

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["usual_of"]

_FEW: Final = 3
Coded = tuple[Any, "pa.Table"]


class _Shorts(NamedTuple):
    """Of each thing, how many intervals were short, and the longest of those (0: none)."""

    number: Any
    longest: Any


def usual_of(
    variant: Variant, count: int, over: tuple[Any, Any], gaps: Coded, shorts: Coded
) -> Any:
    """1.1 times the median interval of each of `count` things' readings where that is not short,
    else 0. `over` are intervals over midnight (codes of things, µs), `gaps` and `shorts` those of
    days, with codes of the things."""
    told, apart = over
    is_short = apart <= variant.short
    brief = _Shorts(np.zeros(count, np.int64), np.zeros(count, np.int64))
    for code, number, longest in (
        (told[is_short], np.ones(int(is_short.sum()), np.int64), apart[is_short]),
        (shorts[0], shorts[1].column("number").to_numpy(), shorts[1].column("longest").to_numpy()),
    ):
        np.add.at(brief.number, code, number)
        np.maximum.at(brief.longest, code, longest)
    code = np.concatenate([told[~is_short], gaps[0]])
    gap = np.concatenate([apart[~is_short], gaps[1].column("gap").to_numpy()])
    often = np.concatenate(
        [np.ones(int((~is_short).sum()), np.int64), gaps[1].column("count").to_numpy()]
    )
    usual = np.zeros(count, np.int64)
    if len(code):
        _set_medians(usual, np.lexsort((gap, code)), (code, gap, often), brief)
    return usual


def _set_medians(usual: Any, order: Any, told: tuple[Any, Any, Any], brief: _Shorts) -> None:
    """For each thing with intervals that are not short."""
    code, gap, often = (one[order] for one in told)
    upto = np.cumsum(often)
    at = np.flatnonzero(np.concatenate(([True], code[1:] != code[:-1])))
    before = np.concatenate(([0], upto))[at]
    rest = np.concatenate((upto[at[1:] - 1], upto[-1:])) - before
    thing = code[at]
    total = brief.number[thing] + rest
    half = (total - total % 2) // 2
    # The places of the two in the middle among those that are not short.
    high = half - brief.number[thing]
    low = half - 1 + total % 2 - brief.number[thing]
    kept = (total >= _FEW) & (high >= 0)
    upper = gap[np.minimum(np.searchsorted(upto, before + high, "right"), len(gap) - 1)]
    lower = gap[
        np.minimum(np.searchsorted(upto, before + np.maximum(low, 0), "right"), len(gap) - 1)
    ]
    lower = np.where(low >= 0, lower, brief.longest[thing])
    middle = (upper + lower) / 2
    usual[thing[kept]] = np.floor(middle[kept] * STRETCH).astype(np.int64)
