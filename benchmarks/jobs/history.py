"""The past: bytes a reading as the follower writes them, and questions among 10 million readings."""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import orjson
from benchmarks import cores, entities, kept, past, server
from benchmarks.entities import Data
from benchmarks.load import http
from benchmarks.measure import check
from benchmarks.results import Result, Target

_PATH = "/ngsi-ld/v1/temporal/entities"
_MONTH = {
    "timerel": "between",
    "timeAt": "2026-10-01T00:00:00Z",
    "endTimeAt": "2026-10-31T00:00:00Z",
}
_HOURLY = {"format": "aggregatedValues", "aggrMethods": "avg", "aggrPeriodDuration": "PT1H"}
_WRITTEN = 2_000


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Bytes, then milliseconds: medians over HTTP on one core with one client, and in process."""
    yield _bytes_a_reading()
    with kept.copied(past.folder(options.rows)) as folder:
        with server.rynek(folder) as port:
            yield from _asked(port, min(options.seconds, 5.0))
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            took = pool.apply(_hourly_here, (folder,))
    yield Result(
        job="history: hourly means of 1,000 over 30 days, in process", unit="ms",
        value=statistics.median(took), rounds=took, target=Target(at_most=600),
        note=f"as columns, on {len(cores.ALL)} cores",
    )  # fmt: skip


def _asked(port: int, seconds: float) -> Iterator[Result]:
    each = [number * 131 % past.SENSORS for number in range(past.SENSORS)]
    table = {"type": past.TYPE, "attrs": past.ATTR, **_MONTH}
    last = {"attrs": past.ATTR, "lastN": "100"}
    one = [http("GET", f"{_PATH}/{past.sensor(n)}?{urlencode(last)}") for n in each]
    yield _one("last 100 of one", port, one, 40, seconds)
    newest = table | {"lastN": "1", "limit": "400"}
    yield _one("latest of 400 series, all of them old", port, _query(newest), 50, seconds)
    hourly = table | _HOURLY | {"limit": "100"}
    yield _one("hourly means of 100 over 30 days, as JSON", port, _query(hourly), None, seconds)
    past.report(port, 400, 2)
    yesterday = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86_400))
    live = newest | {"timerel": "after", "timeAt": yesterday}
    live.pop("endTimeAt")
    yield _one("latest of 400 series that report", port, _query(live), 50, seconds)
    state = [http("GET", f"/ngsi-ld/v1/entities?type={past.TYPE}&limit=400")]
    yield _one("latest of 400 series, as the state has them", port, state, 50, seconds)


def _query(params: dict[str, str]) -> list[bytes]:
    return [http("GET", f"{_PATH}?{urlencode(params)}")]


def _one(name: str, port: int, requests: list[bytes], most: float | None, seconds: float) -> Result:
    check(port, requests)
    found = past.asked(f"history: {name}", port, requests, 1, max(2.0, seconds))
    found.target = Target(at_most=most)
    return found


def _bytes_a_reading() -> Result:
    """A thousand vehicles report every second; two values and a place change."""
    with kept.copy_of(entities.of(10_000)) as folder:
        table = folder / "tenants" / "default" / "history" / "readings"
        before = _table(table)
        with server.rynek(folder, both_cores=True) as port:
            _report(port, entities.of(10_000))
        size, rows, files = _table(table)
    told = size - before[0], rows - before[1]
    return Result(
        job="history: as the follower writes", unit="bytes/reading",
        value=told[0] / max(told[1], 1), target=Target(at_most=12),
        note=f"{told[1]:,} readings, {files} files",
    )  # fmt: skip


def _report(port: int, data: Data) -> None:
    url = f"http://127.0.0.1:{port}/ngsi-ld/v1/entityOperations/upsert?options=update"
    begun = int(time.time()) - _WRITTEN
    for number in range(_WRITTEN // 4):
        numbers = range(number * 500 % data.count, number * 500 % data.count + 500)
        batch = [data.entity(n, number, place=number, step_m=50) for n in numbers]
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun + number * 4))
        for one in batch:
            for attr in ("location", "speed", "heading"):
                one[attr]["observedAt"] = at
            one["heading"]["value"] = (one["heading"]["value"] + number) % 360
            del one["name"], one["route"]
        request = urllib.request.Request(
            url, orjson.dumps(batch), {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()


def _table(folder: Path) -> tuple[int, int, int]:
    """Bytes, rows and files of the table's present state."""
    from deltalake import DeltaTable

    files = DeltaTable(folder).get_add_actions(flatten=True)
    sizes = files["size_bytes"].to_pylist()
    return int(sum(sizes)), int(sum(files["num_records"].to_pylist())), len(sizes)


def _hourly_here(folder: Path) -> list[float]:
    """Milliseconds of the question without HTTP and JSON, on all cores."""
    os.sched_setaffinity(0, set(cores.ALL))
    return asyncio.run(_hourly(folder))


async def _hourly(folder: Path) -> list[float]:
    from rynek.app import Engine
    from rynek.base.settings import load
    from rynek.history import AggregateQuery, Selection

    engine = Engine(load(None, {}, {"data.path": str(folder)}))
    engine.open()
    tenant = engine.tenant(engine.default_tenant)
    await tenant.follow()
    await tenant.history.ready()
    ld = await tenant.context.default_ld()
    query = AggregateQuery(
        select=Selection(attrs=(ld.attribute(past.ATTR),), start=past.START), bucket="PT1H"
    )
    took = []
    for _ in range(6):
        begun = time.perf_counter()
        table = await tenant.history.aggregate(query)
        took.append((time.perf_counter() - begun) * 1000)
        if len(table) < past.SENSORS * 24 * past.DAYS * 0.9:
            raise RuntimeError(f"{len(table)} means")
    await engine.stop()
    return took[1:]
