"""Readings of days beside the ones that follow them: what everything else is summed up from.

A day is told from its own readings alone: what follows the last reading of a day stands in another
(see `days`). So a late reading changes one day, and days can be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

__all__ = ["PAIRS", "READINGS", "in_order", "paired", "paired_rows"]

READINGS: Final = {
    "series": "int64",
    "day": "int64",
    "us": "int64",
    "seq": "int64",
    "number": "float64",
    "text": "string",
    "unit_code": "string",
    "deleted": "boolean",
    "previous_us": "int64",
    "previous_count": "int32",
}
"""Readings of whole series, numbered, with the `day` (its beginning, epoch µs) that each is in."""
PAIRS: Final = READINGS | {
    "next": "int64",
    "seen": "int64",
    "times": "int32",
    "before": "float64",
    "before_us": "int64",
    "is_first": "boolean",
}
"""With the time of the `next` reading of the series on that day (null: there is none), when the
value was last `seen` before it and how many `times`, the number `before` on that day with its
time, and whether it is the first of that day."""


def paired(readings: ir.Table) -> ir.Table:
    """PAIRS of READINGS, as an expression for any database."""
    import ibis

    window = ibis.window(group_by=["series", "day"], order_by=["us", "seq"])
    rows = readings.mutate(
        next=readings.us.lead().over(window),
        again=readings.previous_us.lead().over(window),
        times=readings.previous_count.lead().over(window),
        before=readings.number.lag().over(window),
        before_us=readings.us.lag().over(window),
    )
    rows = rows.mutate(is_first=rows.before_us.isnull())
    seen = ibis.least(ibis.greatest(rows.us, rows.again.coalesce(rows.us)), rows.next)
    seen = ibis.cases((rows.next.isnull(), rows.us), else_=seen)
    return rows.mutate(seen=seen).drop("again")


def paired_rows(readings: pa.Table) -> pa.Table:
    """The same of an Arrow table without nulls in `series`, `day`, `us` and `seq`, several times
    faster where that is in order of series and time, as files of the history are."""
    import numpy as np
    import pyarrow as pa

    series, day, us, seq = (
        readings.column(name).to_numpy() for name in ("series", "day", "us", "seq")
    )
    if not in_order(series, us, seq):
        readings = readings.take(pa.array(np.lexsort((seq, us, series))))
        series, day, us = (readings.column(name).to_numpy() for name in ("series", "day", "us"))
    last = np.ones(len(us), np.bool_)
    last[:-1] = (series[1:] != series[:-1]) | (day[1:] != day[:-1])
    first = np.ones(len(us), np.bool_)
    first[1:] = last[:-1]
    following = np.zeros(len(us), np.int64)
    following[:-1] = us[1:]
    seen = _seen(readings.column("previous_us"), us, following, last)
    found = readings.append_column("next", pa.array(following, mask=last))
    found = found.append_column("seen", pa.array(seen))
    times = _shifted(readings.column("previous_count"), 1)
    found = found.append_column("times", _masked(times, last))
    before = _shifted(readings.column("number"), -1)
    found = found.append_column("before", _masked(before, first))
    earlier = np.zeros(len(us), np.int64)
    earlier[1:] = us[:-1]
    found = found.append_column("before_us", pa.array(earlier, mask=first))
    return found.append_column("is_first", pa.array(first))


def in_order(series: Any, us: Any, seq: Any) -> bool:
    """Whether readings stand in order of series and time."""
    import numpy as np

    later = us[1:] > us[:-1]
    later |= (us[1:] == us[:-1]) & (seq[1:] >= seq[:-1])
    return bool(np.all((series[1:] > series[:-1]) | ((series[1:] == series[:-1]) & later)))


def _seen(previous_us: pa.ChunkedArray, us: Any, following: Any, last: Any) -> Any:
    """When each value was last seen before the next one; its own time where that is not told."""
    import numpy as np
    import pyarrow.compute as pc

    again = np.zeros(len(us), np.int64)
    again[:-1] = pc.fill_null(previous_us, 0).to_numpy()[1:]
    told = np.zeros(len(us), np.bool_)
    told[:-1] = pc.is_valid(previous_us).to_numpy()[1:]
    told &= ~last
    seen = np.where(told, np.maximum(us, again), us)
    return np.where(last, us, np.minimum(seen, following))


def _shifted(column: pa.ChunkedArray, by: int) -> pa.Array:
    """The values of the rows that come `by` later, nulls at the edge."""
    import pyarrow as pa

    edge = pa.nulls(min(1, len(column)), column.type)
    chunks = column.chunks
    rest = pa.chunked_array(chunks, column.type)
    parts = (
        [*rest.slice(1).chunks, edge] if by > 0 else [edge, *rest.slice(0, len(column) - 1).chunks]
    )
    return pa.concat_arrays(parts) if parts else pa.nulls(0, column.type)


def _masked(values: pa.Array, gone: Any) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pa.array(gone), pa.scalar(None, values.type), values)
