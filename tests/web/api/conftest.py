"""A whole engine with its API, driven in process through ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from rynek.app import Engine
from rynek.base.settings import Settings, load
from rynek.web import Application

Test = Callable[[httpx.AsyncClient, Engine], Coroutine[Any, Any, None]]
Serve = Callable[..., None]


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
