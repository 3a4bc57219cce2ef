"""What a poll over HTTP asks of whom, and what it makes of the answer."""

from __future__ import annotations

import asyncio
import gzip
from typing import Self

import pytest
from msgspec import structs

from rynek.base.http import Guard
from rynek.feeds import FeedConfig
from rynek.feeds.opened import read_url
from rynek.feeds.transport import HttpSource, SourceError

HEADERS = {"Ocp-Apim-Key": "s3", "Accept": "application/json"}


class Server:
    """An HTTP server on this machine that answers `body` and remembers what it was asked."""

    def __init__(self, body: bytes = b"{}") -> None:
        self.heads: list[str] = []
        self._body = body

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.root = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        body = self._body
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()


def config(root: str) -> FeedConfig:
    return FeedConfig(name="x", kind="gbfs", source=f"{root}/gbfs.json", headers=HEADERS)


# A feed's own headers hold keys: they go to the origin of its source and nowhere else.
def test_documents_on_other_hosts_are_fetched_without_the_keys() -> None:
    async def work() -> None:
        guard = Guard(allow_private=True)
        async with Server() as own, Server() as other:
            source = HttpSource(config(own.root), guard)
            await source.fetch()
            wanted = [("a", "status.json"), ("b", f"{own.root}/b"), ("c", f"{other.root}/c")]
            assert len(await source.more(wanted)) == 3
            for address in (f"{own.root}/d", f"{other.root}/d"):
                await read_url(address, config(own.root), guard)
            assert [head.split(" ")[1] for head in own.heads] == [
                "/gbfs.json", "/status.json", "/b", "/d",
            ]  # fmt: skip
            assert [head.split(" ")[1] for head in other.heads] == ["/c", "/d"]
        await guard.aclose()
        assert all("Ocp-Apim-Key: s3" in head for head in own.heads)
        assert not any("s3" in head for head in other.heads)
        assert all("Accept: application/json" in head for head in own.heads + other.heads)

    asyncio.run(asyncio.wait_for(work(), 30))


def test_what_follows_is_bounded_together() -> None:
    async def work() -> None:
        guard = Guard(allow_private=True)
        async with Server(b"x" * 100) as own:
            source = HttpSource(structs.replace(config(own.root), max_bytes=100), guard)
            assert len(await source.more([(str(n), f"{n}") for n in range(4)])) == 4
            with pytest.raises(SourceError, match="more than 400 bytes"):
                await source.more([(str(n), f"{n}") for n in range(20)])
            assert len(own.heads) == 9
        await guard.aclose()

    asyncio.run(asyncio.wait_for(work(), 30))


def test_a_packed_file_is_unpacked() -> None:
    async def work() -> None:
        guard = Guard(allow_private=True)
        async with (
            Server(gzip.compress(b'{"a": 1}')) as packed,
            Server(b"\x1f\x8b broken") as broken,
        ):
            source = HttpSource(
                FeedConfig(name="x", kind="tabular", source=f"{packed.root}/a.json.gz"), guard
            )
            (payload,) = await source.fetch()
            assert payload.data == b'{"a": 1}' and payload.name.endswith("/a.json")
            with pytest.raises(SourceError, match="gzip"):
                await HttpSource(config(broken.root), guard).fetch()
        await guard.aclose()

    asyncio.run(asyncio.wait_for(work(), 30))
