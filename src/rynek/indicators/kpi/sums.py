"""The sums of a period, from the sums of its days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rynek.indicators.definition import Computation
from rynek.indicators.kpi.coding import among
from rynek.indicators.kpi.days import Days
from rynek.indicators.kpi.families import Family
from rynek.indicators.kpi.joined import joined, pieces
from rynek.indicators.kpi.joining import joined_rows
from rynek.indicators.kpi.period import Period, marks_of
from rynek.indicators.kpi.scan import day_statements
from rynek.indicators.kpi.segments import Segment
from rynek.indicators.kpi.sighting import ages_of, heard_of, sighted_days, watched
from rynek.indicators.kpi.sightings import ages, heard
from rynek.indicators.kpi.states import Variant
from rynek.indicators.kpi.value import Provenance

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TABLE", "Span"]

TABLE: Final = "history/readings"
_MOST_CELLS: Final = 20_000_000
"""Days of series that are held at once as arrays; the database need not hold them."""

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

    asked = family.variants[variant]
    every = _marked(tables[f"inner{variant}"], segments)
    inner = every.filter(every.column("inside")).drop_columns(["inside"])
    if asked.bucket == "P1D":
        place = inner.schema.get_field_index("bucket")
        inner = inner.set_column(place, "bucket", _numbers(inner.column("day"), segments))
    runs = days.runs(family).select(["entity_id", "until"])
    given = {
        "inner_days": inner.drop_columns(["day"]),
        "ends": tables["ends"],
        "open_runs": runs.rename_columns(["series", "until"]),
    }
    if asked.follow:
        long = _marked(tables[f"long{variant}"], segments)
        given["long_gaps"] = long.filter(long.column("inside"))
        given |= {name: tables[f"{name}{variant}"] for name in ("gaps", "shorts")}
    rows = joined_rows(given, asked, period, _wanted(asked, period))
    return rows, _told(day_statements(days.record, family, variant), _statements(days, asked))


def _wanted(asked: Variant, period: Period) -> Sequence[tuple[int, int, int]]:
    """The bounds of the buckets of a period; only those of the hours that are asked for, where
    none are asked for that are not."""
    marks = marks_of(asked.bucket, period)
    hours = [one.hours for one in asked.asked]
    if not all(hours):
        return marks.bounds
    return sorted({bound for one in hours if one is not None for bound in marks.within(one)})


def _statements(days: Days, asked: Variant) -> str:
    """The SQL of `joined_rows`."""
    record = days.record
    held = record.statement(("pieces", asked.micros, asked.follow), lambda: pieces(asked))
    return _told([held], record.statement(("joined", asked.asked), lambda: joined(asked)))


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
    given = {
        "sighted": rows,
        "names": names.select(["series", "entity_id"]),
        "open_runs": _runs(days.runs(family), names),
    }
    whole = marks_of("P1D", period)
    kept = [(low, high) for key, low, high in whole.bounds if key in set(whole.whole)]
    expression = ages if measure == "age" else heard
    sql = days.record.statement((expression.__name__,), expression)
    told = _told(day_statements(days.record, family, 0), sql)
    if not len(tables["marks"]) and len(names) * len(kept) <= _MOST_CELLS:
        found, things = sighted_days(given)
        if measure == "age":
            return watched(ages_of(found, things, period), given, period), told
        return heard_of(found, things, kept), told
    given["marks"] = _plain(tables["marks"].select(["entity_id", "us"]))
    given["period"] = _one_row(period)
    columns = [pa.array([day[place] for day in kept], pa.int64()) for place in (0, 1)]
    given["days"] = pa.table(columns, names=["first", "last"])
    rows = days.record.over(given, (expression.__name__,), expression).rows
    return watched(rows, given, period) if measure == "age" else rows, told


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

    inside = among(table.column("day"), [one.start for one in segments if one.inside])
    return table.append_column("inside", pa.array(inside))


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
