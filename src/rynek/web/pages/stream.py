"""The change stream as addresses for programs: …/developers/changes.json and …/changes.events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from rynek.base.errors import Problem
from rynek.web.changes import MAX_STREAMS, Asked, Stream, asked
from rynek.web.contract import Engine
from rynek.web.pages.shell import Site
from rynek.web.problems import document_of

__all__ = ["routes", "stream_of"]

_LINES = ("application/x-ndjson", "application/jsonl", "application/json-lines")


async def stream_of(tenant: Any) -> Stream:
    """The stream of a tenant in the short names of its default @context."""
    return Stream(tenant.context.changes, await tenant.context.default_ld())


class _Streams:
    """The two endpoints over one engine; counts what is open."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open = 0

    async def changes(self, request: Request) -> Response:
        """JSON, or JSON lines where those are accepted."""
        try:
            stream, wanted = await self._asked(request)
            if any(media in request.headers.get("accept", "") for media in _LINES):
                found, after = await stream.page(wanted)
                body = b"".join(msgspec.json.encode(one) + b"\n" for one in found)
                answer = Response(body, media_type=_LINES[0], headers={"X-Next": str(after)})
            else:
                body = msgspec.json.encode(await stream.document(wanted))
                answer = Response(body, media_type="application/json")
        except Problem as problem:
            return JSONResponse(document_of(problem), problem.status)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def events(self, request: Request) -> Response:
        """Server-sent events, from the newest change or the one after Last-Event-ID."""
        try:
            stream, wanted = await self._asked(request)
        except Problem as problem:
            return JSONResponse(document_of(problem), problem.status)
        if self._open >= MAX_STREAMS:
            return Response("too many open streams, try again later", 503, {"Retry-After": "30"})
        stopping = getattr(self._engine, "stopping", None) or asyncio.Event()
        answer = StreamingResponse(
            self._counted(stream.follow(wanted, stopping)), media_type="text/event-stream"
        )
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Accel-Buffering"] = "no"
        return answer

    async def _asked(self, request: Request) -> tuple[Stream, Asked]:
        wanted = asked(dict(request.query_params), request.headers.get("last-event-id"))
        name = request.path_params.get("tenant", self._engine.default_tenant)
        return await stream_of(self._engine.tenant(name)), wanted

    async def _counted(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            async for part in parts:
                yield part
        finally:
            self._open -= 1


def routes(site: Site) -> Sequence[Route]:
    """Both addresses, of every city and of the default one."""
    streams = _Streams(site.engine)
    return [
        Route(f"{start}/developers/{name}", endpoint, methods=["GET"])
        for start in ("/c/{tenant}", "")
        for name, endpoint in (
            ("changes.json", streams.changes),
            ("changes.events", streams.events),
        )
    ]
