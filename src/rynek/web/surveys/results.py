"""`/surveys`: the results that everybody may see."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from rynek.base.errors import ResourceNotFound
from rynek.indicators import Survey, Wave, results
from rynek.web.contract import said
from rynek.web.pages.shell import NotFound, Page, Site
from rynek.web.surveys.view import moment

__all__ = ["results_routes"]

_SHORT: Final = 5
"""A list of choices with more is cut to the most frequent at the top of the page."""


def results_routes(site: Site) -> list[Route]:
    """The list of public results, and each of them."""
    kept: dict[str, tuple[Any, dict[str, Any]]] = {}

    async def one(page: Page) -> Response:
        page.tenant = None
        return await asyncio.to_thread(_show, page, kept)

    return [site.plain("/surveys", _list), site.plain("/surveys/{wave}", one)]


async def _list(page: Page) -> Response:
    page.tenant = None
    surveys: Any = page.site.engine.surveys  # type: ignore[attr-defined]
    cards = []
    for wave in await asyncio.to_thread(surveys.waves):
        if wave.results == "public":
            survey, _ = await asyncio.to_thread(surveys.survey, wave.survey, wave.version)
            cards.append(
                {
                    "url": f"{page.root}/surveys/{wave.id}",
                    "title": said(survey.title, page.language),
                    "example": wave.example,
                    "over": surveys.now() > wave.deadline,
                    "until": moment(page.t, wave.deadline, wave.zone),
                }
            )
    may = getattr(page.request.state, "writable", None)
    writes = bool(may and any(may(name) for name in page.tenants))
    return page.render("surveys.html", nav="compare", cards=cards, writes=writes)


def _show(page: Page, kept: dict[str, tuple[Any, dict[str, Any]]]) -> Response:
    surveys: Any = page.site.engine.surveys  # type: ignore[attr-defined]
    try:
        wave: Wave = surveys.wave(page.request.path_params["wave"])
    except ResourceNotFound:
        wave = None  # type: ignore[assignment]
    if wave is None or wave.results != "public":
        raise NotFound(page.t("There are no public results of such a survey here."))
    survey, _ = surveys.survey(wave.survey, wave.version)
    stamp = (wave.version, surveys.changed(wave.id))
    known = kept.get(wave.id)
    if known is None or known[0] != stamp:
        if len(kept) > 20:
            kept.clear()
        known = (stamp, results(survey, list(surveys.responses(wave.id)), public=True))
        kept[wave.id] = known
    found = known[1]
    t = page.t
    return page.render(
        "survey_results.html",
        nav="compare",
        title=said(survey.title, page.language),
        wave=wave,
        found=found,
        glance=_glance(survey, found),
        until=moment(t, wave.deadline, wave.zone),
        over=surveys.now() > wave.deadline,
        share=lambda value: "" if value is None else t.percent(round(value, 2)),
        number=lambda value: "" if value is None else t.number(value, 2),
        words=lambda text: said(text, page.language),
    )


def _glance(survey: Survey, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each page the first question with choices that everybody was asked; not of the first page
    of several, which asks who answers."""
    known = {question["name"]: question for question in found["questions"]}
    panels: dict[str, dict[str, Any]] = {}
    for element, around in survey.walk():
        question = known.get(element.name, {})
        if not around or around[0].name in panels or not question.get("n"):
            continue
        if element.kind not in ("one", "many") or survey.repeat_of[element.name]:
            continue
        if any(each.relevant for each in (element, *around)):
            continue
        choices, cut = question["choices"], len(question["choices"]) > _SHORT
        if cut:
            shown = [each for each in choices if each["count"] is not None]
            choices = sorted(shown, key=lambda each: -each["weighted"])[:_SHORT]
        panels[around[0].name] = {
            "heading": around[0].label,
            "label": question["label"],
            "choices": choices,
            "cut": cut,
        }
    first = survey.elements[0].name
    return [panel for name, panel in panels.items() if name != first or len(panels) == 1]
