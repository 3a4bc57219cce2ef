"""Surveys on the web: the pages that a link opens, the results of public ones, and the API."""

from __future__ import annotations

from typing import Any

from starlette.routing import Route

from rynek.web.api.receiving import Bodies
from rynek.web.pages.shell import Site
from rynek.web.surveys.answer import answer_routes
from rynek.web.surveys.api import api_routes
from rynek.web.surveys.description import PREFIX, for_surveyors
from rynek.web.surveys.public import PublicResults
from rynek.web.surveys.results import results_routes

__all__ = ["PREFIX", "for_surveyors", "routes"]


def routes(engine: Any, bodies: Bodies) -> list[Route]:
    """`/survey/<token>`, to see and to send; `/surveys`, the results; what programs ask."""
    site, public = Site(engine), PublicResults()
    return [
        *answer_routes(site, bodies),
        *results_routes(site, public),
        *api_routes(engine, bodies, public),
    ]
