"""`/surveys`: the results that everybody may see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from starlette.responses import Response
from starlette.routing import Route

from rynek.base.errors import ResourceNotFound
from rynek.indicators import Survey, Surveys, Wave
from rynek.web.contract import said
from rynek.web.pages.shell import NotFound, Page, Site
from rynek.web.surveys.public import PublicResults, results_csv, wave_document
from rynek.web.surveys.view import until

__all__ = ["results_routes"]

_SHORT: Final = 5
"""A list of choices with more is cut to the most frequent at the top of the page."""


def results_routes(site: Site, public: PublicResults) -> list[Route]:
    """The list of public results, each of them, what can be taken of it, and its embedded form."""
    shown: dict[str, _Show] = {
        "": _page,
        "/embed": _embed,
        "/results.csv": _csv,
        "/results.json": _json,
    }
    return [
        site.plain("/surveys", _list),
        *(
            site.plain("/surveys/{wave}" + path, partial(_in_thread, public, show))
            for path, show in shown.items()
        ),
    ]


class _Asked(NamedTuple):
    """A request for the results of a public wave."""

    page: Page
    wave: Wave
    survey: Survey
    found: dict[str, Any]

    @property
    def over(self) -> bool:
        """Whether the deadline has passed."""
        return bool(_store(self.page).now() > self.wave.deadline)


_Show = Callable[[_Asked], Response]


def _store(page: Page) -> Surveys:
    found: Surveys = page.site.engine.surveys  # type: ignore[attr-defined]
    return found


async def _in_thread(public: PublicResults, show: _Show, page: Page) -> Response:
    page.tenant = None
    return await asyncio.to_thread(_answered, public, show, page)


def _answered(public: PublicResults, show: _Show, page: Page) -> Response:
    try:
        wave = public.wave(_store(page), page.request.path_params["wave"])
    except ResourceNotFound:
        raise NotFound(page.t("There are no public results of such a survey here.")) from None
    return show(_Asked(page, wave, *public.of(_store(page), wave)))


async def _list(page: Page) -> Response:
    page.tenant = None
    surveys = _store(page)
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
                    "until": until(page.t, wave),
                }
            )
    may = getattr(page.request.state, "writable", None)
    writes = bool(may and any(may(name) for name in page.tenants))
    return page.render("surveys.html", nav="compare", cards=cards, writes=writes)


def _page(asked: _Asked) -> Response:
    here = f"/surveys/{asked.wave.id}"
    return asked.page.render(
        "survey_results.html",
        nav="compare",
        wave=asked.wave,
        here_path=asked.page.root + here,
        public=asked.page.site.engine.public_url + here,
        **_told(asked),
    )


def _embed(asked: _Asked) -> Response:
    """The answers at a glance, for a frame in another site's page."""
    return asked.page.render(
        "survey_embed.html",
        allow={"frame-ancestors": ["*"]},
        wave=asked.wave,
        url=f"{asked.page.root}/surveys/{asked.wave.id}",
        **_told(asked),
    )


def _told(asked: _Asked) -> dict[str, Any]:
    page, wave, survey, found = asked
    t = page.t
    return {
        "title": said(survey.title, page.language),
        "found": found,
        "glance": _glance(survey, found),
        "until": until(t, wave),
        "over": asked.over,
        "share": lambda value: "" if value is None else t.percent(round(value, 2)),
        "number": lambda value: "" if value is None else t.number(value, 2),
        "words": lambda text: said(text, page.language),
    }


def _csv(asked: _Asked) -> Response:
    return _file(
        asked, "csv", "text/csv; charset=utf-8", results_csv(asked.found, asked.page.language)
    )


def _json(asked: _Asked) -> Response:
    told = {"wave": wave_document(_store(asked.page), asked.wave)} | asked.found
    return _file(asked, "json", "application/json", json.dumps(told, ensure_ascii=False))


def _file(asked: _Asked, ending: str, media: str, body: str) -> Response:
    told = {
        "Content-Disposition": f'attachment; filename="{asked.wave.id}-results.{ending}"',
        "Cache-Control": "private, no-cache",
    }
    return Response(body, media_type=media, headers=told)


def _glance(survey: Survey, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each page the first question with choices that everybody was asked; not of the first page
    of several, which asks who answers."""
    known = {question["name"]: question for question in found["questions"]}
    panels: dict[str, dict[str, Any]] = {}
    for element, around in survey.walk():
        question = known.get(element.name, {})
        if not around or around[0].name in panels or not question.get("n", 0):
            continue
        if "choices" not in question or survey.repeat_of[element.name] or element.kind == "tick":
            continue
        if any(each.relevant for each in (element, *around)):
            continue
        choices, cut = question["choices"], len(question["choices"]) > _SHORT
        if cut:
            shown = [each for each in choices if each["weighted"] is not None]
            choices = sorted(shown, key=lambda each: -each["weighted"])[:_SHORT]
        panels[around[0].name] = {
            "heading": around[0].label,
            "label": question["label"],
            "choices": choices,
            "cut": cut,
        }
    first = survey.elements[0].name
    return [panel for name, panel in panels.items() if name != first or len(panels) == 1]
