"""Raw bytes to a real service: bodies in chunks, lies about lengths, floods of headers; it stays up and
nothing is half-written."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from tests.demo.service import Service

HEAD = b"POST /ngsi-ld/v1/entities HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GET = b"GET /ngsi-ld/v1/types HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
MOST = 1 << 20


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(
        "serve",
        tmp_path_factory.mktemp("hostile") / "data",
        RYNEK_ACCESS_ANONYMOUS="write",
        RYNEK_SERVER_MAX_BODY_BYTES=str(MOST),
    )
    yield made
    made.stop()


def entity(number: int) -> bytes:
    return json.dumps({"id": f"urn:x:{number}", "type": "T", "a": number}).encode()


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def ask(service: Service, data: bytes, *, end: bool = False) -> int:
    """The status that the service answers to these bytes; 0 when it just ends the connection."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as link:
        try:
            link.sendall(data)
            if end:
                link.shutdown(socket.SHUT_WR)
            answer = link.recv(4096)
        except ConnectionError:
            return 0
    return int(answer.split(b" ", 2)[1]) if answer else 0


LAST = b"0\r\n\r\n"
CASES: dict[str, tuple[bytes, bool, tuple[int, ...]]] = {
    "chunks": (HEAD + CHUNKED + chunk(entity(1)[:9]) + chunk(entity(1)[9:]) + LAST, False, (201,)),
    "chunks without the last": (HEAD + CHUNKED + chunk(entity(2)), True, (400,)),
    "a chunk without size": (HEAD + CHUNKED + b"zz\r\n" + entity(2), True, (400,)),
    "chunks beyond the bound": (HEAD + CHUNKED + chunk(b" " * 4096) * 300 + LAST, False, (413, 0)),
    "one chunk beyond the bound": (HEAD + CHUNKED + chunk(b" " * (MOST + 1)) + LAST, False, (413, 0)),
    "a length beyond the body": (HEAD + b"Content-Length: 500\r\n\r\n" + entity(2), True, (400,)),
    "a length below the body": (HEAD + b"Content-Length: 9\r\n\r\n" + entity(2), False, (400,)),
    "two lengths": (HEAD + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\n" + entity(2), False, (400,)),
    "a negative length": (HEAD + b"Content-Length: -3\r\n\r\n" + entity(2), False, (400,)),
    "a length without end": (HEAD + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", False, (400,)),
    "ten gigabytes told": (HEAD + b"Content-Length: 10737418240\r\n\r\n" + entity(2), False, (413, 0)),
    "no length": (HEAD + b"\r\n", False, (411,)),
    "another coding": (HEAD + b"Transfer-Encoding: identity\r\n\r\n" + entity(2), False, (501,)),
    "a gzip body": (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b", False, (415,)),
    "many headers": (GET + b"".join(b"X-%d: y\r\n" % n for n in range(1000)) + b"\r\n", False, (431, 0)),
    "a long header": (GET + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n", False, (431, 0)),
    "a query of a megabyte": (
        b"GET /ngsi-ld/v1/entities?q=" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", False, (414, 431, 0)),
    "a NUL in the path": (b"GET /ngsi-ld/v1/entities/\x00 HTTP/1.1\r\nHost: x\r\n\r\n", False, (400,)),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40, True, (400, 0)),
    "HTTP/0.9": (b"GET /\r\n", True, (400, 0)),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", True, (400, 505, 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_bytes_of_all_kinds(service: Service, name: str) -> None:
    data, end, allowed = CASES[name]
    assert ask(service, data, end=end) in allowed
    assert service.client.get("/ngsi-ld/v1/entities/urn:x:2").status_code == 404
    assert service.process.poll() is None


def test_bodies_in_chunks_are_taken_from_real_clients(service: Service) -> None:
    """What sends as it reads (curl -T, many libraries) does not know the length."""
    body = entity(7)
    media = {"Content-Type": "application/json"}
    sent = iter([body[:5], body[5:]])
    assert (
        service.client.post("/ngsi-ld/v1/entities", content=sent, headers=media).status_code == 201
    )
    assert service.client.get("/ngsi-ld/v1/entities/urn:x:7?options=keyValues").json()["a"] == 7
