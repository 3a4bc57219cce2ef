"""/api/surveys/v1: waves and their public results; for an admin also surveys, links and reminders."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import msgspec
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rynek.base.clock import to_iso
from rynek.base.errors import BadRequestData, InvalidRequest
from rynek.indicators import Respondent, Surveys, Wave, read_deadline, read_workbook, results
from rynek.indicators import Response as Answered
from rynek.web.api.bodies import load_json
from rynek.web.api.receiving import Bodies
from rynek.web.i18n import LANGUAGES
from rynek.web.problems import answered
from rynek.web.requested import Requested
from rynek.web.surveys.description import PREFIX, description
from rynek.web.surveys.public import PublicResults, plain, results_csv, wave_document

__all__ = ["api_routes"]

_NO_STORE: Final = {"Cache-Control": "private, no-store", "Vary": "Authorization, Accept"}
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_LONGEST: Final = 200
_MOST_PEOPLE: Final = 20_000
_PEOPLE: Final = ("id", "name", "region")

_Work = Callable[["_Asked"], Awaitable[Response]]


class _Asked(Requested):
    """One request: the surveys, whether the client runs them, and the body."""

    def __init__(
        self, engine: Any, bodies: Bodies, public: PublicResults, request: Request
    ) -> None:
        self.engine, self.public, self.request = engine, public, request
        self._bodies = bodies

    @property
    def surveys(self) -> Surveys:
        """The store."""
        found: Surveys = self.engine.surveys
        return found

    @property
    def runs(self) -> bool:
        """Whether the client runs surveys (`Access.check_surveyor`)."""
        return bool(self.request.state.surveyor())

    def one_of(self, name: str, choices: Iterable[str], default: str) -> str:
        """A parameter that is one of several words."""
        found = self.request.query_params.get(name, default)
        if found not in (listed := tuple(choices)):
            raise InvalidRequest(f"{name}: one of {', '.join(listed)}")
        return found

    def flag(self, name: str) -> bool:
        """`true` or `false`."""
        return self.one_of(name, ("true", "false"), "false") == "true"

    @property
    def csv(self) -> bool:
        """Whether a table for spreadsheets is wanted, by `format` or the header Accept."""
        accepts = "csv" if "text/csv" in self.request.headers.get("accept", "") else "json"
        return self.one_of("format", ("json", "csv"), accepts) == "csv"

    async def body(self) -> bytes:
        """The body, bounded."""
        headers = {name.lower(): value for name, value in self.request.headers.items()}
        return await self._bodies.read(self.request.receive, headers)

    async def document(self, *allowed: str) -> dict[str, Any]:
        """The body as an object with `allowed` members."""
        found = load_json(await self.body())
        if not isinstance(found, dict):
            raise BadRequestData("the body must be a JSON object")
        for name in found:
            if name not in allowed:
                raise BadRequestData(f"{name[:60]}: is no member; {', '.join(allowed)} are")
        return found


def api_routes(engine: Any, bodies: Bodies, public: PublicResults) -> list[Route]:
    """The API's paths."""
    table: list[tuple[str, str, _Work]] = [
        ("/waves", "GET", _waves),
        ("/waves/{wave}", "GET", _wave),
        ("/waves/{wave}", "PUT", _publish),
        ("/waves/{wave}/results", "GET", _results),
        ("/waves/{wave}/respondents", "GET", _respondents),
        ("/waves/{wave}/respondents", "POST", _invite),
        ("/surveys", "GET", _surveys),
        ("/surveys", "POST", _import),
        ("/surveys/{survey}", "GET", _survey),
        ("/openapi.json", "GET", _described),
    ]
    return [
        Route(PREFIX + path, partial(_guarded, engine, bodies, public, work), methods=[method])
        for path, method, work in table
    ]


async def _guarded(
    engine: Any, bodies: Bodies, public: PublicResults, work: _Work, request: Request
) -> Response:
    return await answered(work(_Asked(engine, bodies, public, request)))


async def _waves(asked: _Asked) -> Response:
    """Waves whose results are public; all of them for who runs surveys."""
    asked.refuse_unknown()
    runs = asked.runs

    def told() -> list[dict[str, Any]]:
        return [
            wave_document(asked.surveys, wave)
            for wave in asked.surveys.waves()
            if runs or wave.results == "public"
        ]

    return _answer({"waves": await asyncio.to_thread(told)})


def _found(asked: _Asked) -> Wave:
    """The wave in the path; ResourceNotFound also for a closed one that the client does not run."""
    name = asked.name("wave")
    return asked.surveys.wave(name) if asked.runs else asked.public.wave(asked.surveys, name)


async def _wave(asked: _Asked) -> Response:
    asked.refuse_unknown()

    def told() -> dict[str, Any]:
        return wave_document(asked.surveys, _found(asked))

    return _answer(await asyncio.to_thread(told))


async def _publish(asked: _Asked) -> Response:
    """Ask a survey until a deadline; again: change that, or who sees the results."""
    asked.refuse_unknown()
    told = await asked.document("survey", "deadline", "zone", "results", "example")
    if (shown := told.get("results", "closed")) not in ("closed", "public"):
        raise BadRequestData("results: closed or public")
    place = _text(told, "zone", "")
    deadline, zone = read_deadline(_text(told, "deadline"), place)
    wave = await asyncio.to_thread(
        asked.surveys.publish,
        _text(told, "survey"),
        deadline,
        wave_id=asked.name("wave"),
        results=shown,
        example=_flag(told, "example"),
        zone=zone,
        place=place,
    )
    return _answer(await asyncio.to_thread(wave_document, asked.surveys, wave))


async def _results(asked: _Asked) -> Response:
    """Results of a public wave once it is over; with `whole=true` every cell at once, for who runs
    surveys: the rights to that are looked at before."""
    asked.refuse_unknown("format", "language", "whole")
    whole, table = asked.flag("whole"), asked.csv
    language = asked.one_of("language", LANGUAGES, "en")

    def told() -> dict[str, Any]:
        wave = _found(asked)
        if whole:
            survey, _ = asked.surveys.survey(wave.survey, wave.version)
            found = results(survey, list(asked.surveys.responses(wave.id)), public=False)
        else:
            survey, found = asked.public.of(asked.surveys, wave)
        return {"wave": wave_document(asked.surveys, wave)} | found

    found = await asyncio.to_thread(told)
    if table:
        return _file(results_csv(found, language), f"{asked.name('wave')}-results.csv")
    return _answer(found)


async def _respondents(asked: _Asked) -> Response:
    """Who is invited and how far they are; with `missing=true` those to be reminded."""
    asked.refuse_unknown("format", "missing")
    missing, table, name = asked.flag("missing"), asked.csv, asked.name("wave")

    def found() -> list[Answered]:
        asked.surveys.wave(name)
        return list(asked.surveys.responses(name))

    listed = await asyncio.to_thread(found)
    rows = [_progress(one) for one in listed if not (missing and one.submitted)]
    if not table:
        return _answer({"respondents": rows})
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("id", "name", "region", "state", "saved"))
    writer.writerows([plain(cell or "") for cell in row.values()] for row in rows)
    return _file(out.getvalue(), f"{name}-reminders.csv" if missing else f"{name}-respondents.csv")


def _progress(one: Answered) -> dict[str, Any]:
    who = one.respondent
    state = "sent" if one.submitted else "begun" if one.revision else "not begun"
    saved = to_iso(one.saved) if one.saved else None
    return {"id": who.id, "name": who.name, "region": who.region, "state": state, "saved": saved}


async def _invite(asked: _Asked) -> Response:
    """A link for each new respondent; with `renew` another one for who has lost it. Links are told
    once: only their hashes are kept."""
    asked.refuse_unknown()
    told = await asked.document("respondents", "renew")
    people, wave = _people(told.get("respondents")), asked.name("wave")
    renew = _flag(told, "renew")

    def made() -> dict[str, str]:
        if not renew:
            return asked.surveys.invite(wave, people)
        asked.surveys.wave(wave)
        return asked.surveys.renew_all(wave, [one.id for one in people])

    tokens = await asyncio.to_thread(made)
    base = asked.engine.public_url
    links = [{"id": one.id, "link": f"{base}/survey/{quote(tokens[one.id])}"} for one in people]
    return _answer({"links": links}, 201)


def _people(given: Any) -> list[Respondent]:
    if not isinstance(given, list) or not 0 < len(given) <= _MOST_PEOPLE:
        raise BadRequestData(f"respondents: a list of 1 to {_MOST_PEOPLE}")
    found: dict[str, Respondent] = {}
    for number, one in enumerate(given):
        where = f"respondents[{number}]"
        if not isinstance(one, dict) or not set(one) <= set(_PEOPLE):
            raise BadRequestData(f"{where}: an object with id, and name and region if you like")
        texts = {name: _text(one, name, None if name == "id" else "", where) for name in _PEOPLE}
        if not texts["id"] or len(texts["id"]) > 100 or texts["id"] in found:
            raise BadRequestData(f"{where}.id: 1 to 100 characters, and once in the list")
        texts["name"] = texts["name"] or texts["id"]
        found[texts["id"]] = Respondent(**texts)
    return list(found.values())


async def _surveys(asked: _Asked) -> Response:
    asked.refuse_unknown()
    listed = await asyncio.to_thread(asked.surveys.surveys)
    return _answer({"surveys": [{"id": name, "version": version} for name, version in listed]})


async def _import(asked: _Asked) -> Response:
    """Keep the survey of an XLSForm (.xlsx, as the body): all of it, or nothing."""
    asked.refuse_unknown("id")
    media = asked.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (_XLSX, "application/octet-stream"):
        raise BadRequestData(f"Content-Type: {_XLSX}, and the file as the body")
    body = await asked.body()
    given = asked.request.query_params.get("id", "")[:_LONGEST]
    survey = await asyncio.to_thread(read_workbook, body, given, "the file")
    version, new = await asyncio.to_thread(asked.surveys.put, survey)
    questions = [each.name for each in survey.questions if each.kind != "calculation"]
    told = {
        "id": survey.id,
        "version": version,
        "new": new,
        "languages": survey.languages,
        "questions": questions,
        "notes": survey.notes,
    }
    return _answer(told, 201 if new else 200)


async def _survey(asked: _Asked) -> Response:
    """A survey as it was imported: sections, questions, choices."""
    asked.refuse_unknown()
    survey, version = await asyncio.to_thread(asked.surveys.survey, asked.name("survey"))
    return _answer({"version": version, "survey": msgspec.to_builtins(survey)})


async def _described(asked: _Asked) -> Response:
    """This API as an OpenAPI document."""
    base = asked.engine.settings.server.base_path
    return Response(orjson.dumps(description(base + PREFIX)), media_type="application/json")


def _text(told: dict[str, Any], name: str, default: str | None = None, where: str = "") -> str:
    found = told.get(name, default)
    place = f"{where}.{name}" if where else name
    if not isinstance(found, str) or len(found) > _LONGEST:
        raise BadRequestData(f"{place}: a text of up to {_LONGEST} characters")
    return found


def _flag(told: dict[str, Any], name: str) -> bool:
    found = told.get(name, False)
    if not isinstance(found, bool):
        raise BadRequestData(f"{name}: true or false")
    return found


def _answer(document: Any, status: int = 200) -> JSONResponse:
    return JSONResponse(document, status, _NO_STORE)


def _file(text: str, name: str) -> Response:
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-._") else "_" for c in name)
    told = {"Content-Disposition": f'attachment; filename="{safe[-120:]}"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=_NO_STORE | told)
