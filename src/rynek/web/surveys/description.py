"""The API of surveys as an OpenAPI 3.1 document."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from starlette.requests import Request

from rynek import __version__
from rynek.web.i18n import LANGUAGES

__all__ = ["PREFIX", "description", "for_surveyors"]

PREFIX: Final = "/api/surveys/v1"
Document = dict[str, Any]

_TEXT: Final[Document] = {"type": "string"}
_TEXTS: Final[Document] = {"type": "object", "additionalProperties": _TEXT}
_COUNT: Final[Document] = {"type": "integer", "minimum": 0}
_MAYBE_COUNT: Final[Document] = {"type": ["integer", "null"], "description": "null: hidden"}
_MAYBE: Final[Document] = {"type": ["number", "null"], "description": "null: hidden, or nothing"}
_TIME: Final[Document] = {"type": "string", "format": "date-time"}
_FLAG: Final[Document] = {"type": "boolean"}
_ADMIN: Final = "For a token with the scope admin. "
_TOKEN: Final[list[Document]] = [{"token": []}]


def for_surveyors(request: Request, path: str) -> bool:
    """Whether a request is for those who run surveys alone (`Access.check_surveyor`): all of the
    API but for the waves whose results are public, as everybody may see them."""
    if not path.startswith(PREFIX + "/"):
        return False
    parts = path.removeprefix(PREFIX + "/").rstrip("/").split("/")
    public = parts in (["waves"], ["openapi.json"]) or (
        parts[0] == "waves" and (len(parts) == 2 or parts[2:] == ["results"])
    )
    whole = request.query_params.get("whole", "false") != "false"
    return whole or not public or request.method not in ("GET", "HEAD")


def _object(required: list[str], **properties: Document) -> Document:
    return {"type": "object", "properties": properties, "required": required}


def _list(of: Document) -> Document:
    return {"type": "array", "items": of}


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Document) -> Document:
    return {"application/json": {"schema": schema}}


def _named(where: str, name: str, schema: Document, says: str) -> Document:
    return {
        "name": name, "in": where, "required": where == "path", "schema": schema,
        "description": says,
    }  # fmt: skip


def _operation(
    name: str,
    says: str,
    gives: Document,
    parameters: list[Document],
    *,
    status: str = "200",
    body: Document | None = None,
    table: bool = False,
    admin: bool = True,
) -> Document:
    content = _json(gives) | ({"text/csv": {"schema": _TEXT}} if table else {})
    made: Document = {
        "operationId": name,
        "summary": (_ADMIN if admin else "") + says,
        "parameters": parameters,
        "responses": {
            status: {"description": "found", "content": content},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
    if admin:
        made["security"] = _TOKEN
    if body is not None:
        made["requestBody"] = {"required": True, "content": body}
    return made


_FORMAT: Final = _named("query", "format", {"enum": ["json", "csv"]}, "json without")
_LANGUAGE: Final = _named("query", "language", {"enum": list(LANGUAGES)}, "of a table; en without")
_WAVE: Final = _named("path", "wave", _TEXT, "the id of a wave")


def _wave_paths() -> Document:
    publish = _object(
        ["survey", "deadline"], survey=_TEXT, results={"enum": ["closed", "public"]}, example=_FLAG,
        deadline={"type": "string", "description": "2026-12-31T23:59+01:00, or with `zone` without +01:00"},
        zone={"type": "string", "description": "a time zone, such as Europe/Warsaw"},
    )  # fmt: skip
    invite = _object(["respondents"], respondents=_list(_ref("Respondent")), renew=_FLAG)
    link = _object(["id", "link"], id=_TEXT, link=_TEXT)
    missing = _named("query", "missing", _FLAG, "only who has not sent answers: for reminders")
    whole = _named("query", "whole", _FLAG, "every cell, also before the deadline; for an admin")
    return {
        "/waves": {
            "get": _operation(
                "listWaves", "Waves with public results; all for an admin",
                _object(["waves"], waves=_list(_ref("Wave"))), [], admin=False,
            )
        },
        "/waves/{wave}": {
            "get": _operation("getWave", "A wave", _ref("Wave"), [_WAVE], admin=False),
            "put": _operation(
                "publishWave", "Ask a survey until a deadline, or change the deadline or who sees the results",
                _ref("Wave"), [_WAVE], body=_json(publish),
            ),
        },
        "/waves/{wave}/results": {
            "get": _operation(
                "getResults",
                "Who answered, and once the wave is over what: small cells and what they would follow from are null",
                _ref("Results"), [_WAVE, _FORMAT, _LANGUAGE, whole], table=True, admin=False,
            )
        },
        "/waves/{wave}/respondents": {
            "get": _operation(
                "listRespondents", "Who is invited and how far they are",
                _object(["respondents"], respondents=_list(_ref("Progress"))),
                [_WAVE, _FORMAT, missing], table=True,
            ),
            "post": _operation(
                "invite", "Links for respondents, told once; with `renew` new ones in place of lost ones",
                _object(["links"], links=_list(link)), [_WAVE], status="201", body=_json(invite),
            ),
        },
    }  # fmt: skip


def _survey_paths() -> Document:
    xlsx: Document = {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {}}
    imported = _object(
        ["id", "version", "new", "languages", "questions", "notes"], id=_TEXT, version=_COUNT,
        new=_FLAG, languages=_list(_TEXT), questions=_list(_TEXT), notes=_list(_TEXT),
    )  # fmt: skip
    survey = _object(["version", "survey"], version=_COUNT, survey={"type": "object"})
    listed = _object(["id", "version"], id=_TEXT, version=_COUNT)
    return {
        "/surveys": {
            "get": _operation(
                "listSurveys", "Surveys with their newest versions",
                _object(["surveys"], surveys=_list(listed)), [],
            ),
            "post": _operation(
                "importSurvey", "Keep the survey of an XLSForm: all of it, or nothing", imported,
                [_named("query", "id", _TEXT, "its id; form_id of the file without")],
                status="201", body=xlsx,
            ),
        },
        "/surveys/{survey}": {
            "get": _operation(
                "getSurvey", "Sections, questions and choices", survey,
                [_named("path", "survey", _TEXT, "the id of a survey")],
            )
        },
        "/openapi.json": {
            "get": _operation("getDescription", "This description", {"type": "object"}, [], admin=False)
        },
    }  # fmt: skip


def _schemas() -> Document:
    who = {"id": _TEXT, "name": _TEXT, "region": _TEXT}
    choice = _object(
        ["name", "label", "count", "share", "weighted"], name=_TEXT, label=_TEXTS,
        count=_MAYBE_COUNT, share=_MAYBE, weighted=_MAYBE,
    )  # fmt: skip
    question = _object(
        ["name", "kind", "label", "n", "hidden"], name=_TEXT, kind=_TEXT, label=_TEXTS,
        n=_MAYBE_COUNT, hidden=_FLAG, choices=_list(choice),
        numbers={"type": ["object", "null"], "additionalProperties": _MAYBE},
        measured={"type": "object", "additionalProperties": _MAYBE_COUNT},
    )  # fmt: skip
    region = _object(
        ["region", "invited", "answered", "rate"], region=_TEXT, invited=_COUNT,
        answered=_MAYBE_COUNT, rate=_MAYBE,
    )  # fmt: skip
    return {
        "Wave": _object(
            ["id", "survey", "version", "title", "opened", "deadline", "over", "results", "example"],
            id=_TEXT, survey=_TEXT, version=_COUNT, title=_TEXTS, opened=_TIME, deadline=_TIME,
            zone={"type": ["string", "null"]}, over=_FLAG, results=_TEXT, example=_FLAG,
        ),
        "Results": _object(
            ["wave", "invited", "answered", "rate", "small", "regions", "weighting", "questions"],
            wave=_ref("Wave"), invited=_COUNT, answered=_MAYBE_COUNT, rate=_MAYBE, small=_COUNT,
            regions=_list(region), weighting={"type": "object"}, questions=_list(question),
        ),
        "Respondent": _object(["id"], **who),
        "Progress": _object(
            ["id", "name", "region", "state", "saved"], **who,
            state={"enum": ["sent", "begun", "not begun"]}, saved={"type": ["string", "null"]},
        ),
        "ProblemDetails": _object(
            ["type", "title", "status", "detail"], type=_TEXT, title=_TEXT, status=_COUNT,
            detail=_TEXT,
        ),
    }  # fmt: skip


@lru_cache(maxsize=4)
def description(url: str) -> Document:
    """The whole description; not to be changed by who gets it."""
    problem = {"schema": _ref("ProblemDetails")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rynek: surveys",
            "version": __version__,
            "description": "What cities are asked, who answered, and what.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": url}],
        "security": [{}, {"token": []}],
        "paths": {**_wave_paths(), **_survey_paths()},
        "components": {
            "schemas": _schemas(),
            "responses": {
                "Problem": {
                    "description": "an error (RFC 9457); its detail names what is wrong",
                    "content": {"application/problem+json": problem},
                }
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
