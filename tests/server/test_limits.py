"""What clients that do harm, or just hang, can do to the others: nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.demo.service import Service, until

ENTITY = b'{"id":"urn:ngsi-ld:Bench:1","type":"Bench","name":{"type":"Property","value":"oak"}}'
HEAD = b"POST /ngsi-ld/v1/entities HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
IDLE = 5000
STREAMS = 200
MAX_MEMORY_GROWTH_KB = 150_000


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with short times."""
    started = Service(
        "serve",
        tmp_path_factory.mktemp("limits") / "data",
        RYNEK_ACCESS_ANONYMOUS="write",
        RYNEK_SERVER_IDLE_SECONDS="2",
        RYNEK_SERVER_BODY_SECONDS="1",
        RYNEK_SERVER_STALLED_SECONDS="2",
        RYNEK_SERVER_MAX_CONNECTIONS_PER_ADDRESS="1500",
        RYNEK_SERVER_MAX_BODY_BYTES="1000000",
    )
    yield started
    assert started.stop() == 0


def connect(service: Service, first: bytes = b"") -> socket.socket:
    made = socket.create_connection(("127.0.0.1", service.port), timeout=20)
    if first:
        made.sendall(first)
    return made


def answer(sock: socket.socket) -> bytes:
    """What comes until the other end closes."""
    parts = []
    try:
        while part := sock.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


def asked(service: Service) -> bool:
    """Whether a client that does no harm gets its answer, on a connection of its own."""
    with connect(service, b"GET /ngsi-ld/v1/types HTTP/1.0\r\nHost: x\r\n\r\n") as sock:
        return answer(sock).startswith(b"HTTP/1.0 200")


def sent(sock: socket.socket, more: bytes) -> bool:
    """Whether the other end still takes something."""
    try:
        sock.sendall(more)
    except ConnectionError:
        return False
    return True


def memory_kb(service: Service) -> int:
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0])


def connections(service: Service) -> int:
    """How many connections the service holds open (proc(5): state 01 is ESTABLISHED)."""
    own = f"0100007F:{service.port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(parts[1] == own and parts[3] == "01" for parts in map(str.split, lines))


def silent(_: int) -> bytes:
    return b""


def half_a_head(number: int) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: x\r\nX-%d:" % number


def between_requests(_: int) -> bytes:
    return b"GET /ngsi-ld/v1/types HTTP/1.1\r\nHost: x\r\n\r\n"


def test_thousands_of_idle_connections_hold_up_nobody_and_are_closed(service: Service) -> None:
    assert asked(service)
    at_first = memory_kb(service)
    kinds: list[Callable[[int], bytes]] = [silent, half_a_head, between_requests]
    with ExitStack() as stack:
        most = 0
        for number in range(IDLE):
            stack.enter_context(connect(service, kinds[number % 3](number)))
            if number % 500 == 0:
                assert asked(service)
                most = max(most, connections(service))
        assert memory_kb(service) - at_first < MAX_MEMORY_GROWTH_KB
        # They came from one address: it keeps 1,500, a second's arrivals on top.
        assert most < IDLE
        until(lambda: connections(service) <= 5, "idle connections are closed")
        assert asked(service)


def test_a_head_that_drips_is_cut_off(service: Service) -> None:
    with connect(service, b"GET / HTTP/1.1\r\n") as sock:
        until(lambda: not sent(sock, b"X-More: 1\r\n"), "it is cut off")
        assert asked(service)


@pytest.mark.parametrize("first", [b"", b'{"id":'], ids=["nothing", "a beginning"])
def test_a_body_that_does_not_come_is_given_up(service: Service, first: bytes) -> None:
    with connect(service, HEAD + b"Content-Length: 500\r\n\r\n" + first) as sock:
        text = answer(sock)
    assert text.startswith(b"HTTP/1.1 408 ")
    assert b"the body did not come within 1 s" in text


def test_a_body_that_ends_early_writes_nothing(service: Service) -> None:
    told = HEAD + b"Content-Length: %d\r\n\r\n" % (len(ENTITY) + 1)
    with connect(service, told + ENTITY) as sock:
        sock.shutdown(socket.SHUT_WR)
        answer(sock)
    found = service.client.get("/ngsi-ld/v1/entities/urn:ngsi-ld:Bench:1")
    assert found.status_code == 404


def test_who_does_not_read_is_cut_off(service: Service) -> None:
    service.client.post(
        "/ngsi-ld/v1/entityOperations/upsert",
        json=[
            {
                "id": f"urn:ngsi-ld:Long:{number}",
                "type": "Long",
                "text": {"type": "Property", "value": "x" * 10_000},
            }
            for number in range(90)
        ],
    ).raise_for_status()
    asks = b"GET /ngsi-ld/v1/entities?type=Long&limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(20):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", service.port))
            sock.sendall(asks * 10)
        until(lambda: connections(service) >= 15, "connections that do not read")
        assert asked(service)
        until(lambda: connections(service) <= 2, "they are cut off")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"".join(b"X-%d: 1\r\n" % number for number in range(101)), b"431"),
        (b"X-Long: " + b"a" * 500_000 + b"\r\n", b"431"),
    ],
    ids=["101 headers", "a header of 500 KB"],
)
def test_too_long_heads_are_refused(service: Service, head: bytes, status: bytes) -> None:
    with connect(service) as sock:
        sent(sock, b"GET /ngsi-ld/v1/types HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
        assert answer(sock)[:12] in {b"HTTP/1.1 " + status, b""}
    assert asked(service)


def test_hundreds_of_event_streams_leave_room_for_others(service: Service) -> None:
    with ExitStack() as stack:
        streams = [
            stack.enter_context(
                connect(service, b"GET /developers/changes.events HTTP/1.1\r\nHost: x\r\n\r\n")
            )
            for _ in range(STREAMS)
        ]
        for stream in streams:
            assert stream.recv(15) == b"HTTP/1.1 200 OK"
        assert asked(service)
        made = service.client.post(
            "/ngsi-ld/v1/entities",
            content=ENTITY.replace(b"Bench:1", b"Bench:2"),
            headers={"Content-Type": "application/json"},
        )
        assert made.status_code == 201
        for stream in streams:
            got = b""
            while b"Bench:2" not in got:
                got += stream.recv(65536)


def test_beyond_all_connections_the_idle_ones_make_room(tmp_path: Path) -> None:
    small = Service("serve", tmp_path / "data", RYNEK_SERVER_MAX_CONNECTIONS="40")
    with ExitStack() as stack:
        for _ in range(120):
            stack.enter_context(connect(small))
        until(lambda: connections(small) <= 40, "idle connections make room")
        assert asked(small)
    assert small.stop() == 0
