"""Indicators published on a schedule: when they are due, what becomes an entity, what fails."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.web.api.conftest import serve
from tests.web.indicators.support import HOUR, STATIONS, name_city, observe

from rynek.app import Engine
from rynek.app.indicator_entities import IndicatorEntities
from rynek.base.clock import parse_iso, to_iso
from rynek.indicators import Publication, due_periods, parse_period
from rynek.web.watch.health import ready

__all__ = ["serve"]
Serve = Callable[..., None]
ZONE = "Europe/Prague"
ROOT = "http://rynek.test"
KPIS = {"type": "KeyPerformanceIndicator", "limit": "1000"}


def labels(now: str, *runs: Publication) -> list[str]:
    return [one.label for one in due_periods(list(runs), "town", parse_iso(now), ZONE)]


def run_of(kind: str, period: str, problem: str = "", city: str = "town") -> Publication:
    return Publication(city=city, kind=kind, period=period, at=0, problem=problem)


def test_a_day_and_a_month_are_due_an_hour_after_the_citys_midnight() -> None:
    # In March Prague is an hour ahead of UTC; on the 29th the clocks go on.
    assert labels("2026-02-28T23:59:59Z") == ["2026-02-27", "2026-01"]
    assert labels("2026-03-01T00:00:00Z") == ["2026-02-28", "2026-02"]
    assert labels("2026-03-29T22:59:59Z") == ["2026-03-28", "2026-02"]
    assert labels("2026-03-29T23:00:00Z") == ["2026-03-29", "2026-02"]


def test_what_was_published_is_not_due_again_but_what_failed_is() -> None:
    now = "2026-03-05T12:00:00Z"
    day, month = run_of("day", "2026-03-04"), run_of("month", "2026-02")
    assert labels(now, day, month) == []
    assert labels(now, day) == ["2026-02"]
    assert labels(now, run_of("day", "2026-03-03"), month) == ["2026-03-04"]
    assert labels(now, run_of("day", "2026-03-04", problem="full"), month) == ["2026-03-04"]
    assert labels(now, run_of("day", "2026-03-04", city="other"), month) == ["2026-03-04"]


class Clock:
    """A city's time and the machine's, which stand still until they are moved."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.running = 0.0

    def publisher(self, engine: Engine) -> IndicatorEntities:
        return IndicatorEntities(engine, lambda _: self.now, lambda: self.running)


async def kpis(visitor: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    head = {"NGSILD-Tenant": "town"}
    found = await visitor.get(f"{ROOT}/ngsi-ld/v1/entities", params=KPIS, headers=head)
    assert found.status_code in (200, 404)
    return {one["id"]: one for one in found.json()} if found.status_code == 200 else {}


def test_a_days_values_become_entities_once_and_the_next_day_takes_their_place(
    serve: Serve, tmp_path: Path
) -> None:
    name_city(tmp_path, "town", "Town", ZONE)

    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "town", hours=60)
        today = parse_period(to_iso(engine.tenant("town").clock.now())[:10], ZONE)
        clock = Clock(today.start + 2 * HOUR)
        publisher = clock.publisher(engine)
        await publisher.publish()
        there = await kpis(visitor)
        empty = there["urn:ngsi-ld:KeyPerformanceIndicator:town:bike-stations-empty:daily"]
        assert empty["kpiValue"]["value"] == pytest.approx(100 / STATIONS)
        assert empty["kpiValue"]["observedAt"] == to_iso(today.start)
        assert empty["derived"]["value"] is True
        assert empty["derivedFrom"]["value"]["entities"] == STATIONS
        runs = {run.kind: run for run in engine.publications.all() if run.city == "town"}
        assert runs["day"].period == empty["calculationPeriod"]["value"]["from"]
        assert runs["day"].published == sum(name.endswith(":daily") for name in there)
        assert runs["day"].without == sum(
            name.endswith(":daily") and "kpiValue" not in one for name, one in there.items()
        )
        await publisher.publish()
        assert await kpis(visitor) == there
        # Three days on nothing was observed any more: the value of before does not stay.
        clock.now += 72 * HOUR
        await publisher.publish()
        later = (await kpis(visitor))[empty["id"]]
        assert "kpiValue" not in later
        assert later["status"]["value"] == "not enough data"
        assert engine.publishing is None

    serve(test)


def test_what_fails_is_written_down_shown_and_tried_again(serve: Serve, tmp_path: Path) -> None:
    name_city(tmp_path, "town", "Town", ZONE)

    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "town", hours=3)
        home = engine.tenant("town")
        log = home.folder / "history" / "readings" / "_delta_log" / "00000000000000000000.json"
        text = log.read_text("utf-8")
        log.write_text("{}", "utf-8")
        clock = Clock(home.clock.now())
        publisher = clock.publisher(engine)
        await publisher.publish()
        (run,) = [one for one in engine.publications.all() if one.city == "town"]
        assert run.problem
        assert await kpis(visitor) == {}
        warned = [one for one in ready(engine) if one.key == "indicators:publish"]
        assert [(one.tenant, one.status) for one in warned] == [("town", "warn")]
        page = html.unescape((await visitor.get(f"{ROOT}/service")).text)
        assert "Indicators as entities" in page
        assert run.problem[:40] in page
        cities = (await visitor.get(f"{ROOT}/api/indicators/v1/cities")).json()["cities"]
        town = next(one for one in cities if one["id"] == "town")
        assert [one["failed"] for one in town["published"]] == [True]
        log.write_text(text, "utf-8")
        await publisher.publish()  # a minute has to pass
        assert run in engine.publications.all()
        clock.running += 60
        await publisher.publish()
        assert {one.problem for one in engine.publications.all()} == {""}

    serve(test, indicators__publish="daily", metrics__anonymous="all")


def test_it_runs_in_the_service_only_where_it_is_asked_for(serve: Serve) -> None:
    def names() -> set[str]:
        found = (one.get_coro() for one in asyncio.all_tasks())
        return {getattr(one, "__qualname__", "") for one in found}

    async def on(_: httpx.AsyncClient, engine: Engine) -> None:
        assert "IndicatorEntities.run" in names()

    async def off(_: httpx.AsyncClient, engine: Engine) -> None:
        assert "IndicatorEntities.run" not in names()

    serve(on, indicators__publish="daily")
    serve(off)
