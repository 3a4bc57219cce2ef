"""Problem documents as they are sent (RFC 9457)."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.responses import JSONResponse, Response

from rynek.base.errors import Problem, Unauthorized
from rynek.base.request import request_id
from rynek.base.storage import storage_problem

__all__ = ["answered", "document_of", "problem_answer"]


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


async def answered(work: Awaitable[Response]) -> Response:
    """What an endpoint answers; its problems, and those of the storage, as problem details."""
    try:
        return await work
    except Problem as problem:
        return problem_answer(problem)
    except Exception as error:
        known = storage_problem(error)
        if known is None:
            raise
        return problem_answer(known)
