"""Practice cards searched over HTTP: the API's and the page's `q`, doors, hostile queries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from tests.practices.cards.support import document
from tests.web.practices.test_cards import API, GIVEN_AWAY, serve

__all__ = ["serve"]

Heads = dict[str, dict[str, str]]
Test = Callable[[httpx.AsyncClient, Heads], Awaitable[None]]
Serve = Callable[[Test], None]


async def _ids(client: httpx.AsyncClient, query: str, **more: Any) -> list[str]:
    answer = await client.get(f"{API}/cards", params={"q": query}, **more)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["cards"]]


def test_a_query_in_any_language_finds_the_cards_that_come_with_rynek(
    serve: Callable[..., None],
) -> None:
    async def test(client: httpx.AsyncClient, heads: Heads) -> None:
        for query in ("smart bins", "chytré popelnice", "розумні контейнери", "pametne kante"):
            assert (await _ids(client, query))[0] == "prague-smart-bins", query
        answer = (
            await client.get(f"{API}/cards", params={"q": "low emission zone", "language": "uk"})
        ).json()
        first = answer["cards"][0]
        assert first["id"] == "grenoble-low-emission-zone"
        assert first["found"]["title"]["language"] == "uk"
        assert any(piece["marked"] for piece in first["found"]["title"]["pieces"])
        assert sum(answer["facets"]["theme"].values()) == answer["total"]
        sure = await client.get(f"{API}/cards", params={"q": "low emission zone", "level": "5"})
        assert sure.json()["total"] == 0

    serve(test)


def test_what_is_closed_is_in_no_answer_of_a_search(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: Heads) -> None:
        editor = heads["editor"]
        for door in ("public", "members", "owner"):
            card = document(title={"en": f"Quokka enclosure {door}"}, theme=f"zoo_{door}")
            told = {"id": f"card-{door}", "card": card, "owner": "ruse", "door": door}
            made = await client.post(f"{API}/cards", json=told, headers=editor)
            assert made.status_code == 201, made.text
        seen = {"": 1, "member": 2, "editor": 3, "admin": 3}
        for who, count in seen.items():
            head = heads.get(who, {})
            for query in ("quokka enclosure", "qoukka", "quok"):
                answer = (
                    await client.get(f"{API}/cards", params={"q": query}, headers=head)
                ).json()
                assert len(answer["cards"]) == answer["total"] == count, (who, query)
                assert len(answer["facets"]["theme"]) == count
            page = (await client.get("/practices", params={"q": "quokka"}, headers=head)).text
            assert page.count("<mark>Quokka</mark>") == count
        change = {"card": card, "version": 1, "door": "public"}
        await client.put(f"{API}/cards/card-owner", json=change, headers=editor)
        assert len(await _ids(client, "quokka")) == 2
        await client.delete(f"{API}/cards/card-owner?version=2", headers=editor)
        assert await _ids(client, "quokka") == ["card-public"]

    serve(test)


def test_a_hidden_city_is_found_by_none_of_its_names(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: Heads) -> None:
        card = document(city_shown=False, title={"en": "Quokka enclosure"})
        told = {"id": "streets", "card": card, "owner": "ruse", "door": "public"}
        made = await client.post(f"{API}/cards", json=told, headers=heads["editor"])
        assert made.status_code == 201, made.text
        assert await _ids(client, "quokka") == ["streets"]
        for name in GIVEN_AWAY:
            assert "streets" not in await _ids(client, f'"{name}"'), name
        text = (await client.get(f"{API}/cards", params={"q": "quokka"})).text.casefold()
        assert not [name for name in GIVEN_AWAY if name in text]

    serve(test)


@pytest.mark.parametrize(
    "asked",
    [
        {"q": "a" * 501},
        {"q": "word " * 30},
        {"q": "x", "size": "huge"},
        {"q": "x", "told_in": "de"},
        {"q": "x", "language": "xx"},
        {"q": "x", "level": "-1"},
        {"q": "x", "limit": "0"},
        {"q": "x", "offset": "99999999"},
        {"q": "x", "cost_to": "nan"},
        {"q": "x", "owner": "ruse"},
    ],
)
def test_a_parameter_that_is_wrong_is_named(
    serve: Callable[..., None], asked: dict[str, str]
) -> None:
    async def test(client: httpx.AsyncClient, heads: Heads) -> None:
        answer = await client.get(f"{API}/cards", params=asked)
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith(list(asked)[-1])

    serve(test)


def test_no_query_is_a_fault_of_the_service(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: Heads) -> None:
        hostile = ['"', "-", "*", "a AND", "NEAR(a b)", "{title} : x", "'; DROP TABLE entry", "\x00\x1b", "停车", "🚲", "<script>alert(1)</script>", "a" * 60_000]  # fmt: skip
        for query in hostile:
            for path in ("/practices", f"{API}/cards"):
                answer = await client.get(path, params={"q": query})
                assert answer.status_code in {200, 400, 414}, (path, query[:40])
                assert "<script>alert(1)" not in answer.text
        bare = await client.get(f"{API}/cards?q=%ff%fe%c0%80&language=en")
        assert bare.status_code == 200

    serve(test)


def test_the_page_keeps_what_was_asked_and_offers_more_filters(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: Heads) -> None:
        plain = (await client.get("/practices?lang=en")).text
        assert 'name="q"' in plain
        assert 'name="cost_to"' in plain
        failed = (await client.get("/practices?lang=en&told_in=cs&cost_from=1&cost_in=CZK")).text
        assert 'href="/practices/prague-smart-bins"' in failed
        assert 'href="/practices/wyndham-smart-bins"' not in failed
        wrong = await client.get("/practices?lang=uk&cost_from=much")
        assert wrong.status_code == 400
        assert "cost_from: грошова сума" in wrong.text
        found = (await client.get("/practices?lang=cs&q=senzory+v+kontejnerech&told_in=cs")).text
        assert 'value="senzory v kontejnerech"' in found
        assert 'value="cs" selected' in found
        assert "<mark>" in found
        mended = (await client.get("/practices?lang=en&q=undergruond+conatiners")).text
        assert "cards with similar words are shown" in mended

    serve(test)


def test_what_moved_an_indicator_elsewhere_is_asked_by_its_id(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: Heads) -> None:
        asked = {"indicator": "no2-mean", "population": "9000000", "country": "GB"}
        found = (await client.get(f"{API}/moved", params=asked)).json()
        assert (found["better"], found["total"], found["measured"]) == ("less", 2, 2)
        assert [each["id"] for each in found["cards"]] == [
            "london-congestion-charge",
            "grenoble-low-emission-zone",
        ]
        london = found["cards"][0]["moved"]
        assert (london["direction"], london["level"], london["same_country"]) == ("worse", 2, True)
        assert london["answers"][0]["sentences"]["uk"].startswith("Вплив")
        second = await client.get(f"{API}/moved", params=asked | {"offset": "1", "limit": "1"})
        assert [each["id"] for each in second.json()["cards"]] == ["grenoble-low-emission-zone"]
        for wrong in (
            {"indicator": "noo"},
            {"indicator": "no2-mean", "population": "0"},
            {"indicator": "no2-mean", "population": "-1"},
            {"indicator": "no2-mean", "country": "gb"},
            {"indicator": "no2-mean", "people": "1"},
            {},
        ):
            assert (await client.get(f"{API}/moved", params=wrong)).status_code == 400, wrong

    serve(test)


def test_cards_of_cities_like_ones_own_come_first_where_people_are_given(
    serve: Callable[..., None],
) -> None:
    async def test(client: httpx.AsyncClient, heads: Heads) -> None:
        asked = {"population": "300000", "limit": "2"}
        found = (await client.get(f"{API}/cards", params=asked)).json()
        assert [each["id"] for each in found["cards"]] == [
            "wyndham-smart-bins",
            "grenoble-low-emission-zone",
        ]
        assert found["total"] == 6
        rest = (await client.get(f"{API}/cards", params=asked | {"offset": "5"})).json()
        assert [each["id"] for each in rest["cards"]] == ["london-congestion-charge"]
        page = (await client.get("/practices", params={"population": "300000"})).text
        assert page.index("/practices/wyndham") < page.index("/practices/grenoble")
        assert "inhabitants: 270,478" in page
        for wrong in ("0", "many", "-1", "1.5"):
            for path in (f"{API}/cards", "/practices"):
                answer = await client.get(path, params={"population": wrong})
                assert answer.status_code == 400, (path, wrong)

    serve(test)


def test_a_city_asks_for_cards_of_cities_like_it(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: Heads) -> None:
        card = document(title={"en": "Quokka enclosure"})
        told = {"id": "quokkas", "card": card, "owner": "ruse", "door": "public"}
        await client.post(f"{API}/cards", json=told, headers=heads["editor"])
        for path, query in (
            ("/cards", {"q": "quokka"}),
            ("/cards", {}),
            ("/moved", {"indicator": "bins-over-80"}),
        ):
            answer = await client.get(f"{API}{path}", params={**query, "like": "ruse"})
            assert answer.status_code == 200, answer.text
            for each in answer.json()["cards"]:
                alike = each["moved"]["alike"] if path == "/moved" else each["alike"]
                assert alike["share"] is None
                assert alike["message"]["id"] == "alike-own"
            unknown = await client.get(f"{API}{path}", params={**query, "like": "nowhere"})
            assert unknown.status_code == 400
            assert unknown.json()["detail"].startswith("like: no city 'nowhere'")
        page = await client.get(
            "/practices", params={"like": "nowhere"}, headers={"Accept-Language": "uk"}
        )
        assert page.status_code == 400
        assert "тут немає міста" in page.text

    serve(test)
