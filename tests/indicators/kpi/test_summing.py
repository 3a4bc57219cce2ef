"""The sums of days as arrays, compared with the same as expressions over a database."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from rynek.indicators import definitions
from rynek.indicators.kpi import summing
from rynek.indicators.kpi.families import family_of
from rynek.indicators.kpi.measures import STATE_MEASURES
from rynek.indicators.kpi.pairs import PAIRS, READINGS, paired
from rynek.indicators.kpi.readings import Readings, coded, pair
from rynek.indicators.kpi.sightings import sighted
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


def rounded(value: Any, *, summed: bool) -> Any:
    if value is None:
        return 0.0 if summed else None
    return float(f"{value:.9g}") if isinstance(value, float) or summed else value


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


@settings(max_examples=40, deadline=None)
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


@settings(max_examples=15, deadline=None)
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


@settings(max_examples=15, deadline=None)
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
