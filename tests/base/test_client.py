"""The lean client against servers that keep to HTTP, and some that do not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from rynek.base.client import Client
from rynek.base.errors import OutgoingRefused

Test = Callable[[str, Client], Awaitable[None]]


class Server:
    """Answers each request with the next of some bytes; None closes the connection."""

    def __init__(self, *answers: bytes | None, close: bool = False) -> None:
        self.answers = list(answers)
        self.close = close
        self.heads: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
                if length:
                    self.heads[-1] += await reader.readexactly(int(length))
                answer = self.answers.pop(0)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
                if self.close:
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def run(server: Server, test: Test) -> None:
    async def body() -> None:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        client = Client(allow_private=True, timeout=2)
        port = listening.sockets[0].getsockname()[1]
        try:
            await test(f"http://127.0.0.1:{port}", client)
        finally:
            await client.aclose()
            listening.close()

    asyncio.run(body())


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nX-a: 2\r\n\r\nhi"


def test_requests_share_a_connection_and_repeated_headers_are_lists() -> None:
    server = Server(OK, OK)

    async def test(url: str, client: Client) -> None:
        for _ in range(2):
            answer = await client.request("GET", f"{url}/a?b=c", headers={"X-B": "é"})
            assert (answer.status, answer.body) == (200, b"hi")
            assert answer.headers["x-a"] == "1, 2"
        sent = await client.request("POST", url, body=b"{}") if server.answers else None
        assert sent is None

    run(server, test)
    assert server.connections == 1
    assert server.heads[0].startswith(b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"X-B: \xe9\r\n" in server.heads[0]


def test_a_body_is_sent_with_its_length() -> None:
    server = Server(OK)

    async def test(url: str, client: Client) -> None:
        await client.request("POST", url, body=b'{"a":1}')

    run(server, test)
    assert server.heads[0].endswith(b'Content-Length: 7\r\n\r\n{"a":1}')


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK,
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    ],
)
def test_forms_of_an_answer(answer: bytes) -> None:
    async def test(url: str, client: Client) -> None:
        got = await client.request("GET", url)
        assert (got.status, got.body) == (200, b"hi")
        assert "link" not in got.headers

    run(Server(answer), test)


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async def test(url: str, client: Client) -> None:
        assert (await client.request("GET", url)).body == b"hi"

    run(Server(b"HTTP/1.1 200 OK\r\n\r\nhi", close=True), test)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhi", "network"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "network"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, "size"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000, "size"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", "size"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi", "encoding"),
        (None, "network"),
    ],
)
def test_what_is_no_answer_is_refused(answer: bytes | None, reason: str) -> None:
    async def test(url: str, client: Client) -> None:
        with pytest.raises(OutgoingRefused) as refused:
            await client.request("GET", url, max_bytes=1000)
        assert refused.value.extra["reason"] == reason

    run(Server(answer, close=True), test)


def test_no_answer_in_time() -> None:
    async def test(url: str, client: Client) -> None:
        with pytest.raises(OutgoingRefused, match="within 0"):
            await client.request("GET", url, timeout=0.05)

    run(Server(b"HTTP/1.1 200 OK\r\n", OK), test)


def test_a_connection_that_was_closed_in_between_is_replaced() -> None:
    server = Server(OK, OK, close=True)

    async def test(url: str, client: Client) -> None:
        for _ in range(2):
            assert (await client.request("GET", url)).status == 200
            await asyncio.sleep(0.02)

    run(server, test)
    assert server.connections == 2


def test_what_changes_something_is_not_sent_twice() -> None:
    server = Server(OK, None, OK)

    async def test(url: str, client: Client) -> None:
        await client.request("POST", url, body=b"1")
        with pytest.raises(OutgoingRefused):
            await client.request("POST", url, body=b"2")
        assert (await client.request("POST", url, body=b"3")).status == 200

    run(server, test)
    assert [head[-1:] for head in server.heads] == [b"1", b"2", b"3"]


def test_a_body_that_must_not_be_there_harms_no_later_answer() -> None:
    server = Server(b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}", OK)

    async def test(url: str, client: Client) -> None:
        assert (await client.request("DELETE", url)).status == 204
        await asyncio.sleep(0.02)
        assert (await client.request("GET", url)).body == b"hi"

    run(server, test)


def test_private_addresses_and_odd_requests_are_refused() -> None:
    async def body() -> None:
        client = Client()
        for url, headers, reason in (
            ("http://127.0.0.1:9/", {}, "address"),
            ("ftp://example.org/", {}, "scheme"),
            ("http://user:pass@example.org/", {}, "scheme"),
            ("http://example.org/", {"X": "a\r\nY: b"}, "scheme"),
            ("http://example.org/", {"X": "ł"}, "scheme"),
        ):
            with pytest.raises(OutgoingRefused) as refused:
                await client.request("GET", url, headers=headers)
            assert refused.value.extra["reason"] == reason

    asyncio.run(body())
