"""The pages of indicators: a city's profile, how a value is computed, cities side by side."""

from __future__ import annotations

import asyncio
import csv
import html
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.recorded import needed
from tests.web.api.conftest import serve
from tests.web.indicators.support import name_city, observe

from rynek.app import Engine
from rynek.indicators import load_definition, seed_references

__all__ = ["serve"]
Serve = Callable[..., None]
ROOT = "http://rynek.test"
VINNYTSIA = "ua-hromadas:UA05020030000031457"


async def ready(visitor: httpx.AsyncClient, path: str, word: str = "") -> httpx.Response:
    """The page once the values it is about are computed, and a word stands in it."""
    for _ in range(4_000):
        page = await visitor.get(ROOT + path)
        late = "data-late" in page.text or "Refresh" in page.headers or page.status_code == 503
        if not late and word in page.text:
            return page
        await asyncio.sleep(0.2)
    raise AssertionError(page.text)


async def explained(visitor: httpx.AsyncClient) -> None:
    """How a value is computed, down to its readings."""
    page = await ready(visitor, "/c/hradec/indicators/bike-stations-empty?period=PT24H")
    text = html.unescape(page.text)
    assert "The share of the observed time of all things in which" in text
    assert "is at most 0." in text
    # The station that is always empty stands first.
    first = re.search(r'entities/(urn:[^"]+)"', text)
    assert first
    assert first[1].endswith("hradec:2")
    assert re.search(r"SHA-256 [0-9a-f]{64}", text)
    gone = await visitor.get(f"{ROOT}/c/hradec/indicators/none")
    assert gone.status_code == 404
    assert "There is no such indicator." in gone.text


async def taken_along(visitor: httpx.AsyncClient) -> None:
    """The same values as table, picture and frame."""
    table = await visitor.get(f"{ROOT}/c/hradec/indicators/values.csv?period=PT24H")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert {row["indicator"] for row in rows} >= {"bike-stations-empty", "bikes-available"}
    picture = await visitor.get(f"{ROOT}/c/hradec/indicators/profile.svg?period=PT24H")
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert "Bikes available at a station" in picture.text
    ET.fromstring(picture.text)
    frame = await visitor.get(f"{ROOT}/c/hradec/indicators/embed?period=PT24H")
    assert "frame-ancestors 'self' *" in frame.headers["content-security-policy"]
    assert "Bikes available at a station" in frame.text


def test_a_profile_shows_values_coverage_and_what_is_better(serve: Serve, tmp_path: Path) -> None:
    name_city(tmp_path, "hradec", "Hradec")

    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "hradec")
        page = await ready(visitor, "/c/hradec/indicators?period=PT24H")
        text = html.unescape(page.text)
        assert "Hradec in indicators" in text
        assert "Time that bike stations are empty" in text
        assert re.search(r'class="value">33\.\d%', text)
        assert "less is better" in text
        assert "observed: 99% of the time" in text or "observed: 100% of the time" in text
        assert "This city has no such things:" in text
        assert "/c/hradec/indicators/bike-stations-empty?period=" in text
        await explained(visitor)
        await taken_along(visitor)

    serve(test)


def test_without_a_period_the_longest_with_enough_data_is_shown(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "default", hours=26)
        page = await ready(visitor, "/indicators")
        assert "The last 24 hours" in page.text
        assert "of which enough was observed" in page.text

    serve(test)


def test_too_little_data_is_told_and_no_number_is_shown(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "default", hours=3)
        page = await ready(visitor, "/indicators?period=P7D")
        assert "not enough data" in page.text
        assert re.search(r"\d% of the period was observed, 75% is needed\.", page.text)
        assert 'class="value">' not in page.text

    serve(test)


def test_a_wrong_period_is_named(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        page = await visitor.get(f"{ROOT}/indicators?other=soon")
        assert page.status_code == 400
        assert "Not a period" in page.text

    serve(test)


def test_a_closed_city_is_neither_shown_nor_a_peer(serve: Serve, tmp_path: Path) -> None:
    name_city(tmp_path, "hradec", "Hradec")
    name_city(tmp_path, "cheb", "Cheb")

    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        secret = engine.tokens.create("one", ("read:hradec",))
        visitor.headers["Authorization"] = f"Bearer {secret}"
        assert (await visitor.get(f"{ROOT}/c/cheb/indicators")).status_code == 403
        page = await visitor.get(f"{ROOT}/c/hradec/indicators?period=PT3H")
        assert page.status_code == 200
        assert "Cheb" not in page.text
        page = await visitor.get(f"{ROOT}/cities?c=city:cheb&c=city:hradec&q=cheb")
        assert "Not found here: city:cheb" in page.text
        assert ">Cheb<" not in page.text

    serve(test, access__anonymous="none")


def test_places_of_tables_stand_side_by_side(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await asyncio.to_thread(seed_references, engine.folder.path)
        found = await visitor.get(f"{ROOT}/cities", params={"q": "Вінницька міська"})
        assert f"c={VINNYTSIA.replace(':', '%3A')}" in found.text
        both = f"c={VINNYTSIA}&c=ua-hromadas:UA05020010000053508"
        page = await visitor.get(f"{ROOT}/cities?{both}")
        assert "387,439 inhabitants" in page.text
        # Amounts are divided by the inhabitants: 1,580,136.55268 thousand UAH / 387,439.
        assert "4,078 UAH per inhabitant" in page.text
        assert "not listed" in page.text
        assert "head of the hromada" not in page.text
        table = await visitor.get(f"{ROOT}/cities/values.csv?{both}")
        rows = list(csv.DictReader(io.StringIO(table.text)))
        assert any(row["what"] == "Area" and float(row["number"]) == 256.6 for row in rows)
        picture = await visitor.get(f"{ROOT}/cities/picture.svg?{both}")
        ET.fromstring(picture.text)
        frame = await visitor.get(f"{ROOT}/cities/embed?{both}")
        assert "frame-ancestors 'self' *" in frame.headers["content-security-policy"]

    serve(test)


def test_a_place_stands_among_those_of_its_kind_and_size(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await asyncio.to_thread(seed_references, engine.folder.path)
        page = await visitor.get(f"{ROOT}/cities/ua-hromadas/UA05020030000031457")
        assert page.status_code == 200
        assert "places are of the same kind (міська)" in page.text
        assert re.search(r"Own income, 2021.{0,200}higher than \d+", page.text, re.DOTALL)
        gone = await visitor.get(f"{ROOT}/cities/ua-hromadas/UA00")
        assert gone.status_code == 404

    serve(test)


def test_measured_cities_stand_side_by_side(serve: Serve, tmp_path: Path) -> None:
    name_city(tmp_path, "hradec", "Hradec")
    name_city(tmp_path, "cheb", "Cheb")

    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "hradec", bikes=9, hours=4)
        await observe(engine, "cheb", bikes=2, hours=4)
        page = await ready(visitor, "/cities?c=city:hradec&c=city:cheb&period=PT3H")
        row = page.text.partition("Bikes available at a station")[2].partition("</tr>")[0]
        assert re.findall(r'"amount">([\d.]+) bikes', row) == ["6.33", "1.67"]
        assert row.index("best") < row.index("1.67")
        heads = page.text.partition('class="beside"')[2].partition("</thead>")[0]
        assert len(re.findall(r"\d\d:\d\d – .*?\d\d:\d\d", heads)) == 2
        # They have bikes, but say nothing of free places: that is not to have no such things.
        row = page.text.partition("Shared bikes for 100,000 inhabitants")[2].partition("</tr>")[0]
        assert row.count("reference tables know the city is not said") == 2
        page = await ready(visitor, "/c/hradec/indicators?period=PT3H", "Cheb. With fewer than 3")

    serve(test)


def test_what_is_still_being_computed_is_not_said_to_be_absent(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_city(tmp_path, "hradec", "Hradec")
    monkeypatch.setattr("rynek.web.indicators.cities._PATIENCE_S", 0.0)

    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "hradec", hours=4)
        query = "c=city:hradec&period=PT3H"
        for path in ("values.csv", "picture.svg"):
            early = await visitor.get(f"{ROOT}/cities/{path}?{query}&lang=en")
            assert early.status_code == 503
            assert early.headers["retry-after"]
        frame = await visitor.get(f"{ROOT}/cities/embed?{query}")
        assert "refresh" not in frame.headers
        assert "data-late" in frame.text
        # Without scripts the frame loads itself again; with them nothing moves but the values.
        assert '<noscript><meta http-equiv="refresh"' in frame.text
        table = await ready(visitor, f"/cities/values.csv?{query}")
        rows = list(csv.DictReader(io.StringIO(table.text)))
        assert {row["of"] for row in rows} == {"Hradec"}
        assert all(row["time"] for row in rows)

    serve(test)


def test_seven_are_too_many(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        query = "&".join(f"c=city:{n}" for n in range(7))
        page = await visitor.get(f"{ROOT}/cities?{query}")
        assert page.status_code == 400
        assert "6 at most" in page.text

    serve(test)


def test_what_moved_an_indicator_elsewhere_stands_on_its_page_and_has_its_own(
    serve: Serve, tmp_path: Path
) -> None:
    name_city(tmp_path, "hradec", "Hradec")
    about = tmp_path / "data" / "tenants" / "hradec" / "city.toml"
    about.write_text(about.read_text() + 'known_as = ["Praha"]\n', encoding="utf-8")

    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        definition = load_definition("eurostat-urb-cpop1")
        engine.references.import_file(definition, needed("indicators/eurostat_urb_cpop1.csv"))
        page = await ready(visitor, "/c/hradec/indicators/no2-mean?period=PT24H")
        text = html.unescape(page.text)
        assert "What moved it elsewhere" in text
        assert text.index("london-congestion-charge") < text.index("grenoble-low-emission-zone")
        page = await visitor.get(f"{ROOT}/c/hradec/practices?indicator=no2-mean")
        text = html.unescape(page.text)
        # Prague's people, as the table has them: Grenoble's are fewer, London's more.
        assert 'value="1267449"' in text
        assert "158,240, 8 times smaller than yours" in text
        assert "8,730,803, 6.9 times larger than yours" in text
        assert "Evidence level 2 of 5." in text
        assert "goes in the worse direction." in text
        other = await visitor.get(f"{ROOT}/practices?indicator=no2-mean&population=160000&lang=uk")
        assert "158\xa0240, розміром як ваше" in html.unescape(other.text)
        bins = html.unescape(
            (await visitor.get(f"{ROOT}/practices?indicator=bins-over-80&lang=en")).text
        )
        assert "Plan a pilot" in bins
        assert "/practices/prague-smart-bins" in bins
        for wrong in ("indicator=noo", "indicator=no2-mean&population=many"):
            assert (await visitor.get(f"{ROOT}/practices?{wrong}")).status_code == 400

    serve(test)


def test_what_is_weak_links_to_what_moved_it_elsewhere(serve: Serve, tmp_path: Path) -> None:
    cities = ("hradec", "jihlava", "opava", "tabor")
    for name in cities:
        name_city(tmp_path, name, name.title())

    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        for name in cities:
            await observe(engine, name, bikes=1 if name == "hradec" else 9, hours=3)
        page = await ready(visitor, "/c/hradec/indicators?period=PT1H", "moved it elsewhere")
        text = html.unescape(page.text)
        assert "/c/hradec/practices?indicator=bikes-available" in text
        page = await visitor.get(f"{ROOT}/c/hradec/practices?indicator=bikes-available")
        assert "seattle-fremont-bridge-counter" in page.text

    serve(test)


def test_pages_that_are_computed_have_a_link_and_do_not_reload_themselves(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who types or reads is not thrown back to the beginning; scripts bring in what has come."""
    monkeypatch.setattr("rynek.web.indicators.cities._PATIENCE_S", 0.0)
    name_city(tmp_path, "hradec", "Hradec")

    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "hradec", hours=2)
        page = await visitor.get(f"{ROOT}/cities?c=city:hradec&period=PT3H&lang=en")
        assert "data-late" in page.text
        assert "Refresh" not in page.headers
        assert 'id="values" data-part' in page.text
        link = re.search(r'href="([^"]+)">Look again', page.text)
        assert link is not None
        again = await ready(visitor, html.unescape(link.group(1)), "Time that bike stations")
        assert "data-late" not in again.text

    serve(test)
