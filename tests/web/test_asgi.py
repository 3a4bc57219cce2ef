"""What guards every page: rights by tenant, other sites' writes, security headers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from rynek.app import Engine
from rynek.base.settings import load
from rynek.web import Application

CITIES = {"default": "Alphaville", "other": "Betatown", "third": "Gammaburg"}
Ask = Callable[..., Awaitable[httpx.Response]]
Serve = Callable[..., None]


def settle(folder: Path) -> None:
    """Three cities that have a place; the second takes what is posted to its feed."""
    for number, (name, city) in enumerate(CITIES.items()):
        tenant = folder / "tenants" / name
        (tenant / "feeds").mkdir(parents=True)
        (tenant / "city.toml").write_text(
            f'name = "{city}"\ncountry = "PL"\nzone = "Europe/Warsaw"\ncentre = [{20 + number}, 52]\n'
        )
    (folder / "tenants" / "other" / "feeds" / "posted.toml").write_text(
        'kind = "positions"\nsource = "webhook:"\nzone = "Europe/Warsaw"\n'
    )


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Runs an async test with a way to ask a started service, which is stopped afterwards."""
    settle(tmp_path)

    def run(test: Callable[[Ask, Engine], Awaitable[None]], **given: object) -> None:
        async def body() -> None:
            values = {name.replace("__", "."): value for name, value in given.items()}
            engine = Engine(load(None, {}, {"data.path": str(tmp_path)} | values))
            engine.open()
            await engine.start()
            transport = httpx.ASGITransport(app=Application(engine), raise_app_exceptions=False)
            try:
                async with httpx.AsyncClient(
                    transport=transport, base_url="http://rynek.test"
                ) as client:
                    await test(client.request, engine)
            finally:
                engine.stopping.set()
                await engine.stop()

        asyncio.run(body())

    return run


def token(engine: Engine, *scopes: str) -> dict[str, str]:
    """The header of a new token with those scopes."""
    secret = engine.tokens.create(" ".join(scopes), scopes)
    return {"Authorization": f"Bearer {secret}"}


def signed_in(bearer: dict[str, str]) -> dict[str, str]:
    """The header that a browser sends once the token was given as a password."""
    pair = ":" + bearer["Authorization"].removeprefix("Bearer ")
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def shown(text: str) -> list[str]:
    return [city for city in CITIES.values() if city in text]


@pytest.mark.parametrize("base_path", ["", "/city"])
def test_a_token_of_some_cities_sees_no_other(serve: Serve, base_path: str) -> None:
    async def test(ask: Ask, engine: Engine) -> None:
        head = token(engine, "read:default", "write:other")
        for path in ("/", "/c/default/entities", "/entities"):
            answer = await ask("GET", base_path + path, headers=head)
            assert answer.status_code == 200, path
            assert shown(answer.text) == ["Alphaville", "Betatown"]
        network = await ask("GET", base_path + "/map/network", headers=head)
        ids = [each["properties"]["id"] for each in network.json()["features"]]
        assert ids == ["default", "other"]
        assert (await ask("GET", base_path + "/c/third/entities", headers=head)).status_code == 403
        lost = await ask("GET", base_path + "/nothing/here", headers=head)
        assert lost.status_code == 404
        assert "Gammaburg" not in lost.text

    serve(test, access__anonymous="none", server__base_path=base_path)


def test_a_token_of_one_city_that_is_not_the_default(serve: Serve) -> None:
    async def test(ask: Ask, engine: Engine) -> None:
        for head in (token(engine, "read:other"), signed_in(token(engine, "admin:other"))):
            start = await ask("GET", "/", headers=head)
            assert start.status_code == 200
            assert shown(start.text) == ["Betatown"]
            network = await ask("GET", "/map/network", headers=head)
            assert [f["properties"]["id"] for f in network.json()["features"]] == ["other"]
            ground = await ask("GET", "/map/base/land.geojson", headers=head)
            assert ground.status_code == 200
            assert (await ask("GET", "/entities", headers=head)).status_code == 403
            assert (await ask("GET", "/map/legend", headers=head)).status_code == 403

    serve(test, access__anonymous="none")


@pytest.mark.parametrize("path", ["/", "/map/network", "/map/base/land.geojson", "/entities"])
def test_the_network_needs_the_right_to_read_a_city(serve: Serve, path: str) -> None:
    async def test(ask: Ask, engine: Engine) -> None:
        without = await ask("GET", path)
        assert without.status_code == 401
        assert without.headers["www-authenticate"].startswith("Basic")
        elsewhere = await ask("GET", path, headers=token(engine, "read:elsewhere"))
        assert elsewhere.status_code == 403
        for answer in (without, elsewhere):
            assert shown(answer.text) == []

    serve(test, access__anonymous="none")


def test_everyone_sees_all_cities_where_reading_is_open(serve: Serve) -> None:
    async def test(ask: Ask, engine: Engine) -> None:
        del engine
        for path in ("/", "/map/network", "/c/other/feeds"):
            assert shown((await ask("GET", path)).text) == list(CITIES.values())

    serve(test)


POST_TO = "/c/other/feeds/posted/deliver"
POLL = {"timestamp": "2026-02-07T16:35:00", "positions": []}
OTHER_SITES = (
    "http://evil.test",
    "http://rynek.test.evil.test",
    "http://evil.rynek.test",
    "http://rynek.test:8080",
    "null",
    "",
)


async def until_taken(ask: Ask, head: dict[str, str]) -> None:
    """Wait until the feed has started and takes posts."""
    for _ in range(4_000):
        answer = await ask("POST", POST_TO, json=POLL, headers=head)
        if answer.status_code == 200:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(answer.text)


@pytest.mark.parametrize("anonymous", ["write", "read"])
def test_a_page_of_another_site_cannot_write_through_a_browser(
    serve: Serve, anonymous: str
) -> None:
    async def test(ask: Ask, engine: Engine) -> None:
        bearer = token(engine, "write:other")
        browser = {} if anonymous == "write" else signed_in(bearer)
        await until_taken(ask, bearer)
        for origin in OTHER_SITES:
            answer = await ask("POST", POST_TO, json=POLL, headers=browser | {"Origin": origin})
            assert answer.status_code == 403, origin
            assert "another site" in answer.json()["detail"]
            taken = await ask("POST", POST_TO, json=POLL, headers=bearer | {"Origin": origin})
            assert taken.status_code == 200, taken.text
        for own in ({"Origin": "http://rynek.test"}, {"Origin": "https://Rynek.test"}, {}):
            taken = await ask("POST", POST_TO, json=POLL, headers=browser | own)
            assert taken.status_code == 200, taken.text
        for method in ("PUT", "PATCH", "DELETE"):
            head = browser | {"Origin": "http://evil.test"}
            assert (await ask(method, POST_TO, headers=head)).status_code == 403
        read = await ask("GET", "/", headers=browser | {"Origin": "http://evil.test"})
        assert read.status_code == 200

    serve(test, access__anonymous=anonymous)


def test_each_answer_has_one_content_policy(serve: Serve) -> None:
    async def test(ask: Ask, engine: Engine) -> None:
        head = token(engine, "read")
        statuses = set()
        for path in ("/", "/c/other/", "/c/other/feeds", "/entities", "/c/nowhere/", "/nothing"):
            page = await ask("GET", path, headers=head)
            statuses.add(page.status_code)
            (policy,) = page.headers.get_list("content-security-policy")
            assert policy.startswith("default-src 'none';")
            assert page.headers.get_list("x-content-type-options") == ["nosniff"]
            assert len(page.headers.get_list("referrer-policy")) == 1
        assert statuses == {200, 404}
        others = ("/health", "/static/icons/rynek.svg", "/map/network", "/c/other/map/legend")
        for path in others:
            answer = await ask("GET", path, headers=head)
            assert answer.status_code == 200
            (policy,) = answer.headers.get_list("content-security-policy")
            assert policy.startswith("default-src 'self';")
        refused = await ask("GET", "/")
        assert refused.status_code == 401
        assert len(refused.headers.get_list("content-security-policy")) == 1

    serve(test, access__anonymous="none")


@pytest.mark.parametrize("base_path", ["", "/city"])
@pytest.mark.parametrize("path", ["/ngsi-ld/v1", "/ngsi-ld/v1/"])
def test_the_root_of_the_api_is_a_problem_document(serve: Serve, path: str, base_path: str) -> None:
    async def test(ask: Ask, engine: Engine) -> None:
        del engine
        for method in ("GET", "POST"):
            answer = await ask(method, base_path + path + "?limit=1")
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/json"
            assert answer.json()["type"].endswith("/ResourceNotFound")
        assert (await ask("GET", base_path + "/ngsi-ld/v1/types")).status_code == 200

    serve(test, server__base_path=base_path)


@pytest.mark.parametrize("base_path", ["", "/city"])
def test_the_start_page_fetches_its_cities_ahead_of_its_script(
    serve: Serve, base_path: str
) -> None:
    async def test(ask: Ask, engine: Engine) -> None:
        del engine
        text = (await ask("GET", base_path + "/")).text
        asked = f"{base_path}/map/network"
        assert f'data-features="{asked}"' in text
        ahead = f'<link rel="preload" href="{asked}" as="fetch" crossorigin>'
        assert (ahead in text) == ('<script type="module"' in text)
        assert (await ask("GET", asked)).status_code == 200

    serve(test, server__base_path=base_path)


def test_where_busy_connections_are_too_many_clients_are_told_so(serve: Serve) -> None:
    async def test(ask: Ask, engine: Engine) -> None:
        application = Application(engine)
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            application.refuse(crowded=True)
            for path in ("/", "/ngsi-ld/v1/types"):
                answer = await client.get(path)
                assert answer.status_code == 503
                assert answer.headers["retry-after"] == "5"
                assert answer.headers["connection"] == "close"
                assert "too many connections" in answer.json()["detail"]
            application.refuse(crowded=False)
            assert (await client.get("/ngsi-ld/v1/types")).status_code == 200

    serve(test)
