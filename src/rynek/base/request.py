"""Which request is being answered: its id stands in every log line written meanwhile, in the header
of problem documents, and in the `instance` of those that are the server's fault.

A request is its ASGI scope, so that the way of a plain one costs two assignments; the id is worked
out when somebody asks for it.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, Final
from uuid import uuid4

__all__ = ["CURRENT", "HEADER", "OVER", "id_of", "request_id"]

HEADER: Final = b"x-request-id"
OVER: Final = "rynek.over"
"""Set in the scope of a request that is answered: tasks it left behind speak for themselves."""

_ID: Final = "rynek.id"
# What may stand in a log line and a header as it is, and is long enough for whoever sends one.
_SAFE: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}\Z")
_TRACE: Final = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?\Z")

CURRENT: Final[ContextVar[MutableMapping[str, Any] | None]] = ContextVar("request", default=None)
"""The scope of the request that is being answered."""


def id_of(scope: MutableMapping[str, Any]) -> str:
    """The id of a request, the same whenever it is asked for: the client's X-Request-ID, the trace
    of its `traceparent` (W3C Trace Context), or a random one."""
    known = scope.get(_ID)
    if known is None:
        known = scope[_ID] = _given(scope["headers"]) or uuid4().hex
    return str(known)


def request_id() -> str:
    """The id of the request that is being answered; empty outside of one."""
    scope = CURRENT.get()
    return "" if scope is None or OVER in scope else id_of(scope)


def _given(headers: Any) -> str:
    trace = ""
    for name, value in headers:
        if name == HEADER and _SAFE.match(value):
            return str(value, "ascii")
        if name == b"traceparent":
            found = _TRACE.match(value)
            if found and found[1].strip(b"0"):
                trace = str(found[1], "ascii")
    return trace
