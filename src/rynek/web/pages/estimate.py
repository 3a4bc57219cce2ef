"""`/practices/estimate`: an effect computed from a city's own history, with every choice in sight.

The address holds the question, so that it can be passed on and asked again. What is computed is
bounded: places, periods, and one computation at a time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from rynek.base.errors import BadRequestData, Problem
from rynek.practices import (
    Panel,
    Question,
    evaluate_panel,
    panel_of_history,
    parse_specification,
)
from rynek.web.pages import practice_words as words
from rynek.web.pages.practice import effect_from
from rynek.web.pages.practice_words import N_
from rynek.web.pages.shell import NotFound, Page, Site

__all__ = ["Choice", "Field", "computed", "panel_for", "routes", "split"]

T = TypeVar("T")
MAX_PLACES: Final = 60
MAX_CELLS: Final = 40_000
_PATIENCE_S: Final = 30.0
_turn: Final = asyncio.Semaphore(1)
Choice = tuple[str, str]
AGGREGATIONS: Final = {
    "mean": N_("mean"),
    "sum": N_("sum"),
    "min": N_("smallest"),
    "max": N_("largest"),
    "count": N_("number"),
}
PERIODS: Final = {
    "hour": N_("hours"),
    "day": N_("days"),
    "week": N_("weeks"),
    "month": N_("months"),
}


class Field(msgspec.Struct):
    """One choice of a question: what it is called, what was chosen, and from what."""

    name: str
    label: str
    value: str
    choices: Sequence[Choice] = ()
    kind: str = "text"
    needed: bool = False


def split(text: str) -> list[str]:
    """Ids that stand apart by spaces or commas."""
    return [one for one in re.split(r"[\s,]+", text) if one]


def history_fields(page: Page) -> list[Field]:
    """What every question to history chooses."""
    t = page.t
    return [
        Field("type", t("Kind of thing"), page.param("type"), needed=True),
        Field("attribute", t("Attribute"), page.param("attribute"), needed=True),
        Field("first", t("First day"), page.param("first"), kind="date", needed=True),
        Field("last", t("Last day, not included"), page.param("last"), kind="date", needed=True),
        Field("every", t("Length of a period"), page.param("every", "day"), _all(page, PERIODS)),
        Field(
            "aggregation",
            t("Readings of a period as their"),
            page.param("aggregation", "mean"),
            _all(page, AGGREGATIONS),
        ),
    ]


def _all(page: Page, named: dict[str, str]) -> list[Choice]:
    return [(key, page.t(word)) for key, word in named.items()]


def _fields(page: Page) -> list[Field]:
    t = page.t
    designs = [("auto", t("the strongest that can be used")), *_all(page, words.DESIGNS)]
    scales = [("none", t("as measured")), ("log", t("in per cent (logarithm)"))]
    return [
        *history_fields(page),
        Field("treated", t("Places with the practice"), page.param("treated"), needed=True),
        Field("start", t("First day with it"), page.param("start"), kind="date", needed=True),
        Field("donors", t("Places to compare with (all without)"), page.param("donors")),
        Field("exclude", t("Places left out"), page.param("exclude")),
        Field("design", t("Design"), page.param("design", "auto"), designs),
        Field("transform", t("Scale"), page.param("transform", "none"), scales),
    ]


async def panel_for(page: Page, places: Sequence[str]) -> Panel:
    """The panel that the address asks of the city's history. BadRequestData."""
    document = {
        "entity_type": page.param("type"),
        "attribute": page.param("attribute"),
        "first": page.param("first"),
        "last": page.param("last"),
        "every": page.param("every", "day"),
        "aggregation": page.param("aggregation", "mean"),
        "places": list(places) or None,
    }
    try:
        question = msgspec.convert(document, Question)
    except msgspec.ValidationError as error:
        raise BadRequestData(str(error)) from None
    if len(places) > MAX_PLACES:
        raise BadRequestData(f"{len(places)} places are too many here: at most {MAX_PLACES}")
    panel = await panel_of_history(page.tenant.history, question)
    cells = len(panel.units) * len(panel.times)
    if len(panel.units) > MAX_PLACES or cells > MAX_CELLS:
        raise BadRequestData(
            f"{len(panel.units)} places × {len(panel.times)} periods are too many here: at most"
            f" {MAX_PLACES} places and {MAX_CELLS:,} values (longer periods, or fewer places);"
            " rynek practice evaluate takes more"
        )
    return panel


async def computed(work: Callable[[], T]) -> T:
    """`work` in a thread, one at a time. BadRequestData where too many wait."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await _turn.acquire()
    except TimeoutError:
        raise BadRequestData("too many estimates are being computed: come back later") from None
    try:
        return await asyncio.to_thread(work)
    finally:
        _turn.release()


async def show(page: Page) -> Response:
    """The form, and the answer once it is filled in."""
    if page.tenant is None:
        raise NotFound
    fields = _fields(page)
    effect, problem = None, ""
    if all(each.value for each in fields if each.needed):
        try:
            effect = await _answer(page)
        except Problem as found:
            problem = found.detail or found.title
    return page.render(
        "practice_estimate.html",
        nav="practices",
        fields=fields,
        each=effect,
        problem=problem,
        asked=any(page.param(each.name) for each in fields),
    )


async def _answer(page: Page) -> Any:
    treated, donors = split(page.param("treated")), split(page.param("donors"))
    panel = await panel_for(page, [*treated, *donors] if donors else [])
    document = {
        "panel": "",
        "outcome": page.param("attribute"),
        "unit": "place",
        "treated": treated,
        "start": page.param("start"),
        "donors": donors or None,
        "exclude": split(page.param("exclude")),
        "design": page.param("design", "auto"),
        "transform": page.param("transform", "none"),
    }
    spec = parse_specification({key: value for key, value in document.items() if value is not None})
    found = await computed(lambda: evaluate_panel(spec, panel).document())
    made = page.t("Computed just now from the history of this city.")
    return effect_from(page, "effect", page.t("The answer"), "", found, made)


def routes(site: Site) -> Sequence[Route]:
    """`…/practices/estimate`."""
    return site.city("/practices/estimate", show)
