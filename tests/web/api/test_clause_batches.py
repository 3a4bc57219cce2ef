"""The batch operations, clause by clause (CIM 009 §5.6.7 - §5.6.10, §5.6.20, §5.5.11, §6.14 - §6.17, §6.31)."""

from __future__ import annotations

from typing import Any, Final

import httpx

from rynek.app import Engine
from rynek.context import DEFAULT_VOCAB

from .conftest import Serve

NULL: Final = "urn:ngsi-ld:null"
ERRORS: Final = "https://uri.etsi.org/ngsi-ld/errors/"
A, B, C = (f"urn:ngsi-ld:Bin:{name}" for name in "ABC")
LD: Final = {"content-type": "application/ld+json"}
VERBS: Final = ("create", "upsert", "update", "merge")


def bin_(id_: str, **attrs: Any) -> dict[str, Any]:
    return {"id": id_, "type": "Bin", "level": {"type": "Property", "value": 1}} | attrs


async def post(client: httpx.AsyncClient, verb: str, body: Any, **more: Any) -> httpx.Response:
    return await client.post(f"entityOperations/{verb}", json=body, **more)


async def level(client: httpx.AsyncClient, id_: str) -> Any:
    return (await client.get(f"entities/{id_}?options=keyValues")).json().get("level")


def parts(answer: httpx.Response) -> tuple[list[str], dict[str, str]]:
    """(success, error types by entity) of a BatchOperationResult (§5.2.16, §5.2.17)."""
    assert answer.status_code == 207, answer.text
    assert answer.headers["content-type"] == "application/json"
    result = answer.json()
    assert result.keys() == {"success", "errors"}
    for one in result["errors"]:
        assert one.keys() == {"entityId", "error"}
        assert {"type", "title", "status", "detail"} <= one["error"].keys()
    errors = {
        one["entityId"]: one["error"]["type"].removeprefix(ERRORS) for one in result["errors"]
    }
    return result["success"], errors


def test_what_is_wrong_with_the_whole(serve: Serve) -> None:
    """No array, an empty one, a null in it: BadRequestData, and nothing is done (§5.6.7.4 …)."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for verb in (*VERBS, "delete"):
            for body in ({}, bin_(A), "x", 5, [], [None], [bin_(A), None]):
                answer = await post(client, verb, body)
                assert answer.status_code == 400, (verb, body)
                assert answer.json()["type"] == ERRORS + "BadRequestData"
            head = {"content-type": "application/json"}
            for content in (b"", b"[", b"[}", b"\xff"):
                answer = await client.post(
                    f"entityOperations/{verb}", content=content, headers=head
                )
                assert answer.json()["type"] == ERRORS + "InvalidRequest", (verb, content)
            answer = await client.post(f"entityOperations/{verb}", content=b"[]")
            assert (answer.status_code, answer.content) == (415, b"")
        assert (await client.get("entities?local=true")).json() == []

    serve(test)


def test_create(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        answer = await post(client, "create", [bin_(A), bin_(B)])
        assert (answer.status_code, answer.json()) == (201, [A, B])
        answer = await post(client, "create", [bin_(A, level=2), bin_(C), bin_(C, level=3)])
        assert parts(answer) == ([C], {A: "AlreadyExists", C: "AlreadyExists"})
        assert [await level(client, one) for one in (A, C)] == [1, 1]  # the first counts, §5.5.11.1
        answer = await post(client, "create", [bin_(A)])
        assert parts(answer) == ([], {A: "AlreadyExists"})

    serve(test)


def test_upsert(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        answer = await post(client, "upsert", [bin_(A, note="x", scope="/a")])
        assert (answer.status_code, answer.json()) == (201, [A])
        answer = await post(client, "upsert", [bin_(A, level=2), bin_(B)])
        assert (answer.status_code, answer.json()) == (201, [B])
        got = (await client.get(f"entities/{A}")).json()
        assert got == bin_(A, level={"type": "Property", "value": 2})  # replaced as a whole
        answer = await post(client, "upsert", [bin_(A, level=3), bin_(A, level=4)])
        assert (answer.status_code, answer.content) == (204, b"")
        assert await level(client, A) == 4
        answer = await post(client, "upsert", [bin_(C, level=1), bin_(C, level=2)])
        assert (answer.status_code, answer.json()) == (201, [C])
        assert await level(client, C) == 2
        answer = await post(client, "upsert?options=replace", [bin_(A)])
        assert answer.status_code == 204
        assert (await post(client, "upsert?options=nothing", [bin_(A)])).status_code == 400

    serve(test)


def test_upsert_in_update_mode(serve: Serve) -> None:
    """§5.6.8.4: what exists gets Update Attributes (§5.6.2): a scope only replaces one."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await post(client, "create", [bin_(A, note="x"), bin_(B, scope="/a")])
        more = {"level": 2, "extra": {"value": 1, "unitCode": "P1"}, "scope": "/b"}
        many = [bin_(A, **more), bin_(B, **more), bin_(C, **more)]
        answer = await post(client, "upsert?options=update", many)
        assert (answer.status_code, answer.json()) == (201, [C])
        got = {one: (await client.get(f"entities/{one}")).json() for one in (A, B, C)}
        assert got[A]["note"]["value"] == "x"
        assert {one: got[one].get("scope") for one in got} == {A: None, B: "/b", C: "/b"}
        assert [got[one]["level"]["value"] for one in got] == [2, 2, 2]
        answer = await post(
            client, "upsert?options=update", [bin_(A, type="Big"), bin_(A, level=9)]
        )
        assert answer.status_code == 204
        assert await level(client, A) == 9
        assert (await client.get(f"entities/{A}")).json()["type"] == ["Bin", "Big"]
        answer = await post(client, "upsert?options=update", [bin_(A, level=NULL)])
        assert parts(answer) == ([], {A: "BadRequestData"})

    serve(test)


def test_update(serve: Serve) -> None:
    """§5.6.9.4: Append Attributes (§5.6.3) of each; with noOverwrite what is there stays."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await post(client, "create", [bin_(A), bin_(B)])
        answer = await post(client, "update", [bin_(A, level=2, scope="/a"), {"id": B, "note": 5}])
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await client.get(f"entities/{A}")).json()["scope"] == "/a"
        answer = await post(client, "update", [bin_(A, level=3), bin_(C)])
        assert parts(answer) == ([A], {C: "ResourceNotFound"})
        answer = await post(
            client, "update?options=noOverwrite", [bin_(A, level=4, new=1), {"id": B, "o": 1}]
        )
        success, errors = parts(answer)
        assert success == [B]
        assert errors.keys() == {A}
        assert DEFAULT_VOCAB + "level" in answer.json()["errors"][0]["error"]["detail"]
        got = (await client.get(f"entities/{A}?options=keyValues")).json()
        assert (got["level"], got["new"]) == (3, 1)
        answer = await post(client, "update", [bin_(A, level=5), bin_(A, level=6)])
        assert answer.status_code == 204
        assert await level(client, A) == 6

    serve(test)


def test_merge(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await post(client, "create", [bin_(A, place={"value": {"a": 1, "b": 2}}), bin_(B)])
        many = [{"id": A, "place": {"value": {"a": NULL}}, "level": NULL}, {"id": B, "new": 1}]
        answer = await post(client, "merge", many)
        assert (answer.status_code, answer.content) == (204, b"")
        got = (await client.get(f"entities/{A}?options=keyValues")).json()
        assert got == {"id": A, "type": "Bin", "place": {"b": 2}}
        answer = await post(client, "merge", [bin_(C), {"id": A, "x": {"unitCode": "P1"}}, {"a": 1},
                                              {"id": B, "level": 9}])  # fmt: skip
        success, errors = parts(answer)
        assert success == [B]
        assert errors[C] == "ResourceNotFound"
        assert errors[A] == "BadRequestData"
        assert len(answer.json()["errors"]) == 3

    serve(test)


def test_delete(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await post(client, "create", [bin_(A), bin_(B), bin_(C)])
        answer = await post(client, "delete", [A])
        assert (answer.status_code, answer.content) == (204, b"")
        answer = await post(client, "delete", [B, B, "no uri", A])
        success, errors = parts(answer)
        assert success == [B]
        assert errors == {B: "ResourceNotFound", "no uri": "BadRequestData", A: "ResourceNotFound"}
        for body in ([5], [{"id": C}], [[C]], [C, None]):
            assert (await post(client, "delete", body)).status_code == 400, body
        assert (await client.get(f"entities/{C}")).status_code == 200

    serve(test)


def test_what_is_wrong_with_one_spares_the_others(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await post(client, "create", [bin_(A), bin_(B)])
        wrong: list[Any] = [
            "x", 5, [], {}, {"type": "Bin"}, bin_("no uri"), bin_(B, level=None),
            bin_(B, level={"type": "Propertty", "value": 1}), bin_(B, scope="/1"), bin_(B, type=[]),
            bin_(B, **{"a b": 1}),
        ]  # fmt: skip
        for verb in VERBS:
            good = C if verb == "create" else A
            answer = await post(client, verb, [*wrong, bin_(good, level=verb)])
            result = answer.json()
            assert result["success"] == [good], (verb, result)
            assert len(result["errors"]) == len(wrong), verb
            assert {one["error"]["type"] for one in result["errors"]} == {ERRORS + "BadRequestData"}
            assert await level(client, good) == verb
        assert await level(client, B) == 1

    serve(test)


def test_each_has_its_own_context(serve: Serve) -> None:
    """§6.3.5: with JSON-LD every entity of the array brings its @context."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        first = bin_(A) | {"@context": {"level": "https://example.org/a"}}
        second = bin_(B) | {
            "@context": [{"level": "https://example.org/b", "Bin": "https://example.org/Bin"}]
        }
        bare, scoped = (
            bin_(C),
            bin_(C) | {"@context": {"level": {"@id": "urn:x:y", "@context": {}}}},
        )
        answer = await post(client, "create", [first, second, bare, scoped], headers=LD)
        success, _errors = parts(answer)
        assert success == [A, B]
        assert [one["entityId"] for one in answer.json()["errors"]] == [C, C]
        assert "https://example.org/a" in (await client.get(f"entities/{A}")).json()
        assert (await client.get(f"entities/{B}")).json()["type"] == "https://example.org/Bin"
        for verb in VERBS:
            assert (await post(client, verb, [first])).status_code == 400  # in plain JSON
            assert (await post(client, verb, [bare], headers=LD)).status_code == 400

    serve(test)
