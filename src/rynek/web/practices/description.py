"""The API of practice cards as an OpenAPI 3.1 document."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from rynek import __version__
from rynek.practices.cards import DOORS, LANGUAGES, Card
from rynek.practices.search import COST_KINDS, MAX_QUERY, SIZES

__all__ = ["description"]

Document = dict[str, Any]

_TEXT: Final[Document] = {"type": "string"}
_NUMBER: Final[Document] = {"type": "integer", "minimum": 1}
_ID: Final[Document] = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,78}[a-z0-9])?$"},
}
_CARD: Final[Document] = {"$ref": "#/components/schemas/Card"}
_SEEN: Final[Document] = {"$ref": "#/components/schemas/Seen"}
_LIKE: Final = "a tenant: cities most like it in what is measured come first"
_DOOR: Final[Document] = {"type": "string", "enum": list(DOORS)}


def _object(required: list[str], **properties: Document) -> Document:
    return {"type": "object", "properties": properties, "required": required}


def _json(schema: Document) -> Document:
    return {"application/json": {"schema": schema}}


def _operation(
    name: str,
    says: str,
    answers: Document,
    *,
    body: Document | None = None,
    parameters: list[Document] | None = None,
) -> Document:
    problems = {"default": {"$ref": "#/components/responses/Problem"}}
    made: Document = {"operationId": name, "summary": says, "responses": answers | problems}
    if parameters:
        made["parameters"] = parameters
    if body is not None:
        made["requestBody"] = {"required": True, "content": _json(body)}
    return made


def _gives(schema: Document, status: str = "200", says: str = "found") -> Document:
    return {status: {"description": says, "content": _json(schema)}}


def _query(name: str, schema: Document, says: str, *, required: bool = False) -> Document:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "schema": schema,
        "description": says,
    }


@lru_cache(maxsize=4)
def description(url: str) -> Document:
    """The whole description; not to be changed by who gets it."""
    (reference,), components = msgspec.json.schema_components(
        [Card], ref_template="#/components/schemas/{name}"
    )
    del reference
    components["Seen"] = _object(
        ["id", "version", "changed", "door", "card"],
        id=_TEXT,
        version=_NUMBER,
        changed={"type": "string", "format": "date-time"},
        door=_DOOR,
        owner=_TEXT,
        card=_CARD,
        answers={"type": "object"},
        moved={"type": "object", "description": "of `/moved`: what the card says of the indicator"},
        costs_compared={"type": ["array", "null"], "items": {"type": "object"}},
    )
    components["ProblemDetails"] = _object(
        ["type", "title", "status", "detail"],
        type=_TEXT,
        title=_TEXT,
        status={"type": "integer"},
        detail=_TEXT,
        current={"type": "integer", "description": "of a conflict: the newest version"},
    )
    problem = {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rynek: practice cards",
            "version": __version__,
            "description": "What cities did, and what came of it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": url}],
        "security": [{}, {"token": []}],
        "paths": {**_paths(), **_more_paths(), **_moved_path()},
        "components": {
            "schemas": components,
            "responses": {
                "Problem": {
                    "description": "an error (RFC 9457); its detail names the field",
                    "content": {"application/problem+json": problem},
                }
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> Document:
    filters = [
        _query(name, _TEXT, "only cards with this one")
        for name in ("theme", "cluster", "verdict", "status", "country", "owner")
    ]
    pages = [
        _query("limit", {"type": "integer", "minimum": 0, "maximum": 100}, "how many; 20 without"),
        _query("offset", {"type": "integer", "minimum": 0}, "how many to leave out before"),
    ]
    people = "people of the city that asks: cities of such a size first, of the newest 500 cards"
    pages += [
        _query("like", _TEXT, _LIKE),
        _query("population", _NUMBER, people),
        *_search_parameters(),
    ]
    listed = _object(
        ["total", "cards"], total={"type": "integer"}, cards={"type": "array", "items": _SEEN}
    )
    new = _object(["id", "card"], id=_TEXT, card=_CARD, owner=_TEXT, door=_DOOR, note=_TEXT)
    changed = _object(["card", "version"], card=_CARD, version=_NUMBER, door=_DOOR, note=_TEXT)
    gone = {"204": {"description": "removed"}}
    version = [_query("version", _NUMBER, "the newest, as you saw it", required=True)]
    return {
        "/cards": {
            "get": _operation(
                "listCards",
                "Cards that you may see: the last changed first, or those that `q` finds",
                _gives(listed),
                parameters=filters + pages,
            ),
            "post": _operation("addCard", "A new card", _gives(_SEEN, "201", "kept"), body=new),
        },
        "/cards/{id}": {
            "parameters": [_ID],
            "get": _operation(
                "getCard", "A card; with Accept: application/ld+json its entities", _gives(_SEEN)
            ),
            "put": _operation(
                "changeCard",
                "A new version over `version`; 409 where another came in between",
                _gives(_SEEN, says="kept"),
                body=changed,
            ),
            "delete": _operation(
                "removeCard", "Take a card away; its versions stay", gone, parameters=version
            ),
        },
    }


def _more_paths() -> Document:
    told = _object(["version", "at"], version=_NUMBER, at=_TEXT, who=_TEXT, note=_TEXT)
    versions = _object(["versions"], versions={"type": "array", "items": told})
    back = _object(["earlier", "version"], earlier=_NUMBER, version=_NUMBER, note=_TEXT)
    entities = {"type": "array", "items": {"type": "object"}}
    number = {"name": "version", "in": "path", "required": True, "schema": _NUMBER}
    return {
        "/cards/{id}/versions": {
            "parameters": [_ID],
            "get": _operation("listVersions", "Every version of a card", _gives(versions)),
        },
        "/cards/{id}/versions/{version}": {
            "parameters": [_ID, number],
            "get": _operation("getVersion", "An earlier version of a card", _gives(_SEEN)),
        },
        "/cards/{id}/restore": {
            "parameters": [_ID],
            "post": _operation(
                "restoreVersion",
                "The words of an earlier version as the newest",
                _gives(_SEEN, says="kept"),
                body=back,
            ),
        },
        "/cards/{id}/answers": {
            "parameters": [_ID],
            "get": _operation(
                "listAnswers",
                "Effects computed for the card's questions, with every figure",
                _gives(_object(["answers"], answers={"type": "object"})),
            ),
        },
        "/cards/{id}/entities": {
            "parameters": [_ID],
            "get": _operation(
                "getEntities",
                "The card and its answers as NGSI-LD entities",
                {
                    "200": {
                        "description": "normalized, with @context",
                        "content": {"application/ld+json": {"schema": entities}},
                    }
                },
            ),
        },
        "/openapi.json": {
            "get": _operation("getDescription", "This description", _gives({"type": "object"}))
        },
    }


def _moved_path() -> Document:
    return {
        "/moved": {
            "get": _operation(
                "listMoved",
                "What moved an indicator elsewhere: cards with a computed effect on it, by evidence,"
                " effect and likeness of the city's size; then those of its theme without one",
                _gives(
                    _object(
                        ["indicator", "better", "total", "measured", "cards"],
                        indicator=_TEXT,
                        better={"type": "string", "enum": ["more", "less", "target"]},
                        total={"type": "integer"},
                        measured={"type": "integer"},
                        cards={"type": "array", "items": _SEEN},
                    )
                ),
                parameters=_moved_parameters(),
            )
        },
    }


def _moved_parameters() -> list[Document]:
    count = {"type": "integer", "minimum": 0, "maximum": 100}
    return [
        _query("indicator", _TEXT, "the id of an indicator", required=True),
        _query("like", _TEXT, _LIKE),
        _query("population", _NUMBER, "people of the city that asks"),
        _query("country", {"type": "string", "pattern": "^[A-Z]{2}$"}, "its country"),
        _query("limit", count, "how many; 20 without"),
        _query("offset", {"type": "integer", "minimum": 0}, "how many to leave out before"),
    ]


def _search_parameters() -> list[Document]:
    number = {"type": "number"}
    level = {"type": "integer", "minimum": 0, "maximum": 5}
    languages = {"type": "string", "enum": list(LANGUAGES)}
    return [
        _query("q", {"type": "string", "maxLength": MAX_QUERY}, "search in any of six languages"),
        _query("language", languages, "with q: of titles and snippets; en without"),
        _query("told_in", languages, "with q: only cards told in it"),
        _query("size", {"type": "string", "enum": list(SIZES)}, "with q: of the city"),
        _query("level", level, "with q: the least level of evidence"),
        _query("cost_from", number, "with q: a cost of at least so much"),
        _query("cost_to", number, "with q: a cost of at most so much"),
        _query("cost_kind", {"type": "string", "enum": list(COST_KINDS)}, "with q: of which costs"),
        _query("cost_in", _TEXT, "with q: PPS (the default) or a currency (ISO 4217)"),
    ]
