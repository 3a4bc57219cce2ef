"""Static files: packed for who takes that, the same bytes for who does not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from rynek.web.statics import Statics

TEXT = "h1 { color: #19242a; }\n" * 200


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., None]:
    (tmp_path / "app" / "assets").mkdir(parents=True)
    (tmp_path / "page.css").write_text(TEXT)
    (tmp_path / "app" / "assets" / "map-1a2b.js").write_text(TEXT)
    (tmp_path / "small.css").write_text("p {}")
    (tmp_path / "picture.png").write_bytes(os.urandom(5_000))

    def run(body: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
        async def inside() -> None:
            transport = httpx.ASGITransport(app=Statics(directory=tmp_path))
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                await body(client)

        asyncio.run(inside())

    return run


def test_texts_are_packed_for_who_takes_that(ask: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        packed = await client.get("/page.css", headers={"Accept-Encoding": "br, gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) < len(TEXT) / 10
        assert packed.text == TEXT
        assert packed.headers["cache-control"] == "no-cache"
        assert packed.headers["content-type"].startswith("text/css")
        for other in ("identity", "br", "gzip;q=0"):
            plain = await client.get("/page.css", headers={"Accept-Encoding": other})
            assert "content-encoding" not in plain.headers
            assert plain.text == TEXT
            assert plain.headers["vary"] == "Accept-Encoding"
        hashed = await client.get("/app/assets/map-1a2b.js")
        assert hashed.headers["content-encoding"] == "gzip"
        assert "immutable" in hashed.headers["cache-control"]

    ask(test)


def test_what_was_had_is_not_sent_again(ask: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        for encoding in ("gzip", "identity"):
            first = await client.get("/page.css", headers={"Accept-Encoding": encoding})
            told = {"Accept-Encoding": encoding, "If-None-Match": first.headers["etag"]}
            again = await client.get("/page.css", headers=told)
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == first.headers["etag"]

    ask(test)


def test_pictures_and_small_files_are_sent_as_they_are(ask: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        for name in ("/picture.png", "/small.css"):
            assert "content-encoding" not in (await client.get(name)).headers

    ask(test)


def test_a_head_has_the_headers_of_a_get(ask: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        for name in ("/page.css", "/small.css", "/picture.png", "/app/assets/map-1a2b.js"):
            for encoding in ("gzip", "identity"):
                asked = {"Accept-Encoding": encoding}
                get = await client.get(name, headers=asked)
                head = await client.head(name, headers=asked)
                assert (head.status_code, head.content) == (200, b"")
                assert dict(head.headers) == dict(get.headers)

    ask(test)
