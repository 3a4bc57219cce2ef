"""The @context server through HTTP (CIM 009 §5.13, §6.29, §6.30)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from rynek.app import Engine

from .conftest import Serve

LD = {"Content-Type": "application/ld+json"}
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
TERMS = {"speed": "https://example.org/speed"}
ID = "urn:ngsi-ld:Vehicle:1"


def vehicle(**more: Any) -> dict[str, Any]:
    return {"id": ID, "type": "Vehicle", "speed": {"type": "Property", "value": 5}} | more


def link(url: str) -> dict[str, str]:
    return {"Link": f'<{url}>; rel="http://www.w3.org/ns/json-ld#context"'}


def kind(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rsplit("/", 1)[1]


async def hosted(client: httpx.AsyncClient, content: Any = TERMS, **headers: str) -> str:
    """The path of a new hosted @context."""
    answer = await client.post("jsonldContexts", json={"@context": content}, headers=headers)
    assert (answer.status_code, answer.content) == (201, b"")
    return answer.headers["location"]


class Origin:
    """Another host that serves one document."""

    def __init__(self) -> None:
        self.content: Any = TERMS
        self.status = "200 OK"
        self.headers = ""
        self.asked: list[str] = []
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        body = json.dumps(self.content).encode()
        writer.write(
            f"HTTP/1.1 {self.status}\r\n{self.headers}Content-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def origin() -> AsyncIterator[Origin]:
    other = Origin()
    other.content = {"@context": TERMS}
    server = await asyncio.start_server(other.answer, "127.0.0.1", 0)
    other.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/c.jsonld"
    yield other
    server.close()


def test_a_hosted_context_is_added_served_listed_and_deleted(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        path = await hosted(client)
        assert path.startswith("/ngsi-ld/v1/jsonldContexts/urn:")
        served = await client.get("http://rynek.test" + path)
        assert (served.status_code, served.json()) == (200, {"@context": TERMS})
        as_ld = {"Accept": "application/ld+json"}
        served = await client.get("http://rynek.test" + path, headers=as_ld)
        assert served.headers["content-type"] == "application/ld+json"

        local_id = path.rpartition("/")[2]
        assert (await client.get("jsonldContexts")).json() == ["http://rynek.test" + path]
        assert (await client.get("jsonldContexts?kind=Cached")).json() == []
        [told] = (await client.get("jsonldContexts?details=true&kind=Hosted")).json()
        assert told["URL"] == "http://rynek.test" + path
        assert (told["localId"], told["kind"]) == (local_id, "Hosted")
        assert {"createdAt", "numberOfHits", "lastUsage", "extraInfo"} <= told.keys()
        same = await client.get(f"jsonldContexts/{local_id}?details=true")
        assert same.json() == told

        gone = await client.delete(f"jsonldContexts/{local_id}")
        assert (gone.status_code, gone.content) == (204, b"")
        assert kind(await client.get(f"jsonldContexts/{local_id}")) == (404, "ResourceNotFound")
        assert kind(await client.get(f"jsonldContexts/{local_id}?details=true"))[0] == 404
        assert kind(await client.delete(f"jsonldContexts/{local_id}")) == (404, "ResourceNotFound")
        assert (await client.get("jsonldContexts")).json() == []

    serve(test)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{", "InvalidRequest"),
        (b"", "InvalidRequest"),
        (b"[]", "BadRequestData"),
        (b'{"context": {}}', "BadRequestData"),
        (b'{"@context": 5}', "BadRequestData"),
        (b'{"@context": null}', "BadRequestData"),
        (b'{"@context": "terms.jsonld"}', "BadRequestData"),
        (b'{"@context": ["terms.jsonld", {}]}', "BadRequestData"),
        (b'{"@context": {"x": 5}}', "BadRequestData"),
        (b'{"@context": {"x": {"@id": "http://x/", "@context": {}}}}', "BadRequestData"),
        (b'{"@context": [{"x": "nowhere"}]}', "BadRequestData"),
    ],
)
def test_what_cannot_be_hosted(serve: Serve, body: bytes, problem: str) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        answer = await client.post("jsonldContexts", content=body, headers=LD)
        assert kind(answer) == (400, problem)
        assert (await client.get("jsonldContexts")).json() == []

    serve(test)


def test_parameters_are_checked(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        path = (await hosted(client)).rpartition("/")[2]
        for query in ("?details=maybe", "?kind=Warm"):
            assert kind(await client.get("jsonldContexts" + query)) == (400, "BadRequestData")
        assert kind(await client.get(f"jsonldContexts/{path}?details=1"))[0] == 400
        for reload in ("true", "perhaps"):
            answer = await client.delete(f"jsonldContexts/{path}?reload={reload}")
            assert kind(answer) == (400, "BadRequestData")
        assert (await client.get(f"jsonldContexts/{path}")).status_code == 200
        xml = await client.post(
            "jsonldContexts", content=b"{}", headers={"Content-Type": "text/xml"}
        )
        assert (xml.status_code, xml.content) == (415, b"")

    serve(test)


def test_a_hosted_context_gives_names_without_a_request_to_ourselves(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        url = "http://rynek.test" + await hosted(client)
        for there in (url, url.replace("rynek.test", "localhost:8026")):
            entity = vehicle() | {"id": f"{ID}{len(there)}", "@context": [there, CORE]}
            assert (await client.post("entities", json=entity, headers=LD)).status_code == 201
            found = await client.get("entities?q=speed==5", headers=link(there))
            assert len(found.json()) >= 1
            assert there in found.headers["link"]
        whole = await client.get("entities?type=Vehicle", headers=link(CORE))
        assert "https://example.org/speed" in whole.json()[0]
        nested = "http://rynek.test" + await hosted(client, [url, {"x": "https://example.org/x"}])
        assert (await client.get("entities?q=speed==5", headers=link(nested))).status_code == 200
        [told, _] = (await client.get("jsonldContexts?details=true")).json()
        assert told["numberOfHits"] >= 3

        await client.delete("jsonldContexts/" + url.rpartition("/")[2])
        own = link("http://127.0.0.1:8026/ngsi-ld/v1/jsonldContexts/" + url.rpartition("/")[2])
        for headers in (own, link(nested)):
            gone = await client.get("entities?q=speed==5", headers=headers)
            assert kind(gone) == (504, "LdContextNotAvailable")
        assert "hosted here" in (await client.get("types", headers=own)).json()["detail"]

    serve(test, network__allow_private=True)


def test_a_hosted_context_that_names_itself_is_no_loop(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        path = await hosted(client)
        stored = engine.tenant("default").context.stored_contexts
        [entry] = stored.list()
        body = {"kind": "Hosted", "created": 1, "content": {"@context": "http://h" + path}}
        job: Callable[[Any], None] = lambda txn: txn.keep(  # noqa: E731
            "context", entry.id, json.dumps(body).encode()
        )
        await engine.tenant("default").context.write(job)
        answer = await client.get("types", headers=link("http://h" + path))
        assert kind(answer) == (400, "BadRequestData")
        assert "itself" in answer.json()["detail"]

    serve(test)


def test_a_fetched_context_is_cached_listed_reloaded_and_deleted(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        async with origin() as other:
            named = link(other.url)
            assert (await client.post("entities", json=vehicle(), headers=named)).status_code == 201
            assert (await client.get("jsonldContexts?kind=Cached")).json() == [other.url]
            [told] = (await client.get("jsonldContexts?kind=Cached&details=true")).json()
            assert (told["URL"], told["kind"], told["numberOfHits"]) == (other.url, "Cached", 0)
            assert told["expiresAt"] > told["createdAt"]
            for _again in range(3):
                await client.get("entities?q=speed==5", headers=named)
            [told] = (await client.get("jsonldContexts?details=true")).json()
            assert told["numberOfHits"] == 3
            assert told["lastUsage"] > told["createdAt"]
            assert len(other.asked) == 1

            for name in (told["localId"], quote(other.url, safe=""), other.url):
                served = await client.get(f"jsonldContexts/{name}")
                assert kind(served) == (422, "OperationNotSupported")
                known = await client.get(f"jsonldContexts/{name}?details=true")
                assert known.json() == told

            other.content = {"@context": {"speed": "https://example.org/velocity"}}
            path = f"jsonldContexts/{told['localId']}"
            assert (await client.delete(path + "?reload=true")).status_code == 204
            [again] = (await client.get("jsonldContexts?details=true")).json()
            assert again["createdAt"] > told["createdAt"]
            assert again["localId"] == told["localId"]
            shown = (await client.get("entities?type=Vehicle", headers=named)).json()[0]
            assert "https://example.org/speed" in shown  # the new meaning of the name holds now

            assert (await client.delete(path)).status_code == 204
            assert (await client.get("jsonldContexts")).json() == []
            asked = len(other.asked)
            await client.get("entities?type=Vehicle", headers=named)
            assert len(other.asked) == asked + 1

    serve(test, network__allow_private=True)


@pytest.mark.parametrize(
    ("status", "content"),
    [
        ("404 Not Found", {}),
        ("200 OK", {"terms": {}}),
        ("200 OK", {"@context": {"x": 5}}),
        ("200 OK", "text"),
    ],
)
def test_a_reload_that_fails_keeps_what_was_there(serve: Serve, status: str, content: Any) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        async with origin() as other:
            await client.get("entities?type=Vehicle", headers=link(other.url))
            [before] = (await client.get("jsonldContexts?details=true")).json()
            other.status, other.content = status, content
            answer = await client.delete(f"jsonldContexts/{before['localId']}?reload=true")
            assert kind(answer) == (504, "LdContextNotAvailable")
            [after] = (await client.get("jsonldContexts?details=true")).json()
            assert after["createdAt"] == before["createdAt"]
            assert (await client.get("types", headers=link(other.url))).status_code == 200
        unknown = await client.delete("jsonldContexts/urn:x:none?reload=true")
        assert kind(unknown) == (404, "ResourceNotFound")

    serve(test, network__allow_private=True)


def test_what_is_no_longer_fresh_is_asked_for_anew(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        async with origin() as other:
            other.headers = 'Cache-Control: max-age=0\r\nETag: "1"\r\n'
            server = engine.tenant("default").context.contexts
            await client.post("entities", json=vehicle(), headers=link(other.url))
            await client.get("entities?q=speed==5", headers=link(other.url))  # used since
            server.list()
            other.status = "304 Not Modified"
            await server.refresh_expired()
            assert 'if-none-match: "1"' in other.asked[-1].lower()
            other.status = "200 OK"
            other.content = {"@context": {"speed": "https://example.org/velocity"}}
            await client.get("entities?q=speed==5", headers=link(other.url))
            server.list()
            await server.refresh_expired()
            assert (await client.get("entities?q=speed==5", headers=link(other.url))).json() == []
        # The origin is away: what is there still counts.
        server.list()
        await server.refresh_expired()
        await client.get("entities?q=speed==5", headers=link(other.url))
        assert (await client.get("types", headers=link(other.url))).status_code == 200

    serve(test, network__allow_private=True)


def test_an_array_in_an_answer_makes_an_implicit_context(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        body = vehicle() | {"@context": [TERMS, {"type2": "https://example.org/t"}, CORE]}
        await client.post("entities", json=body, headers=LD)
        assert (await client.get("jsonldContexts")).json() == []  # no answer named it yet
        query = {"type": "Query", "entities": [{"type": "Vehicle"}], "@context": body["@context"]}
        answer = await client.post("entityOperations/query", json=query, headers=LD)
        url = answer.headers["link"].partition(">")[0].removeprefix("<")
        [told] = (await client.get("jsonldContexts?kind=ImplicitlyCreated&details=true")).json()
        assert told["URL"] == url  # a whole URL: it is told on to others (§6.3.6)
        served = await client.get(told["URL"])
        assert served.json() == {"@context": body["@context"][:2]}
        again = await client.get("entities?q=speed==5", headers=link(told["URL"]))
        assert len(again.json()) == 1
        answer = await client.delete(f"jsonldContexts/{told['localId']}?reload=true")
        assert kind(answer) == (400, "BadRequestData")
        assert (await client.delete(f"jsonldContexts/{told['localId']}")).status_code == 204
        assert (await client.get(told["URL"])).status_code == 404

    serve(test)


def test_a_subscription_under_an_array_makes_an_implicit_context(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        url = "http://rynek.test" + await hosted(client)
        for context in ([url, CORE], [url, {"x": "https://example.org/x"}], url, [url]):
            subscription = {
                "type": "Subscription",
                "entities": [{"type": "Vehicle"}],
                "notification": {"endpoint": {"uri": "https://receiver.example.org/"}},
                "@context": context,
            }
            made = await client.post("subscriptions", json=subscription, headers=LD)
            assert made.status_code == 201
        implied = (await client.get("jsonldContexts?kind=ImplicitlyCreated")).json()
        contents = [(await client.get(one)).json()["@context"] for one in implied]
        assert contents == [[url, CORE], [url, {"x": "https://example.org/x"}]]

    serve(test)


def test_urls_of_other_tenants_find_their_tenant(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        there = {"NGSILD-Tenant": "oslo"}
        nobody = await client.post("jsonldContexts", json={"@context": TERMS}, headers=there)
        assert kind(nobody) == (404, "NonexistentTenant")
        await client.post("entities", json=vehicle(), headers=there)
        path = await hosted(client, **there)
        assert ":oslo:" in path
        assert (await client.get("http://rynek.test" + path)).json() == {"@context": TERMS}
        assert (await client.get("jsonldContexts")).json() == []
        # What the default tenant hosts serves all; what another hosts serves itself.
        ours = "http://rynek.test" + await hosted(client, {"speed": "https://example.org/v"})
        used = await client.get("entities?type=Vehicle", headers=there | link(ours))
        assert used.status_code == 200
        theirs = await client.get(
            "entities?type=Vehicle", headers=there | link("http://rynek.test" + path)
        )
        assert theirs.status_code == 200

    serve(test)


def test_contexts_and_their_counts_survive_a_restart(serve: Serve) -> None:
    async def first(client: httpx.AsyncClient, _: Engine) -> None:
        url = "http://rynek.test" + await hosted(client)
        await client.post("entities", json=vehicle() | {"@context": [url, CORE]}, headers=LD)
        for _again in range(4):
            await client.get("types", headers=link(url))

    async def second(client: httpx.AsyncClient, _: Engine) -> None:
        [told] = (await client.get("jsonldContexts?details=true")).json()
        assert told["numberOfHits"] == 5
        [found] = (await client.get("entities?q=speed==5", headers=link(told["URL"]))).json()
        assert found["id"] == ID

    serve(first)
    serve(second)


def test_only_so_many_are_hosted_and_readers_host_none(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for _again in range(2):
            await hosted(client)
        answer = await client.post("jsonldContexts", json={"@context": TERMS})
        assert kind(answer) == (403, "Forbidden")

    async def reading(client: httpx.AsyncClient, _: Engine) -> None:
        answer = await client.post("jsonldContexts", json={"@context": TERMS})
        assert answer.status_code == 401

    serve(test, context__max_contexts=2)
    serve(reading, access__anonymous="read")
