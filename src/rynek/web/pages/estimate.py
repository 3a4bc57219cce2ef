"""`/practices/estimate`: an effect computed from a city's own history, with every choice in sight.

The address holds the question, so that it can be passed on and asked again. What is computed is
bounded: places, periods, and one computation at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rynek.base.errors import BadRequestData, Problem
from rynek.base.typed import convert
from rynek.practices import (
    Bounds,
    Panel,
    Question,
    evaluate_panel,
    panel_of_history,
    parse_specification,
    say,
    shape_message,
)
from rynek.web.pages import practice_words as words
from rynek.web.pages.asking import (
    Field,
    blame,
    given,
    history_fields,
    named,
    places_field,
    split,
)
from rynek.web.pages.offered import Offered, offered
from rynek.web.pages.practice import effect_from
from rynek.web.pages.practice_words import N_
from rynek.web.pages.reasons import Said
from rynek.web.pages.shell import NotFound, Page, Site
from rynek.web.pages.worked import example, may_have

__all__ = ["computed", "panel_for", "routes"]

T = TypeVar("T")
_BOUNDS: Final = Bounds(places=60, values=40_000)
_PATIENCE_S: Final = 30.0
_turn: Final = asyncio.Semaphore(1)
ASSIGNMENTS: Final = {
    "chosen": N_("somebody chose it"),
    "as_if_random": N_("as good as by chance"),
    "randomised": N_("by lot"),
}


def _fields(page: Page, offer: Offered) -> list[Field]:
    t = page.t
    designs = [("auto", t("the strongest that can be used")), *named(page, words.DESIGNS)]
    scales = [("none", t("as measured")), ("log", t("in per cent (logarithm)"))]
    return [
        *history_fields(page, offer),
        Field("start", t("First day with it"), page.param("start"), kind="date", needed=True),
        Field("design", t("Design"), page.param("design", "auto"), designs),
        Field("transform", t("Scale"), page.param("transform", "none"), scales),
        places_field(page, offer, "treated", t("Places with the practice"), needed=True),
        places_field(page, offer, "donors", t("Places to compare with (all without)")),
        places_field(page, offer, "exclude", t("Places left out")),
        *_more(page),
    ]


def _more(page: Page) -> list[Field]:
    """The choices that few need."""
    t = page.t
    dates = {
        "fit_first": t("Compared before the start from"),
        "fit_last": t("Compared before the start to"),
        "effect_first": t("Effect counted from"),
        "effect_last": t("Effect counted to"),
        "event_date": t("Something else happened on"),
    }
    found = [
        Field(name, label, page.param(name), kind="date", more=True)
        for name, label in dates.items()
    ]
    level = [("", t("as the design has it")), ("true", t("yes")), ("false", t("no"))]
    return [
        *found,
        Field("event", t("What else happened"), page.param("event"), more=True),
        Field(
            "assignment",
            t("How places came to it"),
            page.param("assignment", "chosen"),
            named(page, ASSIGNMENTS),
            more=True,
        ),
        Field(
            "intercept",
            t("The comparison may lie above or below by a constant"),
            page.param("intercept"),
            level,
            more=True,
        ),
    ]


async def panel_for(page: Page, told: Mapping[str, str], places: Sequence[str]) -> Panel:
    """The panel that the values of a form's fields ask of the city's history. BadRequestData."""
    names = ("attribute", "first", "last", "every", "aggregation")
    document = {name: told[name] for name in names} | {
        "entity_type": told["type"],
        "places": list(places) or None,
    }
    try:
        question = convert(document, Question)
    except msgspec.ValidationError as error:
        raise BadRequestData(shape_message(error, Question, "panel")) from None
    if len(places) > _BOUNDS.places:
        raise BadRequestData(say("page-places", places=len(places), most=_BOUNDS.places))
    panel = await panel_of_history(page.tenant.history, question)
    _BOUNDS.check(panel)
    return panel


async def computed(work: Callable[[], T]) -> T:
    """`work` in a thread, one at a time. BadRequestData where too many wait."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await _turn.acquire()
    except TimeoutError:
        raise BadRequestData(say("page-busy")) from None
    # Who goes away meanwhile ends no thread: the turn is over when the computation is.
    running = asyncio.ensure_future(asyncio.to_thread(work))
    running.add_done_callback(_over)
    return await asyncio.shield(running)


def _over(running: asyncio.Future[Any]) -> None:
    _turn.release()
    if not running.cancelled():
        running.exception()  # asked for, so that nobody's is not logged as lost


async def show(page: Page) -> Response:
    """The form, and the answer once it is filled in."""
    if page.tenant is None:
        raise NotFound
    offer = await offered(page, page.param("type"))
    fields = _fields(page, offer)
    effect, problem = None, Said("")
    if page.param("example"):
        address = await example(page, offer, plan=False)
        if address:
            return RedirectResponse(address, 303)
        problem = Said(page.t("The record of this city allows no example."))
    elif given(page, fields):
        try:
            effect = await _answer(page, {each.name: each.value for each in fields}, offer)
        except Problem as found:
            problem = blame(page, fields, found, dict(offer.places))
    return page.render(
        "practice_estimate.html",
        nav="practices",
        fields=fields,
        each=effect,
        problem=problem,
        several=len(offer.kinds) > 1,
        example=may_have(offer),
    )


def _specified(told: Mapping[str, str]) -> dict[str, Any]:
    """The form as a specification. BadRequestData."""
    document: dict[str, Any] = {
        "panel": "",
        "outcome": told["attribute"],
        "unit": "place",
        "treated": split(told["treated"]),
        "start": told["start"],
        "exclude": split(told["exclude"]),
    }
    document |= {name: told[name] for name in ("design", "transform", "assignment")}
    if told["donors"]:
        document["donors"] = split(told["donors"])
    if told["intercept"]:
        document["intercept"] = told["intercept"] == "true"
    for name, short in (("fit_window", "fit"), ("effect_periods", "effect")):
        ends = [told[f"{short}_first"], told[f"{short}_last"]]
        if any(ends):
            if not all(ends):
                raise BadRequestData(say("window-half", key=name))
            document[name] = ends
    if told["event"] or told["event_date"]:
        if not told["event_date"]:
            raise BadRequestData(say("event-day"))
        document["events"] = [{"name": told["event"] or "event", "date": told["event_date"]}]
    return document


def _label(offer: Offered, attribute: str) -> str:
    """What an attribute is called in the page's language; nothing where the city has none."""
    return dict(offer.attributes.get(offer.kind, ())).get(attribute, "")


async def _answer(page: Page, told: Mapping[str, str], offer: Offered) -> Any:
    document = _specified(told) | {"title": _label(offer, told["attribute"])}
    donors = document.get("donors")
    panel = await panel_for(page, told, [*document["treated"], *donors] if donors else [])
    spec = parse_specification(document)
    found = await computed(lambda: evaluate_panel(spec, panel).document())
    made = page.t("Computed just now from the history of this city.")
    return effect_from(page, "effect", page.t("The answer"), "", found, made, dict(offer.places))


def routes(site: Site) -> Sequence[Route]:
    """`…/practices/estimate`."""
    return site.city("/practices/estimate", show)
