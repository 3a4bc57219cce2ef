"""/entityOperations, /types and /attributes through HTTP (CIM 009 §6.14 - §6.17, §6.25 - §6.28)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rynek.app import Engine
from rynek.base.errors import Unavailable

from .conftest import Serve


def bin_(number: int, **attrs: Any) -> dict[str, Any]:
    level = {"type": "Property", "value": number / 10}
    return {"id": f"urn:ngsi-ld:WasteContainer:{number}", "type": "WasteContainer",
            "fillingLevel": level} | attrs  # fmt: skip


def test_partial_success_is_207_with_an_error_for_each_entity(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=bin_(1))
        wrong = {"id": "urn:ngsi-ld:WasteContainer:3", "type": "WasteContainer", "x": None}
        answer = await client.post("entityOperations/create", json=[bin_(1), bin_(2), wrong])
        assert answer.status_code == 207
        document = answer.json()
        assert document["success"] == [bin_(2)["id"]]
        errors = {one["entityId"]: one["error"]["status"] for one in document["errors"]}
        assert errors == {bin_(1)["id"]: 409, wrong["id"]: 400}

        deleted = await client.post(
            "entityOperations/delete", json=[bin_(2)["id"], "urn:ngsi-ld:WasteContainer:9"]
        )
        assert deleted.status_code == 207
        assert deleted.json()["success"] == [bin_(2)["id"]]

    serve(test)


def test_upsert_replaces_or_updates(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        noted = bin_(1, note={"type": "Property", "value": "by the school"})
        first = await client.post("entityOperations/upsert", json=[noted, bin_(2)])
        assert first.status_code == 201
        assert first.json() == [noted["id"], bin_(2)["id"]]
        update = await client.post("entityOperations/upsert?options=update", json=[bin_(1)])
        assert update.status_code == 204
        assert "note" in (await client.get(f"entities/{noted['id']}")).json()
        replace = await client.post("entityOperations/upsert", json=[bin_(1), bin_(4)])
        assert replace.status_code == 201
        assert replace.json() == [bin_(4)["id"]]
        assert "note" not in (await client.get(f"entities/{noted['id']}")).json()

    serve(test)


def test_update_and_merge_need_existing_entities(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=bin_(1))
        for verb in ("update", "merge"):
            answer = await client.post(f"entityOperations/{verb}", json=[bin_(1), bin_(2)])
            assert answer.status_code == 207
            assert answer.json()["success"] == [bin_(1)["id"]]
            assert answer.json()["errors"][0]["error"]["status"] == 404
        only = [{"id": bin_(1)["id"], "fillingLevel": "urn:ngsi-ld:null"}]
        assert (await client.post("entityOperations/merge", json=only)).status_code == 204
        assert "fillingLevel" not in (await client.get(f"entities/{bin_(1)['id']}")).json()
        kept = await client.post("entityOperations/update?options=noOverwrite", json=[bin_(1)])
        assert kept.status_code == 204

    serve(test)


def test_types_and_attributes_in_use(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entityOperations/create", json=[bin_(n) for n in range(3)])
        assert (await client.get("types")).json()["typeList"] == ["WasteContainer"]
        details = (await client.get("types?details=true")).json()
        assert details[0]["attributeNames"] == ["fillingLevel"]
        one = (await client.get("types/WasteContainer")).json()
        assert one["entityCount"] == 3
        assert one["attributeDetails"][0]["attributeTypes"] == ["Property"]
        assert (await client.get("types/Nothing")).status_code == 404
        assert (await client.get("attributes")).json()["attributeList"] == ["fillingLevel"]
        attribute = (await client.get("attributes/fillingLevel")).json()
        assert attribute["attributeCount"] == 3
        assert attribute["typeNames"] == ["WasteContainer"]
        assert (await client.get("attributes/nothing")).status_code == 404

    serve(test)


def many(count: int, **attrs: Any) -> list[dict[str, Any]]:
    return [bin_(n, **attrs) for n in range(count)]


def test_a_large_batch_is_told_of_in_its_order(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        ids = [one["id"] for one in many(250)]
        await client.post("entityOperations/create", json=[bin_(70), bin_(200)])
        created = await client.post("entityOperations/create", json=many(250))
        assert created.status_code == 207
        document = created.json()
        others = [one for n, one in enumerate(ids) if n not in (70, 200)]
        assert document["success"] == others
        assert [one["entityId"] for one in document["errors"]] == [ids[70], ids[200]]
        assert {one["error"]["status"] for one in document["errors"]} == {409}

        again = await client.post("entityOperations/upsert", json=[*many(250), bin_(300)])
        assert (again.status_code, again.json()) == (201, [bin_(300)["id"]])

        noted = many(250, note={"type": "Property", "value": "by the school"})
        noted[130]["id"] = "urn:ngsi-ld:WasteContainer:9999"
        for verb in ("update", "merge"):
            answer = await client.post(f"entityOperations/{verb}", json=noted)
            assert answer.status_code == 207
            assert [one["entityId"] for one in answer.json()["errors"]] == [noted[130]["id"]]
            assert answer.json()["success"] == [*ids[:130], *ids[131:]]

        gone = await client.post("entityOperations/delete", json=[*ids, "urn:x:none"])
        assert gone.json()["success"] == ids
        assert [one["entityId"] for one in gone.json()["errors"]] == ["urn:x:none"]

    serve(test)


def test_an_entity_twice_in_a_large_batch_is_written_in_order(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        batch = many(250)
        for place in (40, 99, 249):
            batch[place] = bin_(0, note={"type": "Property", "value": place})
        answer = await client.post("entityOperations/upsert", json=batch)
        assert answer.status_code == 201
        assert answer.json() == list(dict.fromkeys(one["id"] for one in batch))
        stored = (await client.get(f"entities/{bin_(0)['id']}")).json()
        assert stored["note"]["value"] == 249

        wrong = [one | {"note": {"type": "Property"}} if n == 120 else one
                 for n, one in enumerate(batch)]  # fmt: skip
        partly = await client.post("entityOperations/upsert?options=update", json=wrong)
        assert partly.status_code == 207
        assert [one["entityId"] for one in partly.json()["errors"]] == [batch[120]["id"]]

    serve(test)


def test_what_a_large_batch_wrote_before_the_store_failed_is_told(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        context = engine.tenant(engine.default_tenant).context
        write, left = context.write, [0]

        def failing(job: Any) -> Any:
            if not left[0]:
                raise Unavailable("the disk is gone")
            left[0] -= 1
            return write(job)

        monkeypatch.setattr(context, "write", failing)
        none = await client.post("entityOperations/create", json=many(150))
        assert none.status_code == 503
        left[0] = 2
        some = await client.post("entityOperations/create", json=many(150))
        monkeypatch.undo()
        assert some.status_code == 207
        document, ids = some.json(), [one["id"] for one in many(150)]
        kept = len(document["success"])
        assert 0 < kept < 150
        assert document["success"] == ids[:kept]
        assert [one["entityId"] for one in document["errors"]] == ids[kept:]
        assert document["errors"][0]["error"]["status"] == 503
        for number, status in ((kept - 1, 200), (kept, 404)):
            assert (await client.get(f"entities/{ids[number]}")).status_code == status

    serve(test)
