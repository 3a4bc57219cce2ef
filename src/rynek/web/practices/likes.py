"""The cities that may ask for cards of cities like them, and what both have in numbers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from rynek.indicators import FEWEST_CITIES, Alike, Profile, find_definition
from rynek.practices.cards import Card
from rynek.practices.search import Cities, alike_message
from rynek.web.contract import said
from rynek.web.indicators import words
from rynek.web.pages.shell import Page

__all__ = [
    "Beside",
    "NearCity",
    "alike_beside",
    "alike_words",
    "city_name",
    "like_choices",
    "near_cities",
    "unlike_why",
]

_NEAREST: Final = 5


class Beside(NamedTuple):
    """An indicator with the values of two cities, and how alike they are in it."""

    name: str
    own: str
    other: str
    alike: str


class NearCity(NamedTuple):
    """A city that is like the one that asks."""

    name: str
    share: str
    values: list[Beside]


def alike_words(page: Page, alike: Alike | None) -> str:
    """What a card says of how alike its city and the one that asks are; nothing where nothing is
    measured of the latter, which would be the same on every card."""
    if alike is None or alike.why == "own":
        return ""
    return alike_message(alike).text(page.language)


def alike_beside(page: Page, alike: Alike | None) -> list[Beside]:
    """The values by which two cities are compared, beside each other."""
    t = page.t
    return [
        Beside(
            definition.name[page.language],
            _figure(page, one.own, definition.unit, one.own_year, one.label),
            _figure(page, one.other, definition.unit, one.other_year, one.label),
            t.percent(one.alike),
        )
        for one in (alike.shared if alike else ())
        for definition in (find_definition(one.indicator),)
    ]


def _figure(page: Page, value: float, unit: str, year: int | None, label: str) -> str:
    span = str(year) if year is not None else page.t(words.NAMED[label])
    return f"{words.figure(page.t, value, unit).replace('-', '−')} ({span})"


def city_name(page: Page, card: Card) -> str:
    """What a card's city is called; nothing where it is not told."""
    name: Any = card.city.name if card.city else None
    return said(name, page.language) if name else ""


def near_cities(page: Page, cities: Cities | None) -> list[NearCity]:
    """The cities of this service that are most like the one that asks."""
    return [
        NearCity(_name(page, one), page.t.percent(alike.share or 0.0), alike_beside(page, alike))
        for one, alike in (cities.nearest() if cities else [])[:_NEAREST]
    ]


def _name(page: Page, one: Profile) -> str:
    return said(page.tenants[one.name].city.name, page.language)


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


def unlike_why(page: Page, choices: Collection[tuple[str, str]]) -> str:
    """Why no city can ask, or not every one yet; nothing where all can that ever will. Reads files."""
    engine: Any = page.site.engine
    t, tenants = page.t, page.tenants
    if not engine.settings.practices.recompute:
        return (
            ""
            if choices
            else t("Cities are not compared here: the service was told not to measure them.")
        )
    if len(tenants) < FEWEST_CITIES:
        return (
            ""
            if choices
            else t(
                "Cities are compared by what is measured of them where there are at least %(count)s.",
                count=t.number(FEWEST_CITIES, 0),
            )
        )
    known = {name for name, one in engine.profiles.all().items() if one.at and name in tenants}
    if len(known) < len(tenants):
        return t(
            "The cities are being measured, one after the other: %(done)s of %(total)s so far. This takes a few minutes after the start, and longer where a past is still being loaded.",
            done=t.number(len(known), 0),
            total=t.number(len(tenants), 0),
        )
    return (
        ""
        if choices
        else t("Nothing is measured of the cities here yet, and no reference table knows them.")
    )
