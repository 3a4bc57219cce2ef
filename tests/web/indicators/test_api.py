"""The API of indicators: definitions, values with their origin, trends, tables, rights, refusals."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.web.api.conftest import serve
from tests.web.indicators.support import STATIONS, name_city, observe

from rynek.app import Engine
from rynek.indicators import LANGUAGES, definitions, load_definition

__all__ = ["serve"]
Serve = Callable[..., None]
API = "http://rynek.test/api/indicators/v1"

TABLE = """
id = "towns"
title = "Towns"
licence = "CC0"
key = "code"

[roles]
name = "name"
population = "people"

[[columns]]
name = "name"
column = "name"
kind = "text"

[[columns]]
name = "people"
column = "people"
unit = "inhabitants"
"""


def test_definitions_are_listed_with_their_languages(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        found = (await visitor.get(f"{API}/definitions")).json()
        assert [one["id"] for one in found["definitions"]] == [one.id for one in definitions()]
        assert set(found["definitions"][0]["name"]) == set(LANGUAGES)
        one = await visitor.get(f"{API}/definitions/bike-stations-empty?language=uk")
        assert one.json()["name"] == "Час, коли велостанції порожні"
        assert one.json()["computation"]["attribute"] == "availableBikeNumber"
        gone = await visitor.get(f"{API}/definitions/none")
        assert gone.status_code == 404
        assert "there is no indicator 'none'" in gone.json()["detail"]

    serve(test)


def test_a_value_has_coverage_and_leads_back_to_its_readings(serve: Serve, tmp_path: Path) -> None:
    name_city(tmp_path, "hradec", "Hradec")

    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "hradec")
        query = "period=PT24H&indicator=bike-stations-empty,bikes-available&wait=30&things=true"
        answer = await visitor.get(f"{API}/cities/hradec/values?{query}")
        assert answer.status_code == 200, answer.text
        (period,) = answer.json()["periods"]
        told = {one["id"]: one for one in period["values"]}
        empty, bikes = told["bike-stations-empty"], told["bikes-available"]
        assert empty["value"] == pytest.approx(100 / STATIONS, abs=0.5)
        assert bikes["value"] == pytest.approx((4 + 5 + 0) / STATIONS, abs=0.05)
        assert empty["coverage"] > 0.95
        assert len(empty["by_thing"]) == STATIONS
        assert empty["provenance"]["query_sha256"]
        assert period["permanent"].endswith(period["end"])

    serve(test)


def test_too_little_observed_time_is_no_number(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "default", hours=2)
        query = "period=P7D&indicator=bikes-available&wait=30"
        answer = await visitor.get(f"{API}/cities/default/values?{query}")
        (value,) = answer.json()["periods"][0]["values"]
        assert value["status"] == "not enough data"
        assert value["value"] is None
        assert 0 < value["coverage"] < 0.1

    serve(test)


def test_values_come_as_a_table_in_the_language_asked_for(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "default", hours=4)
        query = "period=PT3H&indicator=bikes-available&wait=30&format=csv&language=cs"
        answer = await visitor.get(f"{API}/cities/default/values?{query}")
        assert answer.headers["content-type"].startswith("text/csv")
        (row,) = csv.DictReader(io.StringIO(answer.text))
        assert row["name"] == "Kola dostupná ve stanici"
        assert float(row["value"]) == pytest.approx(3, abs=0.05)
        assert row["status"] == "ok"

    serve(test)


def test_who_does_not_wait_is_told_that_it_is_being_computed(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "default", hours=4)
        address = f"{API}/cities/default/values?period=PT3H&theme=cycling"
        first = await visitor.get(f"{address}&wait=0")
        assert first.status_code == 202
        assert first.headers["retry-after"]
        assert first.json()["status"] == "being computed"
        assert first.json()["done"] < first.json()["total"]
        then = await visitor.get(f"{address}&wait=30")
        assert then.status_code == 200
        # What was computed a moment ago is at hand.
        again = await visitor.get(f"{address}&wait=0")
        assert again.status_code == 200
        assert again.json() == then.json()

    serve(test)


def test_what_nobody_asks_for_any_more_is_not_computed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "default", hours=4)
        address = f"{API}/cities/default/values?period=PT3H&indicator=bikes-available"
        monkeypatch.setattr("rynek.web.indicators.computing._FORGOTTEN_S", -1.0)
        assert (await visitor.get(f"{address}&wait=1")).status_code == 202
        monkeypatch.undo()
        again = await visitor.get(f"{address}&wait=30")
        assert again.json()["periods"][0]["values"][0]["status"] == "ok"

    serve(test)


def test_who_asks_for_very_many_periods_takes_no_page_from_others(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rynek.web.indicators.computing._MOST_OTHERS", 3)

    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "default", hours=4)
        address = f"{API}/cities/default/values?indicator=bikes-available"
        many = [await visitor.get(f"{address}&wait=0&period=PT{n}H") for n in range(2, 14)]
        assert {one.status_code for one in many} == {202, 503}
        assert (await visitor.get(f"{address}&wait=30&period=PT1H")).status_code == 200

    serve(test)


def test_values_that_are_kept_tell_of_the_time_they_are_of(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "default", hours=4)
        address = f"{API}/cities/default/values?period=PT3H&indicator=bikes-available&wait=30"
        (first,) = (await visitor.get(address)).json()["periods"]
        clock = engine.tenant("default").clock
        later = clock.now() + 600_000_000
        monkeypatch.setattr(clock, "now", lambda: later)
        (again,) = (await visitor.get(address)).json()["periods"]
        assert again["values"] == first["values"]
        assert again["permanent"] == first["permanent"]
        assert again["end"] == again["values"][0]["period"]["end"]

    serve(test)


def test_a_trend_has_one_point_for_each_step(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        await observe(engine, "default", hours=4)
        query = "indicator=bikes-available&every=hour&last=3&wait=30"
        answer = await visitor.get(f"{API}/cities/default/trend?{query}")
        (series,) = answer.json()["series"]
        points = series["points"]
        assert len(points) == 3
        assert [one["start"] for one in points[1:]] == [one["end"] for one in points[:-1]]
        assert all(one["value"] == pytest.approx(3, abs=0.05) for one in points)

    serve(test)


def test_tables_are_found_by_key_and_by_name(serve: Serve, tmp_path: Path) -> None:
    source, file = tmp_path / "towns.toml", tmp_path / "towns.csv"
    source.write_text(TABLE, encoding="utf-8")
    file.write_text("code,name,people\n1,Brno,400000\n2,Most,65000\n3,Mostek,1200\n", "utf-8")

    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        engine.references.import_file(load_definition(str(source)), file)
        (table,) = (await visitor.get(f"{API}/tables")).json()["tables"]
        assert (table["id"], table["rows"], table["licence"]) == ("towns", 3, "CC0")
        about = (await visitor.get(f"{API}/tables/towns")).json()
        assert about["columns"][1]["unit"] == "inhabitants"
        found = (await visitor.get(f"{API}/tables/towns/rows?q=most&column=people")).json()
        assert [(one["name"], one["values"]) for one in found["rows"]] == [
            ("Most", {"people": 65000}),
            ("Mostek", {"people": 1200}),
        ]
        text = (await visitor.get(f"{API}/tables/towns/rows?key=1&format=csv")).text
        assert text.splitlines() == ["code,name,people", "1,Brno,400000"]
        gone = await visitor.get(f"{API}/tables/towns/rows?key=9")
        assert gone.status_code == 404
        assert "key: there is no '9' in towns" in gone.json()["detail"]

    serve(test)


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("cities/default/values?period=٢٠٢٢", 400, "Not a period"),
        ("cities/default/values?period=P٧D", 400, "Not a period"),
        ("cities/none/values", 404, "no city 'none'"),
        ("cities/default/values?period=P9999D", 400, "Not a period"),
        ("cities/default/values?period=PT0H", 400, "empty"),
        ("cities/default/values?period=2199", 400, "not begun"),
        ("cities/default/values?indicator=no-such", 404, "there is no indicator"),
        ("cities/default/values?theme=no-such", 404, "theme: "),
        ("cities/default/values?wait=31", 400, "wait: a number from 0 to 30"),
        ("cities/default/values?language=xx", 400, "language: one of"),
        ("cities/default/values?colour=red", 400, "colour: is no parameter"),
        ("cities/default/values?" + "&".join(f"period=20{n}" for n in range(10, 23)), 400, "12"),
        ("cities/default/trend", 400, "indicator: one at least"),
        ("cities/default/trend?indicator=no2-mean&last=63", 400, "last: a number from 1 to 62"),
        ("cities/default/trend?indicator=no2-mean&every=minute", 400, "every: one of"),
        ("tables/none", 404, "no reference table"),
        ("tables/none/rows?limit=2001", 400, "limit: a number from 0 to 2000"),
        ("nothing", 404, "openapi.json"),
    ],
)
def test_what_cannot_be_answered_is_named(serve: Serve, path: str, status: int, word: str) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        answer = await visitor.get(f"{API}/{path}")
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert word in answer.json()["detail"]

    serve(test)


def test_a_city_is_read_by_who_may_read_it(serve: Serve, tmp_path: Path) -> None:
    name_city(tmp_path, "hradec", "Hradec")

    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        secret = engine.tokens.create("one", ("read:hradec",))
        told = {"Authorization": f"Bearer {secret}"}
        assert (await visitor.get(f"{API}/cities/hradec/values")).status_code == 401
        mine = await visitor.get(f"{API}/cities/hradec/values?wait=0", headers=told)
        assert mine.status_code in (200, 202)
        other = await visitor.get(f"{API}/cities/default/values", headers=told)
        assert other.status_code == 403
        cities = (await visitor.get(f"{API}/cities", headers=told)).json()["cities"]
        assert [one["id"] for one in cities] == ["hradec"]

    serve(test, access__anonymous="none")


def test_the_description_has_every_path(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        found: dict[str, Any] = (await visitor.get(f"{API}/openapi.json")).json()
        assert found["openapi"] == "3.1.0"
        text = json.dumps(found)
        refs = set(re.findall(r'"#/components/([^"]+)"', text))
        for one in refs:
            section, name = one.split("/")
            assert name in found["components"][section]
        assert set(found["paths"]) == {
            "/definitions",
            "/definitions/{id}",
            "/cities",
            "/cities/{tenant}/values",
            "/cities/{tenant}/trend",
            "/tables",
            "/tables/{table}",
            "/tables/{table}/rows",
            "/openapi.json",
        }

    serve(test)
