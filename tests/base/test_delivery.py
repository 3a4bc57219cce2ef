"""The client that posts notifications: kind receivers, broken ones and hostile ones."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.certificates import make_certificate

from rynek.base.delivery import MAX_ANSWER, Poster, Target, parse_target
from rynek.base.errors import OutgoingRefused

HEAD = b"Host: test\r\nContent-Type: application/json\r\n"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of one request; empty at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b"", b""
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    return head, await reader.readexactly(length)


def answering(*answers: bytes) -> Handler:
    """A receiver that gives these answers in turn on each connection, then closes it."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            head, _ = await read_request(reader)
            if not head:
                break
            writer.write(answer)
            await writer.drain()
        writer.close()

    return handler


def run(
    handler: Handler,
    test: Callable[[Poster, Target], Awaitable[None]],
    *,
    tls: ssl.SSLContext | None = None,
    **options: int,
) -> int:
    """Run `test` against a receiver; how many connections it saw."""
    seen = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        try:
            await handler(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def body() -> None:
        server = await asyncio.start_server(counted, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        poster = Poster(allow_private=True, **options)
        scheme = "https" if tls else "http"
        try:
            await test(poster, parse_target(f"{scheme}://localhost:{port}/in?a=b"))
        finally:
            await poster.aclose()
            server.close()

    asyncio.run(body())
    return seen


async def refused(poster: Poster, target: Target, timeout: float = 5.0) -> str:
    """The reason why a post gave no status."""
    with pytest.raises(OutgoingRefused) as caught:
        await poster.post(target, HEAD, b"{}", timeout)
    return str(caught.value.extra["reason"])


def test_a_post_has_path_query_headers_and_body() -> None:
    got: list[tuple[bytes, bytes]] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await read_request(reader))
        writer.write(OK)

    async def test(poster: Poster, target: Target) -> None:
        assert await poster.post(target, HEAD, b'{"a":1}', 5.0) == 200

    run(handler, test)
    head, body = got[0]
    assert head.startswith(b"POST /in?a=b HTTP/1.1\r\nHost: test\r\n")
    assert body == b'{"a":1}'


def test_a_connection_is_used_again_and_several_at_once_are_bounded() -> None:
    async def test(poster: Poster, target: Target) -> None:
        for _ in range(3):
            assert await poster.post(target, HEAD, b"{}", 5.0) == 200
        many = [poster.post(target, HEAD, b"{}", 5.0) for _ in range(20)]
        assert await asyncio.gather(*many) == [200] * 20

    assert run(answering(*[OK] * 100), test, connections=2) == 2


@pytest.mark.parametrize("status", [204, 302, 404, 500])
def test_any_status_is_an_answer_and_no_redirect_is_followed(status: int) -> None:
    answer = b"HTTP/1.1 %d X\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n" % status

    async def test(poster: Poster, target: Target) -> None:
        assert await poster.post(target, HEAD, b"{}", 5.0) == status

    assert run(answering(*[answer] * 3), test) == 1


def test_each_answer_counts_whether_or_not_it_is_the_one_before() -> None:
    failed = b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"
    answers = [OK, OK, failed, failed, OK, b"HTTP/1.1 100 Go on\r\n\r\n" + OK, OK, OK + OK, OK]

    async def test(poster: Poster, target: Target) -> None:
        got = [await poster.post(target, HEAD, b"{}", 5.0) for _ in answers]
        assert got == [200, 200, 503, 503, 200, 200, 200, 200, 200]

    # What answers twice is not asked again on the same connection.
    assert run(answering(*answers), test) == 2


def test_interim_answers_are_passed_over() -> None:
    async def test(poster: Poster, target: Target) -> None:
        assert await poster.post(target, HEAD, b"{}", 5.0) == 200

    run(answering(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK), test)


def test_a_kept_connection_that_the_receiver_closed_is_replaced() -> None:
    async def test(poster: Poster, target: Target) -> None:
        assert await poster.post(target, HEAD, b"{}", 5.0) == 200
        await asyncio.sleep(0.05)
        assert await poster.post(target, HEAD, b"{}", 5.0) == 200

    assert run(answering(OK), test) == 2


def test_connection_close_is_respected_and_an_answer_without_length_ends_with_it() -> None:
    async def test(poster: Poster, target: Target) -> None:
        assert await poster.post(target, HEAD, b"{}", 5.0) == 200
        assert await poster.post(target, HEAD, b"{}", 5.0) == 200

    assert run(answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it"), test) == 2


def test_an_endless_body_is_cut_off_and_the_status_counts() -> None:
    sent = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()
            sent += 4096

    async def test(poster: Poster, target: Target) -> None:
        assert await poster.post(target, HEAD, b"{}", 5.0) == 500
        await asyncio.sleep(0.05)

    run(handler, test)
    assert sent < 100 * MAX_ANSWER


def test_endless_headers_are_cut_off() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-More: yes\r\n" * 100)
            await writer.drain()

    async def test(poster: Poster, target: Target) -> None:
        assert await refused(poster, target) == "size"

    run(handler, test)


def test_slow_headers_and_silence_end_with_the_timeout() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for letter in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n":
            writer.write(bytes([letter]))
            await writer.drain()
            await asyncio.sleep(0.05)

    async def test(poster: Poster, target: Target) -> None:
        assert await refused(poster, target, 0.2) == "timeout"

    run(handler, test)


@pytest.mark.parametrize("answer", [b"", b"hello\r\n\r\n", b"\x00" * 100, b"HTTP/1.1 200"])
def test_what_is_no_answer(answer: bytes) -> None:
    async def test(poster: Poster, target: Target) -> None:
        assert await refused(poster, target) == "network"

    run(answering(answer), test)


def test_a_refused_connection_and_a_free_place_afterwards() -> None:
    async def body() -> None:
        server = await asyncio.start_server(answering(OK), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        poster = Poster(allow_private=True, connections=1)
        for _ in range(2):
            assert await refused(poster, parse_target(f"http://127.0.0.1:{port}/")) == "network"

    asyncio.run(body())


def test_private_addresses_and_unknown_names_are_refused() -> None:
    async def body() -> None:
        poster = Poster()
        for url in ("http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://10.0.0.1/"):
            assert await refused(poster, parse_target(url)) == "address"
        assert await refused(poster, parse_target("http://nowhere.invalid/")) == "name"

    asyncio.run(body())


def test_one_who_gives_up_frees_the_connection() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, body = await read_request(reader)
        if body == b"slow":
            await asyncio.sleep(0.3)
        writer.write(OK)

    async def test(poster: Poster, target: Target) -> None:
        slow = asyncio.create_task(poster.post(target, HEAD, b"slow", 5.0))
        quick = asyncio.create_task(poster.post(target, HEAD, b"quick", 5.0))
        await asyncio.sleep(0.05)
        slow.cancel()
        assert await quick == 200

    run(handler, test, connections=1)


def test_every_post_has_an_end_when_the_service_stops() -> None:
    """Whoever waits for one whose connection is only being opened would wait for ever."""

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def test(poster: Poster, target: Target) -> None:
        posts = [asyncio.create_task(refused(poster, target)) for _ in range(3)]
        await asyncio.sleep(0)
        await poster.aclose()
        async with asyncio.timeout(5):
            assert await asyncio.gather(*posts) == ["network"] * 3

    run(silent, test, connections=2)


def test_tls_with_a_known_authority_and_not_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def known(poster: Poster, target: Target) -> None:
        assert await poster.post(target, HEAD, b"{}", 5.0) == 200

    async def unknown(poster: Poster, target: Target) -> None:
        assert await refused(poster, target) == "network"

    run(answering(OK), unknown, tls=context)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    run(answering(OK), known, tls=context)


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "http:///x", "http://u:p@a/", "http://a:99999/", "nothing", "http://[x/"]
)
def test_what_is_no_target(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_target(url)


def test_targets() -> None:
    assert parse_target("http://a.example").path == "/"
    assert parse_target("http://a.example:80/x").netloc == "a.example"
    assert parse_target("https://[2001:db8::1]:8443/x y").netloc == "[2001:db8::1]:8443"
    assert parse_target("http://a/x y?q=ü&r").path == "/x%20y?q=%C3%BC&r"
    assert parse_target("http://städte.example/").host == "xn--stdte-hra.example"


def test_idle_connections_are_closed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("delivery", "posts"):
        monkeypatch.setattr(f"rynek.base.{module}.IDLE_SECONDS", 0.05)

    async def test(poster: Poster, target: Target) -> None:
        assert await poster.post(target, HEAD, b"{}", 5.0) == 200
        assert len(poster._origins) == 1
        await asyncio.sleep(0.15)
        assert poster._origins == {}
        assert await poster.post(target, HEAD, b"{}", 5.0) == 200

    assert run(answering(*[OK] * 9), test) == 2
