"""Departures: what vehicles and arrival estimations tell of how late which stop was served when.

An ArrivalEstimation is one trip at one stop. A vehicle without one tells of departures by itself:
as long as it names the same trip and stop, it is on its way to it or there. The delay that was told
last counts. An early vehicle at the first stop of its trip waits, and is no departure yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rynek.indicators.kpi.period import HOUR_US, Marks, Period

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = [
    "COLUMNS", "FACTS", "FREQUENT_US", "HEARD_US", "TOLD", "delays", "estimated", "facts", "headways", "heard",
    "known_facts", "runs_of", "seen_until", "served", "told_visits", "visits_of",
]  # fmt: skip

FACTS: Final = "known_facts"
"""The table of what does not change often and so may have been told long ago (`facts`)."""
TOLD: Final = "told_vehicles"
"""The table of the vehicles whose stops arrival estimations tell."""
HEARD_US: Final = HOUR_US // 4
FREQUENT_US: Final = HOUR_US // 4
"""A line is frequent at a stop where departures are at most so far apart on average."""
_HOLDS_US: Final = HOUR_US // 6
"""So long a delay that is not told again stands for the next stop, too."""
_APART_US: Final = 3 * HOUR_US
"""The same trip and stop after such a pause is another departure."""
_FIRST: Final = 1
COLUMNS: Final = (
    "entity_id", "attr", "us", "seq", "number", "text", "deleted", "previous_us",
    "previous_count",
)  # fmt: skip


def seen_until(rows: ir.Table) -> ir.Table:
    """Readings with `seen`: when their value was told last, and `times`: how often after the first."""
    import ibis

    runs = ibis.table(
        {"entity_id": "string", "attr": "string", "until": "int64", "count": "int64"},
        name="open_runs",
    )
    series = ibis.window(group_by=["entity_id", "attr"], order_by=["us", "seq"])
    rows = rows.mutate(
        next=rows.us.lead().over(series),
        again=rows.previous_us.lead().over(series),
        often=rows.previous_count.lead().over(series),
    )
    rows = rows.left_join(runs, ["entity_id", "attr"])
    rows = rows.drop([name for name in rows.columns if name.endswith("_right")])
    last = ibis.cases((rows.next.isnull(), rows.until), else_=rows.again)
    times = ibis.cases((rows.next.isnull(), rows["count"]), else_=rows.often.cast("int64"))
    return rows.mutate(
        seen=ibis.least(
            ibis.greatest(rows.us, last.coalesce(rows.us)), rows.next.coalesce(1 << 62)
        ),
        times=ibis.greatest(times.coalesce(1), 1),
    ).drop("count")


def estimated(readings: ir.Table, names: dict[str, str]) -> ir.Table:
    """Departures of arrival estimations: `line`, `stop`, `at` (µs), `delay` (s), `vehicle`.

    `names`: the IRIs of the attributes by their short names.
    """
    readings = readings.select(*COLUMNS)
    told = seen_until(
        readings.filter((readings.attr == names["delay"]) & readings.number.notnull())
    )
    runs = runs_of(told)
    runs = runs.group_by("entity_id", "run").aggregate(
        at=runs.seen.max(), delay=runs.number.argmax(runs.us)
    )
    return runs.left_join(known_facts(), "entity_id").select(
        "line", "stop", "at", "delay", "vehicle"
    )


def runs_of(told: ir.Table) -> ir.Table:
    """Readings with `run`: which time it is that a trip serves a stop."""
    import ibis

    series = ibis.window(group_by="entity_id", order_by=["us", "seq"])
    told = told.mutate(pause=told.us - told.seen.lag().over(series))
    return told.mutate(
        run=(told.pause.isnull() | (told.pause > _APART_US))
        .cast("int64")
        .sum()
        .over(ibis.cumulative_window(group_by="entity_id", order_by=["us", "seq"]))
    )


def facts(readings: ir.Table, names: dict[str, str]) -> ir.Table:
    """Of each thing the newest `line`, `stop`, `vehicle` and `trip`."""
    rows = readings.select(*COLUMNS)

    def text(name: str) -> Any:
        return rows.text.argmax(rows.us, where=rows.attr == names[name])

    found = {"line": "lineName", "stop": "hasStop", "vehicle": "hasVehicle", "trip": "hasTrip"}
    return rows.group_by("entity_id").aggregate(**{key: text(name) for key, name in found.items()})


def known_facts() -> ir.Table:
    """The table FACTS: what `facts` found."""
    import ibis

    columns = ("entity_id", "line", "stop", "vehicle", "trip")
    return ibis.table(dict.fromkeys(columns, "string"), name=FACTS)


def served(readings: ir.Table, names: dict[str, str]) -> ir.Table:
    """Departures of vehicles that no arrival estimation tells of: `line`, `stop` (null where it
    does not say which), `at`, `delay`, `vehicle`."""
    visits = told_visits(visits_of(readings, names))
    return visits.select("line", "stop", "at", "delay", "vehicle")


def visits_of(readings: ir.Table, names: dict[str, str], *, followed: bool = False) -> ir.Table:
    """While a vehicle names the same trip and stop: `first` and `at` (when it told so first and last,
    µs), `trip`, `stop`, `place`, `line`, `delay` and when that was `seen`, `vehicle`, and of the next
    visit `later` (its first) and `trip_later`. `followed`: also when it was last seen `here`."""
    import ibis

    readings = readings.select(*COLUMNS)
    others = ibis.table({"vehicle": "string"}, name=TOLD)
    readings = readings.anti_join(others, readings.entity_id == others.vehicle)
    delay = seen_until(readings.filter(readings.attr == names["delay"]))

    def value(rows: ir.Table, column: Any, name: str) -> Any:
        return column.argmax(rows.seq, where=rows.attr == names[name])

    words = readings.mutate(word=readings.text.coalesce(readings.number.cast("string")))
    polls = words.group_by("entity_id", "us").aggregate(
        trip=value(words, words.word, "tripId"),
        stop=value(words, words.word, "hasStop").coalesce(value(words, words.word, "nextStopName")),
        place=value(words, words.number, "currentStopSequence"),
        line=value(words, words.word, "lineName"),
    )
    late = delay.group_by("entity_id", "us").aggregate(
        delay=delay.number.argmax(delay.seq), seen=delay.seen.argmax(delay.seq)
    )
    polls = polls.left_join(late, ["entity_id", "us"])
    polls = polls.drop([name for name in polls.columns if name.endswith("_right")])
    if followed:
        where = readings.attr.isin([names["currentStopSequence"], names["hasStop"]])
        here = seen_until(readings.filter(where))
        here = here.group_by("entity_id", "us").aggregate(here=here.seen.max())
        polls = polls.left_join(here, ["entity_id", "us"])
        polls = polls.drop([name for name in polls.columns if name.endswith("_right")])
    return _visits(_filled(polls, ("trip", "stop", "place", "line", "delay", "seen")))


def _filled(polls: ir.Table, names: tuple[str, ...]) -> ir.Table:
    """What a poll does not tell anew is as it was told last."""
    import ibis

    # Not last_value with nulls ignored: Ibis leaves that out for DuckDB. The rows from one value to
    # the next are those with an equal count of values so far.
    along = ibis.cumulative_window(group_by="entity_id", order_by="us")
    polls = polls.mutate(**{f"{name}_told": polls[name].count().over(along) for name in names})
    filled = {
        name: polls[name].max().over(ibis.window(group_by=["entity_id", f"{name}_told"]))
        for name in names
    }
    return polls.mutate(**filled).drop(*(f"{name}_told" for name in names))


def _visits(polls: ir.Table) -> ir.Table:
    """Polls of vehicles put together while they name the same trip and stop."""
    import ibis

    order = ibis.window(group_by="entity_id", order_by="us")
    # What was not known before is no change: a position may come after the first delay.
    before = {name: polls[name].lag().over(order) for name in ("trip", "stop", "place")}
    other = [(polls[name] != was).coalesce(False) for name, was in before.items()]
    since = polls.us - polls.us.lag().over(order)
    polls = polls.mutate(
        changed=other[0] | other[1] | other[2] | since.isnull() | (since > _APART_US)
    )
    along = ibis.cumulative_window(group_by="entity_id", order_by="us")
    polls = polls.mutate(visit=polls.changed.cast("int64").sum().over(along))
    visits = polls.group_by("entity_id", "visit").aggregate(
        first=polls.us.min(),
        at=polls.us.max(),
        **{
            name: polls[name].argmax(polls.us)
            for name in ("trip", "stop", "place", "line", "delay", "seen")
        },
        **({"here": polls.here.max()} if "here" in polls.columns else {}),
    )
    order = ibis.window(group_by="entity_id", order_by="visit")
    visits = visits.mutate(
        later=visits["first"].lead().over(order), trip_later=visits.trip.lead().over(order)
    )
    # A vehicle that keeps to its line may have told of it long ago.
    before = known_facts().select("entity_id", line_before="line")
    visits = visits.left_join(before, "entity_id")
    return visits.mutate(line=visits.line.coalesce(visits.line_before), vehicle=visits.entity_id)


def told_visits(visits: ir.Table) -> ir.Table:
    """The visits whose delay was told, with `at` when the vehicle left."""
    import ibis

    # It has left where the next is told of; without one nobody knows when.
    left = ibis.cases((visits.later - visits.at <= _HOLDS_US, visits.later), else_=visits.at)
    known = visits.delay.notnull() & (visits.seen + _HOLDS_US >= visits["first"])
    waits = (visits.place.coalesce(_FIRST + 1) <= _FIRST) & (visits.delay < 0)
    return visits.mutate(at=left).filter(known & ~waits)


def delays(departures: ir.Table, marks: Marks, period: Period) -> ir.Table:
    """How many departures of the period there were by line, day and delay (whole seconds)."""
    rows = departures.filter((departures.at >= period.start) & (departures.at < period.end))
    rows = rows.mutate(day=marks.key(rows.at), late=rows.delay.round().cast("int64"))
    found = rows.group_by("line", "day", "late").aggregate(
        many=rows.count(), first=rows.at.min(), last=rows.at.max()
    )
    return found.order_by("line", "day", "late")


def headways(departures: ir.Table, marks: Marks, period: Period) -> ir.Table:
    """Of each line, stop and hour: the day, how many headways (`many`) ended in it, their sum
    (`time`, µs) and the sum of their squares (`squares`, µs²)."""
    import ibis

    rows = departures.filter(departures.stop.notnull() & departures.line.notnull())
    order = ibis.window(group_by=["line", "stop"], order_by="at")
    rows = rows.mutate(gap=(rows.at - rows.at.lag().over(order)).cast("float64"))
    rows = rows.filter((rows.at >= period.start) & (rows.at < period.end) & (rows.gap > 0))
    rows = rows.mutate(day=marks.key(rows.at), hour=(rows.at // HOUR_US).cast("int64"))
    found = rows.group_by("line", "stop", "day", "hour").aggregate(
        many=rows.count(),
        time=rows.gap.sum(),
        squares=(rows.gap * rows.gap).sum(),
        longest=rows.gap.max(),
    )
    return found.order_by("line", "stop", "hour")


def heard(readings: ir.Table, period: Period) -> ir.Table:
    """From which quarter of an hour to which (`low`, `high`, since 1970) anything was told."""
    import ibis

    readings = readings.select(*COLUMNS)
    told = seen_until(readings.filter(~readings.deleted))
    told = told.filter((told.us < period.end) & (told.seen >= period.start))
    low = (ibis.greatest(told.us, period.start) // HEARD_US).cast("int64")
    high = (ibis.least(told.seen, period.end - 1) // HEARD_US).cast("int64")
    # What was told seldom was told at both ends, and nobody knows of the time between.
    often = (told.seen - told.us) <= HEARD_US * told.times
    whole = told.select(low=low, high=ibis.cases((often, high), else_=low), us=told.us)
    ends = told.filter(~often & (told.seen < period.end))
    ends = ends.select(low=(ends.seen // HEARD_US).cast("int64"), us=ends.us)
    ends = ends.select("low", high=ends.low, us=ends.us)
    both = whole.filter((whole.us >= period.start) | (whole.high > whole.low)).union(ends)
    return both.select("low", "high").distinct().order_by("low", "high")
