"""What systemd is told, by a socket that a test reads."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
from tests.demo.service import Service

from rynek.server.notify import Supervisor


def told(sock: socket.socket) -> list[str]:
    """The lines of the next message."""
    return sock.recv(4096).decode().splitlines()


@pytest.fixture
def system(tmp_path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(tmp_path / "notify"))
    sock.settimeout(60)
    return sock


def test_a_service_says_ready_alive_reloading_and_stopping(
    system: socket.socket, tmp_path: Path
) -> None:
    service = Service(
        "serve",
        tmp_path / "data",
        NOTIFY_SOCKET=str(tmp_path / "notify"),
        WATCHDOG_USEC="400000",
    )
    first = told(system)
    while first == ["WATCHDOG=1"]:  # the loop turns before the first answer can be given
        first = told(system)
    assert first == ["READY=1", f"STATUS=serving http://127.0.0.1:{service.port}/"]
    assert [told(system) for _ in range(2)] == [["WATCHDOG=1"]] * 2
    service.process.send_signal(signal.SIGHUP)
    # Each wait for a message has a bound of its own.
    before_ready = list(iter(lambda: told(system), ["READY=1"]))
    (reloading,) = [one for one in before_ready if one != ["WATCHDOG=1"]]
    assert reloading[0] == "RELOADING=1"
    assert reloading[1].startswith("MONOTONIC_USEC=")
    assert service.stop() == 0
    rest = []
    system.setblocking(False)
    try:
        while True:
            rest.append(told(system))
    except BlockingIOError:
        pass
    assert ["STOPPING=1", "STATUS=stopping"] in rest


def test_an_abstract_address() -> None:
    name = f"rynek-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        sock.settimeout(10)
        supervisor = Supervisor({"NOTIFY_SOCKET": f"@{name}"})
        assert supervisor.watchdog_seconds is None
        supervisor.ready("here")
        assert told(sock) == ["READY=1", "STATUS=here"]
    supervisor.alive()  # nobody listens any more: no error
    supervisor.close()
    supervisor.alive()


@pytest.mark.parametrize(
    ("env", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_how_often_it_is_alive(env: dict[str, str], seconds: float | None) -> None:
    assert Supervisor({"NOTIFY_SOCKET": "/nowhere", **env}).watchdog_seconds == seconds
    assert Supervisor(env).watchdog_seconds is None
