"""`/practices/plan`: what a pilot of so many places and weeks could show, and who starts when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rynek.base.errors import BadRequestData, Problem
from rynek.base.messages import written_period
from rynek.practices import Plan, as_csv, as_ics, parse_plan, plan_panel, say
from rynek.web.pages.asking import (
    Field,
    blame,
    given,
    history_fields,
    places_field,
    split,
)
from rynek.web.pages.estimate import computed, panel_for
from rynek.web.pages.offered import Offered, offered
from rynek.web.pages.practice import figures
from rynek.web.pages.reasons import Said
from rynek.web.pages.shell import NotFound, Page, Site
from rynek.web.pages.worked import example, may_have

__all__ = ["routes"]


def _fields(page: Page, offer: Offered) -> list[Field]:
    t = page.t
    return [
        *history_fields(page, offer),
        Field("pilot", t("How many get it"), page.param("pilot"), kind="number", needed=True),
        Field(
            "periods", t("For how many periods"), page.param("periods"), kind="number", needed=True
        ),
        Field("steps", t("In how many groups"), page.param("steps", "1"), kind="number"),
        Field("step", t("Periods between groups"), page.param("step", "1"), kind="number"),
        Field("start", t("First day with it"), page.param("start"), kind="date"),
        Field("wanted", t("Effect to be found"), page.param("wanted")),
        Field(
            "seed", t("Number that the lot is drawn from"), page.param("seed", "1"), kind="number"
        ),
        places_field(page, offer, "places", t("Places in the lot (all without)")),
    ]


async def show(page: Page) -> Response:
    """The form, and the plan once it is filled in; with `format` its starts as a file."""
    if page.tenant is None:
        raise NotFound
    offer = await offered(page, page.param("type"))
    fields, names = _fields(page, offer), dict(offer.places)
    found, problem = None, Said("")
    if page.param("example"):
        address = await example(page, offer, plan=True)
        if address:
            return RedirectResponse(address, 303)
        problem = Said(page.t("The record of this city allows no example."))
    elif given(page, fields):
        try:
            found = await _planned(page, {each.name: each.value for each in fields})
            wanted = page.param("format")
            if wanted == "csv":
                return _file(as_csv(found.starts), "text/csv", "pilot.csv")
            if wanted == "ics":
                starts = [
                    replace(one, place=names.get(one.place, one.place)) for one in found.starts
                ]
                return _file(as_ics(starts, page.t("Pilot")), "text/calendar", "pilot.ics")
        except Problem as error:
            problem = blame(page, fields, error, names)
    return page.render(
        "practice_plan.html",
        nav="practices",
        fields=fields,
        told=_told(page, found, names) if found else None,
        problem=problem,
        several=len(offer.kinds) > 1,
        example=may_have(offer),
    )


def _file(text: str, kind: str, name: str) -> Response:
    return Response(
        text,
        media_type=f"{kind}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _planned(page: Page, told: Mapping[str, str]) -> Plan:
    panel = await panel_for(page, told, split(told["places"]))
    document: dict[str, Any] = {"panel": "", "outcome": told["attribute"], "unit": "place"}
    for name in ("pilot", "periods", "steps", "step", "seed"):
        text = page.param(name)
        if text:
            if not (text.isdecimal() and len(text) < 10):
                raise BadRequestData(say("no-whole", key=name, value=text[:20]))
            document[name] = int(text)
    if page.param("wanted"):
        try:
            document["wanted"] = float(page.param("wanted").replace(",", "."))
        except ValueError:
            raise BadRequestData(
                say("no-number", key="wanted", value=page.param("wanted")[:20])
            ) from None
    if page.param("start"):
        document["first"] = page.param("start")
    question = parse_plan(document)
    return await computed(lambda: plan_panel(question, panel))


def _told(page: Page, found: Plan, names: Mapping[str, str]) -> dict[str, Any]:
    """The plan in words; `names` are those of places by their ids."""
    t = page.t

    def size(value: float | None) -> str:
        return t("can’t be said") if value is None else figures(page, value)

    rows = [
        (
            str(one.pilot),
            str(one.compared),
            str(one.periods),
            size(one.analytic),
            size(one.simulated),
        )
        for one in dict.fromkeys((found.asked, *found.others))
    ]
    needed = ""
    if found.question.wanted is not None:
        needed = t("No length in reach of the record shows the wanted effect.")
        if found.needed is not None:
            needed = t("The wanted effect takes %(periods)s periods.", periods=found.needed.periods)
    if found.later:
        told = t(
            "These figures hold where the lot itself judges the effect. Periods between the first group"
            " and the last: %(later)s.",
            later=found.later,
        )
        needed = f"{needed} {told}".strip()
    return {
        "rows": rows,
        "sentence": _sentence(page, found),
        "needed": needed,
        "starts": _starts(page, found, names),
    }


def _sentence(page: Page, found: Plan) -> str:
    """What can be found, or why that cannot be said."""
    t, least = page.t, found.asked.simulated
    if least is not None:
        return t(
            "An effect of %(least)s or more would be found in four of five cases, a smaller one less"
            " often. Its mean so far is %(mean)s.",
            least=figures(page, least),
            mean=figures(page, found.level),
        )
    if found.later:
        return t(
            "The lot could fall in too few ways, or the past is too short, to say what could be found."
        )
    return t(
        "Too few places on one side, or too short a past, to say what could be found: at least four"
        " with it and four without are needed."
    )


def _starts(page: Page, found: Plan, names: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Each place of the plan, its group, and when it begins."""
    return [
        (
            names.get(one.place, one.place),
            str(one.group or "–"),
            written_period(one.period, page.language) if one.period else page.t("compared"),
        )
        for one in found.starts
    ]


def routes(site: Site) -> Sequence[Route]:
    """`…/practices/plan`."""
    return site.city("/practices/plan", show)
