"""A past to ask about: sensors that report every few minutes for thirty days, and newest values."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from benchmarks import kept
from benchmarks.measure import driver, round_of
from benchmarks.results import Result

from rynek.app import Engine
from rynek.base.settings import load

SENSORS: Final = 1000
DAYS: Final = 30
START: Final = 1_790_812_800_000_000  # 2026-10-01
TYPE: Final = "Sensor"
ATTR: Final = "temperature"
_BLOCK: Final = 100
_DAY: Final = 86_400_000_000


def sensor(number: int) -> str:
    """The id of a sensor."""
    return f"urn:ngsi-ld:{TYPE}:{number:04d}"


def recordings(per_sensor: int) -> Iterator[pa.RecordBatch]:
    """Readings of all sensors, a hundred of each at a time."""
    draw = np.random.default_rng(1)
    ids = pa.array([sensor(number) for number in range(SENSORS)])
    step = DAYS * _DAY // per_sensor
    for first in range(0, per_sensor, _BLOCK):
        times = START + np.arange(first, first + _BLOCK) * step
        count = SENSORS * _BLOCK
        fixed = {"type": TYPE, "attr": ATTR, "kind": "Property"}
        yield pa.record_batch(
            {name: pa.repeat(pa.scalar(text), count) for name, text in fixed.items()}
            | {
                "entity_id": ids.take(pa.array(np.repeat(np.arange(SENSORS), _BLOCK))),
                "number": pa.array(np.round(draw.normal(20, 5, count), 1)),
                "observed_at": pa.array(np.tile(times, SENSORS)),
            }
        )


def fill(folder: Path, rows: int) -> float:
    """Write the past into a data folder, compacted; the seconds that it took."""

    async def body() -> float:
        engine = Engine(load(None, {}, {"data.path": str(folder)}))
        engine.open()
        tenant = engine.tenant(engine.default_tenant)
        await tenant.follow()
        await tenant.history.ready()
        started = time.perf_counter()
        ld = await tenant.context.default_ld()
        await tenant.history.sink.append("bench", recordings(rows // SENSORS), ld.attribute)
        took = time.perf_counter() - started
        await asyncio.to_thread(tenant.history.upkeep.compact)
        await engine.stop()
        return took

    return asyncio.run(body())


def folder(rows: int) -> Path:
    """The kept folder with so many readings of the past; filled now where there is none."""
    return kept.kept(f"past-{rows}", [str(SENSORS), str(DAYS)], lambda path: _fill(path, rows))


def _fill(path: Path, rows: int) -> None:
    fill(path, rows)


def asked(name: str, port: int, requests: list[bytes], connections: int, seconds: float) -> Result:
    """Ask in turn for a while: how long one answer takes (ms), and processor time."""
    with driver(requests) as drive:
        drive(port, connections, 1.0)
        cost = round_of(drive, port, connections, seconds)
    return Result(
        job=name, unit="ms", value=cost.seen.p50_ms, p99_ms=cost.seen.p99_ms, cpu_s=cost.cpu_s,
        note=f"{cost.seen.per_second:,.0f}/s over {connections}" if connections > 1 else "",
    )  # fmt: skip


def report(port: int, sensors: int, values: int) -> None:
    """Let the first sensors report `values` new values each, the last of them now."""
    url = f"http://127.0.0.1:{port}/ngsi-ld/v1/entityOperations/upsert?options=update"
    now = time.time()
    for number in range(values):
        second = time.gmtime(now - values + number)
        observed = time.strftime("%Y-%m-%dT%H:%M:%SZ", second)
        value = {"type": "Property", "value": number, "observedAt": observed}
        batch = [{"id": sensor(one), "type": TYPE, ATTR: value} for one in range(sensors)]
        request = urllib.request.Request(
            url,
            json.dumps(batch).encode(),
            {"Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            if answer.status not in {201, 204}:
                raise RuntimeError(f"the server refused values: {answer.read(500)!r}")
