"""The form by which a card is written and changed; works without scripts.

The main texts are fields, in the language of the page; the rest of the card is one field in TOML.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import unicodedata
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast
from urllib.parse import parse_qsl

import tomli_w
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rynek.base.errors import BadRequestData, Conflict, Forbidden, PayloadTooLarge, Problem
from rynek.base.toml import load_toml
from rynek.practices import say, toml_message
from rynek.practices.cards import (
    CLUSTERS,
    DOORS,
    MAX_BYTES,
    STATUSES,
    VERDICTS,
    Seen,
    parse_card,
    to_document,
)
from rynek.web.api.receiving import Bodies
from rynek.web.contract import said
from rynek.web.indicator_names import indicator_choices
from rynek.web.pages import practice_words as words
from rynek.web.pages.shell import Page, Site
from rynek.web.practices.api import names_of_owner

__all__ = ["routes"]

_TEXTS: Final = ("title", "summary", "problem", "done", "limits", "to_know")
_PLAIN: Final = ("theme", "cluster", "status")
_MAX_FIELDS: Final = 1_000
_TICKED: Final = "indicators"
_OF: Final = _TICKED + "."
_Fields = dict[str, str]


def routes(engine: Any, bodies: Bodies) -> list[Route]:
    """`…/practices/new` and `…/practices/<id>/edit`, to see and to send."""
    site = Site(engine)
    made = []
    for prefix in ("/c/{tenant}", ""):
        for path in ("/practices/new", "/practices/{card}/edit"):
            made += [
                Route(prefix + path, _endpoint(site, _show), methods=["GET"]),
                Route(prefix + path, _endpoint(site, _sent(bodies)), methods=["POST"]),
            ]
    return made


def _endpoint(
    site: Site, work: Callable[[Page], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        page = Page(site, request)
        page.tenant = site.engine.tenant(
            request.path_params.get("tenant", site.engine.default_tenant)
        )
        return await work(page)

    return endpoint


async def _show(page: Page) -> Response:
    """The form: empty, or with the newest version."""
    seen = await _current(page)
    return _form(page, seen, _filled(page, seen) if seen else _empty(page))


def _sent(bodies: Bodies) -> Callable[[Page], Awaitable[Response]]:
    async def work(page: Page) -> Response:
        headers = {name.lower(): value for name, value in page.request.headers.items()}
        body = await bodies.read(page.request.receive, headers)
        seen = await _current(page)
        fields = _fields(body)
        try:
            card_id = await _keep(page, seen, fields)
        except Conflict as problem:
            told = page.t(
                "Somebody changed this card in the meantime: the newest version is"
                " %(version)s. What you wrote is below; compare it with the card and send it again.",
                version=problem.extra.get("current", ""),
            )
            fields["version"] = str(problem.extra.get("current", ""))
            return _form(page, seen, fields, told, status=409)
        except Problem as problem:
            told = problem.message.text(page.language) if problem.message else problem.detail
            return _form(page, seen, fields, told, status=problem.status)
        return RedirectResponse(f"{page.base or page.root}/practices/{card_id}", 303)

    return work


async def _current(page: Page) -> Seen | None:
    """The card that is changed, as who may write it sees it; None for a new one."""
    card_id = page.request.path_params.get("card")
    if card_id is None:
        return None
    cards = page.site.engine.cards  # type: ignore[attr-defined]
    seen: Seen = await asyncio.to_thread(cards.get, card_id, page.viewer)
    if not page.viewer.edits(seen.owner):
        raise Forbidden(say("card-others"))
    return seen


def _fields(body: bytes) -> _Fields:
    """A sent form. PayloadTooLarge; BadRequestData where it is none."""
    if len(body) > 4 * MAX_BYTES:
        raise PayloadTooLarge(say("card-bytes", most=MAX_BYTES >> 10))
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except (ValueError, UnicodeDecodeError):
        raise BadRequestData(say("card-form")) from None
    fields: _Fields = {}
    for name, value in pairs:
        plain = value.replace("\r\n", "\n")
        # Boxes of one name are ticked together.
        several = name.startswith(_TICKED) and name in fields
        fields[name] = f"{fields[name]} {plain}" if several else plain
    return fields


async def _keep(page: Page, seen: Seen | None, fields: _Fields) -> str:
    """Keep what was sent: the card's id."""
    engine: Any = page.site.engine
    card = parse_card(_document(page, fields))
    door: Any = fields.get("door", "owner")
    told = {"who": page.request.state.who, "note": fields.get("note", "").strip()}
    if seen is not None:
        kept = await asyncio.to_thread(
            engine.cards.change,
            seen.id,
            card,
            version=_number(fields.get("version", "")),
            door=door,
            aliases=names_of_owner(engine, seen.owner),
            **told,
        )
        return str(kept.id)
    owner = fields.get("owner", "")
    if not page.viewer.edits(owner) or (owner and owner not in engine.tenants):
        raise BadRequestData(say("card-owner"))
    kept = await asyncio.to_thread(
        engine.cards.add,
        fields.get("id", "").strip() or _proposed(card.title, hidden=not card.city_shown),
        card,
        owner=owner,
        door=door,
        aliases=names_of_owner(engine, owner),
        **told,
    )
    return str(kept.id)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise BadRequestData(say("card-version"))
    return int(text)


def _proposed(title: Any, *, hidden: bool) -> str:
    """An id from the title; by chance where the city is not to be told."""
    plain = unicodedata.normalize("NFKD", said(title, "en")).encode("ascii", "ignore").decode()
    slug = "-".join(re.findall(r"[a-z0-9]+", plain.lower()))[:60].strip("-")
    chance = secrets.token_hex(4)
    return f"practice-{chance}" if hidden or len(slug) < 3 else f"{slug}-{chance[:4]}"


def _document(page: Page, fields: _Fields) -> dict[str, Any]:
    """The card's document: the field in TOML, with the other fields on top."""
    try:
        document = load_toml(fields.get("rest", ""))
    except ValueError as error:
        raise BadRequestData(say("shape-at", path="rest", what=toml_message(error))) from None
    language = _language(page, fields)
    for name in _TEXTS:
        document[name] = _merged(document.get(name), language, fields.get(name, ""))
        if not document[name] and name not in ("title", "summary"):
            del document[name]
    for name in _PLAIN:
        document[name] = fields.get(name, "")
    verdict = document.get("verdict")
    before = verdict.get("reason") if isinstance(verdict, dict) else None
    document["verdict"] = {
        "outcome": fields.get("verdict", ""),
        "reason": _merged(before, language, fields.get("reason", "")),
    }
    _put_indicators(document, fields)
    document["city_shown"] = fields.get("city_hidden") != "yes"
    _put_city(document, language, fields)
    return document


def _put_indicators(document: dict[str, Any], fields: _Fields) -> None:
    """The indicators that were ticked: of the card, and of questions that the form showed."""
    document.pop(_TICKED, None)
    if chosen := fields.get(_TICKED, "").split():
        document[_TICKED] = chosen
    questions = document.get("questions")
    for question in questions if isinstance(questions, list) else ():
        if not isinstance(question, dict) or f"shown.{question.get('key')}" not in fields:
            continue
        question.pop(_TICKED, None)
        if chosen := fields.get(_OF + str(question["key"]), "").split():
            question[_TICKED] = chosen


def _put_city(document: dict[str, Any], language: str, fields: _Fields) -> None:
    city = document.get("city")
    known = city if isinstance(city, dict) else {}
    name = _merged(known.get("name"), language, fields.get("city", ""))
    country = fields.get("country", "").strip().upper()
    if not name and not country:
        document.pop("city", None)
        return
    document["city"] = {"name": name, "country": country}
    people = re.sub(r"[\s.,]", "", fields.get("population", ""))
    if people:
        if not (people.isascii() and people.isdecimal() and len(people) < 12):
            raise BadRequestData(say("card-population"))
        document["city"]["population"] = int(people)


def _merged(before: Any, language: str, text: str) -> Any:
    """A text with its words in one language replaced; what is no text stays, to be refused."""
    if before is not None and not isinstance(before, dict):
        return before
    found = dict(before or {})
    found.pop(language, None)
    return found | ({language: text.strip()} if text.strip() else {})


def _language(page: Page, fields: _Fields) -> str:
    """The language that the form was shown in; it may have been changed since."""
    sent = fields.get("language", "")
    return sent if sent in ("en", "pl", "cs", "bg", "uk", "sr") else page.language


def _empty(page: Page) -> _Fields:
    owners = sorted(page.viewer.owners)
    own = page.tenant.name if page.tenant and page.tenant.name in owners else (owners or [""])[0]
    return {"owner": own, "door": "owner", "language": page.language, "verdict": "unknown"}


def _filled(page: Page, seen: Seen) -> _Fields:
    document = to_document(seen.card)
    language = page.language
    fields = {name: document.pop(name, {}).get(language, "") for name in _TEXTS}
    whole = to_document(seen.card)
    rest = {
        name: value
        for name, value in whole.items()
        if name not in (*_PLAIN, "city_shown", _TICKED)
        and not (name in _TEXTS and set(value) == {language})
    }
    city = whole.get("city", {})
    return fields | {
        **{name: str(whole[name]) for name in _PLAIN},
        "verdict": whole["verdict"]["outcome"],
        "reason": whole["verdict"]["reason"].get(language, ""),
        "city": city.get("name", {}).get(language, ""),
        "country": city.get("country", ""),
        "population": str(city.get("population", "")),
        "city_hidden": "" if whole.get("city_shown", True) else "yes",
        "door": seen.door,
        _TICKED: " ".join(seen.card.indicators),
        **{_OF + each.key: " ".join(each.indicators) for each in seen.card.questions},
        "version": str(seen.written.version),
        "language": language,
        "rest": tomli_w.dumps(rest),
    }


def _form(
    page: Page, seen: Seen | None, fields: _Fields, problem: str = "", *, status: int = 200
) -> Response:
    t = page.t
    owners = sorted(page.viewer.owners) + ([""] if page.viewer.admin else [])
    return page.render(
        "practice_form.html",
        status=status,
        nav="practices",
        seen=seen,
        fields=fields,
        problem=problem,
        choices={
            "cluster": [(key, t(words.CLUSTERS[key])) for key in CLUSTERS],
            "state": [(key, t(words.STATUSES[key])) for key in STATUSES],
            "verdict": [(key, t(words.VERDICTS[key].word)) for key in VERDICTS],
            "door": [(key, t(words.DOORS[key])) for key in DOORS],
            "owner": [
                (key, key or t("nobody (as the cards that come with rynek)")) for key in owners
            ],
        },
        themes=sorted(words.THEMES),
        ticks=_ticks(page, seen, fields),
        back=f"{page.base or page.root}/practices" + (f"/{seen.id}" if seen else ""),
    )


def _ticks(page: Page, seen: Seen | None, fields: _Fields) -> list[dict[str, Any]]:
    """What indicators may be ticked for: the card, and each question that it has."""
    choices = indicator_choices(page.t)
    asked = [("", page.t("Indicators that it was meant to move"))]
    for each in seen.card.questions if seen else ():
        title = said(cast("dict[str, str]", each.title), page.language)
        label = page.t("Indicators that the outcome of “%(question)s” measures", question=title)
        asked.append((each.key, label))
    found = []
    for key, label in asked:
        name = _OF + key if key else _TICKED
        chosen = set(fields.get(name, "").split())
        groups = [
            (
                theme,
                [(one, word, one in chosen) for one, word in some],
                len(chosen & dict(some).keys()),
            )
            for theme, some in choices
        ]
        named = [word for _, some in choices for one, word in some if one in chosen]
        found.append({"key": key, "name": name, "label": label, "chosen": named, "groups": groups})
    return found
