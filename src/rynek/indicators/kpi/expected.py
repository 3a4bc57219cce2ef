"""Delays by the timetable, for departures of which nobody told one.

An ArrivalEstimation may tell of a time alone, and a vehicle of its trip and stop alone: both are late
by what the timetable says about that trip at that stop. The service day is the one by which the delay
is within two hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rynek.indicators.kpi.departures import (
    COLUMNS,
    estimated,
    known_facts,
    runs_of,
    seen_until,
    told_visits,
    visits_of,
)
from rynek.indicators.kpi.period import HOUR_US, Marks
from rynek.indicators.kpi.timetable import DAYS, TIMES

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["estimated_or_due", "served_or_due"]

_SECOND_US: Final = 1_000_000
_MOST_S: Final = 7200
# From a service day's beginning to this much after the scheduled time lies the same day, also where
# the clocks change and the delay is two hours.
_AHEAD_US: Final = 3 * HOUR_US
_KNOWN_US: Final = HOUR_US // 20
"""When a vehicle left is known where it told of this stop and the next within three minutes."""
_TIME: Final = r'"@value": ?"([^"]{1,40})"'


def estimated_or_due(readings: ir.Table, names: dict[str, str], marks: Marks) -> ir.Table:
    """`estimated`, and estimations that tell of a time alone: late by the scheduled arrival."""
    told = estimated(readings, names)
    readings = readings.select(*COLUMNS, "json")
    delays = readings.filter((readings.attr == names["delay"]) & readings.number.notnull())
    rows = readings.filter(readings.attr == names["arrivalTime"])
    rows = rows.anti_join(delays.select("entity_id").distinct(), "entity_id")
    rows = rows.mutate(number=_moment(rows.json).cast("float64"))
    runs = runs_of(seen_until(rows.filter(rows.number.notnull()).select(*COLUMNS)))
    runs = runs.group_by("entity_id", "run").aggregate(
        at=runs.seen.max(), due=runs.number.argmax(runs.us).cast("int64")
    )
    runs = runs.left_join(known_facts(), "entity_id").drop("entity_id_right")
    times = _times()
    found = runs.join(times, [runs.trip == times.trip, runs.stop == times.stop])
    found = found.mutate(planned=found.arrival, key=found.entity_id)
    found = _nearest(found, ["key", "run"], marks)
    return told.union(found.select("line", "stop", "at", "delay", "vehicle"))


def served_or_due(readings: ir.Table, names: dict[str, str], marks: Marks) -> ir.Table:
    """`served`, with stops by the timetable where vehicles only count them, and departures of
    vehicles that tell of trip and stop alone: late by the scheduled departure."""
    import ibis

    visits = visits_of(readings, names, followed=True)
    told = told_visits(visits)
    stops = _times().filter(_times().run.notnull())
    stops = stops.group_by("run", "place").aggregate(planned_stop=stops.stop.min())
    told = told.left_join(stops, [told.trip == stops.run, told.place == stops.place])
    told = told.mutate(stop=told.stop.coalesce(told.planned_stop))
    rest = visits.filter(visits.delay.isnull() & (visits.trip == visits.trip_later))
    rest = rest.mutate(here=ibis.least(rest.here, rest.later))
    rest = rest.filter(rest.here.notnull() & (rest.later - rest.here <= _KNOWN_US))
    # It left somewhere between the two.
    rest = rest.mutate(due=(rest.here + (rest.later - rest.here) / 2).cast("int64"))
    times = _times()
    # Where it counts stops that says which, where not its stop.
    numbered = rest.filter(rest.place.notnull())
    named = rest.filter(rest.place.isnull() & rest.stop.notnull())
    both = [
        _planned(numbered.join(times, [numbered.trip == times.run, numbered.place == times.place])),
        _planned(named.join(times, [named.trip == times.run, named.stop == times.stop])),
    ]
    found = _nearest(ibis.union(*both), ["vehicle", "visit"], marks)
    columns = ("line", "stop", "at", "delay", "vehicle")
    return told.select(*columns).union(found.mutate(at=found.due).select(*columns))


def _planned(rows: ir.Table) -> ir.Table:
    stop = rows.stop if "stop_right" not in rows.columns else rows.stop.coalesce(rows.stop_right)
    rows = rows.mutate(stop=stop, planned=rows.departure, at=rows.due)
    return rows.select("vehicle", "visit", "line", "stop", "due", "at", "planned", "service")


def _nearest(rows: ir.Table, key: list[str], marks: Marks) -> ir.Table:
    """Rows whose service runs on the day that `due` belongs to, with `delay` (s): of a trip that
    serves a stop twice the time that is nearer. Those over two hours off are none."""
    import ibis

    days = ibis.table({"day": "int64", "service": "int64", "midnight": "int64"}, name=DAYS)
    rows = rows.mutate(day=marks.key(rows.due - rows.planned * _SECOND_US + _AHEAD_US))
    rows = rows.join(days, ["day", "service"])
    rows = rows.mutate(delay=(rows.due - rows.midnight).cast("float64") / _SECOND_US - rows.planned)
    rows = rows.filter(rows.delay.abs() <= _MOST_S)
    order: Any = ibis.window(group_by=key, order_by=[rows.delay.abs(), rows.planned])
    rows = rows.mutate(place_among=ibis.row_number().over(order))
    return rows.filter(rows.place_among == 0)


def _moment(json: Any) -> Any:
    """The time of a DateTime value in epoch µs; null where it is none."""
    text = json.re_extract(_TIME, 1)
    return text.try_cast("timestamp('UTC')").epoch_seconds() * _SECOND_US


def _times() -> ir.Table:
    import ibis

    columns = dict.fromkeys(("trip", "run", "stop"), "string") | {"place": "float64"}
    numbers = dict.fromkeys(("arrival", "departure", "service"), "int64")
    return ibis.table(columns | numbers, name=TIMES)
