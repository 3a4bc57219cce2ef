"""The socket that takes connections: ours, or the one that systemd opened."""

from __future__ import annotations

import os
import socket
import sys
from typing import Final

from rynek.base import settings

BACKLOG: Final = 1024
# The first descriptor that systemd passes on (sd_listen_fds(3)).
_FIRST_PASSED: Final = 3
_KEEP_ALIVE_SECONDS: Final = 60


class ServeError(RuntimeError):
    """The service cannot begin; the message says what to do."""


class PortInUse(ServeError):
    """The port cannot be had."""


def listen(server: settings.Server) -> socket.socket:
    """A listening socket by the settings; one that systemd passed on comes first. PortInUse;
    ServeError where the host has no address.

    What is set here holds for every connection: accepted sockets inherit it.
    """
    sock = passed() or _bound(server.host, server.port)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEP_ALIVE_SECONDS)
        # The kernel ends a connection whose other end is silent or has closed its window for so
        # long: it costs nothing here, and nothing above TCP could know.
        stalled = int(server.stalled_seconds * 1000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, stalled)
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def passed() -> socket.socket | None:
    """The socket of a systemd socket unit, if this process was started by one."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    sock = socket.socket(fileno=_FIRST_PASSED)
    sock.set_inheritable(False)
    return sock


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        # "::" is for all, also those who come by IPv4.
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        if isinstance(error, socket.gaierror):
            raise ServeError(f"server.host = {host!r}: {error.strerror or error}") from error
        raise PortInUse(
            f"{host}:{port}: {error.strerror or error}: choose another with --port"
            " (or PORT=… make demo)"
        ) from error
    return sock
