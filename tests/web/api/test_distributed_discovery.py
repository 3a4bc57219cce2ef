"""Types and attributes over several brokers (CIM 009 §5.7.5 - §5.7.11)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .federation import Broker, odd, room, run, says

VOCAB = "https://uri.etsi.org/ngsi-ld/default-context/"


def test_types_and_attributes_of_all_sources_are_one_list(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await here.create(room(1, a=1))
        hall = {"id": "urn:x:hall", "type": "Hall", "c": {"type": "Relationship", "object": "u:1"}}
        car = {"id": "urn:x:car", "type": "Car", "d": 1}
        await there.create(room(2, a=1, b=2), hall, car)
        information = [{"entities": [{"type": "Room"}, {"type": "Hall"}]}]
        await here.register(there.url, information=information)

        async def get(path: str) -> Any:
            return (await here.get(path)).json()

        assert (await get("types"))["typeList"] == ["Hall", "Room"]
        details = {one["typeName"]: one for one in await get("types?details=true")}
        assert details["Room"]["attributeNames"] == ["a", "b"]
        assert set(details) == {"Hall", "Room"}
        info = await get("types/Room")
        assert info["entityCount"] == 2
        assert [one["attributeName"] for one in info["attributeDetails"]] == ["a", "b"]
        assert (await get("types/Hall"))["entityCount"] == 1
        assert (await here.get("types/Car")).status_code == 404
        names = (await get("attributes"))["attributeList"]
        assert {"a", "b", "c"} <= set(names)
        kinds = {one["attributeName"]: one for one in await get("attributes?details=true")}
        assert kinds["b"]["typeNames"] == ["Room"]
        a = await get("attributes/a")
        assert a["attributeCount"] == 2 and a["typeNames"] == ["Room"]
        assert (await get("attributes/c"))["attributeTypes"] == ["Relationship"]
        assert (await get("types?local=true"))["typeList"] == ["Room"]
        assert (await here.get("types/Hall?local=true")).status_code == 404

    run(tmp_path, test)


def test_what_is_no_answer_is_left_out_with_a_warning(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        await here.create(room(1, a=1))
        for wrong in ({}, [], 5, {"type": "EntityTypeList", "typeList": [5]}, [{"type": "Room"}]):
            async with odd(says(wrong)) as source:
                one = await here.register(source.url)
                found = await here.get("types")
                assert found.json()["typeList"] == ["Room"]
                if wrong != []:
                    assert found.headers["ngsild-warning"].startswith("111 ")
                await here.client.delete(f"csourceRegistrations/{one}")
        await here.register("http://127.0.0.1:1", operations=["retrieveOps"])
        assert "ngsild-warning" not in (await here.get("types")).headers

    run(tmp_path, test, 1)
