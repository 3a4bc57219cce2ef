"""Purge Entities (CIM 009 §5.6.21, §6.4.3.3)."""

from __future__ import annotations

import httpx

from rynek.app import Engine

from .conftest import Serve
from .parking import AT, ID, parking, read


def test_purge(serve: Serve) -> None:
    """§5.6.21: a filter is needed; keep and drop take attributes off, drop also the scope."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for query in ("", "?id=" + ID, "?idPattern=.*", "?scopeQ=/CZ", "?local=false", "?keep=free",
                      "?type=Parking&id=nothing", "?type=Parking&q=free>", "?type=Parking&georel=near",
                      "?type=Parking&drop=a{b}", "?type=Parking&keep=a{b}", "?q=owner{name}==1",
                      "?type=*&local=false", "?type=Parking&drop=a b", "?nothing=1"):  # fmt: skip
            answer = await client.delete("entities" + query)
            assert answer.status_code == 400, query
        both = [parking(scope="/CZ"), parking(id=ID + "2", free={"value": 1})]
        await client.post("entityOperations/create", json=both)
        assert (await client.delete("entities?type=Parking&drop=scope,free")).status_code == 204
        assert {"scope", "free"}.isdisjoint(await read(client))
        assert (await client.delete("entities?type=Parking&keep=owner,never")).status_code == 204
        assert (await read(client)).keys() == {"id", "type", "owner"}
        assert (await client.delete(f"entities?local=true&id={ID}")).status_code == 204
        assert (await client.get(AT)).status_code == 404
        assert (await client.get(AT + "2")).status_code == 200
        assert (await client.delete("entities?type=*")).status_code == 204
        assert (await client.get("entities?local=true")).json() == []

    serve(test)
