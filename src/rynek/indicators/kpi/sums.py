"""The sums of a period, from the sums of its days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rynek.indicators.definition import Computation
from rynek.indicators.kpi.days import Days
from rynek.indicators.kpi.families import Family
from rynek.indicators.kpi.joined import inner_days, joined, pieces
from rynek.indicators.kpi.period import Marks, Period
from rynek.indicators.kpi.scan import day_statements
from rynek.indicators.kpi.segments import Segment
from rynek.indicators.kpi.sightings import ages, heard
from rynek.indicators.kpi.states import BUCKETS, Variant
from rynek.indicators.kpi.value import Provenance

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TABLE", "Span"]

TABLE: Final = "history/readings"
_MOST_ROWS: Final = 1_000_000
"""Sums of things in buckets that are joined at once."""

_KEYS: Final = ["entity_id", "attr", "dataset_id"]
Tables = Mapping[str, Any]


class Span:
    """A period of one type of things: what several indicators share is asked for once."""

    def __init__(self, days: Days, period: Period, span: Sequence[Segment]) -> None:
        self.period = period
        self._days = days
        self._segments = span
        self._sums: dict[tuple[Family, int | str], tuple[pa.Table, str]] = {}

    def asked(self, asked: Computation, family: Family) -> tuple[pa.Table, int, str]:
        """The sums by thing (and bucket) that a computation is among, its number there, and the
        SQL."""
        number = 0
        key: int | str = "age" if asked.measure == "age" else "silent"
        if family.attribute:
            key, number = family.place(asked)
        found = self._sums.get((family, key))
        if found is None:
            tables = self._days.tables(family, self._segments)
            given = (self._days, family, tables, self._segments, self.period)
            found = (
                _state_sums(*given, key) if isinstance(key, int) else _sighting_sums(*given, key)
            )
            self._sums[(family, key)] = found
        return found[0], number, found[1]

    def origin(self, asked: Computation, sql: str) -> Provenance:
        """The readings behind the sums."""
        since, before = self._segments[0].start, self._segments[-1].end
        record = self._days.record
        return Provenance(
            table=TABLE,
            version=record.version,
            files=record.extent(since, before)[0],
            type=asked.type,
            attribute=asked.attribute,
            since=since,
            before=before,
            query=sql,
        )


def _state_sums(
    days: Days,
    family: Family,
    tables: Tables,
    segments: Sequence[Segment],
    period: Period,
    variant: int,
) -> tuple[pa.Table, str]:
    """The sums by thing and bucket for a variant of a family (see `joined`), and the SQL."""
    import pyarrow as pa
    import pyarrow.compute as pc

    asked = family.variants[variant]
    every = _marked(_plain(tables[f"inner{variant}"]), segments)
    buckets = _wanted(asked, period)
    if asked.bucket == "PT1H":
        kept = pa.array([key for key, _, _ in buckets], pa.int64())
        inner = every.filter(pc.is_in(every.column("bucket"), kept))
    else:
        inner = every.filter(every.column("inside"))
        place = inner.schema.get_field_index("bucket")
        inner = inner.set_column(place, "bucket", _numbers(inner.column("day"), segments))
    runs = days.runs(family).select(["entity_id", "until"])
    given = {
        "inner_days": inner.select(list(inner_days(asked))),
        "ends": _plain(tables["ends"]),
        "period": _one_row(period),
        "open_runs": runs.rename_columns(["series", "until"]),
    }
    if asked.follow:
        long = _marked(_plain(tables[f"long{variant}"]), segments)
        given["long_gaps"] = long.filter(long.column("inside")).drop_columns(["day", "inside"])
        given["gaps"] = _plain(tables[f"gaps{variant}"]).drop_columns(["day"])
        given["shorts"] = _shorts(_plain(tables[f"shorts{variant}"]))
    most = max(24, _MOST_ROWS // max(len(pc.unique(given["ends"].column("series"))), 1))
    parts, sql = [], ""
    for first in range(0, max(len(buckets), 1), most):
        part, sql = _of_buckets(days, given, asked, buckets[first : first + most])
        parts.append(part)
    return pa.concat_tables(parts), _told(day_statements(days.record, family, variant), sql)


def _wanted(asked: Variant, period: Period) -> Sequence[tuple[int, int, int]]:
    """The bounds of the buckets of a period; only those of the hours that are asked for, where
    none are asked for that are not."""
    marks = Marks(asked.bucket, period)
    hours = [one.hours for one in asked.asked]
    if not all(hours):
        return marks.bounds
    return sorted({bound for one in hours if one is not None for bound in marks.within(one)})


def _of_buckets(
    days: Days,
    given: Mapping[str, pa.Table],
    asked: Variant,
    bounds: Sequence[tuple[int, int, int]],
) -> tuple[pa.Table, str]:
    """The sums by thing and bucket in some buckets, and the SQL."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [pa.array([bound[place] for bound in bounds], pa.int64()) for place in range(3)]
    inner = given["inner_days"]
    tables = dict(given) | {
        BUCKETS: pa.table(columns, names=["bucket", "first", "last"]),
        "inner_days": _plain(inner.filter(pc.is_in(inner.column("bucket"), columns[0]))),
    }
    shape = ("pieces", asked.micros, asked.follow)
    held = days.record.over(tables, shape, lambda: pieces(asked))
    tables["pieces"] = held.rows
    found = days.record.over(tables, ("joined", asked.asked), lambda: joined(asked))
    return found.rows, _told([held.sql], found.sql)


def _shorts(days: pa.Table) -> pa.Table:
    """How many short intervals each thing had, and the longest of them."""
    told = days.group_by("series", use_threads=False)
    found = told.aggregate([("number", "sum"), ("longest", "max")])
    return found.select(["series", "number_sum", "longest_max"]).rename_columns(
        ["series", "number", "longest"]
    )


def _told(before: Sequence[str], last: str) -> str:
    """The SQL of all steps from the readings to the sums, as one text."""
    return ";\n\n".join([*before, last])


def _sighting_sums(
    days: Days,
    family: Family,
    tables: Tables,
    segments: Sequence[Segment],
    period: Period,
    measure: str,
) -> tuple[pa.Table, str]:
    """The sums by thing for `age` or `silent` (see `ages` and `heard`), and the SQL."""
    import pyarrow as pa

    rows, names = _numbered(_marked(tables["sighted"], segments))
    marks = tables["marks"]
    given = {
        "sighted": rows,
        "names": names.select(["series", "entity_id"]),
        "marks": _plain(marks.select(["entity_id", "us"])),
        "open_runs": _runs(days.runs(family), names),
    }
    if measure == "age":
        given["period"] = _one_row(period)
        found = days.record.over(given, ("ages",), ages)
    else:
        whole = Marks("P1D", period)
        kept = [(low, high) for key, low, high in whole.bounds if key in set(whole.whole)]
        columns = [pa.array([bound[place] for bound in kept], pa.int64()) for place in (0, 1)]
        given["days"] = pa.table(columns, names=["first", "last"])
        found = days.record.over(given, ("heard",), heard)
    return found.rows, _told(day_statements(days.record, family, 0), found.sql)


def _one_row(period: Period) -> pa.Table:
    import pyarrow as pa

    return pa.table({"start": pa.array([period.start]), "stop": pa.array([period.end])})


def _plain(table: pa.Table) -> pa.Table:
    """With texts for the numbers of names."""
    import pyarrow as pa

    columns = [
        column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


def _marked(table: pa.Table, segments: Sequence[Segment]) -> pa.Table:
    """With the column `inside`: whether a row's day is of the period."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array([one.start for one in segments if one.inside], pa.int64())
    return table.append_column("inside", pc.is_in(table.column("day"), wanted))


def _numbers(day: pa.ChunkedArray, segments: Sequence[Segment]) -> pa.Array:
    """The numbers of days, by where they begin."""
    import numpy as np
    import pyarrow as pa

    starts = np.array([one.start for one in segments], np.int64)
    numbers = np.array([one.number for one in segments], np.int64)
    return pa.array(numbers[np.searchsorted(starts, day.to_numpy())])


def _numbered(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The rows with the number of their `series`, and the names of those."""
    import numpy as np
    import pyarrow as pa

    codes: Any = np.zeros(len(rows), np.int64)
    texts = {}
    for name in _KEYS:
        column = rows.column(name).unify_dictionaries()
        chunks = [
            pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string()))
        ]
        whole = pa.concat_arrays([*column.chunks] or chunks)
        texts[name] = whole.dictionary
        codes = codes * max(len(whole.dictionary), 1) + whole.indices.to_numpy(zero_copy_only=False)
    known, series = np.unique(codes, return_inverse=True)
    names = {"series": pa.array(np.arange(len(known)))}
    for name in reversed(_KEYS):
        size = max(len(texts[name]), 1)
        names[name] = texts[name].take(pa.array(known % size))
        known = known // size
    numbered = rows.drop_columns(_KEYS).append_column("series", pa.array(series.astype(np.int64)))
    return numbered, pa.table(names)


def _runs(runs: pa.Table, names: pa.Table) -> pa.Table:
    """The runs that are open, by the numbers of series."""
    import pyarrow.compute as pc

    place = runs.schema.get_field_index("dataset_id")
    runs = runs.set_column(place, "dataset_id", pc.fill_null(runs.column("dataset_id"), ""))
    found = runs.join(names, keys=_KEYS, join_type="inner")
    return found.select(["series", "until", "count"])
