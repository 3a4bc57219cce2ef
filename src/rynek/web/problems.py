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


def problem_answer(problem: Problem, language: str = "en") -> Response:
    """The answer of what is no NGSI-LD: one that asks for a token says so. What can be said in
    other languages is said in that of the client (RFC 9457 §3.1.4)."""
    headers = {name.decode(): value.decode() for name, value in problem.headers}
    document = document_of(problem)
    if problem.message is not None:
        document["detail"] = problem.message.text(language) if language != "en" else problem.detail
        headers |= {"Content-Language": language, "Vary": "Accept-Language"}
    if isinstance(problem, Unauthorized):
        headers["WWW-Authenticate"] = 'Bearer realm="rynek"'
    return JSONResponse(document, problem.status, headers, media_type="application/problem+json")


async def answered(work: Awaitable[Response], language: str = "en") -> Response:
    """What an endpoint answers; its problems, and those of the storage, as problem details in a
    language that the client reads."""
    try:
        return await work
    except Problem as problem:
        return problem_answer(problem, language)
    except Exception as error:
        known = storage_problem(error)
        if known is None:
            raise
        return problem_answer(known)
