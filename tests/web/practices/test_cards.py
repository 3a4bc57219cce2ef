"""Practice cards over HTTP: rights, versions, and a city's name that nothing gives away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from tests.practices.cards.support import asked as question_digest
from tests.practices.cards.support import document
from tests.practices.cards.test_prices import LEVELS, PARITIES

from rynek.app import Engine
from rynek.app.card_entities import CardEntities
from rynek.base.settings import load
from rynek.indicators import load_definition
from rynek.practices.cards import spoken
from rynek.web import Application

API = "/api/practices/v1"
_SINCE = "&timeproperty=modifiedAt&timerel=after&timeAt=2020-01-01T00:00:00Z"
GIVEN_AWAY = ("ruse", "русе", "aleksandrovska", "213czf", "example.org", "university", "25.95")
Test = Callable[[httpx.AsyncClient, dict[str, dict[str, str]]], Awaitable[None]]


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., None]:
    """Runs an async test with a client and the headers of an editor, a member and an admin."""
    for name, city in (("ruse", "Ruse"), ("varna", "Varna")):
        (tmp_path / "tenants" / name).mkdir(parents=True)
        (tmp_path / "tenants" / name / "city.toml").write_text(f'name = "{city}"\ncountry = "BG"\n')

    def run(test: Test, **given: object) -> None:
        async def body() -> None:
            values = {name.replace("__", "."): value for name, value in given.items()}
            engine = Engine(load(None, {}, {"data.path": str(tmp_path)} | values))
            engine.open()
            await engine.start()
            tokens = {
                "editor": "write:ruse",
                "member": "read:varna",
                "admin": "admin",
                "varna": "write:varna",
            }
            heads = {
                name: {"Authorization": f"Bearer {engine.tokens.create(name, (scope,))}"}
                for name, scope in tokens.items()
            }
            transport = httpx.ASGITransport(app=Application(engine), raise_app_exceptions=False)
            try:
                async with httpx.AsyncClient(
                    transport=transport, base_url="http://rynek.test"
                ) as client:
                    client.engine = engine  # type: ignore[attr-defined]
                    await test(client, heads)
            finally:
                engine.stopping.set()
                await engine.stop()

        asyncio.run(body())

    return run


def new(card: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "id": "streets",
        "card": card or document(),
        "owner": "ruse",
        "door": "public",
    } | changes


def test_a_card_is_written_changed_and_undone(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        editor = heads["editor"]
        made = await client.post(f"{API}/cards", json=new(), headers=editor)
        assert made.status_code == 201, made.text
        assert made.headers["location"] == f"{API}/cards/streets"
        assert made.json()["card"] == document()
        change = {"card": document(status="running"), "version": 1, "note": "began"}
        assert (await client.put(f"{API}/cards/streets", json=change, headers=editor)).json()[
            "version"
        ] == 2
        late = await client.put(f"{API}/cards/streets", json=change, headers=editor)
        assert (late.status_code, late.json()["current"]) == (409, 2)
        assert late.headers["content-type"] == "application/problem+json"
        gone = await client.delete(f"{API}/cards/streets?version=2", headers=editor)
        assert gone.status_code == 204
        assert (await client.get(f"{API}/cards/streets")).status_code == 404
        back = await client.post(
            f"{API}/cards/streets/restore", json={"earlier": 1, "version": 3}, headers=editor
        )
        assert back.json()["version"] == 4
        told = (await client.get(f"{API}/cards/streets/versions")).json()["versions"]
        assert [each["version"] for each in told] == [4, 3, 2, 1]
        assert told[2]["who"] == "editor"
        old = await client.get(f"{API}/cards/streets/versions/2")
        assert old.json()["card"]["status"] == "running"
        listed = (await client.get(f"{API}/cards?verdict=did_not&country=BG")).json()
        assert [each["id"] for each in listed["cards"]] == ["streets"]
        assert (await client.get(f"{API}/cards?limit=2&offset=6")).json()["total"] == 7

    serve(test)


def test_a_removed_card_is_there_for_nobody_else(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        editor, varna = heads["editor"], heads["varna"]
        await client.post(f"{API}/cards", json=new(), headers=editor)
        path = f"{API}/cards/streets?version=1"
        assert (await client.delete(path, headers=varna)).status_code == 403
        assert (await client.delete(path, headers=editor)).status_code == 204
        change = {"card": document(), "version": 2}
        gone = await client.put(f"{API}/cards/streets", json=change, headers=varna)
        never = await client.put(f"{API}/cards/nothing", json=change, headers=varna)
        assert (gone.status_code, never.status_code) == (404, 404)

    serve(test)


def test_a_nameless_card_of_nobody_keeps_its_city_from_the_pdf(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        card = document(city={"name": {"en": "Xanthopolis"}, "country": "BG"}, city_shown=False)
        card |= {"places": [], "accounts": [], "claims": [], "questions": []}
        told = new(card, owner="", id="hidden-one")
        made = await client.post(f"{API}/cards", json=told, headers=heads["admin"])
        assert made.status_code == 201, made.text
        path = "/practices/hidden-one/card.pdf?lang=en"
        whole = (await client.get(path, headers=heads["admin"])).content
        assert (await client.get(path)).content != whole

    serve(test)


def test_history_is_computed_from_only_for_who_may_read_it(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        for page in ("estimate", "plan"):
            for path in (f"/practices/{page}", f"/practices/{page}/", f"/c/ruse/practices/{page}"):
                found = await client.get(path, headers=heads["member"])
                assert found.status_code in (403, 307 if path.endswith("/") else 403), path
                assert (await client.get(path)).status_code == 401
            assert (
                await client.get(f"/practices/{page}", headers=heads["editor"])
            ).status_code == 200

    serve(test, access__anonymous="none", tenants__default="ruse")


def test_a_bomb_in_toml_is_refused_at_once(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        editor = heads["editor"]
        for bomb in (".".join("a" * 100_000) + " = 1", "a = " + "9" * 5_000, "a = " + "[" * 50_000):
            sent = await client.post(
                f"{API}/cards",
                content=bomb,
                headers=editor | {"Content-Type": "application/toml"},
            )
            assert sent.status_code == 400, sent.text
            form = {"rest": bomb, "owner": "ruse", "title": "T"}
            page = await client.post(
                "/practices/new",
                content=urlencode(form),
                headers=editor | {"Content-Type": "application/x-www-form-urlencoded"},
            )
            assert page.status_code == 400
            assert "rest:" in page.text

    serve(test)


def test_who_may_do_what(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        for door in ("public", "members", "owner"):
            told = new(id=door, door=door)
            made = await client.post(f"{API}/cards", json=told, headers=heads["editor"])
            assert made.status_code == 201
        nobody: dict[str, str] = {}
        for head, seen in (
            (nobody, {"public"}),
            (heads["member"], {"public", "members"}),
            (heads["editor"], {"public", "members", "owner"}),
            (heads["admin"], {"public", "members", "owner"}),
        ):
            listed = (await client.get(f"{API}/cards?owner=ruse", headers=head)).json()["cards"]
            assert {each["id"] for each in listed} == seen
            for door in ("public", "members", "owner"):
                for path in ("", "/versions", "/answers", "/entities"):
                    found = await client.get(f"{API}/cards/{door}{path}", headers=head)
                    assert found.status_code == (200 if door in seen else 404)
                for page in (f"/practices/{door}", f"/practices/{door}/card.pdf"):
                    found = await client.get(page, headers=head)
                    assert found.status_code == (200 if door in seen else 404), page
        told = new(id="other", owner="varna")
        for head, status in ((nobody, 401), (heads["member"], 403), (heads["editor"], 403)):
            made = await client.post(f"{API}/cards", json=told, headers=head)
            assert made.status_code == status
            assert made.json()["status"] == status
        change = {"card": document(), "version": 1}
        for head, status in ((nobody, 401), (heads["member"], 403)):
            for path in (f"{API}/cards/public", f"{API}/cards/owner"):
                assert (await client.put(path, json=change, headers=head)).status_code == status
        wrong = {"Authorization": "Bearer rynek_wrong"}
        assert (await client.get(f"{API}/cards", headers=wrong)).status_code == 401
        shipped = f"{API}/cards/prague-smart-bins"
        card = (await client.get(shipped)).json()["card"]
        change = {"card": card | {"status": "stopped"}, "version": 1}
        assert (await client.put(shipped, json=change, headers=heads["editor"])).status_code == 403
        assert (await client.put(shipped, json=change, headers=heads["admin"])).status_code == 200

    serve(test)


def test_a_closed_service_shows_no_card_without_a_token(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        for path in ("/practices", "/practices/prague-smart-bins", f"{API}/cards"):
            assert (await client.get(path)).status_code == 401
            assert (await client.get(path, headers=heads["member"])).status_code == 200

    serve(test, access__anonymous="none")


def test_nothing_gives_a_nameless_city_away(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        editor = heads["editor"]
        named = new(note="of Ruse")
        assert (await client.post(f"{API}/cards", json=named, headers=editor)).status_code == 201
        change = {"card": document(city_shown=False), "version": 1, "note": "Ruse, without a name"}
        made = await client.put(f"{API}/cards/streets", json=change, headers=editor)
        assert made.status_code == 200, made.text
        engine: Any = client.engine  # type: ignore[attr-defined]
        engine.cards.answers.keep(
            "streets",
            "riders",
            specification=question_digest(),
            digest="d",
            by="1",
            document={"donors": ["Ruse"]},
        )
        paths = [
            f"{API}/cards/streets{path}" for path in ("", "/versions", "/answers", "/entities")
        ]
        paths += [f"{API}/cards", "/practices", "/c/varna/practices", "/practices/streets"]
        paths += [f"/practices/streets?lang={each}" for each in ("bg", "uk", "sr")]
        for head in ({}, heads["member"]):
            for path in (*paths, f"{API}/cards?owner=ruse", f"{API}/cards/streets/versions/1"):
                found = await client.get(path, headers=head)
                told = found.text.replace("/c/ruse", "").replace(
                    ">Ruse<", "><"
                )  # the menu of cities
                assert [each for each in GIVEN_AWAY if each in told.casefold()] == [], path
            assert (
                await client.get("/practices/streets?version=1", headers=head)
            ).status_code == 404
            pdf = await client.get("/practices/streets/card.pdf", headers=head)
            assert pdf.status_code == 200
            assert b"Ruse" not in pdf.content
        assert "Ruse" in (await client.get(f"{API}/cards/streets", headers=editor)).text
        words = spoken(engine.cards.changes()[-1].seen)
        assert [each for each in GIVEN_AWAY if each in json.dumps(words).casefold()] == []
        # What says the name is refused, by the names of the tenant's city too.
        said = document(city_shown=False, city=None, lessons=[{"en": "Not in Ruse again."}])
        refused = await client.post(f"{API}/cards", json=new(said, id="another"), headers=editor)
        assert refused.status_code == 400
        assert refused.json()["detail"].startswith("lessons[0].en: says")

    serve(test)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"[]", "a card is an object"),
        (b"{", "no JSON"),
        (b'{"id": "x", "owner": "ruse"}', "card: an object"),
        (b'{"id": 1, "owner": "ruse", "card": {}}', "id: a text"),
        (
            b'{"id": "x", "owner": "ruse", "card": {}}',
            "the card: the required field `title` is missing",
        ),
        (b'{"id": "x", "owner": "ruse", "card": {"title": 1}}', "card.title: expected"),
        (b'{"id": "x", "owner": "nowhere", "card": {}}', "owner: there is no tenant"),
        (b'{"id": "x", "colour": 1}', "colour: is no member"),
        (b'{"a":' * 9000, "deep"),
    ],
)
def test_what_is_wrong_is_named(serve: Callable[..., None], body: bytes, told: str) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        head = heads["editor"] | {"content-type": "application/json"}
        found = await client.post(f"{API}/cards", content=body, headers=head)
        assert found.status_code == 400
        assert found.headers["content-type"] == "application/problem+json"
        assert told in found.json()["detail"]
        large = await client.post(f"{API}/cards", content=b" " * (1 << 19), headers=head)
        assert large.status_code == 413
        for query in ("limit=101", "limit=-1", "offset=x", "colour=red"):
            assert (await client.get(f"{API}/cards?{query}")).status_code == 400

    serve(test)


def test_entities_are_ngsi_ld_and_a_broker_takes_them(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        found = await client.get(
            f"{API}/cards/grenoble-low-emission-zone", headers={"Accept": "application/ld+json"}
        )
        made = found.json()
        assert [each["type"] for each in made] == ["UrbanPractice"] + ["EffectEstimate"] * 4
        assert made[1]["refersTo"]["object"] == made[0]["id"]
        head = heads["admin"] | {"content-type": "application/ld+json"}
        taken = await client.post("/ngsi-ld/v1/entityOperations/upsert", json=made, headers=head)
        assert taken.status_code == 201, taken.text
        level = await client.get(
            "/ngsi-ld/v1/entities?type=EffectEstimate&q=evidenceLevel==2;pValue%3E0.05"
        )
        assert {each["design"]["value"] for each in level.json()} == {"did", "sdid"}

    serve(test)


def test_the_description_names_every_path(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        from rynek.web.practices import api

        told = (await client.get(f"{API}/openapi.json")).json()
        assert told["openapi"] == "3.1.0"
        routes = api.routes(client.engine, None)  # type: ignore[attr-defined,arg-type]
        served = {
            (route.path.removeprefix(API), method)
            for route in routes
            for method in route.methods or ()
            if method != "HEAD"
        }
        described = {
            (path, method.upper())
            for path, item in told["paths"].items()
            for method in item
            if method != "parameters"
        }
        assert described == served
        text = json.dumps(told)
        refs = {part.split('"')[0] for part in text.split('"$ref": "#/components/')[1:]}
        for ref in refs:
            kind, name = ref.split("/")
            assert name in told["components"][kind]

    serve(test)


FORM = {
    "language": "cs", "title": "Noční autobusy", "summary": "Jezdí každou hodinu.",
    "theme": "transport", "cluster": "mobility", "status": "stopped", "verdict": "did_not",
    "reason": "Nikdo nejezdil.", "city": "Ruse", "country": "bg", "population": "123 134",
    "owner": "ruse", "door": "public", "id": "night-buses", "note": "poprvé", "rest": "",
}  # fmt: skip


def test_a_card_is_written_with_a_form(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        assert "Write a card (asks for a token)" in (await client.get("/practices")).text
        asked = await client.get("/practices/new")
        assert asked.status_code == 401
        assert asked.headers["www-authenticate"].startswith("Basic")
        editor = heads["editor"]
        assert "<form" in (await client.get("/practices/new", headers=editor)).text
        sent = editor | {"content-type": "application/x-www-form-urlencoded"}

        async def send(path: str, **changes: str) -> httpx.Response:
            return await client.post(path, content=urlencode(FORM | changes), headers=sent)

        done = await send("/practices/new")
        assert done.status_code == 303, done.text
        assert done.headers["location"].endswith("/practices/night-buses")
        kept = (await client.get(f"{API}/cards/night-buses")).json()
        assert kept["card"]["title"] == {"cs": "Noční autobusy"}
        assert kept["card"]["city"]["population"] == 123_134
        refused = await send("/practices/new", id="x", country="Bulgaria")
        assert refused.status_code == 400
        assert "city.country" in refused.text and "Nikdo nejezdil." in refused.text
        czech = await client.post(
            "/practices/new",
            content=urlencode(FORM | {"id": "x", "country": "Bulgaria"}),
            headers=sent | {"accept-language": "cs"},
        )
        assert "city.country: dvě velká písmena (ISO 3166-1), např. CZ" in czech.text
        edit = "/practices/night-buses/edit"
        assert "Jezdí každou hodinu." in (await client.get(f"{edit}?lang=cs", headers=editor)).text
        english = {"language": "en", "title": "Night buses", "version": "1"}
        rest = 'technology = ["LPG"]\n[title]\ncs = "Noční autobusy"\n'
        done = await send(edit, **english, summary="Every hour.", reason="Nobody.", rest=rest)
        assert done.status_code == 303, done.text
        kept = (await client.get(f"{API}/cards/night-buses")).json()
        assert kept["card"]["title"] == {"cs": "Noční autobusy", "en": "Night buses"}
        assert kept["card"]["technology"] == ["LPG"]
        late = await send(f"{edit}?lang=en", **english)
        assert late.status_code == 409
        assert "newest version is 2" in late.text
        wrong = await send(edit, version="2", rest="= no toml")
        assert wrong.status_code == 400
        other = await client.post(
            edit, content=urlencode(FORM), headers=sent | {"origin": "https://evil.example"}
        )
        # A Bearer token is never sent by a page of another site; a sign-in may be.
        assert other.status_code != 403
        import base64

        secret = editor["Authorization"].split()[1]
        basic = base64.b64encode(f"me:{secret}".encode()).decode()
        signed = {"Authorization": f"Basic {basic}", "origin": "https://evil.example"}
        assert (await client.post(edit, content=urlencode(FORM), headers=signed)).status_code == 403
        assert (await client.get(edit, headers=heads["member"])).status_code == 403

    serve(test)


def test_pages_show_both_accounts_costs_and_what_cannot_be_said(serve: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        page = (await client.get("/practices/prague-smart-bins?lang=en")).text
        for told in ("As the operator tells it", "As critics tell it", "2,500 CZK", "173 CZK",
                     "1 sensor, a month", "91 readings", "No effect is estimated", "draw rounds by lot"):  # fmt: skip
            assert told in page
        dark = {"cookie": "theme=dark"}
        for path in ("prague-smart-bins", "effects", "none"):
            page = (await client.get(f"/practices/{path}", headers=dark)).text
            assert 'data-theme="dark"' in page, path
        page = (await client.get("/practices/grenoble-low-emission-zone?lang=en")).text
        for told in ("−6.88 µg/m³", "−2.2 %", "too few places to compare with (10)", "83 days",
                     "Voiron Urbain – a neighbour", 'class="expected"', "Period by period"):  # fmt: skip
            assert told in page
        catalogue = (await client.get("/practices?verdict=unknown&theme=waste&lang=pl")).text
        assert catalogue.count('<li class="card">') == 2
        assert "2 karty" in catalogue
        assert (await client.get("/practices/none")).status_code == 404
        pdf = await client.get("/practices/grenoble-low-emission-zone/card.pdf?lang=uk")
        assert pdf.headers["content-type"] == "application/pdf"
        assert pdf.content.startswith(b"%PDF-")
        again = await client.get("/practices/grenoble-low-emission-zone/card.pdf?lang=uk")
        assert again.content == pdf.content

    serve(test)


def test_public_cards_of_a_city_are_entities_of_its_live_picture(
    serve: Callable[..., None],
) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        engine: Any = client.engine  # type: ignore[attr-defined]
        follower = CardEntities(engine)
        editor = heads["editor"]
        ask = "/ngsi-ld/v1/entities?type=UrbanPractice,EffectEstimate"

        async def there() -> dict[str, dict[str, Any]]:
            await follower.follow()
            found = await client.get(ask, headers={"NGSILD-Tenant": "ruse"})
            return {each["id"].removeprefix("urn:ngsi-ld:"): each for each in found.json()}

        async def past() -> str:
            asked = ask.replace("/v1/", "/v1/temporal/") + _SINCE
            found = await client.get(asked, headers={"NGSILD-Tenant": "ruse"})
            assert found.status_code == 200, found.text
            return found.text.casefold()

        assert await there() == {}
        await client.post(f"{API}/cards", json=new(), headers=editor)
        practice = "UrbanPractice:streets"
        assert (await there())[practice]["verdict"]["value"] == "did_not"
        engine.cards.answers.keep(
            "streets", "riders", specification=question_digest(), digest="d", by="1",
            document={"design": "did", "effect": 1.5, "level": 2, "sentences": {"en": "More."}},
        )  # fmt: skip
        estimate = (await there())["EffectEstimate:streets:riders"]
        assert estimate["refersTo"]["object"] == f"urn:ngsi-ld:{practice}"
        assert "interval" not in estimate
        change = {"card": document(places=[]), "version": 1}
        await client.put(f"{API}/cards/streets", json=change, headers=editor)
        assert "location" not in (await there())[practice]
        change = {"card": document(), "version": 2, "door": "members"}
        await client.put(f"{API}/cards/streets", json=change, headers=editor)
        assert await there() == {}
        change = {"card": document(), "version": 3, "door": "public"}
        await client.put(f"{API}/cards/streets", json=change, headers=editor)
        assert len(await there()) == 2
        assert "aleksandrovska" in await past() or "ruse" in await past()
        change = {"card": document(city_shown=False), "version": 4}
        await client.put(f"{API}/cards/streets", json=change, headers=editor)
        assert await there() == {}
        # What was once is said no more either, nor that there was anything.
        assert await past() == "[]"
        await follower.follow()
        assert await past() == "[]"
        everywhere = await client.get(ask)
        assert everywhere.json() == []

    serve(test, practices__entities=False)


def test_what_is_no_path_is_a_problem_document_and_a_page_speaks_plainly(
    serve: Callable[..., None],
) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        for method, path, status in (
            ("GET", "/nope", 404),
            ("GET", "/cards/x/nope", 404),
            ("POST", "/openapi.json", 405),
        ):
            answer = await client.request(method, API + path, headers=heads["editor"])
            assert (answer.status_code, answer.json()["status"]) == (status, status)
            assert answer.headers["content-type"].startswith("application/problem+json")
        for asked in ("theme=wate", "cluster=x", "q=bins&theme=wate", "q=bins&cluster=x"):
            answer = await client.get(f"{API}/cards?{asked}")
            assert answer.status_code == 400
            assert "waste" in answer.json()["detail"] or "citizens" in answer.json()["detail"]
            assert (await client.get(f"/practices?{asked}")).status_code == 400
        page = await client.post("/compare", headers=heads["admin"])
        assert page.status_code == 405
        assert "takes nothing that is sent to it" in page.text
        assert "publish …" not in (await client.get("/surveys")).text
        assert "publish …" in (await client.get("/surveys", headers=heads["editor"])).text

    serve(test)


def test_costs_are_compared_where_price_levels_were_imported(
    serve: Callable[..., None], tmp_path: Path
) -> None:
    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        path, page = f"{API}/cards/prague-smart-bins", "/practices/prague-smart-bins"
        assert (await client.get(path)).json()["costs_compared"] is None
        assert "No tables of price levels were imported here" in (await client.get(page)).text
        for name, text in (("eurostat-prc-ppp-ind", PARITIES), ("eurostat-prc-hicp-aind", LEVELS)):
            file = tmp_path / f"{name}.tsv"
            file.write_text(text)
            client.engine.references.import_file(load_definition(name), file)  # type: ignore[attr-defined]
        first, second = (await client.get(path)).json()["costs_compared"]
        assert (first["amount"], first["year"]) == (pytest.approx(2500 * 132 / 140 / 20), 2023)
        assert second["amount"] == pytest.approx(173 * 132 / 140 / 20)
        text = (await client.get(page)).text
        assert "≈ 118 EUR" in text.replace("\xa0", " ")
        assert "in prices of 2023" in text
        assert (await client.get(f"{page}/card.pdf")).status_code == 200

    serve(test)


def test_ticks_of_the_form_are_the_indicators_of_card_and_question(
    serve: Callable[..., None],
) -> None:
    asked = {"key": "air", "title": {"en": "Air"}, "specification": {"start": 2022}}

    async def test(client: httpx.AsyncClient, heads: dict[str, dict[str, str]]) -> None:
        editor = heads["editor"] | {"Content-Type": "application/x-www-form-urlencoded"}
        card = document(questions=[asked | {"indicators": ["pm10-mean"]}])
        made = await client.post(f"{API}/cards", json=new(card), headers=heads["editor"])
        assert made.status_code == 201, made.text
        path = "/c/ruse/practices/streets/edit?lang=en"
        page = (await client.get(path, headers=heads["editor"])).text
        assert "Chosen: Mean of PM10 particles." in page
        assert 'name="shown.air"' in page
        fields = [
            ("language", "en"),
            ("version", "1"),
            ("door", "public"),
            *((name, card.get(name, {}).get("en", "")) for name in ("title", "summary")),
            *((name, card[name]) for name in ("theme", "cluster", "status")),
            ("verdict", "unknown"),
            ("reason", "Too early"),
            ("city", "Ruse"),
            ("country", "BG"),
            ("indicators", "no2-mean"),
            ("indicators", "pm25-mean"),
            ("shown.air", "yes"),
            ("rest", '[[questions]]\nkey = "air"\ntitle.en = "Air"\nspecification.start = 2022\n'),
        ]
        sent = [*fields, ("indicators.air", "no2-mean"), ("indicators.air", "pm10-mean")]
        kept = await client.post(path, content=urlencode(sent), headers=editor)
        assert kept.status_code == 303, kept.text
        now = (await client.get(f"{API}/cards/streets")).json()["card"]
        assert now["indicators"] == ["no2-mean", "pm25-mean"]
        assert now["questions"][0]["indicators"] == ["no2-mean", "pm10-mean"]
        # Somebody else's version in between is told in the language of the page, with the ticks.
        late = await client.post(
            path.replace("=en", "=pl"), content=urlencode(fields), headers=editor
        )
        assert late.status_code == 409
        assert 'value="pm25-mean" checked' in late.text
        again = [(name, "2" if name == "version" else value) for name, value in fields]
        kept = await client.post(path, content=urlencode(again), headers=editor)
        assert kept.status_code == 303, kept.text
        now = (await client.get(f"{API}/cards/streets")).json()["card"]
        assert "indicators" not in now["questions"][0]
        wrong = [*(pair for pair in again if pair[0] != "version"), ("version", "3")]
        wrong.append(("indicators", "nothing-known"))
        refused = await client.post(path, content=urlencode(wrong), headers=editor)
        assert refused.status_code == 400
        assert "there is no indicator nothing-known" in refused.text

    serve(test)
