"""The search field of `/practices`: what it asks, and what is shown of what was found."""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

from rynek.practices.cards import Seen, Wanted
from rynek.practices.search import COST_KINDS, MAX_OFFSET, PPS, Cities, Filters, Found, Hit
from rynek.web.i18n import LANGUAGES
from rynek.web.pages.shell import Page
from rynek.web.practices.searching import read_amount, read_unit

__all__ = ["ONLY", "Searched", "choices", "searched"]

ONLY: Final = ("told_in", "level", "size", "cost_kind", "cost_from", "cost_to")
"""Parameters that only the index can answer, with a query or without."""

_LEVELS: Final = ("1", "2", "3", "4", "5")


class Searched(NamedTuple):
    """A page of what was found: the cards, and by their ids where what was found is marked."""

    found: Found
    seen: list[Seen]
    hits: dict[str, Hit]


async def searched(
    page: Page, wanted: Wanted, offset: int, limit: int, cities: Cities | None
) -> Searched | None:
    """What the page's `q` and the filters of a search find; None without any. BadRequestData for a
    query that is too long, InvalidRequest for an amount that is none."""
    text = page.param("q").strip()
    if not (text or any(page.param(name).strip() for name in ONLY)):
        return None
    level = page.param("level")
    filters = Filters(
        theme=wanted.theme,
        cluster=wanted.cluster,
        verdict=wanted.verdict,
        status=wanted.status,
        language=_one(page.param("told_in"), LANGUAGES),
        size=_one(page.param("size"), tuple(_sizes(page))),
        level=int(_one(level, _LEVELS) or 0),
        cost_kind=_one(page.param("cost_kind"), COST_KINDS),
        cost_from=read_amount(_given(page), "cost_from"),
        cost_to=read_amount(_given(page), "cost_to"),
        cost_in=read_unit(_given(page)),
    )
    engine: Any = page.site.engine
    found, seen = await asyncio.to_thread(
        engine.card_index.ask,
        engine.cards,
        text,
        page.viewer,
        filters,
        languages=(page.language,),
        offset=min(offset, MAX_OFFSET),
        limit=limit,
        cities=cities,
    )
    return Searched(found, seen, {hit.id: hit for hit in found.hits})


def _given(page: Page) -> dict[str, str]:
    return {name: page.param(name) for name in ("cost_from", "cost_to", "cost_in")}


def choices(page: Page) -> list[dict[str, Any]]:
    """Filters that a search has besides those of the list, each with what may be chosen. Reads
    files: not for the event loop."""
    t = page.t
    engine: Any = page.site.engine
    kinds = {"capital": t("once"), "running": t("a year"), "per_unit": t("per unit")}
    units = engine.card_index.units(page.viewer)
    asked = cost_unit(page)
    if asked and asked not in units:
        units = [*units, asked]
    told = [(one, t("euros at the EU’s prices") if one == PPS else one) for one in units]
    every: list[tuple[str, str, list[tuple[str, str]]]] = [
        ("told_in", t("Told in"), [(code, str(name)) for code, name in LANGUAGES.items()]),
        ("level", t("Evidence, at least"), [(one, one) for one in _LEVELS]),
        ("size", t("Size of the city"), list(_sizes(page).items())),
        ("cost_kind", t("What is paid"), list(kinds.items())),
        ("cost_in", t("Amounts in"), told),
    ]
    return [
        {
            "name": name,
            "label": label,
            "value": asked if name == "cost_in" else page.param(name),
            "choices": some,
        }
        for name, label, some in every
    ]


def cost_unit(page: Page) -> str:
    """The unit that costs are looked for in; empty where no costs are asked for."""
    given = _given(page)
    wanted = given["cost_from"].strip() or given["cost_to"].strip()
    return given["cost_in"] or (PPS if wanted else "")


def _sizes(page: Page) -> dict[str, str]:
    t = page.t
    return {
        "small": t("under 50,000 people"),
        "middle": t("50,000 to 250,000 people"),
        "large": t("250,000 to 1 million people"),
        "metropolis": t("over 1 million people"),
    }


def _one(value: str, known: Any) -> str:
    return value if value in known else ""
