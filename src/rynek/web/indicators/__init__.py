"""Indicators over HTTP: the API under /api/indicators/v1, a city's profile, cities side by side."""

from __future__ import annotations

from typing import Any

from starlette.routing import Route

from rynek.web.indicators import api, cities, profile
from rynek.web.indicators.computing import Computing
from rynek.web.indicators.description import PREFIX
from rynek.web.indicators.tables import Reader
from rynek.web.pages.shell import Site

__all__ = ["CITIES", "PREFIX", "routes"]

CITIES = PREFIX + "/cities/"
"""Below it a path names the city whose rights decide."""


def routes(engine: Any) -> list[Route]:
    """What programs read, and the pages."""
    computing, reader, site = Computing(engine), Reader(engine.references), Site(engine)
    return [
        *api.routes(engine, computing, reader),
        *profile.routes(site, computing),
        *cities.routes(site, computing, reader),
    ]
