"""`/`: the network's start page where the client may read several cities, else the one's map."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from rynek.base.errors import Problem
from rynek.web.contract import City, said
from rynek.web.pages import map as city_map
from rynek.web.pages.counting import NOUNS, counted, noun
from rynek.web.pages.map import hubs_of
from rynek.web.pages.shell import Page, Site, city_path
from rynek.web.themes import RULES, THEMES, Theme

__all__ = ["loaded", "routes"]


class Card(msgspec.Struct):
    """One city on the start page, in words."""

    name: str
    url: str
    country: str
    counts: list[tuple[Theme, str, str]]
    total: str
    loaded: bool
    now: str
    recording: str
    note: str
    moving: str


async def loaded(hubs: Sequence[Any], seconds: float = 1.5) -> None:
    """Give hubs that have just begun a moment to load, so that the first visitor sees more."""
    for _ in range(int(seconds / 0.1)):
        if all(hub.loaded for hub in hubs):
            return
        await asyncio.sleep(0.1)


async def show(page: Page) -> Response:
    """The start page."""
    engine = page.site.engine
    tenants = page.tenants
    if len(tenants) > 1:
        # One whose files are damaged has a page that says so; the others are shown.
        tenants = {name: tenant for name, tenant in tenants.items() if _opens(tenant)}
    await loaded([hubs_of(engine).get(name) for name in tenants])
    if len(tenants) > 1 and _is_unused(page, engine.default_tenant):
        tenants = {name: each for name, each in tenants.items() if name != engine.default_tenant}
    if len(tenants) == 1:
        page.tenant = next(iter(tenants.values()))
        return await city_map.show(page, hubs_of(engine).get(page.tenant.name))
    page.tenant = None
    cards = sorted((_card(page, tenant) for tenant in tenants.values()), key=lambda c: c.name)
    live = not all(card.recording for card in cards)
    return page.render("home.html", nav="home", cards=cards, live=live)


def _is_unused(page: Page, name: str) -> bool:
    """Whether nobody told of a city and nothing is in it, as the default one beside others."""
    tenant = page.tenants.get(name)
    if tenant is None or tenant.city != City(name=name) or tenant.feeds.health():
        return False
    counts = hubs_of(page.site.engine).get(name).legend()
    return bool(counts["loaded"]) and not counts["total"]


def _opens(tenant: Any) -> bool:
    try:
        return tenant.context is not None
    except Problem:
        return False


def _card(page: Page, tenant: Any) -> Card:
    counts = hubs_of(page.site.engine).get(tenant.name).legend()
    city, t = tenant.city, page.t
    themes = []
    for theme in THEMES:
        found = counts["themes"].get(theme.key)
        if found:
            themes.append(
                (
                    theme,
                    _word(page, theme, counts["types"], found["total"]),
                    t.number(found["total"], 0),
                )
            )
    moving = sum(c["status"].get("moving", 0) for c in counts["themes"].values())
    return Card(
        name=said(city.name, page.language),
        url=page.root + city_path(tenant.name) + "/",
        country=t.country(city.country) if city.country else "",
        counts=themes,
        total=_kinds(page, counts["types"])
        or t.n("%(num)s thing", "%(num)s things", counts["total"]),
        loaded=bool(counts["loaded"]),
        now=t.moment(tenant.clock.now(), city.zone, "short") if _has_time(tenant) else "",
        recording=said(city.recording.title, page.language) if city.recording else "",
        note=said(city.note, page.language),
        moving=t.n("%(num)s moving now", "%(num)s moving now", moving) if moving else "",
    )


def _has_time(tenant: Any) -> bool:
    """Whether the city's clock tells of its data: that of a recording which stands still does not."""
    return tenant.city.recording is None or hasattr(tenant.clock, "end")


def _word(page: Page, theme: Theme, types: Mapping[str, int], total: int) -> str:
    """What a theme's things are called: by their type where all are of one, else by the theme."""
    things = [
        name
        for name, count in types.items()
        if count == total and name in NOUNS and name in RULES and RULES[name].theme == theme.key
    ]
    return noun(page.t, things[0], total) if len(things) == 1 else page.t(theme.word)


def _kinds(page: Page, types: Mapping[str, int]) -> str:
    """What a city holds that is no thing on the map: its most frequent types with their counts."""
    most = sorted(types.items(), key=lambda one: -one[1])[:3]
    return " · ".join(counted(page.t, name, n) for name, n in most)


def routes(site: Site) -> Sequence[Route]:
    """`/`."""
    return [site.plain("/", show)]
