"""The pages that a link opens: answer a page at a time, save, go on later, send. No scripts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rynek.base.clock import to_iso
from rynek.base.errors import BadRequestData, Conflict, PayloadTooLarge, ResourceNotFound
from rynek.indicators import Answers, Element, Opened, State, read_answers
from rynek.web.api.receiving import Bodies
from rynek.web.contract import said
from rynek.web.pages.shell import Page, Site
from rynek.web.surveys.view import View, moment, until

__all__ = ["answer_routes"]

_MAX_FORM: Final = 2 << 20
_MAX_FIELDS: Final = 20_000
_Fields = dict[str, list[str]]


def answer_routes(site: Site, bodies: Bodies) -> list[Route]:
    """`/survey/<token>`, to see and to send."""
    return [
        Route("/survey/{token}", _endpoint(site, _show), methods=["GET"]),
        Route("/survey/{token}", _endpoint(site, _sent(bodies)), methods=["POST"]),
    ]


def _endpoint(
    site: Site, work: Callable[[Page], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        page = Page(site, request)
        try:
            answer = await work(page)
        except ResourceNotFound:
            answer = page.problem(
                404,
                page.t("This link is not known here, or another one took its place. Ask those who sent it for a new one."),
            )  # fmt: skip
        # The address is the key to the answers: it is kept nowhere and told to nobody.
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Robots-Tag"] = "noindex, nofollow"
        return answer

    return endpoint


def _store(page: Page) -> Any:
    return page.site.engine.surveys  # type: ignore[attr-defined]


def _token(page: Page) -> str:
    return str(page.request.path_params["token"])


def _state(page: Page, opened: Opened, answers: Answers) -> State:
    return State(opened.survey, answers, to_iso(_store(page).now())[:10], opened.measured)


def _place(page: Page, opened: Opened) -> str:
    """The time zone of a respondent that is a city here; "" for others."""
    tenant = page.site.engine.tenants.get(opened.response.respondent.id)
    return "" if tenant is None else str(tenant.city.zone)


def _address(page: Page, **query: str) -> str:
    path = f"{page.root}/survey/{quote(_token(page))}"
    return path + ("?" + urlencode(query) if query else "")


async def _show(page: Page) -> Response:
    """The page asked for; without one, where the respondent stopped."""
    opened: Opened = await asyncio.to_thread(_store(page).open, _token(page))
    state = _state(page, opened, opened.response.answers)
    if opened.response.submitted is not None or _store(page).now() > opened.wave.deadline:
        return _closed(page, opened, state)
    return _form(page, opened, state, page.param("at"), told=page.param("told"))


def _sent(bodies: Bodies) -> Callable[[Page], Awaitable[Response]]:
    async def work(page: Page) -> Response:
        headers = {name.lower(): value for name, value in page.request.headers.items()}
        body = await bodies.read(page.request.receive, headers)
        opened: Opened = await asyncio.to_thread(_store(page).open, _token(page))
        fields = _fields(body)
        at, action = _first(fields, "at"), _first(fields, "action")
        answers = dict(opened.response.answers)
        section = next((each for each in opened.survey.elements if each.name == at), None)
        if section is not None:
            answers |= read_answers(opened.survey, fields, section)
            _change_entries(opened, section, answers, action)
        try:
            return await _kept(page, opened, section, answers, action, _revision(fields))
        except Conflict as problem:
            return _refused(page, opened, problem, answers, at)

    return work


async def _kept(
    page: Page,
    opened: Opened,
    section: Element | None,
    answers: Answers,
    action: str,
    revision: int,
) -> Response:
    """Keep what was sent, and go where the respondent wants."""
    state = _state(page, opened, answers)
    submit = action == "submit" and not state.faults()
    await asyncio.to_thread(
        _store(page).save,
        _token(page),
        answers,
        revision=revision,
        language=page.language,
        submit=submit,
    )
    if action == "submit" or section is None:
        return RedirectResponse(_address(page, **({} if submit else {"at": ""})), 303)
    if action == "next":
        if state.faults(section):
            again = await asyncio.to_thread(_store(page).open, _token(page))
            return _form(page, again, state, section.name, checked=True)
        before = _state(page, opened, opened.response.answers)
        if _appeared(before, state, section):
            return RedirectResponse(_address(page, at=section.name, told="more"), 303)
    return RedirectResponse(_address(page, **_following(state, section, action)), 303)


def _following(state: State, section: Element, action: str) -> dict[str, str]:
    pages = [each.name for each in state.survey.elements if state.shown(each.name)]
    here = pages.index(section.name) if section.name in pages else 0
    if action == "next":
        return {"at": pages[here + 1] if here + 1 < len(pages) else "-"}
    if action == "back":
        return {"at": pages[max(0, here - 1)]}
    return {"at": section.name} | ({"told": "saved"} if action == "save" else {})


def _appeared(before: State, after: State, section: Element) -> bool:
    """Whether answers on a page brought questions onto it that were not there and are open."""
    survey = after.survey
    return any(
        after.shown(element.name, index)
        and not before.shown(element.name, index)
        and element.kind not in ("note", "section", "repeat", "calculation")
        and not after.raw(element.name, index)
        for element, around in survey.walk()
        if section in around
        for index in range(after.entries(survey.repeat_of[element.name]))
    )


def _change_entries(opened: Opened, section: Element, answers: Answers, action: str) -> None:
    """Add an entry to a repeat of the section (`add:name`) or take one away (`drop:name:n`)."""
    verb, _, rest = action.partition(":")
    name, _, number = rest.partition(":")
    place = opened.survey.places.get(name)
    known = place is not None and place[0].kind == "repeat" and section in place[1]
    if verb not in ("add", "drop") or not known:
        return
    entries = list(answers.get(name) or ())
    if verb == "add":
        entries.append({})
    elif number.isascii() and number.isdecimal() and int(number[:4]) < len(entries):
        del entries[int(number[:4])]
    answers[name] = entries[:50]


def _fields(body: bytes) -> _Fields:
    if len(body) > _MAX_FORM:
        raise PayloadTooLarge(f"a page has at most {_MAX_FORM >> 20} MiB")
    try:
        return parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except (ValueError, UnicodeDecodeError):
        raise BadRequestData("this is no form of rynek") from None


def _first(fields: _Fields, name: str) -> str:
    return (fields.get(name) or [""])[0][:200]


def _revision(fields: _Fields) -> int:
    text = _first(fields, "revision")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else -1


def _refused(page: Page, opened: Opened, problem: Conflict, answers: Answers, at: str) -> Response:
    """After the deadline, sent already, or saved by another window: said, with nothing lost."""
    if problem.extra.get("reason") != "revision":
        shown = _state(page, opened, opened.response.answers)
        return _closed(page, opened, shown, late=True, status=409)
    return _form(page, opened, _state(page, opened, answers), at, told="other", status=409)


def _form(
    page: Page,
    opened: Opened,
    state: State,
    at: str,
    *,
    told: str = "",
    checked: bool = False,
    status: int = 200,
) -> Response:
    """A section as a form, or at the end what is still open and the button that sends."""
    faults = state.faults()
    names = [each.name for each in opened.survey.elements if state.shown(each.name)]
    if at not in (*names, "-"):
        open_pages = [opened.survey.places[fault.name][1][0].name for fault in faults]
        at = (open_pages[0] if open_pages else "-") if opened.response.revision else names[0]
    section = opened.survey.places[at][0] if at != "-" else None
    seen = [each for each in faults if section in opened.survey.places[each.name][1]]
    view = View(state, page.t, (seen if checked else []) if section else faults)
    return page.render(
        "survey_answer.html",
        status=422 if checked else status,
        title=said(opened.survey.title, page.language),
        opened=opened,
        fields=view.fields(section) if section else [],
        heading=view.title(section) if section else page.t("Check and send"),
        at=at,
        number=names.index(at) + 1 if section else len(names) + 1,
        pages=[(each.name, view.title(each)) for each in view.pages()],
        problems=view.problems((seen if checked else []) if section else faults),
        answered=[] if section else view.answered(),
        told=told,
        until=until(page.t, opened.wave, _place(page, opened)),
        address=_address,
    )


def _closed(
    page: Page, opened: Opened, state: State, *, late: bool = False, status: int = 200
) -> Response:
    """What stands here once answers were sent, or the deadline has passed."""
    response = opened.response
    return page.render(
        "survey_closed.html",
        status=status,
        title=said(opened.survey.title, page.language),
        opened=opened,
        late=late,
        sent=moment(page.t, response.submitted, opened.wave, _place(page, opened))
        if response.submitted
        else "",
        until=until(page.t, opened.wave, _place(page, opened)),
        answered=View(state, page.t, []).answered(),
    )
