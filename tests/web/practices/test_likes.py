"""Cities like one's own with the values of both beside each other, and why there are none yet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import msgspec
from tests.practices.cards.support import document

from rynek.app import Engine
from rynek.base.settings import load
from rynek.indicators import Value, compute_indicators, find_definition, parse_period
from rynek.practices.cards import parse_card
from rynek.web import Application

# People, their density and growth of cities.
CITIES = {
    "krakow": (761_873, 2_331.0, 0.18),
    "poznan": (545_680, 2_083.0, -0.31),
    "praha": (1_267_449, 2_554.0, 0.16),
    "oslo": (709_037, 1_561.0, 2.17),
}
NAMES = ("population", "population-density", "population-growth")


def serve(folder: Path, test: Callable[[Engine, httpx.AsyncClient], Awaitable[None]]) -> None:
    for name in CITIES:
        tenant = folder / "tenants" / name
        tenant.mkdir(parents=True)
        city = f'name = "{name.capitalize()}"\ncountry = "PL"\nzone = "UTC"\n'
        (tenant / "city.toml").write_text(city)

    async def scenario() -> None:
        told = {"data.path": str(folder), "tenants.default": "krakow"}
        engine = Engine(load(None, {}, told | {"access.anonymous": "write"}))
        engine.open()
        await engine.start()
        transport = httpx.ASGITransport(Application(engine))
        async with httpx.AsyncClient(transport=transport, base_url="http://rynek.test") as client:
            try:
                await test(engine, client)
            finally:
                await engine.stop()

    asyncio.run(scenario())


def measured(numbers: tuple[float, ...]) -> list[Value]:
    """Values of 2015, as tables give them."""
    found = compute_indicators(
        None, [find_definition(one) for one in NAMES], parse_period("2015", "UTC"), 1 << 60
    )
    return [
        msgspec.structs.replace(value, status="ok", value=number)
        for value, number in zip(found, numbers, strict=True)
    ]


def test_the_page_says_how_far_the_measuring_is_and_then_shows_both_values(tmp_path: Path) -> None:
    async def test(engine: Engine, client: httpx.AsyncClient) -> None:
        page = (await client.get("/practices?lang=en")).text
        assert "The cities are being measured, one after the other: 0 of 4 so far." in page
        assert "practice-like" not in page
        for name, numbers in CITIES.items():
            engine.profiles.keep(name, {"P365D": measured(numbers)}, country="PL")
        engine.cards.add(
            "in-prague", parse_card(document()), owner="praha", door="public", aliases=[]
        )
        page = (await client.get("/practices?like=krakow&lang=en")).text
        assert "being measured" not in page
        near = page.partition('class="card near"')[2].partition("practice-list")[0]
        cities = ("Praha", "Poznan", "Oslo")
        assert [near.index(f"<summary>{one} ") for one in cities] == sorted(
            near.index(f"<summary>{one} ") for one in cities
        )
        assert "1,267,449 inhabitants (2015)" in near
        assert "−0.31% a year (2015)" in near
        card = page.partition("/practices/in-prague")[2].partition("</li>")[0]
        assert "alike in what is measured (indicators compared: 3)" in card
        assert "761,873 inhabitants (2015)" in card
        found = (await client.get("/api/practices/v1/cards?like=krakow")).json()["cards"][0]
        assert found["id"] == "in-prague"
        (growth,) = (one for one in found["alike"]["indicators"] if one["id"] == NAMES[2])
        assert (growth["own"], growth["other"], growth["other_year"]) == (0.18, 0.16, 2015)

    serve(tmp_path / "data", test)


def test_errors_of_the_interface_are_said_in_the_client_s_language(tmp_path: Path) -> None:
    async def test(engine: Engine, client: httpx.AsyncClient) -> None:
        path = "/api/practices/v1/cards"
        plain = await client.get(path, params={"colour": "red"})
        assert plain.json()["detail"].startswith("colour: is no parameter here; theme, ")
        for language, told in (("uk", "такого параметра тут немає"), ("cs", "parametr tu není")):
            answer = await client.get(
                path, params={"colour": "red"}, headers={"accept-language": language}
            )
            assert answer.status_code == 400
            assert told in answer.json()["detail"]
            assert answer.headers["content-language"] == language
        body = {"id": "some", "owner": "praha", "card": document(status="halted")}
        answer = await client.post(path, json=body, headers={"accept-language": "pl"})
        assert answer.json()["detail"].startswith("card.status: `halted` nie jest")
        broken = {"accept-language": "bg", "content-type": "application/toml"}
        answer = await client.post(path, content=b'id = "x"\ncard =', headers=broken)
        assert answer.json()["detail"].startswith("не е TOML, краят на документа")

    serve(tmp_path / "data", test)
