"""The sums of days as arrays: what `states` and `sightings` say as expressions, many times faster.

Tests compare the two. Rows are in order of series and time, so what is summed up stands together.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from rynek.indicators.kpi.period import HOUR_US
from rynek.indicators.kpi.readings import Readings, groups
from rynek.indicators.kpi.states import Variant
from rynek.indicators.kpi.weighing import Rows, Steps, Weighing

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ends_of", "gaps_of", "inner_of", "long_gaps_of", "shorts_of", "sighted_of"]

_FAR: Final = 1 << 62
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Held(NamedTuple):
    """How long readings held in a bucket: of the reading at each `place` (None: of each in turn)
    from its beginning or (not `began`; None: all) from that of the bucket."""

    place: Any
    bucket: Any
    weight: Any
    began: Any


def inner_of(found: Readings, variant: Variant, zone: str) -> pa.Table:
    """`inner`; of hours only those that are asked for, where none are asked for that are not."""
    held = _held(found, variant)
    begins = found.first
    if variant.bucket == "PT1H":
        held = _by_hours(found, held, variant, zone)
        day = found.day[held.place]
        begins = np.ones(len(held.place), np.bool_)
        begins[1:] = held.bucket[1:] != held.bucket[:-1]
        begins[1:] |= day[1:] != day[:-1]
        begins[1:] |= found.thing[held.place[1:]] != found.thing[held.place[:-1]]
    at, _ = groups(begins)
    if not len(at):
        at = np.zeros(0, np.int64)
    place = at if held.place is None else held.place[at]
    told: dict[str, Any] = {
        "series": _named(found, "entity_id", found.thing[place]),
        "day": found.day[place],
        "bucket": found.day[place] if held.bucket is None else held.bucket[at],
    }
    told |= _counted(found, held, at)
    told |= _units(found, held, at)
    add = _adding(at)
    weighing = Weighing(_rows(found, held), add)
    told |= {"observed": weighing.observed, "gone": weighing.gone}
    return _table(told | weighing.figures(variant.asked))


def _held(found: Readings, variant: Variant) -> _Held:
    """The time that each value held, as far as the day can tell; see `states`."""
    weight = np.minimum(found.next - found.us, found.seen - found.us + variant.micros)
    if found.deleted is not None:
        weight = np.where(found.deleted, found.next - found.us, weight)
    if variant.follow:
        weight[_is_long(found, variant)] = 0
    weight[found.last] = 0
    return _Held(None, None, weight, None)


def _is_long(found: Readings, variant: Variant) -> Any:
    test = found.next - found.seen > variant.micros
    return test if found.deleted is None else test & ~found.deleted


def _by_hours(found: Readings, held: _Held, variant: Variant, zone: str) -> _Held:
    """Cut at the ends of hours (of UTC)."""
    us, end = found.us, found.us + held.weight
    low = us - us % HOUR_US
    cuts = (np.maximum(end - 1, us) - low) // HOUR_US + 1
    place = np.repeat(np.arange(len(us)), cuts)
    later = np.arange(len(place)) - np.repeat(np.cumsum(cuts) - cuts, cuts)
    bucket = low[place] + later * HOUR_US
    wanted = _wanted(variant, bucket, zone)
    if wanted is not None:
        place, bucket, later = place[wanted], bucket[wanted], later[wanted]
    weight = np.minimum(end[place], bucket + HOUR_US) - np.maximum(us[place], bucket)
    return _Held(place, bucket, weight, later == 0)


def _wanted(variant: Variant, bucket: Any, zone: str) -> Any:
    """Which hours are asked for; None: all may be."""
    spans = [one.hours for one in variant.asked if one.hours is not None]
    if len(spans) < len(variant.asked) or not len(bucket):
        return None
    first, rules = int(bucket.min()), ZoneInfo(zone)
    count = (int(bucket.max()) - first) // HOUR_US + 1
    hours = [
        (_EPOCH + timedelta(microseconds=first + one * HOUR_US)).astimezone(rules).hour
        for one in range(count)
    ]
    asked = np.array([any(low <= hour < high for low, high in spans) for hour in hours])
    return asked[(bucket - first) // HOUR_US]


def _counted(found: Readings, held: _Held, at: Any) -> dict[str, Any]:
    """The readings that begin there (of those of one moment only the last one), the first, the
    last."""
    counted = found.last | (found.next > found.us)
    if found.deleted is not None:
        counted &= ~found.deleted
    if held.place is None:
        ends = np.append(at[1:], len(found)) - 1
        told = {"first": found.us[at], "last": found.us[ends] if len(at) else at}
        return {"readings": _adding(at)(counted.astype(np.int64))} | told
    us = found.us[held.place]
    first = _reduced(np.minimum, np.where(held.began, us, _FAR), at)
    last = _reduced(np.maximum, np.where(held.began, us, -_FAR), at)
    readings = _adding(at)((counted[held.place] & held.began).astype(np.int64))
    none = first == _FAR
    return {"readings": readings, "first": _or_none(first, none), "last": _or_none(last, none)}


def _units(found: Readings, held: _Held, at: Any) -> dict[str, Any]:
    unit = found.unit if held.place is None else found.unit[held.place]
    low = high = unit[at]
    if len(found.names["unit_code"]) > 1:
        low, high = (_reduced(one, unit, at) for one in (np.minimum, np.maximum))
    return {
        "unit_low": _named(found, "unit_code", low),
        "unit_high": _named(found, "unit_code", high),
    }


def _rows(found: Readings, held: _Held) -> Rows:
    """What is weighed."""
    if held.place is None:
        return Rows(
            weight=held.weight, number=found.number, valid=found.valid, text=found.text,
            texts=found.names["text"], deleted=found.deleted, steps=_steps(found),
        )  # fmt: skip
    place = held.place
    return Rows(
        weight=held.weight,
        number=found.number[place],
        valid=None if found.valid is None else found.valid[place],
        text=found.text[place],
        texts=found.names["text"],
        deleted=None if found.deleted is None else found.deleted[place],
        steps=_cut_steps(_steps(found), held),
    )


def _steps(found: Readings) -> Steps:
    """From the reading before, of the same day."""
    before, before_us = np.full(len(found), np.nan), found.us.copy()
    before[1:] = found.number[:-1]
    before_us[1:] = found.us[:-1]
    before[found.first] = np.nan
    seen = before_us
    if found.previous is not None:
        seen = np.maximum(before_us, found.previous)
        if found.has_previous is not None:
            seen = np.where(found.has_previous, seen, before_us)
    return Steps(found.us, before, before_us, seen, None, before_us)


def _cut_steps(steps: Steps, held: _Held) -> Steps:
    place = held.place
    return Steps(
        steps.us[place], steps.before[place], steps.before_us[place], steps.seen[place],
        held.began, steps.grows[place],
    )  # fmt: skip


def shorts_of(found: Readings, variant: Variant) -> pa.Table:
    """`shorts`."""
    gap = found.next - found.seen
    short = (gap > 0) & (gap <= variant.short) & ~found.last
    if found.deleted is not None:
        short &= ~found.deleted
    at, _ = groups(found.first)
    number = _adding(at)(short.astype(np.int64))
    longest = _reduced(np.maximum, np.where(short, gap, 0), at)
    some = number > 0
    return _table(
        {
            "series": _named(found, "entity_id", found.thing[at][some]),
            "day": found.day[at][some],
            "number": number[some],
            "longest": longest[some],
        }
    )


def long_gaps_of(found: Readings, variant: Variant) -> pa.Table:
    """`long_gaps`."""
    rows = found.part(np.flatnonzero(_is_long(found, variant) & ~found.last))
    picked = np.flatnonzero(_is_long(found, variant) & ~found.last)
    return _table(
        {
            "series": _named(found, "entity_id", rows.thing),
            "day": rows.day,
            "us": rows.us,
            "seen": found.seen[picked],
            "next": found.next[picked],
            "number": _number(rows),
            "text": _named(rows, "text", rows.text),
        }
    )


def gaps_of(found: Readings, variant: Variant) -> pa.Table:
    """`gaps`."""
    gap = found.next - found.seen
    wanted = (gap > variant.short) & ~found.last
    if found.deleted is not None:
        wanted &= ~found.deleted
    keys = np.stack([found.thing[wanted], found.day[wanted], gap[wanted]])
    told, count = np.unique(keys, axis=1, return_counts=True)
    return _table(
        {
            "series": _named(found, "entity_id", told[0].astype(np.int32)),
            "day": told[1],
            "gap": told[2],
            "count": count,
        }
    )


def ends_of(found: Readings) -> pa.Table:
    """`ends`."""
    first, last = np.flatnonzero(found.first), np.flatnonzero(found.last)
    before, after = found.part(first), found.part(last)
    none = np.ones(len(first), np.bool_)
    previous = np.zeros(len(first), np.int64)
    if before.previous is not None:
        previous = before.previous
        none = np.zeros(len(first), np.bool_)
        if before.has_previous is not None:
            none = ~before.has_previous
    deleted = np.zeros(len(last), np.bool_) if after.deleted is None else after.deleted
    return _table(
        {
            "series": _named(found, "entity_id", before.thing),
            "day": before.day,
            "first_us": before.us,
            "first_previous": _or_none(previous, none),
            "first_number": _number(before),
            "last_us": after.us,
            "last_number": _number(after),
            "last_text": _named(after, "text", after.text),
            "last_unit": _named(after, "unit_code", after.unit),
            "last_deleted": deleted,
        }
    )


def sighted_of(found: Readings) -> pa.Table:
    """`sighted`, with the names of each series."""
    at, count = groups(found.first)
    times = np.ones(len(found), np.int64)
    times[:-1] = np.maximum(found.times[1:], 1)
    run, gap = (found.seen - found.us).astype(np.float64), (found.next - found.seen)
    area = (run * run / times + gap.astype(np.float64) ** 2) / 2
    area[found.last] = 0.0
    ends = ends_of(found)
    return _table(
        {
            "day": found.day[at],
            "readings": count,
            "first_us": found.us[at],
            "first_previous": ends.column("first_previous"),
            "first_times": found.times[at].astype(np.int64),
            "last_us": ends.column("last_us"),
            "area": _adding(at)(area),
            "dataset_id": _named(found, "dataset_id", found.dataset[at]),
            "attr": _named(found, "attr", found.attr[at]),
            "entity_id": _named(found, "entity_id", found.thing[at]),
        }
    )


def _adding(at: Any) -> Callable[[Any], Any]:
    return lambda values: _reduced(np.add, values, at)


def _reduced(function: np.ufunc, values: Any, at: Any) -> Any:
    return function.reduceat(values, at) if len(at) else values[:0]


def _number(rows: Readings) -> Any:
    return rows.number if rows.valid is None else _or_none(rows.number, ~rows.valid)


def _or_none(values: Any, none: Any) -> Any:
    import pyarrow as pa

    return pa.array(values, mask=none)


def _named(found: Readings, name: str, codes: Any) -> pa.Array:
    """The names at these places; -1: none."""
    import pyarrow as pa

    none = codes < 0
    places = pa.array(codes.astype(np.int32, copy=False), mask=none if none.any() else None)
    return pa.DictionaryArray.from_arrays(places, found.names[name])


def _table(columns: dict[str, Any]) -> pa.Table:
    import pyarrow as pa

    return pa.table(columns)
