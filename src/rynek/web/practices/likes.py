"""The cities that may ask for cards of cities like them."""

from __future__ import annotations

from typing import Any

from rynek.indicators import Alike
from rynek.practices.search import alike_message
from rynek.web.contract import said
from rynek.web.pages.shell import Page

__all__ = ["alike_words", "like_choices"]


def alike_words(page: Page, alike: Alike | None) -> str:
    """What a card says of how alike its city and the one that asks are; nothing where nothing is
    measured of the latter, which would be the same on every card."""
    if alike is None or alike.why == "own":
        return ""
    return alike_message(alike).text(page.language)


def like_choices(page: Page) -> list[tuple[str, str]]:
    """The cities that the client may read and of which something is measured: tenant and name, by
    name. Reads files: not for the event loop."""
    engine: Any = page.site.engine
    known = {name for name, one in engine.profiles.all().items() if one.measured.values}
    found = [
        (name, said(tenant.city.name, page.language))
        for name, tenant in page.tenants.items()
        if name in known
    ]
    return sorted(found, key=lambda one: one[1].casefold())
