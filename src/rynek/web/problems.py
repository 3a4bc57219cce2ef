"""Problem documents as they are sent (RFC 9457)."""

from __future__ import annotations

from rynek.base.errors import Problem
from rynek.base.request import request_id

__all__ = ["document_of"]


def document_of(problem: Problem) -> dict[str, object]:
    """The members; what is the server's fault names its request, so that it can be quoted to who
    has the log."""
    members = problem.body()
    if problem.status >= 500:
        members["instance"] = f"urn:rynek:request:{request_id()}"
    return members
