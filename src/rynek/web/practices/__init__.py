"""Practice cards over HTTP: the API under /api/practices/v1, the form, the PDF."""

from __future__ import annotations

from typing import Any

from starlette.routing import Route

from rynek.web.api.receiving import Bodies
from rynek.web.pages.shell import Site
from rynek.web.practices import api, form, pdf
from rynek.web.practices.api import PREFIX

__all__ = ["PREFIX", "routes"]


def routes(engine: Any, bodies: Bodies) -> list[Route]:
    """What is written, and what programs read."""
    return [*api.routes(engine, bodies), *form.routes(engine, bodies), *pdf.routes(Site(engine))]
