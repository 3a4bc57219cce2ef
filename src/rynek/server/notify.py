"""What a service tells systemd (sd_notify(3)): ready, alive, reloading, stopping."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

_MICRO: Final = 1_000_000


class Supervisor:
    """Datagrams to NOTIFY_SOCKET; without one nothing is said.

    `watchdog_seconds` is how often `alive` has to be said (half of WATCHDOG_USEC), or None.
    """

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        address = env.get("NOTIFY_SOCKET", "")
        # A name with @ is in the abstract namespace, which begins with a zero byte.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if address.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
        self.watchdog_seconds = _watchdog(env) if self._socket is not None else None

    def ready(self, status: str = "") -> None:
        """Requests can be answered; `systemctl status` shows `status`."""
        self._tell(f"READY=1\nSTATUS={status}" if status else "READY=1")

    def alive(self) -> None:
        """The event loop turns; without this in time systemd starts the service again."""
        self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        """Settings are read again; `ready` ends it."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1\nSTATUS=stopping")

    def close(self) -> None:
        """Say no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, message: str) -> None:
        if self._socket is not None:
            # A supervisor that is gone or slow is no reason to fail.
            with contextlib.suppress(OSError):
                self._socket.sendto(message.encode(), self._address)


def _watchdog(env: Mapping[str, str]) -> float | None:
    text = env.get("WATCHDOG_USEC", "")
    ours = env.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    if not ours or not text.isdigit() or int(text) == 0:
        return None
    return int(text) / _MICRO / 2
