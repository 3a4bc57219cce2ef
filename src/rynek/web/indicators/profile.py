"""`/c/<tenant>/indicators`: a city's profile, what can be taken of it, and its embedded form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from rynek.base.errors import Problem
from rynek.indicators import Definition, find_definition
from rynek.web.contract import said
from rynek.web.indicators import words
from rynek.web.indicators.computing import COMMON, Computing, types_of
from rynek.web.indicators.downloads import values_csv
from rynek.web.indicators.drawing import Line, figure
from rynek.web.indicators.explaining import explain
from rynek.web.indicators.gathering import Gathered, choose_period, computable, gather
from rynek.web.indicators.periods import fixed
from rynek.web.indicators.view import View, spots_of
from rynek.web.pages.shell import NotFound, Page, Site
from rynek.web.practices.movers import moved_cards

__all__ = ["later", "routes"]

_AGAIN_S: Final = 3
_MOVED: Final = 3

Handler = Callable[[Page, Computing], Awaitable[Response]]


def routes(site: Site, computing: Computing) -> list[Route]:
    """The routes; the more particular first."""
    table: list[tuple[str, Handler]] = [
        ("/indicators", _show),
        ("/indicators/values.csv", _csv),
        ("/indicators/profile.svg", _svg),
        ("/indicators/embed", _embed),
        ("/indicators/{id}", _explain),
    ]
    return [each for path, work in table for each in site.city(path, _answered(work, computing))]


def _answered(work: Handler, computing: Computing) -> Callable[[Page], Awaitable[Response]]:
    async def answer(page: Page) -> Response:
        if page.tenant is None:
            raise NotFound(page.t("There is no such city here."))
        try:
            return await work(page, computing)
        except Problem as problem:
            if problem.status >= 500:
                raise
            return page.problem(problem.status, problem.detail)

    return answer


def others(page: Page) -> dict[str, Any]:
    """The other cities that the client may read."""
    return {name: one for name, one in page.tenants.items() if name != page.tenant.name}


def names_of(page: Page) -> dict[str, str]:
    """What cities are called."""
    return {name: said(one.city.name, page.language) for name, one in page.tenants.items()}


async def gathered_for(
    page: Page, computing: Computing, wanted: list[Definition] | None = None
) -> Gathered | None:
    """The values for the period that is asked for, or a fitting one; None while they are computed."""
    asked = page.param("other").strip() or page.param("period").strip()
    if not asked:
        asked, found = await choose_period(computing, page.tenant)
        if found is None:
            return None
    gathered = await gather(computing, page.tenant, others(page), asked, wanted)
    if gathered.found.problem is not None:
        raise gathered.found.problem
    return gathered if gathered.found.complete else None


async def _show(page: Page, computing: Computing) -> Response:
    gathered = await gathered_for(page, computing)
    if gathered is None:
        return waiting(page, page.t("Indicators"))
    view = View(page.t, gathered, names_of(page))
    known = computing.known_types(page.tenant)
    period = gathered.period
    return page.render(
        "indicators.html",
        nav="compare",
        view=view,
        sections=view.sections(),
        counted=view.counted(),
        strong=view.named("strong"),
        weak=view.named("weak"),
        without=view.without_things([one for one in computable() if not types_of([one]) & known]),
        silent=view.without_things([one for one in computable() if types_of([one]) & known]),
        pending=gathered.pending,
        chosen=not (page.param("period") or page.param("other")),
        **period_form(page, gathered),
        query=urlencode({"period": fixed(period)}),
        here_path=f"{page.base}/indicators",
        public=f"{page.site.engine.public_url}{page.base.removeprefix(page.root)}/indicators",
        computed=_moment(page, gathered.found.at),
    )


def period_form(page: Page, gathered: Gathered) -> dict[str, Any]:
    """The period in words, what can be chosen, and what was."""
    t, period = page.t, gathered.period
    labels = [(one, t(words.NAMED[one])) for one in COMMON]
    known = period.label in COMMON
    span = f"{t.minute(period.start, period.zone)} – {t.minute(period.end, period.zone)}"
    return {
        "period_words": words.period_name(t, period),
        "span": span,
        "periods": labels,
        "period": period.label if known else "",
        "other": "" if known else period.label,
    }


def waiting(page: Page, title: str) -> Response:
    """The page that is shown while the first values are computed: with a link to look again, and
    where scripts run it looks by itself."""
    return page.render("indicators_wait.html", nav="compare", title=title)


async def _explain(page: Page, computing: Computing) -> Response:
    try:
        one = find_definition(page.request.path_params["id"])
    except Problem:
        raise NotFound(page.t("There is no such indicator.")) from None
    gathered = await gathered_for(page, computing, [one])
    if gathered is None:
        return waiting(page, one.name[page.language])
    moved, more = await moved_cards(page, one, _MOVED)
    return page.render(
        "indicator.html",
        nav="compare",
        **explain(page, one, gathered, names_of(page)),
        **period_form(page, gathered),
        moved=moved,
        own=names_of(page).get(page.tenant.name, ""),
        moved_more=more,
        query=urlencode({"period": fixed(gathered.period)}),
    )


async def _csv(page: Page, computing: Computing) -> Response:
    gathered = await gathered_for(page, computing)
    if gathered is None:
        return later(page)
    body = values_csv(page.tenant.name, gathered.found.values, page.language)
    return _file(page, body, "text/csv; charset=utf-8", "indicators.csv")


async def _svg(page: Page, computing: Computing) -> Response:
    """The whole profile as one picture."""
    gathered = await gathered_for(page, computing)
    if gathered is None:
        return later(page)
    view, t = View(page.t, gathered, names_of(page)), page.t
    lines = []
    for one in sorted(view.values, key=lambda v: words.theme_name(t, v.definition.theme)):
        about = one.definition
        change = view.change(one)
        told = [words.direction(t, about), t("coverage %(share)s", share=words.coverage(t, one))]
        told += [change.words] if change else []
        value = t("not enough data")
        if one.value is not None:
            value = words.figure(t, one.value, about.unit)
            value += f" ({words.interval(t, one)})" if one.interval else ""
        theme = words.theme_name(t, about.theme)
        spots = spots_of(t, gathered.steps, one)
        lines.append(Line(theme, about.name[t.language], value, " · ".join(told), spots))
    name = names_of(page).get(page.tenant.name, page.tenant.name)
    form = period_form(page, gathered)
    note = t("In brackets: the interval for what was not observed.") + " · rynek"
    title = f"{name}: {t('indicators')}"
    body = figure(title, f"{form['period_words']}: {form['span']}", lines, note)
    return _file(page, body, "image/svg+xml", "indicators.svg")


async def _embed(page: Page, computing: Computing) -> Response:
    """The values alone, for a frame in another site's page."""
    gathered = await gathered_for(page, computing)
    anywhere: dict[str, Sequence[str]] = {"frame-ancestors": ["*"]}
    title = names_of(page).get(page.tenant.name, page.tenant.name)
    if gathered is None:
        return page.render("indicators_embed_wait.html", allow=anywhere, title=title)
    view = View(page.t, gathered, names_of(page))
    return page.render(
        "indicators_embed.html",
        allow=anywhere,
        title=title,
        sections=view.sections(),
        **period_form(page, gathered),
        url=f"{page.base}/indicators",
    )


def later(page: Page) -> Response:
    """What a file is answered with whose values are still being computed."""
    told = {"Retry-After": str(_AGAIN_S), "Content-Language": page.language}
    text = page.t("The indicators are being computed: ask again in a few seconds.")
    return Response(text, 503, told, "text/plain; charset=utf-8")


def _file(page: Page, body: str, kind: str, name: str) -> Response:
    file = f"{page.tenant.name}-{name}"
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-._") else "_" for c in file)
    told = {"Content-Disposition": f'attachment; filename="{safe[-120:]}"'}
    return Response(body, media_type=kind, headers=told | {"Cache-Control": "private, no-cache"})


def _moment(page: Page, at: int | None) -> str:
    return "" if at is None else page.t.minute(at, page.zone)
