"""Bounds the open connections: by number, by address, and by how long nothing has moved.

The HTTP server times out heads of requests and the kernel those who do not read; what neither
knows is how many there are. So the process looks at its own descriptors: every second at their
number, which is cheap, and at each connection's counters (TCP_INFO) only when there are many.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
import struct
from collections import defaultdict
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from rynek.base import settings

_logger = logging.getLogger(__name__)
_DESCRIPTORS: Final = "/proc/self/fd"
# struct tcp_info (linux/tcp.h): milliseconds since data were last sent and last received.
_TCP_INFO: Final = struct.Struct("=44xI4xI")
_SPARE_FILES: Final = 256
_FEW_FILES: Final = 16
_UNKNOWN: Final = -1
_SLICE: Final = 250
_LOOK_EVERY: Final = 30
_LOOK_FROM: Final = 64
# Nothing of ours is silent for so long: streams send a sign of life, requests end.
_DEAD_MS: Final = 300_000
_IN_USE_MS: Final = 2000


class Seen(NamedTuple):
    """One connection: its descriptor, the other end, for how long nothing moved (ms)."""

    number: int
    peer: tuple[str, int]
    idle_ms: int


class Doorkeeper:
    """`look` once a second keeps the connections to `sock` within the bounds of the settings."""

    def __init__(
        self, sock: socket.socket, server: settings.Server, crowded: Callable[[bool], None]
    ) -> None:
        """`crowded` is told when busy connections alone reach the bound, and when no longer."""
        self._own = sock.fileno()
        # A place for a connection to be looked at when there is no other left.
        self._spare = os.dup(self._own)
        self._port = int(sock.getsockname()[1])
        self._family = sock.family
        self._most = server.max_connections
        self._each = server.max_connections_per_address
        self._trusted = [ip_network(one, strict=False) for one in server.trusted_proxies]
        self._crowded = crowded
        self._waited = 0
        self._calm_until = 0
        self._told = False
        self.open = 0

    def close(self) -> None:
        """Look no more."""
        os.close(self._spare)

    async def look(self) -> None:
        """Count, and where there are many or it is time, close those that must go."""
        files = _count()
        if files != _UNKNOWN and not self._due(files):
            return
        self._waited = 0
        numbers = _numbers()
        files = len(numbers)
        seen = await self._survey(numbers)
        most = min(self._most, _allowed(files, len(seen)))
        leaving = choose(seen, most=most, each=self._each, exempt=self._exempt)
        for one in leaving:
            self._end(one)
        self.open = len(seen) - len(leaving)
        if leaving:
            _logger.warning(
                "%d connections were closed: %d were open, %d are allowed, %d from one address",
                len(leaving),
                len(seen),
                most,
                self._each,
            )
        # All is well: look again when there are noticeably more, or after a while.
        self._calm_until = 0 if leaving else files + max(16, files // 20)
        self._tell(crowded=self.open >= most)

    def _due(self, files: int) -> bool:
        self._waited += 1
        full = _bound() - _FEW_FILES
        if files < min(_LOOK_FROM, full):
            self.open = 0
            self._tell(crowded=False)
            return False
        if self._waited >= _LOOK_EVERY:
            return True
        near = min(self._most, self._each, _allowed(files, self.open))
        # With hardly a descriptor left there cannot be noticeably more: no waiting for that.
        return files >= near and (self._told or files > min(self._calm_until, full))

    def _tell(self, *, crowded: bool) -> None:
        if crowded != self._told:
            self._told = crowded
            self._crowded(crowded)
            _logger.warning("too many busy connections" if crowded else "connections are few again")

    def _exempt(self, address: str) -> bool:
        if not self._trusted:
            return False
        found = ip_address(address.removeprefix("::ffff:"))
        return any(found in network for network in self._trusted)

    def _end(self, one: Seen) -> None:
        """Shut a connection down, if the descriptor still is that one."""
        # A copy of the descriptor cannot become another connection while we look at it.
        with contextlib.suppress(OSError):
            os.dup2(one.number, self._spare, inheritable=False)
            sock = socket.socket(fileno=self._spare)
            try:
                if sock.getsockname()[1] == self._port and sock.getpeername()[:2] == one.peer:
                    sock.shutdown(socket.SHUT_RDWR)
            finally:
                sock.detach()
        os.dup2(self._own, self._spare, inheritable=False)

    async def _survey(self, numbers: list[int]) -> list[Seen]:
        """Every connection; a few at a time, so that nobody waits."""
        seen: list[Seen] = []
        for start in range(0, len(numbers), _SLICE):
            for number in numbers[start : start + _SLICE]:
                ours = number in (self._own, self._spare)
                found = None if ours else _look(number, self._port)
                if found is not None:
                    seen.append(found)
            await asyncio.sleep(0)
        return seen


def choose(seen: list[Seen], *, most: int, each: int, exempt: Callable[[str], bool]) -> list[Seen]:
    """Which connections must go: dead ones; of an address with more than `each` those that nothing
    moved on for longest; and where there are `most` or more, those idle longest down to nine
    tenths, of which none that is in use."""
    leaving = {one for one in seen if one.idle_ms >= _DEAD_MS}
    by_address: dict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        if one not in leaving:
            by_address[one.peer[0]].append(one)
    for address, those in by_address.items():
        if len(those) > each and not exempt(address):
            leaving |= _idlest(those, len(those) - each)
    left = [one for one in seen if one not in leaving]
    if len(left) >= most:
        # Some room at once, so that the bound is not met again with the next connection.
        excess = len(left) - most * 9 // 10
        leaving |= _idlest([one for one in left if one.idle_ms >= _IN_USE_MS], excess)
    return sorted(leaving)


def _idlest(those: list[Seen], count: int) -> set[Seen]:
    return set(sorted(those, key=lambda one: -one.idle_ms)[:count])


def _count() -> int:
    try:
        return len(os.listdir(_DESCRIPTORS))  # noqa: PTH208
    except OSError:  # no /proc, or no descriptor left to look with
        return _UNKNOWN if os.path.isdir(_DESCRIPTORS) else 0  # noqa: PTH112


def _numbers() -> list[int]:
    """The descriptors that are open; with none left to look with, each that there can be is tried."""
    try:
        return [int(name) for name in os.listdir(_DESCRIPTORS)]  # noqa: PTH208
    except OSError:
        return [number for number in range(_bound()) if _is_open(number)]


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def room(bound: int) -> int:
    """How many connections so many open files leave room for, at most: the rest is for files."""
    return bound - min(_SPARE_FILES, bound // 2)


def _allowed(files: int, connections: int) -> int:
    """How many connections the bound on open files leaves room for."""
    others = max(0, files - connections)
    return max(1, room(_bound()) - others)


def _bound() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _look(number: int, port: int) -> Seen | None:
    """The connection behind a descriptor, when it is one of ours."""
    # Reading what a descriptor is does no harm, whoever has it by now.
    try:
        sock = socket.socket(fileno=number)
    except OSError:
        return None
    try:
        if sock.family not in {socket.AF_INET, socket.AF_INET6} or sock.getsockname()[1] != port:
            return None
        sent, received = _TCP_INFO.unpack_from(
            sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        )
        return Seen(number, sock.getpeername()[:2], min(sent, received))
    except (OSError, struct.error):
        return None
    finally:
        sock.detach()
