"""The outgoing guard against a real server on this machine that behaves well and badly."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, Self

import pytest

from rynek import __version__
from rynek.base.errors import OutgoingRefused
from rynek.base.http import Fetched, Guard, is_public, same_origin

Answer = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def reply(body: bytes = b"", status: str = "200 OK", **headers: str) -> Answer:
    """A server that gives one answer to everything."""

    async def answer(
        _head: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        lines = {"Content-Length": str(len(body)), "Connection": "close"}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        writer.write(f"HTTP/1.1 {status}\r\n{text}\r\n".encode() + body)
        await writer.drain()

    return answer


class Server:
    """An HTTP/1.1 server with one answer per path; remembers the heads it was asked with."""

    def __init__(self, **paths: Answer) -> None:
        self.paths = paths
        self.heads: list[str] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    def url(self, path: str = "a", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            path = head.split(" ", 2)[1].strip("/").partition("?")[0]
            await self.paths[path](head, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))


def refused(reason: str) -> Any:
    return pytest.raises(OutgoingRefused, check=lambda e: e.extra["reason"] == reason)


def open_guard(**options: Any) -> Guard:
    return Guard(allow_private=True, **options)


def test_a_conditional_get() -> None:
    async def test() -> None:
        async with Server(
            a=reply(b"data", ETag='"1"'), n=reply(status="304 Not Modified")
        ) as server:
            guard = open_guard()
            got = await guard.fetch(server.url("a#part"), headers={"Accept": "text/plain"})
            assert got == Fetched(200, got.headers, b"data", server.url("a"))
            assert got.headers["etag"] == '"1"'
            got = await guard.fetch(server.url("n"), etag='"1"', last_modified="Sun, 22 Nov 2026")
            assert got.not_modified
            assert got.body == b""
            first, second = (head.lower() for head in server.heads)
            assert f"user-agent: rynek/{__version__}" in first
            assert f"host: 127.0.0.1:{server.port}" in first
            assert "accept: text/plain" in first
            assert 'if-none-match: "1"' in second
            assert "if-modified-since: sun, 22 nov 2026" in second
            await guard.aclose()

    run(test)


def test_a_post_sends_its_body_and_takes_redirects_as_answers() -> None:
    seen: list[bytes] = []

    async def take(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int(head.lower().partition("content-length: ")[2].split("\r\n")[0])
        seen.append(await reader.readexactly(length))
        await reply(status="302 Found", Location="/b")(head, reader, writer)

    async def test() -> None:
        async with Server(a=take) as server:
            got = await open_guard().post(server.url(), b'{"a":1}', headers={"Content-Type": "x/y"})
            assert got.status == 302
            assert seen == [b'{"a":1}']
            assert "Content-Type: x/y" in server.heads[0]

    run(test)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_refused_under_every_name(host: str) -> None:
    async def test() -> None:
        async with Server(a=reply(b"secret")) as server:
            with pytest.raises(
                OutgoingRefused, check=lambda e: e.extra["reason"] in ("address", "name")
            ):
                await Guard().fetch(server.url(host=host))
            assert server.heads == []

    run(test)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("192.168.0.1", False), ("172.16.0.1", False), ("169.254.169.254", False), ("0.0.0.0", False),
        ("100.64.0.1", False), ("224.0.0.1", False), ("255.255.255.255", False), ("240.0.0.1", False),
        ("192.0.2.1", False), ("198.18.0.1", False), ("::1", False), ("::", False), ("fe80::1", False),
        ("fc00::1", False), ("ff02::1", False), ("fec0::1", False), ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True), ("64:ff9b::7f00:1", False), ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False), ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False), ("::7f00:1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


def test_a_name_that_answers_differently_the_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: whatever the name says later, the connection goes to what was checked."""

    async def test() -> None:
        async with Server(a=reply(b"secret")) as server:
            loop = asyncio.get_running_loop()
            asked: list[str] = []
            real = loop.getaddrinfo

            async def lie(host: str, port: int, **options: Any) -> Any:
                if host != "rebind.example":
                    return await real(host, port, **options)
                asked.append(host)
                address = "192.0.2.1" if len(asked) == 1 else "127.0.0.1"
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

            monkeypatch.setattr(loop, "getaddrinfo", lie)
            with refused("address"):
                await Guard().fetch(server.url(host="rebind.example"))
            assert asked == ["rebind.example"]
            got = await open_guard().fetch(server.url(host="rebind.example"))
            assert got.body == b"secret"
            assert asked == ["rebind.example"] * 2
            assert f"Host: rebind.example:{server.port}" in server.heads[0]

    run(test)


def test_redirects_are_followed_checked_and_counted() -> None:
    async def test() -> None:
        async with Server() as server:
            server.paths = {
                "a": reply(status="301 Moved", Location="b?x=1"),
                "b": reply(b"there"),
                "loop": reply(status="302 Found", Location="/loop"),
                "file": reply(status="302 Found", Location="file:///etc/passwd"),
                "user": reply(status="302 Found", Location="http://u:p@127.0.0.1/"),
                "other": reply(status="302 Found", Location=server.url("b", "localhost")),
            }
            guard = open_guard(max_redirects=2)
            got = await guard.fetch(server.url("a"))
            assert (got.body, got.url) == (b"there", server.url("b?x=1"))
            with refused("redirects"):
                await guard.fetch(server.url("loop"))
            assert sum("/loop" in head for head in server.heads) == 3
            for path in ("file", "user"):
                with refused("scheme"):
                    await guard.fetch(server.url(path))
            given = {"Authorization": "Bearer s", "Ocp-Apim-Key": "s3", "Accept": "text/csv"}
            await guard.fetch(server.url("other"), headers=given, etag='"1"', last_modified="now")
            kept = ("Accept: text/csv", 'If-None-Match: "1"', "If-Modified-Since: now")
            for line in ("Bearer s", "Ocp-Apim-Key: s3", *kept):
                assert line in server.heads[-2]
                assert (line in server.heads[-1]) == (line in kept)

    run(test)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example/x", "https://A.example:443/y?z", True),
        ("https://a.example/x", "http://a.example/x", False),
        ("https://a.example/x", "https://a.example:8443/x", False),
        ("https://a.example/x", "https://a.example.evil.example/x", False),
        ("https://a.example/x", "https://b@[", False),
    ],
)
def test_what_is_one_origin(one: str, other: str, same: bool) -> None:
    assert same_origin(one, other) is same


def test_a_public_host_may_not_redirect_to_a_private_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with Server(b=reply(b"secret")) as server:
            server.paths["a"] = reply(status="302 Found", Location=server.url("b", "127.0.0.2"))
            public = ipaddress.ip_address("127.0.0.1")
            monkeypatch.setattr("rynek.base.addresses.is_public", lambda address: address == public)
            with refused("address"):
                await Guard().fetch(server.url("a"))
            assert len(server.heads) == 1

    run(test)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/",
        "file:///etc/passwd",
        "",
        "x",
        "http://",
        "http://u:p@example.org/",
        "http://[::1",
        "//x/y",
    ],
)
def test_what_is_no_web_address(url: str) -> None:
    async def test() -> None:
        with refused("scheme"):
            await Guard().fetch(url)

    run(test)


def test_unknown_names_and_closed_ports() -> None:
    async def test() -> None:
        with refused("name"):
            await Guard().fetch("http://nowhere.invalid/")
        async with Server() as server:
            url = server.url()
        with refused("network"):
            await open_guard().fetch(url)

    run(test)


def test_headers_cannot_be_smuggled() -> None:
    async def test() -> None:
        async with Server(a=reply(b"")) as server:
            with pytest.raises(OutgoingRefused):
                await open_guard().fetch(server.url(), headers={"X": "a\r\nY: b"})
            assert server.heads == []

    run(test)


def test_silence_and_slow_drips_end_at_the_total_time() -> None:
    async def silent(
        _head: str, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter
    ) -> None:
        await asyncio.sleep(20)

    async def drip(_head: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async def test() -> None:
        async with Server(a=silent, b=drip) as server:
            for path in ("a", "b"):
                with refused("timeout"):
                    await open_guard().fetch(server.url(path), timeout=0.3)

    run(test)


def test_large_bodies_are_refused_declared_or_not() -> None:
    async def endless(
        _head: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async def test() -> None:
        async with Server(a=reply(b"x" * 1001), b=endless, c=reply(b"x" * 1000)) as server:
            guard = open_guard(max_bytes=1000)
            for path in ("a", "b"):
                with refused("size"):
                    await guard.fetch(server.url(path))
            assert len((await guard.fetch(server.url("c"))).body) == 1000
            assert len((await guard.fetch(server.url("a"), max_bytes=2000)).body) == 1001

    run(test)


def _raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


DATA = b"Poznan " * 100_000


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(DATA, mtime=0)),
        ("x-gzip", gzip.compress(DATA[:7], mtime=0) + gzip.compress(DATA[7:], mtime=0)),
        ("gzip", gzip.compress(DATA, mtime=0) + b"\0\0"),
        ("deflate", zlib.compress(DATA)),
        ("deflate", _raw_deflate(DATA)),
        ("identity", DATA),
    ],
)
def test_compressed_bodies(coding: str, packed: bytes) -> None:
    async def test() -> None:
        async with Server(a=reply(packed, Content_Encoding=coding)) as server:
            assert (await open_guard().fetch(server.url())).body == DATA

    run(test)


@pytest.mark.parametrize(
    ("coding", "packed", "reason"),
    [
        ("gzip", gzip.compress(b"\0" * 50_000_000, mtime=0), "size"),
        ("deflate", zlib.compress(b"\0" * 50_000_000), "size"),
        ("gzip", b"no gzip at all", "encoding"),
        ("gzip", gzip.compress(DATA, mtime=0)[:-20], "encoding"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "encoding"),
        ("br", b"x", "encoding"),
    ],
)
def test_bombs_and_broken_codings(coding: str, packed: bytes, reason: str) -> None:
    async def test() -> None:
        async with Server(a=reply(packed, Content_Encoding=coding)) as server:
            with refused(reason):
                await open_guard(max_bytes=1_000_000).fetch(server.url())

    run(test)


def test_nonsense_instead_of_http() -> None:
    async def nonsense(
        _head: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n" * 10)
        await writer.drain()

    async def cut(_head: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
        await writer.drain()

    async def test() -> None:
        async with Server(a=nonsense, b=cut) as server:
            for path in ("a", "b"):
                with refused("network"):
                    await open_guard().fetch(server.url(path))

    run(test)


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")

    async def test() -> None:
        async with Server(a=reply(b"direct")) as server:
            assert (await open_guard().fetch(server.url())).body == b"direct"

    run(test)
