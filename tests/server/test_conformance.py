"""RFC 9110 and 9112 on the server without TLS: what is refused and how, what is declined, what is
neither answered twice nor taken for the next request."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
import uvloop
from tests.server.asking import CLOSE, Send, answer, app, request, said, serving

pytestmark = pytest.mark.anyio
CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("sent", "status", "word"),
    [
        (b"nonsense\r\n\r\n", 400, "method"),
        (request("/x", "Content-Length: +5", method="POST"), 400, "Content-Length"),
        (request("/x", "Content-Length: 5, 5", method="POST"), 400, "Content-Length"),
        (request("/x", "Content-Length: 5", CHUNKED, method="POST"), 400, "Transfer-Encoding"),
        (request("/x", "Transfer-Encoding: gzip, chunked", method="POST"), 501, "chunked"),
        (request("/x", "Transfer-Encoding: identity", method="POST"), 501, "chunked"),
        (request("/x", CHUNKED, CHUNKED, method="POST"), 400, "Transfer-Encoding"),
        (request("/x", "Host: y"), 400, "host stands twice"),
        (b"GET /x HTTP/1.1\r\n\r\n", 400, "Host is missing"),
        (request("/x", " folded"), 400, "whitespace"),
        (request("/x", "A : 1"), 400, "header token"),
        (request("/x", "A: \x01"), 400, "header value"),
        (b"GET /x HTTP/1.1\nHost: x\n\n", 400, "CRLF"),
        (b"GET /x\r\n\r\n", 505, "HTTP/1.1"),
        (b"GET /x HTTP/2.0\r\nHost: x\r\n\r\n", 505, "HTTP/1.1"),
        (b"GET /x HTTP/1.2\r\nHost: x\r\n\r\n", 400, "version"),
        (b"GET /\xc5\x82 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "percent-encoded"),
        (request("*x"), 400, "address"),
        (request("/" + "a" * 70_000), 414, "65535"),
        (request("/x", *(f"X-{n}: 1" for n in range(101))), 431, "100 headers"),
        (request("/x", "X: " + "a" * 400_000), 431, "131072"),
    ],
)
async def test_a_refusal_says_what_was_wrong(sent: bytes, status: int, word: str) -> None:
    async with serving() as (_, port):
        text = await said(port, sent, end=False)
    head, _, body = text.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nconnection: close\r\ncontent-type: application/problem+json\r\n" in head
    assert b"\r\ndate: " in head
    assert b"\r\ncontent-length: %d\r\n" % len(body) in head
    problem = json.loads(body)
    assert problem["status"] == status
    assert word in problem["detail"]


async def test_an_answer_that_fails_says_so_and_to_a_head_without_a_body() -> None:
    async with serving() as (_, port):
        text = await said(port, request("/fails"), end=False)
        head = await said(port, request("/fails", method="HEAD"), end=False)
    assert json.loads(text.partition(b"\r\n\r\n")[2])["status"] == 500
    assert head.startswith(b"HTTP/1.1 500 ")
    assert head.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (("Content-Length: 3",), b"abc"),
        ((CHUNKED,), b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 4096])
async def test_an_upgrade_is_declined_and_the_body_is_read(
    lines: tuple[str, ...], body: bytes, step: int
) -> None:
    # As Java's HttpClient begins each connection without TLS.
    java = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAE")
    sent = request("/x", *java, *lines, method="POST") + body + request("/y", *java)
    sent += request("/z", CLOSE)
    parts = [sent[at : at + step] for at in range(0, len(sent), step)]
    async with serving() as (_, port):
        text = await said(port, *parts, end=False)
    assert text.count(b"HTTP/1.1 200 OK") == 3
    assert b'"body": "abc"' in text
    assert text.index(b'"path": "/x"') < text.index(b'"path": "/y"') < text.index(b'"path": "/z"')


async def test_what_follows_a_connect_is_not_read() -> None:
    async with serving() as (_, port):
        text = await said(port, request("/x", method="CONNECT") + request("/y"), end=False)
    assert text.count(b"HTTP/1.1") == 1
    assert b"connection: close" in text


async def test_a_client_that_was_not_told_to_go_on_is_not_misread() -> None:
    head = request("/unread", "Content-Length: 60", "Expect: 100-continue", method="POST")
    async with serving() as (_, port):
        text = await said(port, head, request("/x"), end=False)
    assert text.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in text
    assert text.count(b"HTTP/1.1") == 1


async def test_http_1_0_is_not_told_to_go_on() -> None:
    lines = ("Content-Length: 2", "Expect: 100-continue")
    async with serving() as (_, port):
        head = request("/x", *lines, method="POST", version="1.0")
        text = await said(port, head, b"ab", end=False)
    assert text.startswith(b"HTTP/1.0 200 OK")
    assert b'"body": "ab"' in text


async def test_http_1_0_in_chunks_is_the_last_of_its_connection() -> None:
    sent = request("/x", "Connection: keep-alive", CHUNKED, method="POST", version="1.0")
    async with serving() as (_, port):
        text = await said(port, sent + b"0\r\n\r\n" + request("/y"), end=False)
    assert text.count(b"HTTP/1.") == 1
    assert b"connection: close" in text


async def test_white_space_around_a_value_is_none_of_it() -> None:
    async with serving() as (_, port):
        text = await said(port, request("/x", "A:\t b c \t", "B: ", CLOSE), end=False)
    assert b'["a", "b c"], ["b", ""]' in text


async def test_characters_that_others_take_in_an_address_are_taken() -> None:
    async with serving() as (_, port):
        text = await said(port, request('/x?q=name=="<a>"', CLOSE), end=False)
    assert b'"query": "q=name==\\"<a>\\""' in text


async def test_all_that_was_asked_before_the_client_went_silent_is_answered() -> None:
    async with serving() as (_, port):
        text = await said(port, b"".join(request(f"/{n}") for n in range(20)))
    assert [text.count(b'"path": "/%d"' % n) for n in range(20)] == [1] * 20


async def test_a_hundred_requests_at_once_are_answered() -> None:
    async with serving() as (_, port):
        text = await said(port, request("/x") * 100 + request("/x", CLOSE), end=False)
    assert text.count(b"HTTP/1.1 200 OK") == 101


async def test_what_is_right_before_what_is_wrong_is_answered() -> None:
    async with serving() as (_, port):
        text = await said(port, request("/1") + request("/2") + b"\0\0\0" * 9, end=False)
    assert text.count(b"HTTP/1.1 200 OK") == 2
    assert text.count(b"connection: close") == 1


async def test_the_end_of_a_connection_is_said_once() -> None:
    async def closing(scope: dict[str, Any], receive: Any, send: Send) -> None:
        del receive
        await answer(scope, send, 200, b"x", [(b"connection", b"close")])

    async with serving(closing) as (_, port):
        text = await said(port, request("/x"), end=False)
    assert text.count(b"connection: close\r\n") == 1


async def until(true: Callable[[], bool]) -> None:
    for _ in range(5000):
        if true():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come true")


def test_one_that_goes_takes_no_answer_of_another_with_it() -> None:
    """Who asks to be told to go on and is gone by then (uvloop refuses to write to it)."""
    gone, told, both = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def late(scope: dict[str, Any], receive: Any, send: Send) -> None:
        if scope["path"] == "/goes":
            gone.set()
            await told.wait()
            both.set()
            await receive()
        elif scope["path"] == "/stays":
            await both.wait()
            await answer(scope, send, 200, b"here")
        else:
            await app(scope, receive, send)

    async def run() -> None:
        async with serving(late) as (plain, port):
            head = request("/goes", "Content-Length: 2", "Expect: 100-continue", method="POST")
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            await gone.wait()
            other = asyncio.create_task(said(port, request("/stays", CLOSE), end=False))
            await until(lambda: len(plain.connections) == 2)
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            await until(lambda: len(plain.connections) == 1)
            told.set()
            assert (await asyncio.wait_for(other, 60)).endswith(b"here")

    uvloop.run(run())
