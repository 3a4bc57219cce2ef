"""Batch operations and purges over several brokers (CIM 009 §5.6.7 - §5.6.10, §5.6.20, §5.6.21)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .federation import REDIRECTION, Broker, odd, room, run, says

R1, R2 = "urn:ngsi-ld:Room:1", "urn:ngsi-ld:Room:2"
CONFLICT = "https://uri.etsi.org/ngsi-ld/errors/Conflict"
BATCH = ["createBatch", "upsertBatch", "updateBatch", "mergeBatch", "deleteBatch", "retrieveOps"]


def holding(*names: str) -> list[dict[str, Any]]:
    return [{"entities": [{"type": "Room"}]} | ({"propertyNames": list(names)} if names else {})]


@pytest.mark.parametrize("operations", [REDIRECTION, BATCH, ["redirectionOps"]])
def test_each_source_gets_its_part_of_a_batch(tmp_path: Path, operations: list[str]) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await here.register(
            there.url, information=holding("a"), mode="redirect", operations=operations
        )

        async def post(verb: str, body: Any, query: str = "") -> Any:
            return await here.client.post(f"entityOperations/{verb}{query}", json=body)

        car = {"id": "urn:x:car", "type": "Car", "a": 1}
        made = await post("create", [room(1, a=1, b=1), room(2, a=2), car])
        assert made.status_code == 201, made.text
        assert sorted(made.json()) == [R1, R2, "urn:x:car"]
        assert await here.local(R1) == room(1, b=1)
        assert await there.local(R1) == room(1, a=1)
        assert await here.local(R2) is None
        assert await there.local("urn:x:car") is None

        again = await post("create", [room(2, a=2), room(3, a=3)])
        assert again.status_code == 207
        assert again.json()["success"] == ["urn:ngsi-ld:Room:3"]
        (error,) = again.json()["errors"]
        assert error["entityId"] == R2
        assert error["error"]["status"] == 409
        assert error["registrationId"]

        upserted = await post("upsert", [room(1, a=5, b=5), room(4, a=4)])
        assert upserted.status_code == 201
        assert upserted.json() == ["urn:ngsi-ld:Room:4"]
        assert await there.local(R1) == room(1, a=5)
        updated = await post("upsert", [room(1, a=6)], "?options=update")
        assert updated.status_code == 204
        assert await there.local(R1) == room(1, a=6)
        assert (await post("update", [room(1, a=7, b=7)])).status_code == 204
        assert await there.local(R1) == room(1, a=7)
        assert (await post("update", [room(1, a=8)], "?options=noOverwrite")).status_code == 207
        assert await there.local(R1) == room(1, a=7)
        if operations != ["redirectionOps"]:
            assert (await post("merge", [room(1, a=9, b=9)])).status_code == 204
            assert await there.local(R1) == room(1, a=9)
        gone = await post("delete", [R1, R2])
        assert gone.status_code == 204
        assert await there.local(R1) is await here.local(R1) is None

    run(tmp_path, test)


def test_inclusive_sources_take_part_and_default_ones_do_not(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker, third: Broker) -> None:
        await here.register(there.url, operations=REDIRECTION)
        await here.register(third.url)
        made = await here.client.post("entityOperations/create", json=[room(1, a=1)])
        assert made.status_code == 201 and made.json() == [R1]
        assert await here.local(R1) == await there.local(R1)
        assert await third.local(R1) is None
        # What only the source has is written there, without an error for what is not here.
        await there.create(room(2, a=1))
        for verb in ("update", "merge"):
            done = await here.client.post(f"entityOperations/{verb}", json=[room(2, a=verb)])
            assert done.status_code == 204, done.text
            assert await there.local(R2) == room(2, a=verb)
        gone = await here.client.post("entityOperations/delete", json=[R1, R2])
        assert gone.status_code == 204
        assert await there.local(R2) is None

    run(tmp_path, test, 3)


def test_what_a_proxied_source_does_not_take_is_a_conflict_for_each_entity(
    tmp_path: Path,
) -> None:
    async def test(here: Broker) -> None:
        async with odd(says([])) as source:
            one = await here.register(
                source.url, information=holding("a"), mode="redirect", operations=["retrieveOps"]
            )
            for verb in ("create", "upsert", "update", "merge"):
                partly = await here.client.post(
                    f"entityOperations/{verb}", json=[room(1, a=1, b=1), room(2, b=1)]
                )
                assert partly.status_code == 207
                conflicts = [e for e in partly.json()["errors"] if e["error"]["type"] == CONFLICT]
                assert [e["entityId"] for e in conflicts] == [R1]
                assert conflicts[0]["registrationId"] == one
            assert source.asked == []

    run(tmp_path, test, 1)


def test_failures_of_a_source_become_errors_of_its_entities(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        wrong = {
            "success": [R1],
            "errors": [
                {"entityId": R2, "error": {"type": "about:x", "title": "No", "status": 418}}
            ],
        }
        async with odd(says(wrong, 207)) as source:
            one = await here.register(source.url, mode="redirect", operations=BATCH)
            partly = await here.client.post(
                "entityOperations/upsert", json=[room(1, a=1), room(2, a=1)]
            )
            assert partly.status_code == 207
            assert partly.json()["success"] == [R1]
            (error,) = partly.json()["errors"]
            assert error == {
                "entityId": R2, "registrationId": one,
                "error": {"type": "about:x", "title": "No", "status": 418,
                          "detail": "it failed there"},
            }  # fmt: skip
            method, path, headers, body = source.asked[0]
            assert (method, path) == ("POST", "/ngsi-ld/v1/entityOperations/upsert")
            assert body == [room(1, a=1), room(2, a=1)]
            assert headers["content-type"] == "application/json"
        failed = await here.client.post("entityOperations/delete", json=[R1, R2])
        assert failed.status_code == 207
        assert {e["error"]["status"] for e in failed.json()["errors"]} == {502}
        assert failed.json()["success"] == []

    run(tmp_path, test, 1)


def test_entities_of_different_contexts_travel_apart(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await here.register(there.url, mode="redirect", operations=BATCH)
        vocab = "https://uri.etsi.org/ngsi-ld/default-context/"
        batch = [
            room(1, a=1) | {"@context": {"a": "https://x.test/a"}},
            room(2, a=2) | {"@context": {"a": "https://y.test/a"}},
            {"id": "urn:ngsi-ld:Room:3", "type": "Z", "a": 3, "@context": {"Z": vocab + "Room"}},
        ]
        made = await here.client.post(
            "entityOperations/create", json=batch, headers={"Content-Type": "application/ld+json"}
        )
        assert made.status_code == 201, made.text
        assert "https://x.test/a" in (await there.local(R1) or {})
        assert "https://y.test/a" in (await there.local(R2) or {})
        assert await there.local("urn:ngsi-ld:Room:3") == room(3, a=3)

    run(tmp_path, test)


def test_a_purge_reaches_the_sources(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        for broker in (here, there):
            await broker.create(room(1, a=1, b=1), room(2, a=2, b=2))
        await there.create({"id": "urn:x:car", "type": "Car", "a": 9})
        await here.register(there.url, operations=REDIRECTION)
        assert (await here.client.delete("entities?type=Room,Car&q=a>1")).status_code == 204
        assert await there.local(R2) is await here.local(R2) is None
        assert await there.local("urn:x:car") is not None
        assert (await here.client.delete("entities?type=Room&drop=b")).status_code == 204
        assert await there.local(R1) == await here.local(R1) == room(1, a=1)
        assert (await here.client.delete("entities?type=Room&local=true")).status_code == 204
        assert await there.local(R1) is not None

    run(tmp_path, test)


def test_a_purge_over_a_map_reaches_only_what_it_has_of_each_source(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await here.create(room(1))
        await there.create(room(2), room(3))
        await here.register(there.url, operations=REDIRECTION)
        found = await here.client.get(f"entityMaps?type=Room&id={R1},{R2}")
        where = {"NGSILD-EntityMap": found.headers["ngsild-entitymap"]}
        assert sorted(found.json()["entityMap"]) == [R1, R2]
        purged = await here.client.delete("entities?type=Room", headers=where)
        assert purged.status_code == 204, purged.text
        assert [await here.local(R1), await there.local(R2)] == [None, None]
        assert await there.local(room(3)["id"]) == room(3)

    run(tmp_path, test)


def test_a_purge_that_a_source_cannot_do_is_told(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        async with odd(says({"title": "no"}, 403)) as source:
            await here.create({"id": "urn:x:car", "type": "Car"})
            await here.register(source.url)
            assert (await here.client.delete("entities?type=Room")).status_code == 204
            info = [{"entities": [{"type": "Hall"}]}]
            one = await here.register(
                source.url, information=info, mode="redirect", operations=["retrieveOps"]
            )
            refused = await here.client.delete("entities?type=Hall")
            assert refused.status_code == 409
            assert refused.json()["type"] == CONFLICT
            partly = await here.client.delete("entities?type=Hall,Car")
            assert partly.status_code == 207
            assert partly.json()["success"] == ["urn:x:car"]
            assert partly.json()["errors"][0]["registrationId"] == one
            assert source.asked == []

    run(tmp_path, test, 1)
