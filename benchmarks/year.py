"""A town's year of readings that indicators are computed from: about 301,000 a day, 110 million.

Made by a seeded generator a day at a time: each day is the same whichever days are made with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from rynek.app import Engine
from rynek.base.settings import load

FIRST_US: Final = 1_735_689_600_000_000  # 2025-01-01
_DAY_US: Final = 86_400_000_000
_LATE_US: Final = 3_000_000
_WORDS: Final = ("working", "outOfService")


class Series(NamedTuple):
    """`things` of a type report `attr` every `minutes`: numbers up to `most` (0: words)."""

    type: str
    attr: str
    things: int
    minutes: int
    most: float
    unit: str | None = None


TOWN: Final = (
    Series("AirQualityObserved", "no2", 40, 5, 90, "GQ"),
    Series("AirQualityObserved", "pm10", 40, 5, 70, "GQ"),
    Series("AirQualityObserved", "pm25", 40, 5, 40, "GQ"),
    Series("BikeHireDockingStation", "availableBikeNumber", 60, 2, 20),
    Series("BikeHireDockingStation", "freeSlotNumber", 60, 2, 20),
    Series("EVChargingStation", "availableCapacity", 60, 5, 4),
    Series("EVChargingStation", "status", 60, 5, 0),
    Series("OffStreetParking", "availableSpotNumber", 20, 1, 300),
    Series("OffStreetParking", "occupancy", 20, 1, 1),
    Series("OnStreetParking", "occupancy", 150, 5, 1),
    Series("Streetlight", "powerState", 1_400, 80, 0),
    Series("WasteContainer", "fillingLevel", 400, 30, 1),
)


def fill(folder: Path, first: int, days: int) -> None:
    """Write so many days (from day `first` on, 0 is 2025-01-01) to the history of a data folder."""

    async def body() -> None:
        engine = Engine(load(None, {}, {"data.path": str(folder)}))
        engine.open()
        tenant = engine.tenant(engine.default_tenant)
        await tenant.follow()
        await tenant.history.ready()
        ld = await tenant.context.default_ld()
        for day in range(first, first + days):
            await tenant.history.sink.append(f"day {day}", readings(day), ld.attribute)
        await asyncio.to_thread(tenant.history.upkeep.compact)
        await engine.stop()

    asyncio.run(body())


def readings(day: int) -> Iterator[pa.RecordBatch]:
    """One day's readings, a batch for each series."""
    draw = np.random.default_rng([2025, day])
    for one in TOWN:
        yield _series(one, day, draw)


def _series(one: Series, day: int, draw: np.random.Generator) -> pa.RecordBatch:
    each = 24 * 60 // one.minutes
    count = one.things * each
    step = one.minutes * 60_000_000
    times = FIRST_US + day * _DAY_US + np.arange(each) * step
    # Each thing has its own second, and is late by up to three.
    moments = np.tile(times, one.things) + draw.integers(0, _LATE_US, count)
    moments += np.repeat((np.arange(one.things) * 7_919_000) % (step - _LATE_US), each)
    ids = pa.array([f"urn:ngsi-ld:{one.type}:town:{n:05d}" for n in range(one.things)])
    values = draw.random(count)
    columns: dict[str, Any] = {
        "entity_id": ids.take(pa.array(np.repeat(np.arange(one.things), each))),
        "observed_at": pa.array(moments).cast(pa.timestamp("us", tz="UTC")),
    }
    fixed = {"type": one.type, "attr": one.attr, "kind": "Property", "unit_code": one.unit}
    columns |= {
        name: pa.repeat(pa.scalar(text, pa.string()), count) for name, text in fixed.items()
    }
    if one.most:
        level = 0.5 + 0.45 * np.sin(moments / (_DAY_US / 6.3)) + 0.3 * (values - 0.5)
        numbers = np.clip(level, 0, 1) * one.most
        columns["number"] = pa.array(np.round(numbers, 2 if one.most == 1 else 0))
    else:
        columns["text"] = pa.array(_WORDS).take(pa.array((values > 0.97).astype(np.int64)))
    # A reading in a hundred does not come.
    return pa.record_batch(columns).filter(pa.array(draw.random(count) > 0.01))
