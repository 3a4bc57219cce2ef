"""Readings of one attribute over time: for the chart (thinned out) and for download (all)."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import orjson
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from rynek.base.clock import MICRO, to_iso
from rynek.web.pages.shell import NotFound, Page, Site
from rynek.web.pages.values import as_number, moment, short

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RANGES", "Series", "attribute_iri", "in_table", "readings", "routes", "thin"]

Times = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

HOUR: Final = 3600 * MICRO
RANGES: Final[dict[str, int | None]] = {
    "hour": HOUR,
    "day": 24 * HOUR,
    "week": 7 * 24 * HOUR,
    "month": 30 * 24 * HOUR,
    "all": None,
}
"""Presets of the chart: how far back, in microseconds."""

MAX_READINGS: Final = 500_000
MAX_POINTS: Final = 4000
_SLICE: Final = 20_000
_LARGEST: Final = 1e100  # nothing that is measured is larger; sums of such must stay finite
_NO_TIMES: Final = np.empty(0, dtype=np.int64)
_NO_NUMBERS: Final = np.empty(0, dtype=np.float64)


class Series:
    """Readings of one attribute, oldest first; `times` are epoch microseconds.

    `complete` is False where only the newest MAX_READINGS were read; `source` is the newest one's.
    """

    def __init__(
        self,
        times: Times = _NO_TIMES,
        values: Numbers = _NO_NUMBERS,
        complete: bool = True,
        source: str | None = None,
    ) -> None:
        self.times = times
        self.values = values
        self.complete = complete
        self.source = source

    def __len__(self) -> int:
        return len(self.times)


def attribute_iri(entity: Any, name: str) -> str:
    """The IRI of an entity's attribute by its short name; NotFound where it has none."""
    for iri in entity.attrs:
        if name and (short(iri) == name or iri == name):
            return str(iri)
    raise NotFound


async def readings(
    tenant: Any, entity: Any, iri: str, start: int | None = None, end: int | None = None
) -> Series:
    """The numbers that an attribute's default instance took in [start, end).

    A value that was seen again unchanged holds until then: its last sight is a point, too.
    """
    table = await tenant.history.series(entity.id, [iri], start=start, end=end, last_n=MAX_READINGS)
    return in_table(table, entity, iri, start, end)


def in_table(
    table: pa.Table, entity: Any, iri: str, start: int | None = None, end: int | None = None
) -> Series:
    """`readings` of an attribute from the rows that the history has of it."""
    complete = table.num_rows < MAX_READINGS
    sources = table.column("source")
    source = sources[table.num_rows - 1].as_py() if table.num_rows else None
    times, values = _numbers(table)
    current = entity.default(iri)
    seen = moment(current.observed_at) if current is not None else None
    number = as_number(current.value) if current is not None else None
    if seen is not None and number is not None and (end is None or seen < end):
        known = len(times) > 0
        if (known and seen > times[-1] and values[-1] == number) or (
            not known and (start is None or seen >= start)
        ):
            times, values = np.append(times, seen), np.append(values, number)
    drawable = np.abs(values) < _LARGEST
    times, values = times[drawable], values[drawable]
    return Series(times, values, complete, source)


def _numbers(table: pa.Table) -> tuple[Times, Numbers]:
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = pc.and_(pc.is_valid(table.column("number")), pc.is_null(table.column("dataset_id")))
    table = table.filter(pc.and_(plain, pc.invert(table.column("deleted"))))
    times = table.column("time").cast(pa.int64()).to_numpy()
    values = table.column("number").to_numpy()
    until = table.column("previous_until").cast(pa.int64())
    held = until.fill_null(np.iinfo(np.int64).min).to_numpy()
    # A run's last sight is told by the row after it: a point between the two.
    ends = np.flatnonzero((held[1:] > times[:-1]) & (held[1:] < times[1:]))
    if len(ends):
        times = np.concatenate([times, held[ends + 1]])
        values = np.concatenate([values, values[ends]])
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    return times, values


def thin(times: Times, values: Numbers, points: int) -> tuple[Times, Numbers, Numbers, Numbers]:
    """At most `points` buckets of equal length: their middle time, last, lowest, highest value.

    Not more readings than `points` come back as they are (lowest = highest = the value).
    """
    if len(times) <= points:
        return times, values, values, values
    first, span = int(times[0]), max(1, int(times[-1] - times[0]))
    bucket = np.minimum(points - 1, (times - first) * points // span)
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    middle = first + (2 * bucket[starts] + 1) * span // (2 * points)
    last = values[np.append(starts[1:], len(values)) - 1]
    return middle, last, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)


def _bound(page: Page, name: str) -> int | None:
    """A time of the query: ISO 8601, or epoch milliseconds as charts have them."""
    text = page.param(name)
    if not text:
        return None
    if text.removeprefix("-").isdecimal() and len(text) < 16:
        return int(text) * 1000
    return moment(text.replace(" ", "+"))


def _entity(page: Page) -> Any:
    tenant = page.tenant
    entity = tenant.context.get(page.request.path_params["entity_id"]) if tenant else None
    if entity is None:
        raise NotFound
    return entity


async def series_json(page: Page) -> Response:
    """`?attr=&from=&to=&points=` → times (epoch ms), last, min and max of each bucket."""
    entity = _entity(page)
    iri = attribute_iri(entity, page.param("attr"))
    wanted = page.param("points", "800")
    points = min(MAX_POINTS, max(10, int(wanted))) if wanted.isdecimal() else 800
    series = await readings(page.tenant, entity, iri, _bound(page, "from"), _bound(page, "to"))
    at, last, low, high = thin(series.times, series.values, points)
    current = entity.default(iri)
    body = {
        "attr": short(iri),
        "unit": current.unit_code if current else None,
        "readings": len(series),
        "complete": series.complete,
        "thinned": len(at) < len(series),
        "t": (at // 1000).tolist(),
        "last": last.tolist(),
        "min": low.tolist(),
        "max": high.tolist(),
    }
    return Response(
        orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"}
    )


async def series_csv(page: Page) -> Response:
    """Every reading as CSV (RFC 4180, UTF-8), times in UTC; the newest MAX_READINGS at most."""
    entity = _entity(page)
    iri = attribute_iri(entity, page.param("attr"))
    name = short(iri)
    table = await page.tenant.history.series(
        entity.id, [iri], start=_bound(page, "from"), end=_bound(page, "to"), last_n=MAX_READINGS
    )
    file_name = f"{entity.id.rsplit(':', 1)[-1]}-{name}.csv"
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-._") else "_" for c in file_name)
    answer = StreamingResponse(_csv(name, table), media_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{safe[-120:]}"'
    answer.headers["X-Complete"] = "true" if table.num_rows < MAX_READINGS else "false"
    return answer


async def _csv(name: str, table: pa.Table) -> AsyncIterator[bytes]:
    import pyarrow as pa

    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["entity", "attribute", "time", "value", "unit", "source"])
    times = table.column("time").cast(pa.int64())
    table = table.select(
        ["entity_id", "number", "text", "json", "lon", "lat", "unit_code", "source", "deleted"]
    )
    for start in range(0, max(1, table.num_rows), _SLICE):
        moments = times.slice(start, _SLICE).to_pylist()
        for time, row in zip(moments, table.slice(start, _SLICE).to_pylist(), strict=True):
            cells = [row["entity_id"], name, to_iso(time), _cell(row), row["unit_code"] or ""]
            writer.writerow([_harmless(cell) for cell in [*cells, row["source"] or ""]])
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


def _cell(row: dict[str, Any]) -> Any:
    if row["deleted"]:
        return ""
    if row["lon"] is not None:
        return f"{row['lat']} {row['lon']}"
    return next((row[key] for key in ("number", "text", "json") if row[key] is not None), "")


def _harmless(cell: Any) -> Any:
    """Text from outside that a spreadsheet would run as a formula gets a quote before it."""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + cell
    return cell


def routes(site: Site) -> list[Route]:
    """`…/entities/{id}/series.json` and `series.csv`."""
    return [
        *site.city("/entities/{entity_id:path}/series.json", series_json),
        *site.city("/entities/{entity_id:path}/series.csv", series_csv),
    ]
