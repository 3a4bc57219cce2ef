"""The HTTP binding's common behaviours (CIM 009 §5.5, §6.3): errors, media types, @context."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from rynek.app import Engine
from rynek.context import DEFAULT_VOCAB

from .conftest import Serve

LD = {"Content-Type": "application/ld+json"}
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
UNREACHABLE = "https://127.0.0.1/context.jsonld"
ID = "urn:ngsi-ld:StreetLight:1"


def lamp(**attrs: Any) -> dict[str, Any]:
    return {"id": ID, "type": "StreetLight", "power": {"type": "Property", "value": 1}} | attrs


def link(url: str) -> dict[str, str]:
    return {"Link": f'<{url}>; rel="http://www.w3.org/ns/json-ld#context"'}


def kind(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rsplit("/", 1)[1]


def test_errors_are_plain_json_without_a_link(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        accept = {"Accept": "application/ld+json"}
        missing = await client.get(f"entities/{ID}", headers=accept)
        assert kind(missing) == (404, "ResourceNotFound")
        assert missing.headers["content-type"] == "application/json"
        assert "link" not in missing.headers
        assert {"type", "title", "detail", "status"} <= missing.json().keys()

    serve(test)


def test_bodies_without_type_or_length_are_refused_with_a_bare_status(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        xml = await client.post("entities", content=b"<a/>", headers={"Content-Type": "text/xml"})
        assert (xml.status_code, xml.content) == (415, b"")
        patch = {"Content-Type": "application/merge-patch+json"}
        assert (await client.post("entities", content=b"{}", headers=patch)).status_code == 415
        request = client.build_request("POST", "entities", headers=LD)
        del request.headers["content-length"]
        assert (await client.send(request)).status_code == 411

        coded = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        packed = await client.post("entities", content=b"\x1f\x8b", headers=coded)
        assert (packed.status_code, packed.content) == (415, b"")
        assert packed.headers["accept-encoding"] == "identity"
        latin = {"Content-Type": "application/json; charset=iso-8859-1"}
        assert (await client.post("entities", content=b"{}", headers=latin)).status_code == 415
        utf = {"Content-Type": "Application/JSON;charset=UTF-8"}
        assert (await client.post("entities", content=b"{}", headers=utf)).status_code == 400

    serve(test)


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"3", b"null"])
def test_json_of_another_shape_is_bad_request_data(serve: Serve, body: bytes) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        as_json = {"Content-Type": "application/json"}
        answer = await client.post("entities", content=body, headers=as_json)
        assert kind(answer) == (400, "BadRequestData")

    serve(test)


def test_what_is_accepted(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=lamp())

        async def media(accept: str, path: str = f"entities/{ID}") -> str:
            answer = await client.get(path, headers={"Accept": accept})
            return answer.headers["content-type"] if answer.status_code == 200 else "406"

        assert await media("*/*") == "application/json"
        assert await media("application/ld+json, application/json") == "application/json"
        assert await media("application/json;q=0.5, application/ld+json") == "application/ld+json"
        assert await media("application/geo+json") == "application/geo+json"
        assert await media("text/html, application/xhtml+xml") == "406"
        assert await media("text/html, */*;q=0.1") == "application/json"
        # GeoJSON is for entities only (§6.3.4).
        assert await media("application/geo+json", "types") == "406"
        assert await media("application/geo+json, application/json;q=0.1", "types") == (
            "application/json"
        )
        assert await media("text/html", "subscriptions") == "406"
        page = {"Accept": "text/html"}
        assert (await client.delete("entityMaps/urn:x:1", headers=page)).status_code == 404
        refused = await client.get("types", headers={"Accept": "application/geo+json"})
        assert refused.json()["available"] == ["application/json", "application/ld+json"]
        # Of equals the first in the standard's order; the most specific range tells the weight.
        assert await media("application/ld+json, */*") == "application/json"
        assert await media("application/ld+json, */*;q=0.1") == "application/ld+json"
        assert await media("application/json;q=0, */*") == "application/ld+json"
        assert await media("*/*, application/json;q=0.2, application/ld+json;q=0.2") == (
            "application/geo+json"
        )
        assert await media('application/ld+json;profile="http://a.org/x,y"') == (
            "application/ld+json"
        )
        assert await media("application/json;q=nonsense") == "application/json"
        assert await media("application/json;q=0") == "406"
        html = await client.patch(
            f"entities/{ID}/attrs", json={"power": {"value": 2}}, headers={"Accept": "text/html"}
        )
        assert html.status_code == 204  # nothing is sent that would have to be accepted

    serve(test)


def test_where_the_context_belongs(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        both = await client.post(
            "entities", json=lamp() | {"@context": CORE}, headers=LD | link(CORE)
        )
        assert kind(both) == (400, "BadRequestData")
        for path, content in (("entities", lamp()), ("entityOperations/create", [lamp()])):
            refused = await client.post(path, json=content, headers=LD | link(UNREACHABLE))
            assert kind(refused) == (400, "BadRequestData")
        nothing = await client.post("entityOperations/create", json=[lamp()], headers=LD)
        assert kind(nothing) == (400, "BadRequestData")
        twice = [lamp() | {"@context": CORE}]
        batch = await client.post("entityOperations/create", json=twice, headers=LD | link(CORE))
        assert kind(batch) == (400, "BadRequestData")
        plain = await client.post("entityOperations/create", json=twice)
        assert kind(plain) == (400, "BadRequestData")
        inner = lamp(power={"value": 1, "@context": {"x": "https://example.org/x"}})
        assert kind(await client.post("entities", json=inner)) == (400, "BadRequestData")
        scoped = {"power": {"@id": "https://e.org/p", "@context": {"x": "https://e.org/x"}}}
        bad = await client.post("entities", json=lamp() | {"@context": [scoped, CORE]}, headers=LD)
        assert kind(bad) == (400, "BadRequestData")
        for version in ("", "-v1.3", "-v1.8"):
            url = f"https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context{version}.jsonld"
            answer = await client.get("entities?type=StreetLight", headers=link(url))
            assert answer.status_code == 200
            assert CORE in answer.headers["link"]

    serve(test)


def test_a_context_that_cannot_be_had_is_504(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        linked = await client.get("entities?type=StreetLight", headers=link(UNREACHABLE))
        assert kind(linked) == (504, "LdContextNotAvailable")
        inside = await client.post("entities", json=lamp() | {"@context": UNREACHABLE}, headers=LD)
        assert kind(inside) == (504, "LdContextNotAvailable")

    serve(test)


def test_only_creating_makes_a_tenant(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        there = {"NGSILD-Tenant": "ostrava"}
        for method, path, body in (
            ("POST", f"entities/{ID}/attrs", {}),
            ("POST", "entityOperations/delete", [ID]),
            ("POST", "entityOperations/update", [lamp()]),
            ("POST", "entityOperations/query", {"type": "Query"}),
            ("DELETE", f"entities/{ID}", None),
        ):
            answer = await client.request(method, path, json=body, headers=there)
            assert kind(answer) == (404, "NonexistentTenant"), path
            assert answer.headers["ngsild-tenant"] == "ostrava"
        assert (await client.post("entities", json=lamp(), headers=there)).status_code == 201

    serve(test)


def test_names_in_the_path_may_be_whole_iris(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=lamp())
        path = f"entities/{ID}/attrs/" + DEFAULT_VOCAB.replace(":", "%3A").replace("/", "%2F")
        changed = await client.patch(path + "power", json={"value": 5})
        assert changed.status_code == 204
        assert (await client.get(f"entities/{ID}")).json()["power"]["value"] == 5
        types = "types/" + (DEFAULT_VOCAB + "StreetLight").replace("/", "%2F")
        assert (await client.get(types)).json()["typeName"] == "StreetLight"
        wrong = await client.patch(f"entities/{ID}/attrs/po%20wer", json={"value": 5})
        assert kind(wrong) == (400, "BadRequestData")
        assert kind(await client.get("entities/no-uri")) == (400, "BadRequestData")
        assert (
            await client.delete(f"entities/{ID}/attrs/https%3A%2F%2Fe.org%2Fx")
        ).status_code == 404

    serve(test)


def test_paths_may_end_in_a_slash(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        assert (await client.post("entities/", json=lamp())).status_code == 201
        assert len((await client.get("entities/?type=StreetLight")).json()) == 1
        assert (await client.get(f"entities/{ID}/")).status_code == 200
        assert (await client.patch(f"entities/{ID}/attrs/", json={"power": 2})).status_code == 204
        assert (await client.get("entities//")).status_code == 404
        for star in ("entities/*", "entities/%2A", f"entities/{ID}/attrs/*"):
            assert (await client.delete(star)).status_code in (400, 404)

    serve(test)


def test_answers_say_what_they_depend_on(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        answer = await client.get("entities?type=StreetLight")
        assert {"accept", "link"} <= set(answer.headers["vary"].lower().split(", "))
        created = await client.post("entities", json=lamp())
        assert created.headers["content-length"] == "0"
        gone = await client.delete(f"entities/{ID}")
        assert "content-length" not in gone.headers
        assert "content-type" not in gone.headers

    serve(test)


def test_contexts_that_are_no_single_url_are_served(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        context = {"power": "https://example.org/power"}
        body = lamp() | {"@context": [context, CORE]}
        assert (await client.post("entities", json=body, headers=LD)).status_code == 201
        query = {"type": "Query", "entities": [{"type": "StreetLight"}], "@context": context}
        answer = await client.post("entityOperations/query", json=query, headers=LD)
        assert answer.json()[0]["power"]["value"] == 1
        url = answer.headers["link"].partition(">")[0].removeprefix("<")
        served = await client.get(url)
        assert served.json() == {"@context": context}
        assert kind(await client.get("jsonldContexts/none")) == (404, "ResourceNotFound")

    serve(test)


def test_a_refused_request_makes_no_tenant(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        there = {"NGSILD-Tenant": "junk"}
        as_json = there | {"Content-Type": "application/json"}
        for path in ("entities", "entityOperations/create", "entityOperations/upsert"):
            refused = await client.post(path, content=b"{", headers=as_json)
            assert refused.status_code == 400
        nothing = [{"id": "no uri", "type": "T"}]
        batch = await client.post("entityOperations/upsert", json=nothing, headers=there)
        assert batch.status_code == 207
        assert "junk" not in engine.tenants
        assert (await client.get("types", headers=there)).status_code == 404
        one = {"id": "urn:x:1", "type": "T"}
        assert (await client.post("entities", json=one, headers=there)).status_code == 201
        assert (await client.get("entities/urn:x:1", headers=there)).status_code == 200

    serve(test)


def test_a_tenant_starts_once_for_many_first_requests(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        folder = engine.folder.tenants / "quiet"
        folder.mkdir()
        engine._add("quiet")
        for _ in range(5):
            engine.tenant("quiet")
        await asyncio.sleep(0.2)
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert names.count("history-follower") == len(engine.tenants)
        assert (await client.get("types", headers={"NGSILD-Tenant": "quiet"})).status_code == 200

    serve(test)


def test_two_links_to_contexts_are_one_too_many(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        one, two = link(CORE)["Link"], link("https://example.org/c.jsonld")["Link"]
        for headers in ([("Link", one), ("Link", two)], [("Link", f"{one}, {two}")]):
            answer = await client.get("types", headers=headers)
            assert kind(answer) == (400, "BadRequestData")
        other = [("Link", one), ("Link", '<https://example.org/>; rel="author"')]
        assert (await client.get("types", headers=other)).status_code == 200
        broken = await client.get("types", headers={"Link": "https://example.org/c.jsonld"})
        assert kind(broken) == (400, "BadRequestData")

    serve(test)


def test_methods_that_a_path_has_not(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        wrong = await client.put("entities", json={})
        assert kind(wrong) == (405, "InvalidRequest")
        assert {"GET", "HEAD", "POST", "DELETE", "OPTIONS"} <= set(
            wrong.headers["allow"].split(", ")
        )
        told = await client.options(f"entities/{ID}")
        assert (told.status_code, told.content) == (204, b"")
        assert "PATCH" in told.headers["allow"]
        assert "application/merge-patch+json" in told.headers["accept-patch"]
        assert "accept-post" not in told.headers
        assert kind(await client.options("nothing")) == (404, "ResourceNotFound")
        assert (await client.request("BREW", "entities")).status_code == 405

    serve(test)


def test_head_is_get_without_its_body(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=lamp())
        got = await client.get(f"entities/{ID}")
        head = await client.head(f"entities/{ID}")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
        assert head.headers["content-type"] == "application/json"
        assert (await client.head("entities/urn:x:none")).status_code == 404

    serve(test)


def test_pages_of_other_origins_may_ask_first(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        asked = {
            "Origin": "https://app.example.org",
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "content-type,ngsild-tenant",
        }
        told = await client.options(f"entities/{ID}", headers=asked)
        assert told.status_code == 204
        assert told.headers["access-control-allow-origin"] == "*"
        assert "PATCH" in told.headers["access-control-allow-methods"]
        assert told.headers["access-control-max-age"] == "86400"
        got = await client.get("types", headers={"Origin": "https://app.example.org"})
        assert "NGSILD-Results-Count" in got.headers["access-control-expose-headers"]

    async def named(client: httpx.AsyncClient, _: Engine) -> None:
        ours = await client.get("types", headers={"Origin": "https://app.example.org"})
        assert ours.headers["access-control-allow-origin"] == "https://app.example.org"
        other = await client.get("types", headers={"Origin": "https://evil.example.org"})
        assert "access-control-allow-origin" not in other.headers

    serve(test)
    serve(named, access__cors_origins=("https://app.example.org",))


def test_larger_answers_are_compressed_for_who_takes_it(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        many = [lamp() | {"id": f"{ID}{n}"} for n in range(20)]
        await client.post("entityOperations/create", json=many)
        path = "entities?type=StreetLight"
        plain = await client.get(path, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        packed = await client.get(path, headers={"Accept-Encoding": "br, gzip;q=0.5"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.json() == plain.json()
        assert int(packed.headers["content-length"]) < len(plain.content) / 3
        assert "Accept-Encoding" in packed.headers["vary"]
        refused = await client.get(path, headers={"Accept-Encoding": "gzip;q=0, *"})
        assert "content-encoding" not in refused.headers
        small = await client.get(f"entities/{ID}1", headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in small.headers

    serve(test)


def test_an_answer_that_did_not_change_is_not_sent_again(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=lamp())
        first = await client.get(f"entities/{ID}")
        same = await client.get(f"entities/{ID}", headers={"If-None-Match": first.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == first.headers["etag"]
        assert "content-length" not in same.headers
        await client.patch(f"entities/{ID}/attrs", json={"power": {"value": 2}})
        new = await client.get(f"entities/{ID}", headers={"If-None-Match": first.headers["etag"]})
        assert new.status_code == 200
        assert new.headers["etag"] != first.headers["etag"]
        either = f'"other", {new.headers["etag"]}'
        for held in (either, "*"):
            again = await client.get(f"entities/{ID}", headers={"If-None-Match": held})
            assert again.status_code == 304
        gone = await client.get("entities/urn:x:none", headers={"If-None-Match": "*"})
        assert gone.status_code == 404

    serve(test)
