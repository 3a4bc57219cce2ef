"""The pages of surveys: a link is answered without scripts, and results hide small cells."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.indicators.survey.support import survey
from tests.indicators.survey.test_measured import FIGURE, asked

from rynek.app import Engine
from rynek.base.settings import load
from rynek.indicators import Respondent
from rynek.web import Application

FAR = 4_000_000_000_000_000
Test = Callable[[httpx.AsyncClient, Any], Awaitable[None]]


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., None]:
    def run(test: Test, **given: object) -> None:
        async def body() -> None:
            values = {name.replace("__", "."): value for name, value in given.items()}
            engine = Engine(load(None, {}, {"data.path": str(tmp_path / "data")} | values))
            engine.open()
            await engine.start()
            engine.surveys.put(survey(tmp_path))
            engine.surveys.publish("small", FAR, results="public")
            transport = httpx.ASGITransport(app=Application(engine), raise_app_exceptions=False)
            try:
                async with httpx.AsyncClient(
                    transport=transport, base_url="http://rynek.test", follow_redirects=True
                ) as client:
                    await test(client, engine.surveys)
            finally:
                engine.stopping.set()
                await engine.stop()

        asyncio.run(body())

    return run


def link(surveys: Any, name: str = "ruse", region: str = "N") -> str:
    tokens = surveys.invite("small", [Respondent(name, name.title(), region)])
    return f"/survey/{tokens[name]}"


async def send(
    client: httpx.AsyncClient, path: str, page: httpx.Response, **fields: Any
) -> httpx.Response:
    hidden = dict(re.findall(r'name="(at|revision|[a-z]+\.entries)" value="([^"]*)"', page.text))
    return await client.post(path, data=hidden | fields)


def test_a_link_is_answered_page_by_page(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, surveys: Any) -> None:
        path = link(surveys)
        page = await client.get(path + "?lang=pl")
        assert page.status_code == 200
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert "Czy macie strategię?" in page.text
        assert "Od kiedy?" not in page.text
        page = await send(client, path, page, action="next", has="yes")
        assert "Od kiedy?" in page.text, "a question appeared on the same page"
        page = await send(client, path, page, action="next", has="yes", year="1800")
        assert page.status_code == 422
        assert "From 1990 to 2030" in page.text
        page = await send(client, path, page, action="next", has="yes", year="2010")
        page = await send(client, path, page, action="add:project", which="no")
        fields = {"project.0.title": "Lampy <b>", "project.0.cost": "12,5", "which": "no"}
        page = await send(client, path, page, action="next", **fields)
        assert "Lampy &lt;b&gt;" in page.text
        assert 'value="submit"' in page.text
        page = await send(client, path, page, action="submit")
        assert "Lampy &lt;b&gt;" in page.text
        assert 'value="submit"' not in page.text
        late = await send(client, path, page, at="strategy", revision="6", has="no", action="next")
        assert late.status_code == 409
        sent = next(iter(surveys.responses("small")))
        assert sent.answers["has"] == "yes"
        assert sent.answers["project"] == [{"title": "Lampy <b>", "cost": "12.5"}]

    serve(test)


def test_what_is_saved_is_there_again_and_entries_go(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, surveys: Any) -> None:
        path = link(surveys)
        first = await client.get(path)
        await send(client, path, first, action="save", has="yes")
        other = await send(client, path, first, action="save", has="no")
        assert other.status_code == 409
        assert 'value="no" checked' in other.text, "what was written is still there"
        again = await client.get(path + "?at=strategy")
        assert 'value="yes" checked' in again.text
        page = await send(client, path, again, action="next", has="yes", year="2010")
        page = await send(client, path, page, action="add:project")
        page = await send(client, path, page, action="add:project", **{"project.0.title": "A"})
        page = await send(client, path, page, action="drop:project:1", **{"project.0.title": "A", "project.1.title": "B"})  # fmt: skip
        assert 'value="A"' in page.text
        assert 'value="B"' not in page.text
        hidden = await client.get(path + "?at=-")
        assert "project.0" not in hidden.text

    serve(test)


def test_links_that_open_nothing(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, surveys: Any) -> None:
        path = link(surveys)
        for wrong in ("/survey/x", path + "x", "/survey/" + "a" * 5000):
            assert (await client.get(wrong)).status_code == 404
            assert (await client.post(wrong, data={"at": "strategy"})).status_code == 404
        assert (await client.post(path, content=b"\xff\xfe")).status_code == 400
        for odd in ({"at": "nowhere"}, {"at": "strategy", "revision": "-1"}, {}):
            assert (await client.post(path, data=odd)).status_code in (200, 409)
        surveys.publish("small", 1, results="public")
        over = await client.get(path)
        assert over.status_code == 200
        assert 'value="next"' not in over.text
        refused = await client.post(path, data={"at": "strategy", "revision": "0", "has": "no", "action": "next"})  # fmt: skip
        assert refused.status_code == 409

    serve(test)


def test_results_hide_small_cells_and_closed_waves(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, surveys: Any) -> None:
        people = [Respondent(f"{region}{n}", "X", region) for region in "NS" for n in range(9)]
        tokens = surveys.invite("small", people)
        for one in people:
            if one.region == "N" or one.id in ("S0", "S1"):
                given = {"has": "no" if one.id == "S0" else "yes", "year": "2010"}
                surveys.save(tokens[one.id], given, revision=0, language="en", submit=True)
        page = await client.get("/surveys/small")
        assert page.status_code == 200
        assert "11 of 18 answered (61%)" in page.text
        assert page.text.count("hidden</span>") == 2
        assert "Have you a strategy?" not in page.text, "one more answer would show what it was"
        surveys.publish("small", 1, results="public")
        page = await client.get("/surveys/small")
        assert "Have you a strategy?" in page.text
        # both regions, both answers, and these at a glance
        assert page.text.count("hidden</span>") == 6
        assert "small" in (await client.get("/surveys")).text
        surveys.publish("small", FAR, results="closed")
        assert (await client.get("/surveys/small")).status_code == 404
        assert "/surveys/small" not in (await client.get("/surveys")).text

    serve(test)


def test_answers_need_no_token_where_reading_does(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, surveys: Any) -> None:
        assert (await client.get(link(surveys))).status_code == 200
        assert (await client.get("/surveys/small")).status_code == 401

    serve(test, access__anonymous="none")


def test_a_measured_figure_is_confirmed_or_contested(
    serve: Callable[..., None], tmp_path: Path
) -> None:
    async def test(client: httpx.AsyncClient, surveys: Any) -> None:
        surveys.put(asked(tmp_path))
        surveys.publish("towns", FAR, zone=60)
        tokens = surveys.invite("towns", [Respondent("ruse", "Ruse"), Respondent("brno", "Brno")])
        surveys.measure("towns", {"ruse": FIGURE, "brno": FIGURE})
        path = f"/survey/{tokens['ruse']}"
        page = await client.get(path)
        assert "Measured: 1,200 inhabitants" in page.text
        assert "Towns (version 2), 2025" in page.text
        assert "UTC+01:00" in page.text
        over = {"people~measured": "1200"}
        page = await send(client, path, page, action="next", **over)
        assert page.status_code == 422
        assert "Please say whether the measured figure is right." in page.text
        page = await send(
            client, path, page, action="next", people="900", **over | {"people~told": "contested"}
        )
        assert "Please say in a few words why your figure is another." in page.text
        assert 'value="900"' in page.text
        page = await send(client, path, page, action="next", **over | {"people~told": "confirmed"})
        assert "What is hard in a big town?" in page.text, "a condition sees the figure"
        page = await send(client, path, page, action="next", **over | {"people~told": "confirmed"})
        page = await send(client, path, page, action="submit")
        assert "1200" in page.text
        first, second = surveys.responses("towns")
        assert (first.submitted, second.answers["people~told"]) == (None, "confirmed")

    serve(test)
