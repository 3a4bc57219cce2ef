"""The page "Data and licences" of a city: what comes from whom, on which terms, live or recorded."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response
from starlette.routing import Route

from rynek.web.pages.shell import NotFound, Page, Site

__all__ = ["routes"]


async def show(page: Page) -> Response:
    """The page of the city (of the default one at `/about`)."""
    if page.tenant is None:
        raise NotFound
    return page.render("about.html", nav="about", country=_country(page))


def _country(page: Page) -> str:
    code = page.tenant.city.country
    return page.t.country(code) if code else ""


def routes(site: Site) -> Sequence[Route]:
    """`…/about`."""
    return site.city("/about", show)
