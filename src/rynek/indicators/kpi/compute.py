"""Indicators of periods from a city's history: those over one type of things share one scan."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from rynek.base.messages import Message
from rynek.history import Record
from rynek.indicators.definition import DEPARTURES, Computation, Condition, Definition
from rynek.indicators.kpi.coding import names_of
from rynek.indicators.kpi.days import Days
from rynek.indicators.kpi.families import Family, family_of
from rynek.indicators.kpi.given import given_value, per_head
from rynek.indicators.kpi.kept import KeptDays
from rynek.indicators.kpi.known import Sources
from rynek.indicators.kpi.period import HOUR_US, Marks, Period, marks_of
from rynek.indicators.kpi.punctuality import departure_values
from rynek.indicators.kpi.segments import segments
from rynek.indicators.kpi.states import DAY_US
from rynek.indicators.kpi.sums import TABLE, Span
from rynek.indicators.kpi.value import LEVEL, Provenance, Thing, Value, sampling_error
from rynek.indicators.saying import say

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["compute", "compute_trend"]

_MINUTE_US: Final = 60_000_000
_PERCENT: Final = 100.0
_ENOUGH: Final = 0.75
"""Of a day or an hour, so that its mean counts (Directive 2008/50/EC, annex XI)."""

_PERCENTS: Final = ("share", "silent", "jump_share")
_COUNTS: Final = ("falls", "jumps", "taken")
_EXACT: Final = ("age", "silent", "exceedances", "count")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Sums(msgspec.Struct, kw_only=True):
    """Sums of one indicator by thing and bucket, as arrays of one length; `place` is each row's
    thing, `bucket` its bucket, `expected` each thing's time."""

    ids: list[str]
    place: Any
    bucket: Any
    above: Any
    below: Any
    observed: Any
    expected: Any
    readings: Any
    first: int | None
    last: int | None
    factor: float
    units: set[str] = msgspec.field(default_factory=set)


def compute(
    record: Record | None,
    wanted: Sequence[Definition],
    period: Period,
    now: int,
    sources: Sources | None = None,
    kept: KeptDays | None = None,
) -> Iterator[Value]:
    """The values of indicators for the part of the period that has passed at `now` (epoch µs).
    Those over one type of things share one scan of the record; what is asked, imported or divided
    by inhabitants or area is taken from `sources`. Nothing was observed without a record. With
    `kept` only days of which something changed are read."""
    return compute_trend(record, wanted, [period], now, sources, kept)


def compute_trend(
    record: Record | None,
    wanted: Sequence[Definition],
    periods: Sequence[Period],
    now: int,
    sources: Sources | None = None,
    kept: KeptDays | None = None,
) -> Iterator[Value]:
    """The same for several periods (of one zone), in their order for each indicator: a day that
    several need is read once. For a trend of twelve months give `kept`: what it holds needs no
    look at the readings."""
    passed = [one.until(now) for one in periods]
    types: dict[str, list[Definition]] = {}
    departures = []
    for one in wanted:
        asked = one.computation
        if asked is None:
            yield from (given_value(one, period, sources) for period in passed)
        elif record is None:
            yield from (_nothing(one, period) for period in passed)
        elif asked.measure in DEPARTURES:
            departures.append(one)
        else:
            types.setdefault(asked.type, []).append(one)
    if record is None:
        return

    def of_type(members: list[Definition]) -> list[Value]:
        return list(_of_type(Days(record, periods[0].zone, kept), members, passed))

    with ThreadPoolExecutor(max(1, record.threads), thread_name_prefix="indicators") as pool:
        for values in pool.map(of_type, types.values()):
            yield from (per_head(value, sources) for value in values)
    for period in passed:
        yield from departure_values(record, departures, period)


def _of_type(
    days: Days, members: Sequence[Definition], periods: Sequence[Period]
) -> Iterator[Value]:
    """The values of indicators over one type of things."""
    asked = [(one, one.computation) for one in members if one.computation is not None]
    families = {computation: family_of(computation, members) for _, computation in asked}
    spans = []
    for period in periods:
        span = segments(period)
        days.ensure(list(dict.fromkeys(families.values())), span)
        spans.append(Span(days, period, span))
    for one, computation in asked:
        for told in spans:
            yield _of_span(told, one, computation, families[computation])


def _of_span(span: Span, one: Definition, asked: Computation, family: Family) -> Value:
    rows, number, sql = span.asked(asked, family)
    found = _sums_of(rows, number, asked, span.period, marks_of(asked.bucket, span.period))
    return _value(one, found, span.period, span.origin(asked, sql))


def _sums_of(
    rows: pa.Table, number: int, asked: Computation, period: Period, marks: Marks
) -> _Sums:
    if asked.measure in {"silent", "count"}:
        return _silence(rows, marks)
    ids, place = _places(rows)
    gone = _numbers(rows, "gone")
    length = period.end - period.start
    away = np.bincount(place, gone, len(ids)) if len(ids) else np.zeros(0)
    found = _Sums(
        ids=ids,
        place=place,
        bucket=_numbers(rows, "bucket") if asked.measure != "age" else np.zeros(len(place)),
        above=_numbers(rows, f"n{number}"),
        below=_numbers(rows, f"d{number}"),
        observed=_numbers(rows, "observed"),
        expected=np.maximum(length - away, 0.0),
        readings=_numbers(rows, "readings"),
        first=_least(rows, "first"),
        last=_most(rows, "last"),
        factor=_factor(asked),
    )
    if asked.measure != "age":
        units = names_of(rows.column(name) for name in ("unit_low", "unit_high"))
        found.units = {one for one in units.to_pylist() if one}
    if asked.hours is not None:
        _keep_hours(found, asked.hours, marks, gone)
    return _exceedances(found, asked, marks) if asked.measure == "exceedances" else found


def _factor(asked: Computation) -> float:
    if asked.measure in _PERCENTS:
        return _PERCENT
    if asked.measure == "age":
        return 1 / _MINUTE_US
    return 1.0 if asked.measure in _COUNTS else asked.scale


def _keep_hours(found: _Sums, hours: tuple[int, int], marks: Marks, gone: Any) -> None:
    """Nothing but the buckets (hours) that begin in those hours of the city's day."""
    kept = {key: high - low for key, low, high in marks.within(hours)}
    first = marks.bounds[0][0]
    is_kept = np.zeros((marks.bounds[-1][0] - first) // HOUR_US + 1, np.bool_)
    is_kept[np.array([(key - first) // HOUR_US for key in kept], np.int64)] = True
    inside = is_kept[(found.bucket.astype(np.int64) - first) // HOUR_US]
    for name in ("above", "below", "observed", "readings"):
        setattr(found, name, np.where(inside, getattr(found, name), 0.0))
    away = np.bincount(found.place, np.where(inside, gone, 0.0), len(found.ids))
    found.expected = np.maximum(float(sum(kept.values())) - away[: len(found.ids)], 0.0)


def _exceedances(found: _Sums, asked: Computation, marks: Marks) -> _Sums:
    """How many buckets of each thing had a mean that meets the condition; the others, of which less
    than three quarters were observed, do not count as observed."""
    assert asked.condition is not None
    lengths = {key: high - low for key, low, high in marks.bounds}
    length = np.array([lengths[int(key)] for key in found.bucket], dtype=float)
    valid = found.below >= _ENOUGH * length
    mean = np.divide(found.above, found.below, out=np.zeros(len(length)), where=valid)
    over = valid & _meets(mean * asked.scale, asked.condition)
    found.above = over.astype(float)
    # Each thing counts once, in the first of its rows.
    found.below = np.zeros(len(over))
    found.below[np.unique(found.place, return_index=True)[1]] = 1.0
    found.observed = np.where(valid, length, 0.0)
    found.factor = 1.0
    return found


def _meets(mean: Any, condition: Condition) -> Any:
    if condition.at_most is not None:
        return mean <= condition.at_most
    if condition.at_least is not None:
        return mean >= condition.at_least
    return mean > (condition.above or 0.0)


def _silence(rows: pa.Table, marks: Marks) -> _Sums:
    """Days of silence over the days since a thing is known."""
    starts = np.array([low for key, low, _ in marks.bounds if key in set(marks.whole)], dtype=float)
    known = _numbers(rows, "known")
    there = np.array([(starts + DAY_US > moment).sum() for moment in known], dtype=float)
    days = np.maximum(there - _numbers(rows, "gone"), 0.0)
    met = np.minimum(_numbers(rows, "heard"), days)
    return _Sums(
        ids=rows.column("entity_id").to_pylist(),
        place=np.arange(len(rows)),
        bucket=np.zeros(len(rows)),
        above=days - met,
        below=days,
        observed=days,
        expected=np.full(len(rows), float(len(starts))) - _numbers(rows, "gone"),
        readings=_numbers(rows, "readings"),
        first=_least(rows, "first"),
        last=_most(rows, "last"),
        factor=_PERCENT,
    )


def _nothing(one: Definition, period: Period) -> Value:
    """The value where there is no history at all."""
    assert one.computation is not None
    origin = Provenance(
        table=TABLE, version=0, files=0, type=one.computation.type,
        attribute=one.computation.attribute, since=period.start, before=period.end, query="",
    )  # fmt: skip
    return Value(
        definition=one, period=period, status="not enough data",
        why=say("value-nothing"), provenance=origin,
    )  # fmt: skip


def _value(one: Definition, found: _Sums, period: Period, origin: Provenance) -> Value:
    assert one.computation is not None
    number = len(found.ids)
    observed = np.bincount(found.place, found.observed, number) if number else np.zeros(0)
    kept = observed > 0
    expected = float(found.expected[kept].sum())
    coverage = min(float(observed[kept].sum()) / expected, 1.0) if expected else 0.0
    below = float(found.below.sum())
    made = Value(
        definition=one,
        period=period,
        status="ok",
        coverage=coverage,
        readings=int(found.readings.sum()),
        first=found.first,
        last=found.last,
        things=_things(found, observed),
        provenance=origin,
    )
    fault = _fault(one, one.computation, found, coverage, period)
    if fault is not None:
        return msgspec.structs.replace(made, status=fault[0], why=fault[1])
    value = (
        _middle(made.things)
        if one.computation.measure == "age"
        else found.factor * float(found.above.sum()) / below
    )
    if one.computation.measure in {"total", "count"}:
        value = _in_all(one.computation, made.things)
        # The error is that of the mean of the things, as many times as there are of them.
        found.factor *= int(kept.sum())
    made = msgspec.structs.replace(made, value=value)
    return made if one.computation.measure in _EXACT else _with_error(made, found, coverage)


def _in_all(asked: Computation, things: tuple[Thing, ...]) -> float:
    """How many things are known, or the sum of their means."""
    known = [thing.value for thing in things if thing.value is not None]
    return float(len(known)) if asked.measure == "count" else math.fsum(known)


def _middle(things: tuple[Thing, ...]) -> float:
    """The median of the things' values: one that is dead does not decide how old the others are."""
    return float(np.median([thing.value for thing in things if thing.value is not None]))


def _fault(
    one: Definition, asked: Computation, found: _Sums, coverage: float, period: Period
) -> tuple[Any, Message] | None:
    """The status of a value that cannot be told, and why; None where it can."""
    allowed, units = asked.unit_codes, sorted(found.units)
    wrong = sorted(found.units - set(allowed)) if allowed else []
    if wrong:
        told = [unit[:20] for unit in wrong[:4]]
        return "contradictory data", say("value-units", units=told, meant=list(allowed))
    if len(units) > 1 and not allowed:
        return "contradictory data", say("value-two-units", units=[one[:20] for one in units[:4]])
    lacking = "not enough data"
    by_days = asked.measure in {"silent", "count"}
    if by_days and found.ids and not marks_of(asked.bucket, period).whole:
        return lacking, say("value-no-whole-day")
    if not coverage:
        return lacking, say("value-nothing")
    if coverage < one.least_coverage:
        # Rounded down: that 75 % was observed where 75 % is needed would explain nothing.
        known = math.floor(coverage * 1000) / 1000
        return lacking, say("value-coverage", coverage=known, needed=one.least_coverage)
    return (lacking, say("value-not-happened")) if found.below.sum() <= 0 else None


def _with_error(made: Value, found: _Sums, coverage: float) -> Value:
    assert made.definition.computation is not None
    day = found.bucket.astype(np.int64)
    if made.definition.computation.bucket == "PT1H":
        day //= HOUR_US
    # Those between them in which nothing was observed do not count.
    day -= day.min()
    error = sampling_error(np.bincount(day, found.above), np.bincount(day, found.below), coverage)
    rare = made.readings < np.count_nonzero(found.observed)
    if error is None or made.value is None or rare:
        # With less than a reading a day the days are no sample.
        return made
    from scipy.stats import t

    standard = found.factor * error[0]
    reach = float(t.ppf((1 + LEVEL) / 2, error[1] - 1)) * standard
    bounds = (0.0, _PERCENT) if made.definition.unit == "%" else (-math.inf, math.inf)
    interval = (max(made.value - reach, bounds[0]), min(made.value + reach, bounds[1]))
    return msgspec.structs.replace(made, standard_error=standard, interval=interval)


def _things(found: _Sums, observed: Any) -> tuple[Thing, ...]:
    number = len(found.ids)
    if not number:
        return ()
    above = np.bincount(found.place, found.above, number)
    below = np.bincount(found.place, found.below, number)
    readings = np.bincount(found.place, found.readings, number)
    made = []
    for place, own in enumerate(found.ids):
        share = float(observed[place] / found.expected[place]) if found.expected[place] else 0.0
        known = below[place] > 0 and observed[place] > 0
        made.append(
            Thing(
                id=own,
                value=found.factor * float(above[place] / below[place]) if known else None,
                coverage=min(share, 1.0),
                readings=int(readings[place]),
            )
        )
    return tuple(made)


def _places(rows: pa.Table) -> tuple[list[str], Any]:
    """The things, and the number of each row's thing among them."""
    import pyarrow as pa

    coded = rows.column("entity_id").combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    return coded.dictionary.to_pylist(), coded.indices.to_numpy(zero_copy_only=False)


def _numbers(rows: pa.Table, name: str) -> Any:
    import pyarrow.compute as pc

    column = pc.fill_null(rows.column(name).cast("float64"), 0.0)
    return column.to_numpy()


def _least(rows: pa.Table, name: str) -> int | None:
    import pyarrow.compute as pc

    return pc.min(rows.column(name)).as_py()  # type: ignore[no-any-return]


def _most(rows: pa.Table, name: str) -> int | None:
    import pyarrow.compute as pc

    return pc.max(rows.column(name)).as_py()  # type: ignore[no-any-return]
