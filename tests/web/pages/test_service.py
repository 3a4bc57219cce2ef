"""The page of the service itself, and what it writes down about itself."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.web.api.conftest import serve
from tests.web.pages.day import write_day

from rynek.app import Engine
from rynek.app.recorder import Recorder
from rynek.base.ids import SERVICE_TENANT
from rynek.web import Application
from rynek.web.i18n import LANGUAGES, translator
from rynek.web.pages.service import _GROUPS, _SHOWN
from rynek.web.tally import BOUNDS
from rynek.web.watch.own import FIGURES, quantile, service_id

__all__ = ["serve"]
Serve = Callable[..., None]
ROOT = "http://rynek.test"


def local(engine: Engine) -> httpx.AsyncClient:
    """A visitor on this machine."""
    transport = httpx.ASGITransport(app=Application(engine), client=("127.0.0.1", 1))
    return httpx.AsyncClient(transport=transport, base_url=ROOT)


def test_the_last_day_is_drawn_with_its_hours(serve: Serve) -> None:
    async def test(_: httpx.AsyncClient, engine: Engine) -> None:
        documents = await write_day(engine)
        async with local(engine) as visitor:
            page = await visitor.get("/service")
        assert page.status_code == 200
        text = html.unescape(page.text)
        cards = dict(re.findall(r'<article.*?figure-(\w+)">(.*?)</article>', text, re.DOTALL))
        assert "requestsPerMinute" in cards
        assert "commitTime" not in cards  # nothing was written in the default tenant
        chart = cards["currentMemoryUsage"]
        assert 'role="img"' in chart
        assert chart.count("<polyline") == 2  # it was not there for eighty minutes
        hours = re.findall(r'<th scope="row">', chart)
        assert 23 <= len(hours) <= 25
        last = documents[-1]["requestsPerMinute"]["value"]
        assert f"{last:,.0f}</strong>" in cards["requestsPerMinute"]
        assert "<polyline" not in cards["deadLetters"]
        assert "all the time" in cards["deadLetters"]

    serve(test, metrics__anonymous="loopback", metrics__history=False)


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_it_speaks_every_language(serve: Serve, language: str) -> None:
    async def test(_: httpx.AsyncClient, engine: Engine) -> None:
        async with local(engine) as visitor:
            page = await visitor.get(f"/service?lang={language}")
        assert page.status_code == 200
        assert translator(language)("All is well") in html.unescape(page.text)

    serve(test, metrics__anonymous="loopback")


def test_who_may_see_it(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        closed = await client.get(ROOT + "/service")
        assert closed.status_code == 401
        assert closed.headers["www-authenticate"].startswith("Basic")
        home = await client.get(ROOT + "/c/default/about")
        assert "/service" not in home.text
        secret = engine.tokens.create("watcher", (f"read:{SERVICE_TENANT}", "read:default"))
        seen = await client.get(ROOT + "/service", auth=("", secret))
        assert seen.status_code == 200
        home = await client.get(ROOT + "/c/default/about", auth=("", secret))
        assert 'href="/service"' in home.text
        reader = engine.tokens.create("reader", ("read",))
        assert (await client.get(ROOT + "/service", auth=("", reader))).status_code == 403

    serve(test)


def test_what_is_wrong_stands_first(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(_: httpx.AsyncClient, engine: Engine) -> None:
        store = type(engine.tenant("default").context.store)
        monkeypatch.setattr(store, "failing", property(lambda _: "the disk is on fire"))
        async with local(engine) as visitor:
            page = await visitor.get("/service")
        assert "It cannot do its work" in page.text
        assert "the disk is on fire" in page.text

    serve(test, metrics__anonymous="loopback")


def test_the_service_writes_its_own_figures_into_a_tenant_that_is_no_city(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        recorder = Recorder(engine)
        await recorder.record()
        for number in range(4):
            body = {"id": f"urn:ngsi-ld:Tram:{number}", "type": "Tram"}
            assert (await client.post("entities", json=body)).status_code == 201
        await recorder.record()
        assert SERVICE_TENANT not in engine.tenants
        secret = engine.tokens.create("watcher", (f"read:{SERVICE_TENANT}",))
        head = {"NGSILD-Tenant": SERVICE_TENANT, "Authorization": f"Bearer {secret}"}
        entity = service_id(engine.folder.identity)
        found = (await client.get(f"entities/{entity}", headers=head)).json()
        assert found["type"] == "ServiceComponent"
        assert found["changesPerMinute"]["value"] > 0
        assert found["currentMemoryUsage"]["unitCode"] == "4L"
        assert found["entities"]["value"] in (0, 4)  # counted once a minute
        past = await client.get(
            f"temporal/entities/{entity}?attrs=uptime&options=temporalValues", headers=head
        )
        assert past.status_code == 200
        assert past.json()["uptime"]["values"]
        start = await client.get(ROOT + "/")
        assert SERVICE_TENANT not in start.text

    serve(test, metrics__history=False)


def test_the_recorder_goes_on_after_a_failure(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rynek.app.recorder._EVERY", 0.05)

    async def test(_: httpx.AsyncClient, engine: Engine) -> None:
        tried: list[int] = []
        seen = asyncio.Event()

        async def failing(*_: Any) -> Any:
            tried.append(1)
            if len(tried) > 2:
                seen.set()
            raise OSError(28, "No space left on device")

        own = engine.tenant(SERVICE_TENANT)
        monkeypatch.setattr(type(own.context), "ingest", failing)
        await asyncio.wait_for(seen.wait(), 60)
        monkeypatch.undo()
        async with asyncio.timeout(10):
            while own.context.get(service_id(engine.folder.identity)) is None:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)

    serve(test)


def test_every_figure_that_is_kept_has_words_and_a_place() -> None:
    placed = [name for _, names in _GROUPS for name in names]
    assert sorted(placed) == sorted(_SHOWN)
    assert set(placed) == {one.name for one in FIGURES} - {"entities"}


def test_quantiles_lie_within_their_bucket() -> None:
    buckets = [0] * (len(BOUNDS) + 1)
    assert quantile(buckets, 0.5) is None
    buckets[3] = 100
    assert quantile(buckets, 0.5) == pytest.approx((BOUNDS[2] + BOUNDS[3]) / 2)
    buckets[-1] = 900
    assert quantile(buckets, 0.99) == BOUNDS[-1]
    buckets[0] = 9000
    assert 0 < (quantile(buckets, 0.5) or 0) < BOUNDS[0]
