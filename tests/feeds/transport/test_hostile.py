"""Sources that hang, drip, flood, lead astray or lie, over real connections and files: each costs its own
feed a counted error with a clear text, within its timeout, and no other feed anything."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.certificates import make_certificate
from tests.feeds.support import MemorySink

from rynek.base.clock import SystemClock
from rynek.base.http import Guard
from rynek.feeds import FeedConfig, FeedHealth, kind_of
from rynek.feeds.loop import FeedLoop
from rynek.feeds.registry import complete
from rynek.feeds.transport import FileSource, HttpSource, Source

GOOD = orjson.dumps([{"id": "urn:x:good", "type": "T", "a": 1}])
MOST = 1 << 20
BOMB = gzip.compress(b"[" + b" " * (64 * MOST), 1)
Serve = Callable[[asyncio.StreamWriter], Awaitable[None]]
sent = 0


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


async def good(writer: asyncio.StreamWriter) -> None:
    writer.write(head(f"Content-Length: {len(GOOD)}") + GOOD)


async def silent(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def after_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(head("Content-Length: 100"))
    await asyncio.sleep(60)


async def in_the_middle(writer: asyncio.StreamWriter) -> None:
    writer.write(head(f"Content-Length: {len(GOOD)}") + GOOD[:20])
    await asyncio.sleep(60)


async def dripping(writer: asyncio.StreamWriter) -> None:
    writer.write(head(f"Content-Length: {len(GOOD)}"))
    for byte in GOOD:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.2)


async def endless(writer: asyncio.StreamWriter) -> None:
    global sent
    writer.write(head("Transfer-Encoding: chunked"))
    block = b"10000\r\n" + b" " * 65536 + b"\r\n"
    for _ in range(10 * 1024**3 // 65536):
        writer.write(block)
        await writer.drain()
        sent += 65536


async def huge(writer: asyncio.StreamWriter) -> None:
    writer.write(head(f"Content-Length: {10 * 1024**3}") + GOOD)


async def round_and_round(writer: asyncio.StreamWriter) -> None:
    writer.write(head("Location: /round_and_round", "Content-Length: 0", status="302 Found"))


async def astray(writer: asyncio.StreamWriter) -> None:
    writer.write(head("Location: file:///etc/passwd", "Content-Length: 0", status="302 Found"))


async def bomb(writer: asyncio.StreamWriter) -> None:
    body = BOMB
    writer.write(head("Content-Encoding: gzip", f"Content-Length: {len(body)}") + body)


async def packed_bomb(writer: asyncio.StreamWriter) -> None:
    body = BOMB
    writer.write(head(f"Content-Length: {len(body)}") + body)


async def cut(writer: asyncio.StreamWriter) -> None:
    writer.write(head(f"Content-Length: {len(GOOD) + 9}") + GOOD)


async def other_protocol(writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")


async def header_flood(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    with contextlib.suppress(ConnectionError):
        for number in range(100_000):
            writer.write(b"X-%d: y\r\n" % number)
            await writer.drain()


async def failing(writer: asyncio.StreamWriter) -> None:
    writer.write(head("Content-Length: 3", status="500 Oh") + b"no!")


async def page(writer: asyncio.StreamWriter) -> None:
    writer.write(head("Content-Length: 27") + b"<html>please sign in</html>")


async def nothing(writer: asyncio.StreamWriter) -> None:
    writer.write(head("Content-Length: 0"))


SAYS: dict[Serve, str] = {
    silent: "no complete answer within 1 s",
    after_headers: "no complete answer within 1 s",
    in_the_middle: "no complete answer within 1 s",
    dripping: "no complete answer within 1 s",
    endless: "larger than 1048576 bytes",
    huge: "larger than 1048576 bytes",
    round_and_round: "more than 3 redirects",
    astray: "only http and https",
    bomb: "larger than 1048576 bytes",
    packed_bomb: "more than 1048576 bytes after decompression",
    cut: "connection failed",
    other_protocol: "connection failed",
    header_flood: "connection failed",
    failing: "answered 500",
    page: "not NGSI-LD",
    nothing: "not NGSI-LD",
}
BY_NAME = {serve.__name__: serve for serve in (good, *SAYS)}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # Cancelled when the test ends before a source that hangs does.
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
        request = await reader.readuntil(b"\r\n\r\n")
        path = request.split(b" ")[1].strip(b"/").partition(b"?")[0].decode()
        await BY_NAME[path.split("/")[0]](writer)
    writer.close()


def config(name: str, source: str, timeout: float = 20.0) -> FeedConfig:
    return FeedConfig(
        name=name.replace("_", "-"), kind="ngsild", source=source, timeout=timeout, every=60,
        max_bytes=MOST, options={"types": ["T"]} if source.startswith("http") else {},
    )  # fmt: skip


async def polled(made: FeedConfig, source: Source, sink: MemorySink) -> FeedHealth:
    """One poll as the feed's loop makes it, and how the feed then is."""
    feed = FeedLoop(made, kind_of(made.kind).connector, source, sink, SystemClock(), None)
    wait = await feed.poll()
    health = feed.health()
    if health.error is not None:
        assert health.state == "failing" and health.errors == 1
    assert 0 < wait <= 900
    return health


def test_sources_over_http_that_behave_badly() -> None:
    async def test() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        guard = Guard(allow_private=True)
        sink = MemorySink()

        async def poll(name: str) -> FeedHealth:
            seconds = 1.0 if "within" in SAYS.get(BY_NAME[name], "") else 20.0
            made = complete(config(name, f"http://127.0.0.1:{port}/{name}/entities", seconds))
            return await polled(made, HttpSource(made, guard), sink)

        names = list(BY_NAME)
        found = dict(zip(names, await asyncio.gather(*map(poll, names)), strict=True))
        assert found["good"].error is None and found["good"].created == 1
        wrong = {
            one.__name__: found[one.__name__].error
            for one, says in SAYS.items()
            if says not in (found[one.__name__].error or "")
        }
        assert not wrong
        assert list(sink.entities) == ["urn:x:good"]
        assert sent < 64 * MOST  # of ten gigabytes: what was under way
        # The next poll is no worse for it.
        again = await poll("good")
        assert again.error is None
        await guard.aclose()
        server.close()

    asyncio.run(asyncio.wait_for(test(), 30))


def test_a_host_that_takes_no_connection() -> None:
    async def test() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            waiting = [socket.socket() for _ in range(4)]
            for one in waiting:
                one.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    one.connect(full.getsockname())
            guard = Guard(allow_private=True)
            made = complete(config("full", f"http://127.0.0.1:{full.getsockname()[1]}/", 1.0))
            health = await polled(made, HttpSource(made, guard), MemorySink())
            assert "no complete answer within 1 s" in str(health.error)
            await guard.aclose()
            for one in waiting:
                one.close()

    asyncio.run(asyncio.wait_for(test(), 30))


def test_wrong_tls(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def test() -> None:
        plain = await asyncio.start_server(lambda _, to: other_protocol(to), "127.0.0.1", 0)
        own = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        guard = Guard(allow_private=True)
        for server, says in ((plain, "connection failed"), (own, "certificate verify failed")):
            port = server.sockets[0].getsockname()[1]
            made = complete(config("tls", f"https://127.0.0.1:{port}/good/entities"))
            health = await polled(made, HttpSource(made, guard), MemorySink())
            assert says in str(health.error)
            server.close()
        await guard.aclose()

    asyncio.run(asyncio.wait_for(test(), 30))


# Files


def old(path: Path) -> Path:
    os.utime(path, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
    return path


def fifo(path: Path) -> None:
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.symlink_to(path.with_name("other.json"))
    path.with_name("other.json").symlink_to(path)


def dangling(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(10 * 1024**3)


def packed(path: Path) -> None:
    path.write_bytes(gzip.compress(b"[" + b" " * (8 * MOST)))


def half(path: Path) -> None:
    path.write_bytes(GOOD[:20])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (fifo, "not a regular file"), (loop, "symbolic links"), (dangling, "a link that leads nowhere"),
        (device, "not a regular file"), (sparse, "more than max_bytes"), (packed, "after decompression"),
        (half, "not NGSI-LD"), (Path.mkdir, ""),
    ],
)  # fmt: skip
def test_a_watched_folder_with_something_odd_in_it(
    tmp_path: Path, make: Callable[[Path], Any], says: str
) -> None:
    make(tmp_path / "a.json")
    (tmp_path / "good.json").write_bytes(GOOD)
    for path in tmp_path.iterdir():
        old(path)
    made = config("folder", str(tmp_path))
    sink = MemorySink()

    async def test() -> FeedHealth:
        return await polled(made, FileSource(made), sink)

    health = asyncio.run(asyncio.wait_for(test(), 20))
    assert list(sink.entities) == ["urn:x:good"]
    assert says in (health.error or "") and bool(says) == bool(health.error)


@pytest.mark.parametrize(("make", "says"), [(fifo, "not a regular file"), (loop, "cannot read")])
def test_a_watched_file_that_is_none(
    tmp_path: Path, make: Callable[[Path], Any], says: str
) -> None:
    make(tmp_path / "a.json")
    made = config("file", str(tmp_path / "a.json"))

    async def test() -> FeedHealth:
        return await polled(made, FileSource(made), MemorySink())

    assert says in str(asyncio.run(asyncio.wait_for(test(), 20)).error)


def test_a_file_that_grows_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "growing.json"
    path.write_bytes(GOOD[:20])
    made = config("file", str(path))

    async def test() -> None:
        sink = MemorySink()
        feed = FeedLoop(
            made, kind_of("ngsild").connector, FileSource(made), sink, SystemClock(), None
        )
        await feed.poll()
        assert "growing.json: not NGSI-LD" in str(feed.health().error) and not sink.entities
        path.write_bytes(GOOD)
        await feed.poll()
        assert feed.health().error is None and list(sink.entities) == ["urn:x:good"]

    asyncio.run(asyncio.wait_for(test(), 20))


def test_one_poll_holds_a_few_large_files_at_once(tmp_path: Path) -> None:
    for number in range(9):
        document = {"id": f"urn:x:{number}", "type": "T", "a": "x" * (MOST - 100)}
        (tmp_path / f"{number}.json").write_bytes(orjson.dumps([document]))
        old(tmp_path / f"{number}.json")
    made = config("folder", str(tmp_path))

    async def test() -> None:
        source = FileSource(made)
        sizes = []
        for _ in range(3):
            sizes.append(len(await source.fetch()))
            source.confirm(None)  # type: ignore[arg-type]
        assert sizes == [5, 4, 0]

    asyncio.run(asyncio.wait_for(test(), 20))
