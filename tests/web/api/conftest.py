"""A whole engine with its API, driven in process through ASGI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rynek.app import Engine
from rynek.base.settings import Settings, load
from rynek.web import Application

Test = Callable[[httpx.AsyncClient, Engine], Coroutine[Any, Any, None]]
Serve = Callable[..., None]
Ask = Callable[..., httpx.Response]


def settings_for(folder: Path, **overrides: object) -> Settings:
    """Settings with open writing on a fresh folder."""
    given = {"data.path": str(folder / "data"), "access.anonymous": "write"}
    return load(None, {}, given | {k.replace("__", "."): v for k, v in overrides.items()})


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Runs an async test against a started engine, which is stopped afterwards."""

    def run(test: Test, **overrides: object) -> None:
        async def body() -> None:
            engine = Engine(settings_for(tmp_path, **overrides))
            engine.open()
            await engine.start()
            transport = httpx.ASGITransport(app=Application(engine), raise_app_exceptions=False)
            try:
                async with httpx.AsyncClient(
                    transport=transport, base_url="http://rynek.test/ngsi-ld/v1/"
                ) as client:
                    await test(client, engine)
            finally:
                await engine.stop()

        asyncio.run(body())

    return run


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Ask one engine that lives as long as this module; the tenant names the test."""
    folder: Path = tmp_path_factory.mktemp("ask")
    loop = asyncio.new_event_loop()
    engine = Engine(settings_for(folder))

    def run(job: Coroutine[Any, Any, Any]) -> Any:
        return loop.run_until_complete(job)

    async def start() -> httpx.AsyncClient:
        engine.open()
        await engine.start()
        transport = httpx.ASGITransport(app=Application(engine), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://rynek.test/ngsi-ld/v1/")

    client = run(start())

    def ask(method: str, path: str, body: Any = None, tenant: str = "fuzz") -> httpx.Response:
        headers = {"ngsild-tenant": tenant, "content-type": "application/json"}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer: httpx.Response = run(client.request(method, path, content=content, headers=headers))
        return answer

    yield ask
    run(client.aclose())
    run(engine.stop())
    loop.close()
