"""The page for integrators and the change stream, as a visitor and a program see them."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
from tests.web.api.conftest import Serve

from rynek.app import Engine
from rynek.context import Txn
from rynek.web.changes import Stream, asked
from rynek.web.pages.description import examples, groups

EXAMPLES = Path(__file__).parents[3] / "src" / "rynek" / "web" / "examples"
SITE = "http://rynek.test"


def bus(number: int, **attrs: Any) -> dict[str, Any]:
    return {"id": f"urn:ngsi-ld:Vehicle:{number}", "type": "Vehicle"} | attrs


async def write(client: httpx.AsyncClient, number: int, speed: int) -> None:
    speeding = bus(number, speed={"type": "Property", "value": speed})
    answer = await client.post("entityOperations/upsert?options=update", json=[speeding])
    assert answer.status_code in (201, 204)


def test_every_operation_stands_on_the_page_in_every_language(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for language in ("en", "pl", "cs", "bg", "uk", "sr"):
            page = await client.get(f"{SITE}/developers?lang={language}")
            assert page.status_code == 200
            assert f'<html lang="{language}"' in page.text
            for group in groups():
                for operation in group.operations:
                    assert f'id="{operation.name}"' in page.text
        assert "http://rynek.test/ngsi-ld/v1" in page.text
        assert 'href="/ngsi-ld/v1/openapi.json"' in page.text
        other = await client.get(f"{SITE}/c/default/")
        assert 'href="/c/default/developers"' in other.text
        assert (await client.get(f"{SITE}/c/nowhere/developers")).status_code == 404

    serve(test)


def test_who_is_told_and_asked_is_shown_with_its_health(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        endpoint = {"uri": "https://receiver.example.org/<b>"}
        told = {
            "id": "urn:s:1",
            "type": "Subscription",
            "subscriptionName": "<i>Display</i>",
            "entities": [{"type": "Vehicle"}],
            "isActive": False,
            "notification": {"endpoint": {"uri": "https://receiver.example.org/a"}},
        }
        assert (await client.post("subscriptions", json=told)).status_code == 201
        asked = {
            "type": "ContextSourceRegistration",
            "registrationName": "Region",
            "information": [{"entities": [{"type": "Tram"}]}],
            "endpoint": "https://broker.example.org",
            "mode": "redirect",
        }
        assert (await client.post("csourceRegistrations", json=asked)).status_code == 201
        context = {"@context": {"x": "https://example.org/x"}}
        hosted = await client.post("jsonldContexts", json=context)
        text = (await client.get(f"{SITE}/developers")).text
        for shown in ("&lt;i&gt;Display&lt;/i&gt;", "Paused", "Region", "is asked instead"):
            assert shown in text
        assert hosted.headers["location"] in text
        assert endpoint["uri"] not in text

    serve(test)


def test_dead_letters_are_sent_again_by_who_may_write_and_confirms(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        told = {
            "id": "urn:s:1",
            "type": "Subscription",
            "entities": [{"type": "Vehicle"}],
            "notification": {"endpoint": {"uri": "http://127.0.0.1:9/"}},
        }
        assert (await client.post("subscriptions", json=told)).status_code == 201
        for number in range(4):
            await write(client, number, number)
        subscriptions = engine.tenant("default").subscriptions
        for _ in range(100):
            if subscriptions.health()[0].dead:
                break
            await write(client, 9, _)
        dead = subscriptions.health()[0].dead
        assert dead
        text = (await client.get(f"{SITE}/developers")).text
        link = re.search(r'href="([^"]*replay=[^"]*)"', text)
        assert link is not None
        question = await client.get(SITE + link[1].replace("&amp;", "&"))
        form = re.search(r'<form method="post" action="([^"]+)"', question.text)
        assert form is not None
        elsewhere = {"Origin": "https://evil.example.org"}
        assert (await client.post(SITE + form[1], headers=elsewhere)).status_code == 403
        done = await client.post(SITE + form[1], headers={"Origin": SITE})
        assert done.status_code == 303
        count = re.search(r"replayed=(\d+)#", done.headers["location"])
        assert count is not None
        assert int(count[1]) >= dead
        after = await client.get(SITE + done.headers["location"])
        assert f"{count[1]} notification" in after.text
        assert (await client.get(SITE + form[1])).status_code in (404, 405)
        gone = await client.post(f"{SITE}/developers/replay?id=urn:s:none")
        assert gone.status_code == 404

    async def reader(client: httpx.AsyncClient, _: Engine) -> None:
        page = (await client.get(f"{SITE}/developers?replay=urn:s:1")).text
        assert "replay?id=" not in page
        assert "You may read here" in page
        # What the API does not tell readers, the page does not either.
        assert "127.0.0.1:9" not in page
        assert "sees each of them" in page
        refused = await client.post(f"{SITE}/developers/replay?id=urn:s:1")
        assert refused.status_code == 401

    serve(test, network__allow_private=True, notifications__max_backlog=1)
    serve(reader, access__anonymous="read")


def test_nothing_is_told_to_who_may_not_read(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for path in ("developers", "developers/changes.json", "c/default/developers"):
            assert (await client.get(f"{SITE}/{path}")).status_code == 401

    serve(test, access__anonymous="none")


def test_a_stream_says_what_is_no_longer_kept(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        tenant = engine.tenant("default")
        for number in range(6):
            await write(client, 0, number)
        log = tenant.context.changes
        await tenant.history.flush()

        def trim(txn: Txn) -> None:
            txn.later("DELETE FROM change WHERE seq <= ?", (3,))

        await tenant.context.write(trim)
        stream = Stream(log, await tenant.context.default_ld())
        stopping = asyncio.Event()
        told = stream.follow(asked({"after": "1"}), stopping)
        await anext(told)
        missed = await anext(told)
        assert missed.decode().split("\n") == [
            "id: 3",
            "event: missed",
            'data: {"after":1,"oldest":4}',
            "",
            "",
        ]
        changes = (await anext(told)).decode()
        assert [line for line in changes.splitlines() if line.startswith("id")] == [
            "id: 4",
            "id: 5",
            "id: 6",
        ]
        stopping.set()
        await anext(told)

    serve(test)


def test_the_change_stream_is_read_by_cursor(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        url = f"{SITE}/developers/changes.json"
        empty = (await client.get(url)).json()
        assert (empty["changes"], empty["next"], empty["missed"]) == ([], 0, False)
        for number in range(5):
            await write(client, number % 2, number)
        await client.delete("entities/urn:ngsi-ld:Vehicle:0")
        every = (await client.get(f"{url}?after=0")).json()
        assert [one["seq"] for one in every["changes"]] == [1, 2, 3, 4, 5, 6]
        first, last = every["changes"][0], every["changes"][-1]
        assert (first["op"], first["source"], first["attributes"]) == ("create", "api", ["speed"])
        assert (first["id"], first["type"]) == ("urn:ngsi-ld:Vehicle:0", ["Vehicle"])
        assert (last["op"], last["deleted"]) == ("delete", [{"attribute": "speed"}])
        seen = []
        cursor = 0
        while True:
            page = (await client.get(f"{url}?after={cursor}&limit=4&values=true")).json()
            if not page["changes"]:
                break
            seen += [one["seq"] for one in page["changes"]]
            cursor = page["next"]
        assert seen == [1, 2, 3, 4, 5, 6]
        newest = (await client.get(f"{url}?limit=1&values=true")).json()
        assert [one["seq"] for one in newest["changes"]] == [6]
        lines = await client.get(
            f"{url}?after=4&values=true", headers={"Accept": "application/x-ndjson"}
        )
        assert lines.headers["content-type"].startswith("application/x-ndjson")
        parts = [json.loads(line) for line in lines.text.splitlines()]
        assert parts[0]["attributes"] == {"speed": {"type": "Property", "value": 4}}
        assert lines.headers["x-next"] == "6"
        for wrong in ("after=x", "limit=5000", "wait=99", "values=1", "after=-1"):
            answer = await client.get(f"{url}?{wrong}")
            assert answer.status_code == 400
            assert wrong.partition("=")[0] in answer.json()["detail"]

    serve(test)


def test_the_page_shows_parts_of_the_stream(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for number in range(40):
            await write(client, 1, number)
        newest = (await client.get(f"{SITE}/developers")).text
        older = re.search(r'href="([^"]+)" rel="prev"', newest)
        assert older is not None
        assert 'rel="next"' not in newest
        before = (await client.get(SITE + older[1].replace("&amp;", "&"))).text
        assert 'rel="next"' in before
        assert 'rel="prev"' not in before

    serve(test)


def test_events_go_on_where_a_client_left(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        from rynek.web.changes import Asked
        from rynek.web.pages.stream import stream_of

        for number in range(3):
            await write(client, number, number)
        stream = await stream_of(engine.tenant("default"))
        events = stream.follow(Asked(1, 10, values=False, wait=0), engine.stopping)
        assert await anext(events) == b"retry: 3000\n\n"
        part = (await anext(events)).decode()
        assert re.findall(r"^id: (\d+)$", part, re.MULTILINE) == ["2", "3"]
        await write(client, 7, 7)
        part = (await anext(events)).decode()
        assert "id: 4\nevent: change\ndata: {" in part
        engine.stopping.set()
        assert await anext(events) == b"event: bye\ndata: {}\n\n"

    serve(test)


def test_examples_have_the_addresses_of_the_city_that_shows_them() -> None:
    shown = examples("https://city.example.org/rynek", "oslo")
    assert len(shown) == len(list(EXAMPLES.glob("[a-z]*.*"))) == 6
    for one in shown:
        assert "https://city.example.org/rynek/" in one.text
        assert "oslo" in one.text
        assert "8026" not in one.text


def test_an_address_is_shown_without_its_secrets() -> None:
    from rynek.web.pages.delivery import without_secrets

    assert without_secrets("mqtt://u:secret@broker.example:1883/a/b") == (
        "mqtt://broker.example:1883/a/b"
    )
    assert without_secrets("https://host/n?token=abc") == "https://host/n"
    assert without_secrets("https://host") == "https://host"
