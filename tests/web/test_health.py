"""`/health`: what is told to whom, and what makes the service not ready."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from tests.web.api.conftest import serve

from rynek.app import Engine
from rynek.base.ids import SERVICE_TENANT
from rynek.history import FollowerState

__all__ = ["serve"]
Serve = Callable[..., None]
ROOT = "http://rynek.test"


def watcher(engine: Engine) -> dict[str, str]:
    secret = engine.tokens.create("operator", (f"read:{SERVICE_TENANT}",))
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_all_is_well(serve: Serve, path: str) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        answer = await client.get(ROOT + path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/health+json"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json() == {"status": "pass"}
        body = (await client.get(ROOT + path, headers=watcher(engine))).json()
        assert body["status"] == "pass"
        assert body["serviceId"] == engine.alias
        every = [one for checks in body["checks"].values() for one in checks]
        assert {one["status"] for one in every} == {"pass"}
        assert all({"componentType", "time"} <= set(one) for one in every)
        if path != "/health/live":
            assert set(body["checks"]) == {
                "engine:running", "disk:free", "store:writes", "history:lag",
            }  # fmt: skip

    serve(test)


def test_a_store_that_refuses_writes_is_not_ready_and_alive(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        store = engine.tenant("default").context.store
        writer = store._writer  # type: ignore[attr-defined]
        commit = writer._commit

        async def full(*_: object) -> None:
            raise OSError(28, os.strerror(28))

        writer._commit = full
        made = await client.post("entities", json={"id": "urn:ngsi-ld:Tram:1", "type": "Tram"})
        assert made.status_code == 507
        answer = await client.get(ROOT + "/health")
        assert (answer.status_code, answer.json()) == (503, {"status": "fail"})
        body = (await client.get(ROOT + "/health/ready", headers=watcher(engine))).json()
        (check,) = body["checks"]["store:writes"]
        assert (check["status"], check["componentId"]) == ("fail", "default")
        assert "No space left" in check["output"]
        assert (await client.get(ROOT + "/health/live")).status_code == 200

        writer._commit = commit
        made = await client.post("entities", json={"id": "urn:ngsi-ld:Tram:1", "type": "Tram"})
        assert made.status_code == 201
        assert (await client.get(ROOT + "/health")).json() == {"status": "pass"}

    serve(test)


def state_of(engine: Engine, tenant: str, **changes: Any) -> FollowerState:
    return msgspec.structs.replace(engine.tenant(tenant).history.state(), **changes)


def test_a_history_that_fails_for_long_is_not_ready(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        history = engine.tenant("default").history
        for seconds, status in ((5.0, 200), (90.0, 503)):
            state = state_of(
                engine,
                "default",
                error="the disk is gone",
                failing_seconds=seconds,
                behind_seconds=9.0,
            )
            with monkeypatch.context() as patch:
                patch.setattr(history, "state", lambda state=state: state)
                answer = await client.get(ROOT + "/health", headers=watcher_once(engine))
            assert answer.status_code == status
            (check,) = answer.json()["checks"]["history:lag"]
            assert check["observedValue"] == 9.0
            assert "the disk is gone" in check["output"]

    def watcher_once(engine: Engine) -> dict[str, str]:
        engine.tokens.revoke("operator")
        return watcher(engine)

    serve(test)


def test_what_fails_in_one_city_of_several_warns(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        stop = {"id": "urn:ngsi-ld:Stop:1", "type": "Stop"}
        for name in ("kyiv", "default"):
            made = await client.post("entities", json=stop, headers={"NGSILD-Tenant": name})
            assert made.status_code == 201
        state = state_of(engine, "kyiv", error="gone", failing_seconds=900.0, set_aside=3)
        monkeypatch.setattr(engine.tenant("kyiv").history, "state", lambda: state)
        body = (await client.get(ROOT + "/health", headers=watcher(engine))).json()
        assert body["status"] == "warn"
        assert [one["componentId"] for one in body["checks"]["history:rows"]] == ["kyiv"]
        first = body["checks"]["history:lag"][0]
        assert (first["componentId"], first["status"]) == ("kyiv", "fail")

    serve(test)


def test_a_service_that_stops_is_not_ready(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        engine.stopping.set()
        assert (await client.get(ROOT + "/health/ready")).status_code == 503
        assert (await client.get(ROOT + "/health/live")).status_code == 200

    serve(test)
