"""Values of departures: punctuality, delays, even headways, and how much was told of them at all.

Without a timetable nobody knows how many departures there should have been: coverage is the share
of the service's quarter hours (from 5 to 23 h) in which delays were told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from rynek.context import DEFAULT_VOCAB
from rynek.history import Answer, Record, Selection
from rynek.indicators.definition import Computation, Condition, Definition
from rynek.indicators.kpi.departures import (
    FACTS,
    HEARD_US,
    TOLD,
    delays,
    estimated,
    facts,
    headways,
    heard,
    served,
)
from rynek.indicators.kpi.evenness import even_value, quantile_of_t
from rynek.indicators.kpi.expected import estimated_or_due, served_or_due
from rynek.indicators.kpi.period import HOUR_US, Marks, Period
from rynek.indicators.kpi.states import DAY_US, LOOK_US
from rynek.indicators.kpi.timetable import DAYS, TIMES, Planned, Timetable
from rynek.indicators.kpi.value import Provenance, Thing, Value, sampling_error
from rynek.indicators.saying import say

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["departure_values"]

_TABLE: Final = "history/readings"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SERVICE: Final = range(5, 23)
_LIMIT: Final = 7200
"""Further off (s) is a wrong trip rather than a delay."""
_UNNAMED: Final = "?"
_ESTIMATED: Final = ("delay", "arrivalTime", "lineName", "hasStop", "hasVehicle", "hasTrip")
_SERVED: Final = (
    "delay", "lineName", "hasStop", "nextStopName", "tripId", "currentStopSequence",
)  # fmt: skip
_TELLING: Final = {
    "ArrivalEstimation": ("arrivalTime",), "Vehicle": ("currentStopSequence", "hasStop"),
}  # fmt: skip
"""What tells of departures beside delays, where there is a timetable."""
_LOOK_US: Final = 3 * HOUR_US
_PERCENT: Final = 100.0


class _Found(msgspec.Struct, kw_only=True):
    """Departures by line, day and delay; headways by line, stop and hour; coverage."""

    line: list[str]
    day: Any
    late: Any
    many: Any
    hours: list[dict[str, Any]]
    planned: dict[tuple[str, str, int], Planned]
    quarters: set[int]
    first: int | None
    last: int | None
    origin: Provenance


def departure_values(
    record: Record, members: Sequence[Definition], period: Period
) -> Iterator[Value]:
    """The values of indicators of departures; they share the scans."""
    asked = [(one, one.computation) for one in members if one.computation is not None]
    unheard = [pair for pair in asked if pair[1].measure == "unheard"]
    rest = [pair for pair in asked if pair[1].measure != "unheard"]
    if rest:
        found = _found(record, period)
        for one, computation in rest:
            yield _value(one, computation, found, period)
    for one, _ in unheard:
        yield _unheard(record, one, period)


def _found(record: Record, period: Period) -> _Found:
    """What arrival estimations tell, and vehicles besides; by the timetable what neither does."""
    marks, timetable = Marks("P1D", period), Timetable(record.reference, period)
    planned = {TIMES: timetable.times, DAYS: timetable.days} if timetable else {}
    around = Marks("P1D", _around_days(period))
    names = {name: DEFAULT_VOCAB + name for name in {*_ESTIMATED, *_SERVED}}
    late: list[Answer] = []
    hours: list[Answer] = []
    quarters: set[int] = set()
    told: pa.Table | None = None
    for kind, attrs, plain, due in (
        ("ArrivalEstimation", _ESTIMATED, estimated, estimated_or_due),
        ("Vehicle", _SERVED, served, served_or_due),
    ):
        select = _selection(kind, attrs, period)
        tables = {FACTS: _known(record, kind, names, period)} | (
            planned if told is None else planned | {TOLD: told}
        )

        def ask(
            name: str, question: Any, kind: str = kind, select: Selection = select,
            tables: dict[str, pa.Table] = tables,
        ) -> Answer:  # fmt: skip
            return record.ask(
                select,
                ("departures", kind, name, period, around.shape, bool(planned)),
                question,
                tables,
            )

        make = partial(due, names=names, marks=around) if planned else partial(plain, names=names)
        if told is None:
            told = ask("vehicles", lambda rows, make=make: _vehicles(make(rows))).rows
        late.append(ask("delays", lambda rows, make=make: delays(make(rows), marks, period)))
        hours.append(ask("headways", lambda rows, make=make: headways(make(rows), marks, period)))
        wanted = [names[one] for one in ("delay", *(_TELLING[kind] if planned else ()))]
        rows = ask(
            "heard", lambda rows, wanted=wanted: heard(rows.filter(rows.attr.isin(wanted)), period)
        )
        quarters |= _quarters(rows.rows)
    found = _put_together(late, hours, quarters, _origin(late, period, timetable))
    if timetable:
        found.planned = timetable.headways({(row["line"], row["stop"]) for row in found.hours})
    return found


def _around_days(period: Period) -> Period:
    """The period with the days beside it: a departure at night may be of the service day before."""
    return msgspec.structs.replace(period, start=period.start - DAY_US, end=period.end + DAY_US)


def _known(record: Record, kind: str, names: dict[str, str], period: Period) -> pa.Table:
    """What may have been told long before: of arrival estimations ever, of vehicles before."""
    select = Selection(
        types=(DEFAULT_VOCAB + kind,),
        attrs=tuple(names[name] for name in ("lineName", "hasStop", "hasVehicle", "hasTrip")),
        dataset_ids=(None,),
        start=None if kind == "ArrivalEstimation" else period.start - LOOK_US,
        end=None if kind == "ArrivalEstimation" else period.start,
    )
    return record.ask(select, ("facts", kind), lambda rows: facts(rows, names)).rows


def _vehicles(departures: Any) -> Any:
    return departures.filter(departures.vehicle.notnull()).select("vehicle").distinct()


def _selection(kind: str, attrs: Sequence[str], period: Period) -> Selection:
    return Selection(
        types=(DEFAULT_VOCAB + kind,),
        attrs=tuple(DEFAULT_VOCAB + name for name in attrs),
        dataset_ids=(None,),
        start=period.start - _LOOK_US,
        end=period.end + _LOOK_US,
    )


def _origin(
    answers: list[Answer], period: Period, timetable: Timetable | None = None
) -> Provenance:
    first = answers[0]
    return Provenance(
        table=_TABLE,
        version=first.version,
        files=max(one.files for one in answers),
        type="Vehicle, ArrivalEstimation",
        attribute="delay",
        since=period.start - _LOOK_US,
        before=period.end + _LOOK_US,
        query=";\n".join([*(one.sql for one in answers), *_comments(timetable)]),
    )


def _comments(timetable: Timetable | None) -> list[str]:
    """Which timetables a query was asked with."""
    if timetable is None:
        return []
    told = timetable.versions if timetable else []
    return [f"-- timetable {one}" for one in (*told, timetable.problem) if one]


def _quarters(rows: pa.Table) -> set[int]:
    pairs = zip(rows.column("low").to_pylist(), rows.column("high").to_pylist(), strict=True)
    return {quarter for low, high in pairs for quarter in range(low, high + 1)}


def _put_together(
    late: list[Answer], hours: list[Answer], quarters: set[int], origin: Provenance
) -> _Found:
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = pa.concat_tables([one.rows for one in late])
    return _Found(
        line=[name or _UNNAMED for name in rows.column("line").to_pylist()],
        day=rows.column("day").to_numpy(),
        late=rows.column("late").to_numpy(),
        many=rows.column("many").to_numpy().astype(float),
        hours=[row for one in hours for row in one.rows.to_pylist()],
        planned={},
        quarters=quarters,
        first=pc.min(rows.column("first")).as_py(),
        last=pc.max(rows.column("last")).as_py(),
        origin=origin,
    )


def _value(one: Definition, asked: Computation, found: _Found, period: Period) -> Value:
    expected = _service(period)
    coverage = len(expected & found.quarters) / len(expected)
    kept = np.abs(found.late) <= _LIMIT
    number, left = int(found.many[kept].sum()), int(found.many[~kept].sum())
    made = Value(
        definition=one,
        period=period,
        status="not enough data",
        coverage=coverage,
        readings=number,
        first=found.first,
        last=found.last,
        provenance=found.origin,
    )
    if not number:
        return msgspec.structs.replace(made, why=say("value-nothing"))
    if asked.measure in {"headway_variation", "excess_wait"}:
        made = even_value(made, asked.measure, found.hours, found.quarters, found.planned)
    else:
        made = _late(made, asked, found, kept)
    if coverage < one.least_coverage:
        return msgspec.structs.replace(
            made, status="not enough data", value=None, standard_error=None, interval=None,
            why=say("departures-coverage", coverage=coverage, needed=one.least_coverage),
        )  # fmt: skip
    if left and made.status == "ok":
        why = say("departures-left-out", left=left, all=number + left, hours=_LIMIT // 3600)
        return msgspec.structs.replace(made, why=why)
    return made


def _late(made: Value, asked: Computation, found: _Found, kept: Any) -> Value:
    """The share of departures whose delay meets the condition, or a percentile of the delays."""
    lines, place = np.unique(
        np.array(found.line, dtype=object)[kept].astype(str), return_inverse=True
    )
    late, many = found.late[kept], found.many[kept]
    _, day = np.unique(found.day[kept], return_inverse=True)
    if asked.condition is None:
        share = (asked.percentile or 50.0) / _PERCENT
        value = _quantile(late, many, share)
        own = [_quantile(late[place == n], many[place == n], share) for n in range(len(lines))]
        error, interval = _around(late, many, day, share, made.coverage)
    else:
        met = np.where(_meets(late, asked.condition), many, 0.0)
        value = _PERCENT * float(met.sum() / many.sum())
        sums = np.bincount(place, met) / np.bincount(place, many)
        own = [_PERCENT * float(each) for each in sums]
        error, interval = _of_share(np.bincount(day, met), np.bincount(day, many), made.coverage)
    counts = np.bincount(place, many)
    return msgspec.structs.replace(
        made,
        status="ok",
        value=value,
        standard_error=error,
        interval=interval,
        things=tuple(
            Thing(id=name, value=each, coverage=made.coverage, readings=int(count))
            for name, each, count in zip(lines.tolist(), own, counts, strict=True)
        ),
    )


def _meets(late: Any, condition: Condition) -> Any:
    if condition.between is not None:
        return (late >= condition.between[0]) & (late <= condition.between[1])
    if condition.at_most is not None:
        return late <= condition.at_most
    if condition.at_least is not None:
        return late >= condition.at_least
    return late > (condition.above or 0.0)


def _quantile(late: Any, many: Any, share: float) -> float:
    """The least delay up to which at least that share of the departures lies."""
    order = np.argsort(late, kind="stable")
    along = np.cumsum(many[order])
    return float(late[order][np.searchsorted(along, share * along[-1] - 1e-9)])


def _of_share(above: Any, below: Any, coverage: float) -> tuple[Any, Any]:
    error = sampling_error(above, below, coverage)
    if error is None:
        return None, None
    value = float(above.sum() / below.sum())
    reach = quantile_of_t(error[1]) * error[0]
    low, high = max(value - reach, 0.0), min(value + reach, 1.0)
    return _PERCENT * error[0], (_PERCENT * low, _PERCENT * high)


def _around(late: Any, many: Any, day: Any, share: float, coverage: float) -> tuple[Any, Any]:
    """The interval of a quantile: the delays at both ends of the interval of the share below it
    (Woodruff 1952); half its width over t as the standard error."""
    value = _quantile(late, many, share)
    met = np.where(late <= value, many, 0.0)
    error = sampling_error(np.bincount(day, met), np.bincount(day, many), coverage)
    if error is None:
        return None, None
    times = quantile_of_t(error[1])
    ends = (max(share - times * error[0], 1e-9), min(share + times * error[0], 1.0))
    low, high = (_quantile(late, many, end) for end in ends)
    return (high - low) / 2 / times, (low, high)


def _service(period: Period) -> set[int]:
    """The quarter hours of service in a period; all of them where it has none of service."""
    zone = ZoneInfo(period.zone)
    every = range(period.start // HEARD_US, max(period.end - 1, period.start) // HEARD_US + 1)
    served = {
        one
        for one in every
        if (_EPOCH + timedelta(microseconds=one * HEARD_US)).astimezone(zone).hour in _SERVICE
    }
    return served or set(every)


def _unheard(record: Record, one: Definition, period: Period) -> Value:
    """The share of the quarter hours of service in which no vehicle was heard of, since the first."""
    select = _selection("Vehicle", ("delay", "location"), period)
    answer = record.ask(select, ("unheard", period), lambda rows: heard(rows, period))
    heard_of = _quarters(answer.rows)
    every = _service(period)
    expected = {one for one in every if heard_of and one >= min(heard_of)}
    coverage = len(expected) / len(every)
    made = Value(
        definition=one,
        period=period,
        status="not enough data",
        why=say("value-nothing"),
        coverage=coverage,
        readings=answer.rows.num_rows,
        provenance=_origin([answer], period),
    )
    if not expected:
        return made
    if coverage < one.least_coverage:
        why = say("vehicles-coverage", coverage=coverage, needed=one.least_coverage)
        return msgspec.structs.replace(made, why=why)
    value = _PERCENT * (1 - len(expected & heard_of) / len(expected))
    things = (Thing(id="Vehicle", value=value, coverage=coverage, readings=made.readings),)
    return msgspec.structs.replace(made, status="ok", why=None, value=value, things=things)
