"""The past: the last 100 values of one entity, and aggregates, of 10 million readings."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from urllib.parse import urlencode

from benchmarks import kept, past, server
from benchmarks.load import http
from benchmarks.results import Result

LONG = True
RECENT = 100
_PATH = "/ngsi-ld/v1/temporal/entities"
_MONTH = {
    "timerel": "between",
    "timeAt": "2026-10-01T00:00:00Z",
    "endTimeAt": "2026-10-31T00:00:00Z",
}
_MEANS = {"format": "aggregatedValues", "aggrMethods": "avg,min,max"}


def run(options: argparse.Namespace) -> Iterator[Result]:
    """A row for each kind of question."""
    with kept.copied(past.folder(options.rows)) as folder, server.rynek(folder) as port:
        past.report(port, RECENT, 120)
        for name, requests, connections in _jobs():
            yield past.asked(f"temporal: {name}", port, requests, connections, options.seconds)


def _jobs() -> Iterator[tuple[str, list[bytes], int]]:
    newest = {"attrs": past.ATTR, "lastN": "100"}
    recent = range(RECENT)
    every = [number * 131 % past.SENSORS for number in range(past.SENSORS)]
    old = [number for number in every if number >= RECENT]
    yield "last 100 of one, recent", _retrievals(recent, newest), 50
    yield "last 100 of one, from the table", _retrievals(old, newest), 1
    yield "the same, all attributes", _retrievals(old, {"lastN": "100"}), 1
    whole = {"type": past.TYPE, "attrs": past.ATTR, "limit": "1000", **_MEANS, **_MONTH}
    for name, period in (("whole", "PT0S"), ("day by day", "P1D")):
        yield (
            f"aggregate of 1,000 over 30 days, {name}",
            _query(whole, aggrPeriodDuration=period),
            1,
        )
    yield "aggregate of 10,000 points of one", _retrievals(every, _MEANS | _MONTH), 1
    hourly = _MEANS | _MONTH | {"aggrPeriodDuration": "PT1H"}
    yield "the same, hour by hour", _retrievals(every, hourly), 1
    page = {"type": past.TYPE, "lastN": "1", **_MONTH}
    yield "query, newest of 20 of 1,000", _query(page), 1
    yield "query by value, newest of 20 of 1,000", _query(page, q=f"{past.ATTR}>25"), 1


def _query(params: dict[str, str], **more: str) -> list[bytes]:
    return [http("GET", f"{_PATH}?{urlencode(params | more)}")]


def _retrievals(sensors: range | list[int], params: dict[str, str]) -> list[bytes]:
    text = urlencode(params)
    return [http("GET", f"{_PATH}/{past.sensor(number)}?{text}") for number in sensors]
