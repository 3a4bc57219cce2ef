"""The sums of days as arrays, compared with the same as expressions over a database."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from rynek.indicators import definitions
from rynek.indicators.kpi import summing
from rynek.indicators.kpi.families import family_of
from rynek.indicators.kpi.joined import joined, pieces
from rynek.indicators.kpi.joining import joined_rows
from rynek.indicators.kpi.measures import STATE_MEASURES
from rynek.indicators.kpi.pairs import PAIRS, READINGS, paired
from rynek.indicators.kpi.period import Marks, Period
from rynek.indicators.kpi.readings import Readings, coded, pair
from rynek.indicators.kpi.sighting import ages_of, heard_of, sighted_days
from rynek.indicators.kpi.sightings import ages, heard, sighted
from rynek.indicators.kpi.states import (
    BUCKETS,
    DAY_US,
    HOUR_US,
    Variant,
    ends,
    gaps,
    inner,
    long_gaps,
    shorts,
)

Expression = Callable[..., ir.Table]
ZONE = "Europe/Prague"
DAYS = [1_735_686_000_000_000 + day * DAY_US for day in range(3)]
BULK = {
    "entity_id": "text", "attr": "text", "dataset_id": "text", "unit_code": "text", "text": "text",
    "us": "int64", "previous_us": "int64", "seq": "int64", "number": "float64", "deleted": "bool",
    "observed": "bool", "previous_count": "int32",
}  # fmt: skip
CODED = {"unit_code": "int32"}
KINDS = {"int64": pa.int64(), "int32": pa.int32(), "float64": pa.float64(), "bool": pa.bool_(),
         "string": pa.string(), "boolean": pa.bool_(),
         "text": pa.dictionary(pa.int32(), pa.string())}  # fmt: skip
MINUTES = st.integers(0, 3 * 24 * 60 - 1) | st.integers(0, 90)
ROWS = st.lists(
    st.tuples(
        st.sampled_from("abc"),  # the thing
        MINUTES,
        st.none() | st.integers(0, 20).map(lambda one: one / 4) | st.sampled_from(["on", "off"]),
        st.sampled_from([None, None, "GQ", "GP"]),  # the unit
        st.booleans() | st.just(value=False),  # deleted
        st.none() | st.integers(-3, 200),  # minutes since the value before was seen
    ),
    max_size=40,
)  # fmt: skip


def readings(rows: list[Any]) -> tuple[Readings, pa.Table]:
    """The rows as arrays, and as READINGS with codes for the things."""
    columns: dict[str, list[Any]] = {name: [] for name in BULK}
    for seq, (thing, minute, value, unit, deleted, since) in enumerate(rows):
        us = DAYS[0] + minute * 60_000_000
        text = value if isinstance(value, str) and not deleted else None
        number = None if deleted or text else value
        previous = None if since is None else us - since * 60_000_000
        told = (thing, "x", None, unit, text, us, previous, seq, number, deleted, True, seq)
        for name, one in zip(BULK, told, strict=True):
            columns[name].append(one)
    table = pa.table({name: made(columns[name], kind) for name, kind in BULK.items()})
    found = pair(coded(table, DAYS))
    names = found.names
    day = [max(one for one in DAYS if one <= us) for us in columns["us"]]
    plain = {
        "series": [names["entity_id"].index(one).as_py() for one in columns["entity_id"]],
        "day": day,
        "unit_code": [names["unit_code"].index(one or "").as_py() for one in columns["unit_code"]],
    }
    kinds = {name: KINDS[kind] for name, kind in (READINGS | CODED).items()}
    return found, pa.table(
        {name: pa.array(plain[name] if name in plain else columns[name], kind)
         for name, kind in kinds.items()}
    )  # fmt: skip


def made(values: list[Any], kind: str) -> pa.Array:
    plain = pa.array(values, pa.string() if kind == "text" else KINDS[kind])
    return plain.dictionary_encode() if kind == "text" else plain


@cache
def statement(expression: Expression, variant: Variant | None) -> str:
    rows = paired(ibis.table(READINGS | CODED, name="readings"))
    asked = expression(rows) if variant is None else expression(rows, variant)
    return str(ibis.to_sql(asked, dialect="duckdb"))


def asked(table: pa.Table, expression: Expression, variant: Variant | None = None) -> pa.Table:
    connection = CONNECTION.cursor()
    hours = np.arange(DAYS[0], DAYS[-1] + DAY_US, HOUR_US)
    columns = {"bucket": hours, "first": hours, "last": hours + HOUR_US}
    connection.register("readings", table)
    connection.register(BUCKETS, pa.table(columns))
    return connection.execute(statement(expression, variant)).to_arrow_table()


def told(table: pa.Table, found: Readings) -> list[tuple[Any, ...]]:
    """Rows in an order of their own; names for numbers of names, 0 for sums of nothing."""
    names = sorted(table.column_names)
    columns = []
    for name in names:
        column = table.column(name)
        if name == "series" and not pa.types.is_dictionary(column.type):
            column = found.names["entity_id"].take(column)
        elif name in {"unit_low", "unit_high", "last_unit"} and not pa.types.is_dictionary(
            column.type
        ):
            column = found.names["unit_code"].take(column)
        summed = name in {"observed", "gone"} or name[1:].isdigit()
        columns.append([rounded(one, summed=summed) for one in column.to_pylist()])
    return sorted(zip(*columns, strict=True), key=repr)


class Figure(float):
    """A number whose last digits depend on the order in which others were added up."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Figure) and math.isclose(self, other, rel_tol=1e-8)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self:.6g}"


def rounded(value: Any, *, summed: bool) -> Any:
    if value is None:
        return Figure(0) if summed else None
    return Figure(value) if isinstance(value, float) or summed else value


def variants() -> list[Variant]:
    """Some for each measure, by days and by hours."""
    found: dict[Any, Variant] = {}
    for one in definitions():
        if one.computation is None or one.computation.measure not in STATE_MEASURES:
            continue
        for variant in family_of(one.computation, ()).variants:
            measures = tuple(asked.measure for asked in variant.asked)
            found.setdefault((measures, variant.bucket, variant.micros, variant.follow), variant)
    return list(found.values())


VARIANTS = variants()
CONNECTION = duckdb.connect(config={"threads": 1})


@settings(max_examples=examples(15), deadline=None)
@given(ROWS, st.sampled_from(VARIANTS))
def test_days_are_summed_up_alike_by_a_database(rows: list[Any], variant: Variant) -> None:
    found, table = readings(rows)
    assert told(summing.ends_of(found), found) == told(asked(table, ends), found)
    for ours, expression in (
        (summing.long_gaps_of, long_gaps),
        (summing.gaps_of, gaps),
        (summing.shorts_of, shorts),
    ):
        theirs = asked(table, expression, variant)
        assert told(ours(found, variant), found) == told(theirs, found)
    theirs = asked(table, inner, variant)
    if any(one.hours for one in variant.asked):
        kept = [is_asked(hour, variant) for hour in theirs.column("bucket").to_pylist()]
        theirs = theirs.filter(pa.array(kept, pa.bool_()))
    assert told(summing.inner_of(found, variant, ZONE), found) == told(theirs, found)


def is_asked(hour: int, variant: Variant) -> bool:
    local = hour // HOUR_US % 24 + 1  # winter time
    return any(one.hours and one.hours[0] <= local % 24 < one.hours[1] for one in variant.asked)


@settings(max_examples=examples(8), deadline=None)
@given(ROWS)
def test_sightings_are_summed_up_alike_by_a_database(rows: list[Any]) -> None:
    found, table = readings(rows)
    ours = (
        summing.sighted_of(found)
        .drop_columns(["dataset_id", "attr"])
        .rename_columns({"entity_id": "series"})
    )
    assert told(ours, found) == told(asked(table, sighted), found)


def itself(pairs: ir.Table) -> ir.Table:
    return pairs


@settings(max_examples=examples(8), deadline=None)
@given(ROWS)
def test_readings_are_paired_alike_by_a_database(rows: list[Any]) -> None:
    found, table = readings(rows)
    theirs = asked(table, itself).sort_by("seq").to_pylist()
    order = np.argsort(found.seq)
    assert len(theirs) == len(found)
    for place, row in zip(order, theirs, strict=True):
        assert bool(found.first[place]) == row["is_first"]
        assert bool(found.last[place]) == (row["next"] is None)
        assert row["next"] in {None, int(found.next[place])}
        assert row["seen"] == int(found.seen[place])
    assert set(PAIRS) >= {"next", "seen"}


PERIOD = Period("x", DAYS[0] + 7 * HOUR_US // 2, DAYS[2] + 9 * HOUR_US // 2, ZONE)


@settings(max_examples=examples(8), deadline=None)
@given(ROWS, st.sampled_from(VARIANTS), st.none() | st.integers(0, 4 * 24 * 60))
def test_days_are_joined_alike_by_a_database(
    rows: list[Any], variant: Variant, run: int | None
) -> None:
    found, _ = readings(rows)
    bounds = Marks(variant.bucket, PERIOD).bounds
    day = pa.compute.cast(pa.array([bound[0] for bound in bounds]), pa.int64())
    inner_days = summing.inner_of(found, variant, ZONE)
    if variant.bucket == "P1D":
        place = np.searchsorted(DAYS, inner_days.column("day").to_numpy())
        inner_days = inner_days.drop_columns(["bucket"]).append_column("bucket", day.take(place))
    until = [] if run is None else [DAYS[0] + run * 60_000_000]
    given = {
        "inner_days": inner_days.drop_columns(["day"]),
        "ends": summing.ends_of(found),
        "open_runs": pa.table({"series": pa.array(["b"][: len(until)], pa.string()),
                               "until": pa.array(until, pa.int64())}),
        "long_gaps": summing.long_gaps_of(found, variant).drop_columns(["day"]),
        "gaps": summing.gaps_of(found, variant).drop_columns(["day"]),
        "shorts": summing.shorts_of(found, variant).drop_columns(["day"]),
    }  # fmt: skip
    keys = pa.array([bound[0] for bound in bounds], pa.int64())
    inside = pa.compute.is_in(given["inner_days"].column("bucket"), keys)
    given["inner_days"] = given["inner_days"].filter(inside)
    ours = joined_rows(given, variant, PERIOD, bounds)
    connection = CONNECTION.cursor()
    columns = inner_days.column_names
    order = [
        "series",
        "bucket",
        *(one for one in columns if one not in {"series", "bucket", "day"}),
    ]
    plain = dict(given) | {"inner_days": given["inner_days"].select(order)}
    for name, table in plain.items():
        texts = [one.cast(pa.string()) if pa.types.is_dictionary(one.type) else one
                 for one in table.columns]  # fmt: skip
        connection.register(name, pa.table(texts, names=table.column_names))
    connection.execute("CREATE TABLE shorts2 AS SELECT series, sum(number)::BIGINT number,"
                       " max(longest) longest FROM shorts GROUP BY series")  # fmt: skip
    connection.unregister("shorts")
    connection.execute("ALTER TABLE shorts2 RENAME TO shorts")
    bucket, first, last = (pa.array([one[n] for one in bounds], pa.int64()) for n in range(3))
    connection.register(BUCKETS, pa.table({"bucket": bucket, "first": first, "last": last}))
    connection.register("period", pa.table({"start": [PERIOD.start], "stop": [PERIOD.end]}))
    connection.execute(f"CREATE TABLE pieces AS {joining_statement(pieces, variant)}")
    theirs = connection.execute(joining_statement(joined, variant)).to_arrow_table()
    connection.execute("DROP TABLE shorts; DROP TABLE pieces")
    assert told_joined(ours) == told_joined(theirs)


@cache
def joining_statement(expression: Expression, variant: Variant) -> str:
    return str(ibis.to_sql(expression(variant), dialect="duckdb"))


def told_joined(table: pa.Table) -> list[list[Any]]:
    names = sorted(table.column_names)
    columns = [
        [
            (one or "") if name in {"unit_low", "unit_high"}
            else rounded(one, summed=name not in {"first", "last", "entity_id"})
            for one in table.column(name).to_pylist()
        ]
        for name in names
    ]  # fmt: skip
    return sorted(map(list, zip(*columns, strict=True)), key=repr)


@settings(max_examples=10, deadline=None)
@given(ROWS, st.none() | st.integers(0, 4 * 24 * 60), st.booleans())
def test_sightings_are_joined_alike_by_a_database(
    rows: list[Any], run: int | None, of_one: bool
) -> None:
    found, _ = readings(rows)
    days = summing.sighted_of(found)
    series = days.column("entity_id").chunk(0).indices.cast(pa.int64())
    count = len(found.names["entity_id"])
    days = days.drop_columns(["entity_id", "attr", "dataset_id"]).append_column("series", series)
    inside = pa.array([one != DAYS[0] for one in days.column("day").to_pylist()], pa.bool_())
    names = found.names["entity_id"] if not of_one else pa.array(["all"] * count, pa.string())
    here = 0 if run is None or not count else 1
    given = {
        "sighted": days.append_column("inside", inside),
        "names": pa.table({"series": pa.array(range(count), pa.int64()), "entity_id": names}),
        "open_runs": pa.table({
            "series": pa.array([0][:here], pa.int64()),
            "until": pa.array([DAYS[0] + (run or 0) * 60_000_000][:here], pa.int64()),
            "count": pa.array([5][:here], pa.int64()),
        }),
    }  # fmt: skip
    period = Period("x", DAYS[1], DAYS[2] + DAY_US, ZONE)
    whole = [(day, day + DAY_US) for day in DAYS[1:]]
    told_days, things = sighted_days(given)
    connection = CONNECTION.cursor()
    for name, table in given.items():
        columns = {"sighted": ["series", "day", "readings", "first_us", "first_previous",
                               "first_times", "last_us", "area", "inside"]}  # fmt: skip
        connection.register(name, table.select(columns.get(name, table.column_names)))
    nothing = {"entity_id": pa.array([], pa.string()), "us": pa.array([], pa.int64())}
    connection.register("marks", pa.table(nothing))
    connection.register("period", pa.table({"start": [period.start], "stop": [period.end]}))
    bounds = {"first": [low for low, _ in whole], "last": [high for _, high in whole]}
    connection.register("days", pa.table(bounds))
    for ours, expression in (
        (ages_of(told_days, things, period), ages),
        (heard_of(told_days, things, whole), heard),
    ):
        theirs = connection.execute(sighting_statement(expression)).to_arrow_table()
        assert told_sighted(ours) == told_sighted(theirs)


@cache
def sighting_statement(expression: Expression) -> str:
    return str(ibis.to_sql(expression(), dialect="duckdb"))


def told_sighted(table: pa.Table) -> list[list[Any]]:
    names = sorted(table.column_names)
    columns = [
        [rounded(one, summed=name not in {"first", "last", "entity_id"})
         for one in table.column(name).to_pylist()]
        for name in names
    ]  # fmt: skip
    return sorted(map(list, zip(*columns, strict=True)), key=repr)
