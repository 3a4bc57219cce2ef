"""Days of states joined to a period, as arrays: what `pieces` and `joined` say as expressions.

Tests compare the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np

from rynek.indicators.kpi.coding import filled, named, names_of, places
from rynek.indicators.kpi.measures import has_steps
from rynek.indicators.kpi.period import Period
from rynek.indicators.kpi.states import LOOK_US, Variant
from rynek.indicators.kpi.usual import usual_of
from rynek.indicators.kpi.weighing import Rows, Steps, Weighing

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Bounds", "joined_rows"]

FAR: Final = 1 << 62
_DENSE: Final = 8
_FEW: Final = 1_000_000
Bounds = Sequence[tuple[int, int, int]]


class _Names(NamedTuple):
    """What codes stand for."""

    series: pa.Array
    texts: pa.Array
    units: pa.Array


class _Links(msgspec.Struct, frozen=True, kw_only=True):
    """The last reading of each day, and readings after which nothing came for long: when the value
    was `seen` last, the `next` reading (FAR: none); the number (NaN: none), and codes of the series,
    the text and the unit (-1: none)."""

    series: Any
    us: Any
    seen: Any
    next: Any
    number: Any
    text: Any
    unit: Any
    deleted: Any


class _Ends(msgspec.Struct, frozen=True, kw_only=True):
    """`ends`, in order of series and day; `again` and `number` are those of the first reading; `held`
    of the last (NaN, and 0 for `again`: none). `is_last`: of its series."""

    series: Any
    first: Any
    again: Any
    number: Any
    last: Any
    held: Any
    text: Any
    unit: Any
    deleted: Any
    is_last: Any


class _Parts(NamedTuple):
    """Sums of parts of things in buckets: `key` is the thing's place times the buckets, plus the
    bucket's place."""

    key: Any
    told: dict[str, Any]


def joined_rows(
    tables: Mapping[str, pa.Table], variant: Variant, period: Period, bounds: Bounds
) -> pa.Table:
    """See `joined`. The tables are those that it and `pieces` name, but for `buckets` and `period`;
    the `bucket` of `inner_days` is among the bounds (bucket, first, last), or the row is left out.
    """
    names = _Names(
        names_of([tables["ends"].column("series")]),
        names_of(
            tables[name].column(column)
            for name, column in (("ends", "last_text"), ("long_gaps", "text"))
            if name in tables
        ),
        names_of(
            tables[name].column(column)
            for name, column in (
                ("ends", "last_unit"), ("inner_days", "unit_low"), ("inner_days", "unit_high"),
            )
        ),
    )  # fmt: skip
    ends = _ends(tables["ends"], names)
    links = _links(ends, _runs(tables["open_runs"], names))
    usual = None
    if variant.follow:
        gaps = [(places(tables[name].column("series"), names.series), tables[name])
                for name in ("gaps", "shorts")]  # fmt: skip
        over = (links.next < FAR) & ~links.deleted & (links.next > links.seen)
        apart = (links.series[over], (links.next - links.seen)[over])
        usual = usual_of(variant, len(names.series), apart, *gaps)
        links = _with_long(links, tables["long_gaps"], names)
    parts = [_inner(tables["inner_days"], names, bounds)]
    parts.append(_pieces(links, usual, variant, bounds, names))
    if has_steps(variant.asked):
        parts.append(_first_steps(ends, variant, period, bounds))
    return _summed(parts, names, bounds)


def _ends(table: pa.Table, names: _Names) -> _Ends:
    series = places(table.column("series"), names.series)
    order = np.lexsort((table.column("day").to_numpy(), series))
    series = series[order]
    is_last = np.ones(len(series), np.bool_)
    np.not_equal(series[1:], series[:-1], out=is_last[:-1])
    return _Ends(
        series=series,
        first=table.column("first_us").to_numpy()[order],
        again=filled(table.column("first_previous"), 0)[order],
        number=filled(table.column("first_number"), np.nan)[order],
        last=table.column("last_us").to_numpy()[order],
        held=filled(table.column("last_number"), np.nan)[order],
        text=places(table.column("last_text"), names.texts)[order],
        unit=places(table.column("last_unit"), names.units)[order],
        deleted=table.column("last_deleted").to_numpy()[order],
        is_last=is_last,
    )


def _runs(table: pa.Table, names: _Names) -> Any:
    """Until when the newest value of each series was seen; 0: not told."""
    until = np.zeros(len(names.series), np.int64)
    place = places(table.column("series"), names.series)
    until[place[place >= 0]] = filled(table.column("until"), 0)[place >= 0]
    return until


def _links(ends: _Ends, until: Any) -> _Links:
    following = np.full(len(ends.series), FAR)
    again = until[ends.series]
    inside = ~ends.is_last[:-1]
    following[:-1][inside] = ends.first[1:][inside]
    again[:-1][inside] = ends.again[1:][inside]
    seen = np.minimum(np.maximum(ends.last, again), following)
    return _Links(
        series=ends.series, us=ends.last, seen=seen, next=following, number=ends.held,
        text=ends.text, unit=ends.unit, deleted=ends.deleted,
    )  # fmt: skip


def _with_long(links: _Links, long: pa.Table, names: _Names) -> _Links:
    if not len(long):
        return links
    more = {name: long.column(name).to_numpy() for name in ("us", "seen", "next")}
    more |= {
        "series": places(long.column("series"), names.series),
        "number": filled(long.column("number"), np.nan),
        "text": places(long.column("text"), names.texts),
        "unit": np.full(len(long), -1),
        "deleted": np.zeros(len(long), np.bool_),
    }
    told = {name: np.concatenate([getattr(links, name), more[name]]) for name in more}
    return _Links(**told)


def _inner(table: pa.Table, names: _Names, bounds: Bounds) -> _Parts:
    series, bucket = places(table.column("series"), names.series), table.column("bucket").to_numpy()
    buckets = np.array([bound[0] for bound in bounds], np.int64)
    place = np.searchsorted(buckets, bucket)
    place[place == len(buckets)] = 0
    kept: Any = buckets[place] == bucket if len(buckets) else np.zeros(len(bucket), np.bool_)
    if kept.all():
        kept = slice(None)
    told: dict[str, Any] = {
        name: places(table.column(name), names.units)[kept] for name in ("unit_low", "unit_high")
    }
    for name in table.column_names:
        if name not in {"series", "bucket", *told}:
            nothing = {"first": FAR, "last": -FAR}.get(name, 0)
            told[name] = filled(table.column(name), nothing)[kept]
    return _Parts((series * len(bounds) + place)[kept], told)


def _pieces(links: _Links, usual: Any, variant: Variant, bounds: Bounds, names: _Names) -> _Parts:
    """What held over midnight, or for long, in each bucket."""
    held: Any = variant.micros
    if usual is not None:
        held = np.minimum(np.maximum(held, usual), LOOK_US)[links.series]
    end = np.minimum(links.next, links.seen + held)
    end = np.where(links.deleted, links.next, end)
    firsts, lasts = (np.array([bound[place] for bound in bounds], np.int64) for place in (1, 2))
    low = np.searchsorted(lasts, links.us, "right")
    count = np.maximum(np.searchsorted(firsts, end, "left") - low, 0)
    place = np.repeat(np.arange(len(low)), count)
    bucket = low[place] + np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
    weight = np.minimum(end[place], lasts[bucket]) - np.maximum(links.us[place], firsts[bucket])
    number, unit = links.number[place], links.unit[place]
    rows = Rows(
        weight=weight, number=number, valid=~np.isnan(number), text=links.text[place],
        texts=names.texts, deleted=links.deleted[place],
    )  # fmt: skip
    key, group = np.unique(links.series[place] * len(bounds) + bucket, return_inverse=True)
    weighing = Weighing(rows, lambda values: np.bincount(group, values, len(key)))
    told = {"observed": weighing.observed, "gone": weighing.gone}
    told |= _units(group, unit, len(key), len(names.units))
    return _Parts(key, told | weighing.figures(variant.asked))


def _units(group: Any, unit: Any, count: int, nothing: int) -> dict[str, Any]:
    """The first and the last unit of each group, by name; -1: none."""
    high, low = np.full(count, -1), np.full(count, nothing)
    np.maximum.at(high, group, unit)
    np.minimum.at(low, group, np.where(unit < 0, nothing, unit))
    return {"unit_low": np.where(high < 0, -1, low), "unit_high": high}


def _first_steps(ends: _Ends, variant: Variant, period: Period, bounds: Bounds) -> _Parts:
    """What steps from the last reading of a day to the first of a later one add."""
    firsts, lasts = (np.array([bound[place] for bound in bounds], np.int64) for place in (1, 2))
    bucket = np.searchsorted(lasts, ends.first, "right")
    place = np.flatnonzero(bucket < len(bounds))
    place = place[firsts[bucket[place]] <= ends.first[place]]
    before, before_us = np.full(len(ends.series), np.nan), ends.first.copy()
    inside = np.flatnonzero(~ends.is_last[:-1])
    before[inside + 1], before_us[inside + 1] = ends.held[inside], ends.last[inside]
    us, before_us = ends.first[place], before_us[place]
    number = ends.number[place]
    steps = Steps(
        us=us, before=before[place], before_us=before_us,
        seen=np.maximum(before_us, ends.again[place]), began=None,
        grows=np.maximum(before_us, period.start),
    )  # fmt: skip
    rows = Rows(
        weight=np.zeros(len(place), np.int64), number=number, valid=~np.isnan(number),
        text=np.full(len(place), -1), texts=None, deleted=None, steps=steps,
    )  # fmt: skip
    key, group = np.unique(ends.series[place] * len(bounds) + bucket[place], return_inverse=True)
    weighing = Weighing(rows, lambda values: np.bincount(group, values, len(key)))
    return _Parts(key, weighing.figures(variant.asked, states=False))


def _summed(parts: Sequence[_Parts], names: _Names, bounds: Bounds) -> pa.Table:
    """The sums of parts, each with some of the columns."""
    import pyarrow as pa

    keys, where = _united([part.key for part in parts], len(names.series) * len(bounds))
    columns: dict[str, Any] = {}
    for name in list(parts[0].told):
        function, nothing = _BY.get(name, (np.add, 0))
        column = np.full(len(keys), nothing, np.float64 if function is np.add else np.int64)
        for part, place in zip(parts, where, strict=True):
            # Let go of at once: a year of hours is large.
            told = part.told.pop(name, None)
            if told is None:
                continue
            if function is not np.add:
                function.at(column, place, np.where(told == -1, nothing, told))
            elif told.any():
                column += np.bincount(place, told, len(keys))
        columns[name] = column
    for name, nothing in (("first", FAR), ("last", -FAR)):
        columns[name] = pa.array(columns[name], mask=columns[name] == nothing)
    for name in ("unit_low", "unit_high"):
        codes = columns[name]
        columns[name] = named(np.where(codes == FAR, -1, codes), names.units)
    series, bucket = keys // max(len(bounds), 1), keys % max(len(bounds), 1)
    used, code = _used(series, len(names.series))
    numbers = np.array([bound[0] for bound in bounds], np.int64)
    told = {"entity_id": named(code, names.series.take(pa.array(used))), "bucket": numbers[bucket]}
    return pa.table(told | columns)


_BY: Final[dict[str, tuple[np.ufunc, int]]] = {
    "first": (np.minimum, FAR), "unit_low": (np.minimum, FAR),
    "last": (np.maximum, -FAR), "unit_high": (np.maximum, -1),
}  # fmt: skip


def _united(parts: Sequence[Any], size: int) -> tuple[Any, list[Any]]:
    """All keys (below `size`) in order, and the place of each part's keys among them."""
    if size > _DENSE * sum(map(len, parts)) + _FEW:
        keys = np.unique(np.concatenate(parts))
        return keys, [np.searchsorted(keys, one) for one in parts]
    is_there = np.zeros(size, np.bool_)
    for one in parts:
        is_there[one] = True
    place = np.cumsum(is_there) - 1
    return np.flatnonzero(is_there), [place[one] for one in parts]


def _used(codes: Any, count: int) -> tuple[Any, Any]:
    """Which codes there are, and the place of each among those."""
    is_there = np.zeros(count, np.bool_)
    is_there[codes] = True
    return np.flatnonzero(is_there), (np.cumsum(is_there) - 1)[codes]
