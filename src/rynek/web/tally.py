"""Counts of what was asked and how long it took: plain numbers on the hot path, read elsewhere."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Iterator
from time import perf_counter
from typing import Any, Final

import msgspec

from rynek.base.log import redact

__all__ = ["BOUNDS", "Answered", "Tally", "plain_path"]

BOUNDS: Final = (
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
)  # fmt: skip
"""Upper bounds of the buckets of answer times, in seconds; one more holds what took longer."""

_FIRST: Final = BOUNDS[0]
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
# What follows them opens something to whoever knows it.
_SECRET_PATHS: Final = ("/notified/", "/survey/")
_CITIES: Final = "/api/indicators/v1/cities/"
_access: Final = logging.getLogger("rynek.access")


class Answered(msgspec.Struct, frozen=True):
    """What was answered to one route and method with one status since the start: seconds and bytes
    in all, and how many took as long as BOUNDS say."""

    route: str
    method: str
    status: int
    seconds: float
    size: int
    buckets: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many answers these are."""
        return sum(self.buckets)


class Tally:
    """Counts answers, and logs each (`access`) or those that took `slow` seconds and more.
    `tenant` is whose a request is that names none."""

    def __init__(self, tenant: str = "", *, access: bool = False, slow: float = 0.0) -> None:
        self._tenant = tenant
        self._rows: dict[tuple[str, str, int], list[Any]] = {}
        self._slow = slow or float("inf")
        self._logged_from = 0.0 if access else self._slow

    def note(
        self, route: str, method: str, status: int, started: float, size: int, scope: Any
    ) -> None:
        """One request was answered; `started` is its perf_counter(), `scope` that of ASGI."""
        took = perf_counter() - started
        row = self._rows.get((route, method, status))
        if row is None:
            row = self._row(route, method, status)
        row[0] += took
        row[1] += size
        # Most answers are quicker than the first bound: no search for them.
        row[2 if took <= _FIRST else bisect_left(BOUNDS, took) + 2] += 1
        if took >= self._logged_from:
            self._log(scope, status, took, size)

    def answered(self) -> Iterator[Answered]:
        """All counts as they are now."""
        for (route, method, status), row in list(self._rows.items()):
            yield Answered(route, method, status, row[0], row[1], tuple(row[2:]))

    def _row(self, route: str, method: str, status: int) -> list[Any]:
        # A client may make up methods without end: they share one row.
        key = route, method if method in _METHODS else "other", status
        return self._rows.setdefault(key, [0.0, 0] + [0] * (len(BOUNDS) + 1))

    def _log(self, scope: Any, status: int, took: float, size: int) -> None:
        slow = took >= self._slow
        _access.log(
            logging.WARNING if slow else logging.INFO,
            "slow answer" if slow else "answered",
            extra={
                "method": str(scope["method"])[:20],
                "path": plain_path(scope),
                "status": status,
                "ms": round(took * 1000, 3),
                "bytes": size,
                "tenant": _tenant(scope)[:64] or self._tenant,
            },
        )


def plain_path(scope: Any) -> str:
    """The path of a request as a log may have it: without secrets, and bounded."""
    path = str(scope["path"])
    for secret in _SECRET_PATHS:
        head, found, _ = path.partition(secret)
        path = head + secret + "***" if found else path
    return redact(path)[:500]


def _tenant(scope: Any) -> str:
    """The tenant that a request names; empty where it names none."""
    parts = str(scope["path"]).split("/")
    if "c" in parts[1:-1]:
        return parts[parts.index("c", 1) + 1]
    city = str(scope["path"]).partition(_CITIES)[2].partition("/")[0]
    if city:
        return city
    named = (value for name, value in scope["headers"] if name == b"ngsild-tenant")
    return str(next(named, b""), "latin-1")
