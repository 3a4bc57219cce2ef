"""The pages that compare: who is ahead, how sure that is, other weights, and what can be taken."""

from __future__ import annotations

import csv
import html
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from tests.web.api.conftest import serve

from rynek.app import Engine
from rynek.base.errors import BadRequestData
from rynek.demo.install import install
from rynek.indicators import Comparisons, open_indicators, rerank, say, seed_comparisons
from rynek.indicators.index.specification import Aggregate, Impute, Normalise, Treat, Weigh
from rynek.indicators.index.variants import FACTORS as VARIED
from rynek.web.compare.downloads import table
from rynek.web.compare.words import CHOICES, FACTORS

__all__ = ["serve"]
Serve = Callable[..., None]
ROOT = "http://rynek.test"
INDEX = f"{ROOT}/compare/ua-budget-edemocracy"


def seeded(engine: Engine) -> dict[str, Any]:
    seed_comparisons(engine.folder.path)
    found: dict[str, Any] = engine.comparisons.find("ua-budget-edemocracy").found
    return found


def order(text: str, kind: str) -> list[str]:
    """The ids of a table's rows, from the top."""
    part = re.search(rf'data-kind="{kind}".*?</table>', text, re.DOTALL)
    assert part
    return re.findall(r'data-id="([^"]+)"', part[0])


def test_without_an_index_the_page_says_so(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        page = await visitor.get(f"{ROOT}/compare")
        assert page.status_code == 200
        assert "Nothing is compared here yet." in page.text
        gone = await visitor.get(f"{ROOT}/compare/none")
        assert gone.status_code == 404
        assert "There is no such comparison here." in gone.text

    serve(test)


def test_an_index_says_who_is_ahead_and_who_cannot_be_told_apart(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        found = seeded(engine)
        page = await visitor.get(f"{ROOT}/compare")
        assert f'href="{INDEX.removeprefix(ROOT)}"' in page.text
        page = await visitor.get(INDEX)
        text = html.unescape(page.text)
        assert (
            "Kyiv oblast ranks first by the choices of the index, and in 84% of its variants."
            in text
        )
        assert "It can’t be told apart from: Poltava oblast" in text
        assert "no probabilities" in text
        assert "not an index of “smart”" in text
        ranked = sorted(found["groups"], key=lambda one: one["rank"])
        assert order(text, "groups") == [one["id"] for one in ranked]
        assert len(order(text, "units")) == 25
        assert 'class="index-map"' in text
        assert "Left out, without a rank: 31" in text
        ukrainian = await visitor.get(INDEX, params={"lang": "uk"})
        assert "Не можна відрізнити від: Полтавська область" in ukrainian.text

    serve(test)


def test_other_weights_rank_anew_without_scripts(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        found = seeded(engine)
        weights = {"own_income": 3.0, "property_tax": 1.0}
        expected = rerank(found, weights)
        ids = [one["id"] for one in found["groups"]]
        wanted = [ids[n] for n in sorted(range(len(ids)), key=lambda n: expected.group_ranks[n])]
        asked = {"weights": "own_income:3,property_tax:1"}
        page = await visitor.get(INDEX, params=asked)
        assert order(page.text, "groups") == wanted
        assert "follows your weights" in page.text
        form = await visitor.get(INDEX, params={"w-own_income": "3", "w-property_tax": "1"})
        assert order(form.text, "groups") == wanted
        for wrong in ("own_income", "none:1", "own_income:-1", "own_income:nan", "own_income:0"):
            refused = await visitor.get(INDEX, params={"weights": wrong})
            assert refused.status_code == 400

    serve(test)


def test_what_is_refused_and_left_out_is_said_in_the_language(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        found = seeded(engine)
        for query, words in (
            ("weights=abc", "weights: «abc» не має вигляду показник:число"),
            ("weights=nothing:1", "weights: немає показника «nothing»"),
            ("weights=own_income:0", "weights: принаймні одна має бути більшою за 0"),
            ("version=x", "version: потрібне число"),
        ):
            page = await visitor.get(f"{INDEX}?{query}&lang=uk")
            assert page.status_code == 400
            assert words in html.unescape(page.text), query
        reason = say("left-never", indicators=["own_income", "e_petitions"])
        gone = {"id": "x", "name": "X", "group": None, "reason": str(reason)}
        kept = found | {"left_out": [gone, gone | {"message": reason.document()}]}
        engine.comparisons.keep(kept, "")
        text = html.unescape((await visitor.get(f"{INDEX}?lang=uk")).text)
        assert "no value of own_income, e_petitions, which is never imputed" in text
        assert "бракує значення (Власні доходи на мешканця, Е-петиції)" in text

    serve(test)


@pytest.mark.parametrize("kind", [Impute, Treat, Normalise, Weigh, Aggregate])
def test_every_choice_of_a_method_has_its_words(kind: Any) -> None:
    assert set(get_args(kind)) <= CHOICES.keys()
    assert set(VARIED) <= FACTORS.keys()


def test_units_are_found_by_name_and_region(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        found = seeded(engine)
        page = await visitor.get(INDEX, params={"q": "ЛЬВІВСЬКА МІСЬКА"})
        assert "Львівська міська громада" in page.text
        assert len(order(page.text, "units")) < 5
        region = "UA44000000000018893"
        page = await visitor.get(INDEX, params={"region": region, "page": "1"})
        rest = await visitor.get(INDEX, params={"region": region, "page": "2"})
        inside = {one["id"] for one in found["units"] if one["group"] == region}
        shown = [*order(page.text, "units"), *order(rest.text, "units")]
        assert set(shown) == inside
        assert len(shown) == len(inside)
        second = await visitor.get(INDEX, params={"page": "2"})
        assert order(second.text, "units") != order(page.text, "units")
        none = await visitor.get(INDEX, params={"q": "<script>"})
        assert "No unit has that name." in none.text
        assert '<script>"' not in none.text
        for odd in ("0", "-3", "x", "9" * 30):
            assert (await visitor.get(INDEX, params={"page": odd})).status_code == 200

    serve(test)


def test_an_index_can_be_taken_along(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        found = seeded(engine)
        rows = list(csv.DictReader(io.StringIO((await visitor.get(f"{INDEX}/units.csv")).text)))
        assert len(rows) == len(found["units"])
        assert rows[0]["rank"] == "1.0"
        regions = await visitor.get(f"{INDEX}/regions.csv?version=1")
        assert (
            'filename="ua-budget-edemocracy-v1-regions.csv"'
            in regions.headers["content-disposition"]
        )
        whole = (await visitor.get(f"{INDEX}/index.json")).json()
        assert whole == found
        picture = ET.fromstring((await visitor.get(f"{INDEX}/intervals.svg")).text)
        assert len(picture.findall("{http://www.w3.org/2000/svg}circle")) == 24
        values = (await visitor.get(f"{INDEX}/values.json")).json()
        assert len(values["values"]) == len(found["units"])
        frame = await visitor.get(f"{INDEX}/embed")
        assert "frame-ancestors 'self' *" in frame.headers["content-security-policy"]
        page = await visitor.get(INDEX)
        assert page.headers["content-security-policy"].count("*") == 0
        assert (await visitor.get(INDEX, params={"version": "2"})).status_code == 404
        assert (await visitor.get(INDEX, params={"version": "x"})).status_code == 400

    serve(test)


def test_a_spreadsheet_takes_no_name_for_a_formula() -> None:
    found: dict[str, Any] = {
        "units": [{"id": "a", "name": "=1+1", "group": None, "rank": 1, "score": 2, "values": []}],
        "variance": None,
        "indicators": [],
    }
    assert "'=1+1" in table(found, "units", str)


def test_weights_of_nothing_are_refused() -> None:
    found = {"indicators": [{"id": "a"}], "units": [], "groups": []}
    with pytest.raises(BadRequestData, match="at least one"):
        rerank(found, {})


def test_a_closed_service_shows_no_comparison(serve: Serve) -> None:
    async def test(visitor: httpx.AsyncClient, engine: Engine) -> None:
        seeded(engine)
        for path in (
            "/compare",
            INDEX.removeprefix(ROOT),
            f"{INDEX.removeprefix(ROOT)}/index.json",
        ):
            assert (await visitor.get(ROOT + path)).status_code == 401
        token = engine.tokens.create("office", ("read",))
        signed = {"Authorization": f"Bearer {token}"}
        assert (await visitor.get(INDEX, headers=signed)).status_code == 200

    serve(test, access__anonymous="none")


def test_the_demo_compares_from_the_start(tmp_path: Path) -> None:
    install(tmp_path / "demo")
    database = open_indicators(tmp_path / "demo")
    (kept,) = Comparisons(database).newest()
    assert (kept.id, kept.version) == ("ua-budget-edemocracy", 1)
    install(tmp_path / "demo")
    assert Comparisons(database).numbers(kept.id)[-1][0] == 1
    database.close()
