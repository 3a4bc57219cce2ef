"""A feed's own headers hold keys: they go to the origin of its source and nowhere else."""

from __future__ import annotations

import asyncio
import json
from typing import Self

from rynek.base.http import Guard
from rynek.feeds import FeedConfig
from rynek.feeds.opened import read_url
from rynek.feeds.transport import HttpSource

HEADERS = {"Ocp-Apim-Key": "s3", "Accept": "application/json"}


class Server:
    """An HTTP server on this machine that answers `{}` and remembers what it was asked."""

    def __init__(self) -> None:
        self.heads: list[str] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.root = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        body = json.dumps({}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()


def config(root: str) -> FeedConfig:
    return FeedConfig(name="x", kind="gbfs", source=f"{root}/gbfs.json", headers=HEADERS)


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
