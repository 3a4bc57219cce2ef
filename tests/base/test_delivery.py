"""The client that posts notifications: kind receivers, broken ones and hostile ones."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.certificates import make_certificate
from tests.examples import examples

from rynek.base.connection import Connection, Outcome, Stale
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


class Counted:
    """A receiver that answers each request as `answer` says from its body, and notes the bodies of
    each connection in order and how many requests it found at once at the most."""

    def __init__(self, answer: Callable[[bytes, int], bytes]) -> None:
        self.answer = answer
        self.bodies: list[list[bytes]] = []
        self.most = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; an empty answer closes it."""
        mine: list[bytes] = []
        self.bodies.append(mine)
        data = b""
        while chunk := await reader.read(1 << 16):
            data += chunk
            self.most = max(self.most, data.count(b"POST "))
            answers = b""
            while b"\r\n\r\n" in data:
                head, _, rest = data.partition(b"\r\n\r\n")
                length = int(head.rpartition(b" ")[2])
                if len(rest) < length:
                    break
                mine.append(rest[:length])
                data = rest[length:]
                answer = self.answer(mine[-1], len(mine))
                answers += answer
                if not answer or b"Connection: close" in answer:
                    writer.write(answers)
                    writer.close()
                    return
            writer.write(answers)
            await writer.drain()


async def warm(poster: Poster, target: Target) -> None:
    """Let the client learn that the receiver is quick."""
    for _ in range(6):
        await poster.post(target, HEAD, b"warm", 5.0)


async def burst(poster: Poster, target: Target, count: int, timeout: float = 5.0) -> list[int]:
    """The statuses of so many posts at once; their bodies are their numbers."""
    posts = [poster.post(target, HEAD, b"%d" % n, timeout) for n in range(count)]
    return list(await asyncio.gather(*posts))


def numbers(receiver: Counted) -> list[int]:
    """What came, of `burst`."""
    return [int(one) for bodies in receiver.bodies for one in bodies if one != b"warm"]


def test_a_quick_receiver_gets_several_at_once_and_each_post_its_own_answer() -> None:
    def answer(body: bytes, _: int) -> bytes:
        return OK if body == b"warm" or int(body) % 3 else OK.replace(b"200 OK", b"503 No")

    receiver = Counted(answer)

    async def test(poster: Poster, target: Target) -> None:
        await warm(poster, target)
        assert await burst(poster, target, 40) == [200 if n % 3 else 503 for n in range(40)]

    run(receiver, test, connections=1)
    assert receiver.most > 1
    assert numbers(receiver) == list(range(40))


@pytest.mark.parametrize("pipeline", [1, 16])
def test_one_at_a_time_where_it_is_set_or_the_receiver_speaks_http_1_0(pipeline: int) -> None:
    old = OK.replace(b"1.1", b"1.0").replace(b"\r\n", b"\r\nConnection: keep-alive\r\n", 1)
    receiver = Counted(lambda *_: OK if pipeline == 1 else old)

    async def test(poster: Poster, target: Target) -> None:
        await warm(poster, target)
        assert await burst(poster, target, 20) == [200] * 20

    assert run(receiver, test, connections=1, pipeline=pipeline) == 1
    assert receiver.most == 1


@pytest.mark.parametrize("announced", [True, False])
def test_what_a_closed_connection_left_without_an_answer_is_posted_again(
    announced: bool,
) -> None:
    last = OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) if announced else b""
    receiver = Counted(lambda _, number: last if number % 9 == 0 else OK)

    async def test(poster: Poster, target: Target) -> None:
        await warm(poster, target)
        assert await burst(poster, target, 40) == [200] * 40
        receiver.most = 0
        assert await burst(poster, target, 6) == [200] * 6
        # One that closes without a word is sent one at a time from then on.
        assert announced or receiver.most == 1

    run(receiver, test, connections=1)
    assert sorted(set(numbers(receiver))) == list(range(40))


def test_one_that_overlooks_what_comes_at_once_gets_it_alone() -> None:
    """Whatever came with a request is thrown away, as servers do that read one request at a time."""
    got: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            got.append(data.partition(b"\r\n\r\n")[2][:4])
            writer.write(OK)
            await writer.drain()

    async def test(poster: Poster, target: Target) -> None:
        await warm(poster, target)
        assert await burst(poster, target, 6, timeout=0.2) == [200] * 6

    run(handler, test, connections=1)


def test_an_answer_that_nobody_asked_for_moves_no_other_to_the_wrong_request() -> None:
    """Of several at once all are posted again, alone: one that was refused does not count as taken."""

    def answer(body: bytes, number: int) -> bytes:
        if body == b"warm":
            return OK
        refused = OK.replace(b"200 OK", b"503 No") if int(body) == 5 else OK
        return OK + refused if number == 9 and receiver.most > 1 else refused

    receiver = Counted(answer)

    async def test(poster: Poster, target: Target) -> None:
        await warm(poster, target)
        wanted = [503 if n == 5 else 200 for n in range(8)]
        assert await burst(poster, target, 8) == wanted
        receiver.most = 0
        assert await burst(poster, target, 8) == wanted
        assert receiver.most == 1

    run(receiver, test, connections=1)


def test_what_comes_after_the_last_answer_ends_the_connection_and_several_at_once() -> None:
    receiver = Counted(lambda *_: OK)

    async def test(poster: Poster, target: Target) -> None:
        await warm(poster, target)
        assert await burst(poster, target, 6) == [200] * 6
        (origin,) = poster._origins.values()
        (connection,) = origin._idle
        connection.data_received(OK)
        assert not connection.usable
        receiver.most = 0
        assert await burst(poster, target, 6) == [200] * 6
        assert receiver.most == 1

    assert run(receiver, test, connections=1) == 2


def test_a_slow_receiver_gets_messages_on_all_its_connections() -> None:
    under_way = most = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        while (await read_request(reader))[0]:
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.06)
            under_way -= 1
            writer.write(OK)

    async def test(poster: Poster, target: Target) -> None:
        assert await burst(poster, target, 8) == [200] * 8
        assert await burst(poster, target, 4) == [200] * 4

    run(handler, test, connections=4)
    assert most == 4


_answers = st.lists(
    st.sampled_from(
        [
            (200, OK),
            (204, b"HTTP/1.1 204 No Content\r\n\r\n"),
            (503, b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"),
            (200, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK),
        ]
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=examples(80), deadline=None)
@given(_answers, st.integers(0, 3), st.data())
def test_answers_count_in_order_however_they_are_cut(
    answers: list[tuple[int, bytes]], unanswered: int, data: st.DataObject
) -> None:
    got: list[Outcome] = []
    connection = Connection(lambda _, outcome, count: got.extend([outcome] * count))
    loop = asyncio.new_event_loop()
    try:
        connection.connection_made(NoTransport())
        loop.run_until_complete(_feed(connection, answers, unanswered, data, loop))
    finally:
        loop.close()
    assert got[: len(answers)] == [status for status, _ in answers]
    assert [type(one) for one in got[len(answers) :]] == [Stale] * unanswered


async def _feed(
    connection: Connection,
    answers: list[tuple[int, bytes]],
    unanswered: int,
    data: st.DataObject,
    loop: asyncio.AbstractEventLoop,
) -> None:
    connection.start(b"", len(answers) + unanswered, 5.0, loop)
    rest = b"".join(answer for _, answer in answers)
    while rest:
        cut = data.draw(st.integers(1, len(rest)))
        connection.data_received(rest[:cut])
        rest = rest[cut:]
    connection.connection_lost(None)


class NoTransport(asyncio.Transport):
    """Takes what is written and is never closed."""

    def write(self, data: object) -> None:
        """Nothing."""

    def is_closing(self) -> bool:
        """Never."""
        return False

    def abort(self) -> None:
        """Nothing."""
