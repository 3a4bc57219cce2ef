"""`/metrics` for Prometheus and `/health` for who looks after the service."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rynek.base.errors import Problem, Unauthorized
from rynek.web.problems import document_of
from rynek.web.watch.figures import Figures, Gatherer
from rynek.web.watch.health import Check, Status, document, live, ready, worst
from rynek.web.watch.local import is_local

__all__ = ["routes"]

_FRESH_SECONDS: Final = 1.0
_HEADERS: Final = {"Cache-Control": "no-store"}


class _Watch:
    """The endpoints over one engine."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._gatherer = Gatherer(engine)
        self._gathering = asyncio.Lock()
        self._found: tuple[float, Figures] | None = None

    async def metrics(self, request: Request) -> Response:
        """GET /metrics: the text format of Prometheus, or OpenMetrics by the Accept header."""
        try:
            self._engine.access.check_watcher(
                request.headers.get("authorization"), local=is_local(request.scope)
            )
        except Problem as problem:
            return refusal(problem)
        figures = await self._figures()
        # Thousands of series take long to write, so that is done beside the loop.
        body, media = await asyncio.to_thread(
            _rendered,
            figures,
            request.headers.get("accept", ""),
            tenants=self._engine.settings.metrics.tenants,
        )
        return Response(body, headers={**_HEADERS, "Content-Type": media, "Vary": "Accept"})

    async def health(self, request: Request) -> Response:
        """GET /health and /health/ready: whether the service can do its work; 503 when not."""
        checks = ready(self._engine)
        return self._told(request, checks, worst(checks, self._engine.default_tenant))

    async def live(self, request: Request) -> Response:
        """GET /health/live: whether the process answers at all."""
        return self._told(request, live(self._engine), "pass")

    def _told(self, request: Request, checks: list[Check], status: Status) -> Response:
        details = self._engine.access.may_watch(
            request.headers.get("authorization"), local=is_local(request.scope)
        )
        body = document(self._engine, checks, status, details=details)
        code = 503 if status == "fail" else 200
        return JSONResponse(body, code, _HEADERS, media_type="application/health+json")

    async def _figures(self) -> Figures:
        """The figures, read once a second at most however many ask."""
        async with self._gathering:
            now = time.monotonic()
            if self._found is None or now - self._found[0] > _FRESH_SECONDS:
                self._found = now, await self._gatherer.gather()
            return self._found[1]


def _rendered(figures: Figures, accept: str, *, tenants: bool) -> tuple[bytes, str]:
    """`render`, whose library is only loaded where somebody scrapes."""
    from rynek.web.watch.families import render

    return render(figures, accept, tenants=tenants)


def refusal(problem: Problem) -> Response:
    """A problem document; one that asks for a token says so to clients and browsers."""
    headers = dict(_HEADERS)
    if isinstance(problem, Unauthorized):
        headers["WWW-Authenticate"] = 'Bearer realm="rynek"'
    return JSONResponse(document_of(problem), problem.status, headers)


def routes(engine: Any) -> list[Route]:
    """`/metrics`, `/health`, `/health/live` and `/health/ready`."""
    watch = _Watch(engine)
    return [
        Route("/metrics", watch.metrics, methods=["GET"]),
        Route("/health", watch.health, methods=["GET"]),
        Route("/health/live", watch.live, methods=["GET"]),
        Route("/health/ready", watch.health, methods=["GET"]),
    ]
