"""All indicators of a town's year of 110 million readings, one more day, and a trend of months."""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import cores, kept, year
from benchmarks.results import Result, Target

from rynek.history import Record
from rynek.indicators import (
    KeptDays,
    Value,
    compute_indicator_trend,
    definitions,
    parse_period,
)

LONG = True
_ZONE = "Europe/Prague"
_DAYS = 365
_FAR = 1 << 60


def run(options: argparse.Namespace) -> Iterator[Result]:
    """In process, on every core; the first run of a data folder takes some minutes to fill it."""
    os.sched_setaffinity(0, set(cores.ALL))
    made = kept.kept(f"year-{_DAYS}", [str(year.TOWN)], lambda path: year.fill(path, 0, _DAYS))
    months = [f"2025-{month:02}" for month in range(1, 13)]
    with kept.copied(made) as folder:
        tenant = folder / "tenants" / "default"
        yield _asked("a year, nothing kept", tenant, ["2025"], 60)
        yield _asked("the same again, from kept days", tenant, ["2025"], None)
        yield _asked("twelve months, from kept days", tenant, months, None)
        for type_, most in (("BikeHireDockingStation", 1), ("Streetlight", None)):
            trend = _of_type(tenant, type_, months)
            yield _result(f"a page's trend: {type_}, twelve months, from kept days", trend, most)
        year.fill(folder, _DAYS, 1)
        yield _asked("one day more", tenant, ["2026-01-01"], 2)


def _asked(name: str, tenant: Path, periods: Sequence[str], most: float | None) -> Result:
    return _result(name, _of_type(tenant, "", periods), most)


def _of_type(tenant: Path, type_: str, periods: Sequence[str]) -> tuple[float, float, list[Value]]:
    """Seconds, processor seconds, values."""
    wanted = [
        one
        for one in definitions()
        if one.computation is not None and type_ in {"", one.computation.type}
    ]
    spans = [parse_period(period, _ZONE) for period in periods]
    before, used = time.perf_counter(), _used()
    with Record(tenant / "history") as record, KeptDays(tenant) as days:
        found = list(compute_indicator_trend(record, wanted, spans, _FAR, kept=days))
    return time.perf_counter() - before, _used() - used, found


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _result(name: str, told: tuple[float, float, list[Value]], most: float | None) -> Result:
    took, used, found = told
    values = [one for one in found if one.value is not None]
    if not values:
        raise RuntimeError(f"{name}: no indicator has a value")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Result(
        job=f"indicators: {name}", unit="s", value=took, target=Target(at_most=most),
        note=f"{len(values)} values of {len(found)}; {used:.1f} s of processor time; {peak} MB",
    )  # fmt: skip
