"""The server without TLS, in front of an application that says what it was asked."""

from __future__ import annotations

import asyncio
import socket
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.asking import CLOSE, LARGE, Send, answer, app, request, said, serving

from rynek.base.settings import Server
from rynek.server.plain import Plain

pytestmark = pytest.mark.anyio


async def test_requests_on_one_connection_are_answered_in_their_order() -> None:
    async with serving() as (_, port):
        three = request("/a?q=1%20x") + request("/b%C5%82/c", "A: 1", "a: 2") + request("/d", CLOSE)
        text = await said(port, three, end=False)
    assert [text.index(b'"path": "/' + at) for at in (b"a", b"b", b"d")] == sorted(
        text.index(b'"path": "/' + at) for at in (b"a", b"b", b"d")
    )
    assert text.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert text.count(b"date: ") == 3
    assert b'"query": "q=1%20x"' in text
    assert b'"path": "/b\\u0142/c", "raw": "/b%C5%82/c"' in text
    assert b'["a", "1"], ["a", "2"]' in text
    assert text.count(b"connection: close\r\n") == 1


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (request("/x", "Content-Length: 3", CLOSE, method="POST") + b"abc", b'"body": "abc"'),
        (
            request("/x", "Transfer-Encoding: chunked", CLOSE, method="POST")
            + b"2\r\nab\r\n1;x=y\r\nc\r\n0\r\nTrailer: 1\r\n\r\n",
            b'"body": "abc"',
        ),
        (request("http://elsewhere/x?y", CLOSE), b'"path": "/x", "raw": "/x", "query": "y"'),
        (request("*", CLOSE, method="OPTIONS"), b'"path": "*"'),
        (request("/stream", CLOSE), b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"),
        (request("/whole", CLOSE), b"\r\n\r\nwhole"),
        (
            request("/at-once", "Content-Length: 3", CLOSE, method="POST") + b"abc",
            b"\r\n\r\nb'abc' None",
        ),
        (request("/at-once", CLOSE), b"\r\n\r\nb'' None"),
        (request("/none", CLOSE), b"HTTP/1.1 204 No Content\r\nconnection: close\r\ndate: "),
        (request("/x", "Connection: Upgrade, close", "Upgrade: h2c"), b"HTTP/1.1 200 OK\r\n"),
        (request("/stream", version="1.0"), b"\r\n\r\nonetwo"),
        (request("/x", version="1.0"), b"HTTP/1.0 200 OK\r\n"),
        (request("/fails"), b"HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\n"),
        (request("/split"), b"HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\n"),
    ],
)  # fmt: skip
async def test_a_request_and_its_answer(sent: bytes, expected: bytes) -> None:
    async with serving() as (plain, port):
        text = await said(port, sent, end=False)
        assert expected in text
        assert text.count(b"HTTP/1.") == 1
        assert b"set-cookie" not in text
        assert plain.working


async def test_the_head_alone_is_answered_to_a_head() -> None:
    async with serving() as (_, port):
        text = await said(port, request("/whole", method="HEAD") + request("/x", CLOSE))
    head, _, rest = text.partition(b"\r\n\r\n")
    assert b"content-length: 5" in head
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_client_that_waits_to_be_told_goes_on() -> None:
    async with serving() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = request("/x", "Content-Length: 2", "Expect: 100-continue", CLOSE, method="POST")
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ab")
        assert b'"body": "ab"' in await reader.read(-1)
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        request("/x", "Content-Length: 1", "Transfer-Encoding: chunked", method="POST") + b"0\r\n",
        request("/x", "Content-Length: 1", "Content-Length: 2", method="POST") + b"ab",
        request("/x", "Content-Length: -1", method="POST"),
        request("/x", "A : 1"),
        request("/x", "A: 1\x00"),
        request("nowhere"),
    ],
)
async def test_what_is_no_request_is_refused_and_the_connection_ends(sent: bytes) -> None:
    async with serving() as (plain, port):
        text = await said(port, sent, end=False)
        assert text.startswith(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n")
        assert text.count(b"HTTP/1.1") == 1
        assert b"HTTP/1.1 200" in await said(port, request("/x", CLOSE))
        assert plain.working


@pytest.mark.parametrize("lines", [101, 400_000])
async def test_heads_have_bounds(lines: int) -> None:
    more = [f"X-{n}: 1" for n in range(lines)] if lines < 200 else ["X-Long: " + "a" * lines]
    async with serving() as (_, port):
        text = await said(port, request("/x", *more), end=False)
    assert text.startswith(b"HTTP/1.1 431 ")


async def test_lines_after_a_chunked_body_have_bounds() -> None:
    head = request("/x", "Transfer-Encoding: chunked", method="POST")
    async with serving() as (plain, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + b"1\r\na\r\n0\r\nX: " + b"a" * 400_000)
        assert b" 200 " not in await asyncio.wait_for(reader.read(-1), 60)
        writer.close()
        assert plain.working


async def test_an_answer_before_the_end_of_the_body_arrives() -> None:
    body = b"x" * 2_000_000
    head = request("/unread", f"Content-Length: {len(body)}", method="POST")
    async with serving() as (_, port):
        text = await said(port, head + body, end=False)
    assert text.startswith(b"HTTP/1.1 413 ")
    assert text.endswith(b"too large")


async def test_a_short_body_that_nobody_wants_keeps_the_connection() -> None:
    head = request("/unread", "Content-Length: 9", method="POST")
    async with serving() as (_, port):
        text = await said(port, head, b"123456789" + request("/x", CLOSE), end=False)
    assert text.startswith(b"HTTP/1.1 413 ")
    assert b'"path": "/x"' in text


async def test_a_large_answer_waits_for_a_client_that_reads_late() -> None:
    async with serving() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(request("/large") * 3 + request("/large", CLOSE))
        await asyncio.sleep(0.05)
        text = await asyncio.wait_for(reader.read(-1), 60)
        assert text.count(b"x" * LARGE) == 4
        writer.close()


async def test_a_client_that_goes_is_noticed() -> None:
    gone = asyncio.Event()

    async def waits(scope: dict[str, Any], receive: Any, send: Send) -> None:
        scope["state"]["gone"] = gone
        await app(scope, receive, send)

    async with serving(waits) as (plain, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/waits"))
        await asyncio.sleep(0.01)
        assert not gone.is_set()
        writer.transport.abort()
        await asyncio.wait_for(gone.wait(), 60)
        assert plain.working


async def test_who_says_nothing_is_sent_away() -> None:
    async with serving(idle_seconds=0.2) as (_, port):
        assert await said(port, end=False) == b""
        assert await said(port, b"GET / HTTP/1.1\r\n", end=False) == b""
        text = await said(port, request("/x"), end=False)
        assert text.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("lines", [[], [CLOSE]])
async def test_who_reads_slowly_gets_all(lines: list[str]) -> None:
    async with serving(idle_seconds=0.1) as (_, port):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", port))
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(sock, request("/large", *lines))
            await asyncio.sleep(0.8)  # longer than a silent connection has, looks included
            got = 0
            while got < LARGE and (part := await loop.sock_recv(sock, 1_000_000)):
                got += len(part)
    assert got >= LARGE


async def test_its_end_waits_for_answers_and_for_nothing_else() -> None:
    begun, end = asyncio.Event(), asyncio.Event()

    async def slow(scope: dict[str, Any], receive: Any, send: Send) -> None:
        del receive
        begun.set()
        await end.wait()
        await answer(scope, send, 200, b"late")

    with socket.create_server(("127.0.0.1", 0)) as sock:
        plain = Plain(sock, Server(), 100)
        plain.begin(slow)
        port = sock.getsockname()[1]
        idle, _ = await asyncio.open_connection("127.0.0.1", port)
        asked = asyncio.create_task(said(port, request("/x"), end=False))
        await begun.wait()
        ending = asyncio.create_task(plain.end(5))
        assert await asyncio.wait_for(idle.read(-1), 60) == b""
        assert not ending.done()
        end.set()
        text = await asked
        await asyncio.wait_for(ending, 60)
    assert text.endswith(b"late")
    assert b"connection: close" in text
    assert not plain.working


STREAM = (
    request("/a", "A: b")
    + request("/x", "Content-Length: 5", method="POST") + b"12345"
    + request("/y", "Transfer-Encoding: chunked", method="PUT") + b"3\r\nabc\r\n0\r\n\r\n"
    + request("/stream")
    + request("/z", CLOSE)
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(1, len(STREAM) - 1), max_size=12))
def test_it_does_not_matter_where_the_network_cuts(cuts: set[int]) -> None:
    at = [0, *sorted(cuts), len(STREAM)]
    parts = [STREAM[a:b] for a, b in pairwise(at)]

    async def run() -> bytes:
        async with serving() as (_, port):
            return await said(port, *parts, end=False)

    text = asyncio.run(run())
    assert text.count(b"HTTP/1.1 200 OK") == 5
    assert b'"body": "12345"' in text
    assert b'"body": "abc"' in text
    assert b'"path": "/z"' in text


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [b"GET / HTTP/1.1\r\n", b"POST /x HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", b"\n", b"0",
             b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n", b"4\r\nabcd\r\n", b"\0",
             b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: x\r\n", b"Expect: 100-continue\r\n"]
        )
        | st.binary(max_size=8),
        max_size=12,
    )
)  # fmt: skip
def test_whatever_comes_the_server_answers_the_next(parts: list[bytes]) -> None:
    async def run() -> None:
        async with serving(idle_seconds=0.5) as (plain, port):
            await said(port, *parts)
            assert b"HTTP/1.1 200" in await said(port, request("/x", CLOSE))
            assert plain.working

    asyncio.run(run())
