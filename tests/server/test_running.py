"""The server's upkeep goes on whatever fails in it, and an end that nobody asked for is told."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.certificates import make_certificate
from tests.demo.service import Service, environment, free_port, until

from rynek.base.settings import Server
from rynek.server.certificates import Certificate
from rynek.server.notify import Supervisor
from rynek.server.workers import Workers

SPARE = 24


def asked(service: Service) -> bool:
    """Whether a new client is answered."""
    try:
        with socket.create_connection(("127.0.0.1", service.port), timeout=5) as made:
            made.sendall(b"GET /ngsi-ld/v1/types HTTP/1.0\r\nHost: x\r\n\r\n")
            return made.recv(20).startswith(b"HTTP/1.0 200")
    except OSError:
        return False


def test_it_goes_on_when_no_descriptor_is_left(tmp_path: Path) -> None:
    service = Service("serve", tmp_path / "data", RYNEK_SERVER_IDLE_SECONDS="60")
    assert asked(service)
    pid = service.process.pid
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    bound = files + SPARE
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (bound, bound))
    with ExitStack() as stack:
        # More than the whole bound: some of what was counted may have been open for a moment only.
        for _ in range(bound + SPARE):
            stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=20))
        until(lambda: "connections were closed" in service.errors(), "it makes room")
        until(lambda: asked(service) or service.process.poll() is not None, "it answers again")
        end = time.monotonic() + 3
        while time.monotonic() < end and service.process.poll() is None:
            time.sleep(0.1)
        assert service.process.poll() is None, service.errors()
        until(lambda: asked(service), "it still answers")
    assert service.stop() == 0


def test_a_port_of_the_systems_choice_is_known_as_its_own(tmp_path: Path) -> None:
    service = Service(
        "serve", tmp_path / "data", RYNEK_ACCESS_ANONYMOUS="write"
    )  # fmt: skip
    context = f"{service.url}/ngsi-ld/v1/jsonldContexts/none"
    answer = service.client.post(
        "/ngsi-ld/v1/entities",
        json={"@context": context, "id": "urn:x:1", "type": "Room"},
        headers={"Content-Type": "application/ld+json"},
    )
    # Not asked over the network, where it would wait for itself.
    assert answer.status_code == 504, answer.text
    assert "no such @context is hosted here" in answer.json()["detail"]
    assert service.stop() == 0


def test_an_end_that_waits_for_a_client_is_no_fault(tmp_path: Path) -> None:
    service = Service("serve", tmp_path / "data", RYNEK_ACCESS_ANONYMOUS="write")
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as made:
        made.sendall(
            b"POST /ngsi-ld/v1/entities HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{"
        )
        assert asked(service)
        assert service.stop() == 0
    assert "ended by itself" not in service.errors()


ENDING = """
import sys
from rynek.cli import main
from rynek.server.plain import Plain

looks = iter([True])
Plain.working = property(lambda _: next(looks, False))
main(sys.argv[1:])
"""


def test_an_end_that_nobody_asked_for_is_an_error(tmp_path: Path) -> None:
    arguments = ["serve", "--port", str(free_port()), "--data", str(tmp_path / "data")]
    done = subprocess.run(
        [sys.executable, "-c", ENDING, *arguments],
        env=environment(), capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("ready ")
    assert done.stderr.count("the HTTP server has ended by itself") == 2, done.stderr


def test_a_certificate_is_read_again_once_there_are_descriptors(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    certificate, key = make_certificate(tmp_path)
    server = Server(tls_certificate=str(certificate), tls_key=str(key))
    with socket.create_server(("127.0.0.1", 0)) as sock:
        watched = Certificate(server, Workers(sock, server, 10), Supervisor({}))
        os.utime(certificate, (1, 1))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            for _ in range(10):
                watched.look()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert "stays for now" in caplog.text
        for _ in range(10):
            watched.look()
    assert "was read again" in caplog.text
