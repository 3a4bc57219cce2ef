"""Problem documents as they are sent (RFC 9457)."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from rynek.base.errors import Problem, Unauthorized
from rynek.base.request import request_id

__all__ = ["document_of", "problem_answer"]


def document_of(problem: Problem) -> dict[str, object]:
    """The members; what is the server's fault names its request, so that it can be quoted to who
    has the log."""
    members = problem.body()
    if problem.status >= 500:
        members["instance"] = f"urn:rynek:request:{request_id()}"
    return members


def problem_answer(problem: Problem) -> Response:
    """The answer of what is no NGSI-LD: one that asks for a token says so."""
    headers = {name.decode(): value.decode() for name, value in problem.headers}
    if isinstance(problem, Unauthorized):
        headers["WWW-Authenticate"] = 'Bearer realm="rynek"'
    return JSONResponse(
        document_of(problem), problem.status, headers, media_type="application/problem+json"
    )
