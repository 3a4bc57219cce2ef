"""The API of indicators as an OpenAPI 3.1 document."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from rynek import __version__
from rynek.indicators import LANGUAGES
from rynek.web.indicators.periods import EVERY

__all__ = ["PREFIX", "description"]

PREFIX: Final = "/api/indicators/v1"

Document = dict[str, Any]
_TEXT: Final[Document] = {"type": "string"}
_TIME: Final[Document] = {"type": "string", "format": "date-time"}
_NUMBER: Final[Document] = {"type": "number"}
_MAYBE: Final[Document] = {"type": ["number", "null"]}
_COUNT: Final[Document] = {"type": "integer", "minimum": 0}
_TEXTS: Final[Document] = {
    "description": "in the language asked for, or by language",
    "anyOf": [_TEXT, {"type": "object", "additionalProperties": _TEXT}],
}
_CSV: Final = "text/csv"


def _object(required: list[str], **properties: Document) -> Document:
    return {"type": "object", "properties": properties, "required": required}


def _list(schema: Document) -> Document:
    return {"type": "array", "items": schema}


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _query(name: str, says: str, schema: Document | None = None) -> Document:
    return {"name": name, "in": "query", "description": says, "schema": schema or _TEXT}


def _path(name: str, says: str) -> Document:
    return {"name": name, "in": "path", "required": True, "description": says, "schema": _TEXT}


_LANGUAGE: Final = _query("language", "of names", {"type": "string", "enum": list(LANGUAGES)})
_WAIT: Final = _query(
    "wait", "seconds to wait for what has to be computed; 10 without",
    {"type": "integer", "minimum": 0, "maximum": 30},
)  # fmt: skip
_FORMAT: Final = _query(
    "format", "or the header Accept", {"type": "string", "enum": ["json", "csv"]}
)
_NAMED: Final = _query("indicator", "ids, with commas or given again; all without")
_VERSION: Final = _query("version", "of the table; the newest without", {"type": "integer"})
_PERIOD: Final = _query(
    "period",
    "P7D or PT24H (ends now), today, yesterday, last-month, 2022, 2022-Q4, 2022-11, 2022-W45,"
    " 2022-11-05 or FROM/TO; up to 12, P7D without",
)


def _get(
    name: str,
    says: str,
    schema: Document,
    parameters: list[Document],
    *,
    also: Document | None = None,
) -> Document:
    content: Document = {"application/json": {"schema": schema}}
    answers: Document = {"200": {"description": "found", "content": content | (also or {})}}
    if _WAIT in parameters:
        answers["202"] = {
            "description": "being computed: what there is already, and Retry-After (seconds)",
            "content": {"application/json": {"schema": _ref("BeingComputed")}},
        }
    answers["default"] = {"$ref": "#/components/responses/Problem"}
    told: Document = {"operationId": name, "summary": says, "responses": answers}
    if parameters:
        told["parameters"] = parameters
    return {"get": told}


@lru_cache(maxsize=4)
def description(url: str) -> Document:
    """The whole description; not to be changed by who gets it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rynek: indicators",
            "version": __version__,
            "description": "What a city's data mean, with coverage, interval and provenance.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": url}],
        "security": [{}, {"token": []}],
        "paths": {**_definition_paths(), **_city_paths(), **_table_paths()},
        "components": {
            "schemas": {**_value_schemas(), **_other_schemas()},
            "responses": {
                "Problem": {
                    "description": "an error (RFC 9457); its detail names the parameter",
                    "content": {"application/problem+json": {"schema": _ref("ProblemDetails")}},
                }
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _definition_paths() -> Document:
    listed = _object(["definitions"], languages=_list(_TEXT), definitions=_list(_ref("Definition")))
    theme = _query("theme", "only of this theme")
    return {
        "/definitions": _get(
            "listDefinitions", "Every indicator that comes with rynek", listed,
            [_LANGUAGE, theme, _NAMED],
        ),
        "/definitions/{id}": _get(
            "getDefinition", "One indicator", _ref("Definition"), [_path("id", "its id"), _LANGUAGE]
        ),
        "/openapi.json": _get("getDescription", "This description", {"type": "object"}, []),
    }  # fmt: skip


def _city_paths() -> Document:
    city = _path("tenant", "the id of a city, as /cities has it")
    values = _object(["city", "periods"], city=_ref("City"), periods=_list(_ref("PeriodValues")))
    series = _object(["city", "every", "series"], city=_ref("City"), every=_TEXT,
                     series=_list(_ref("Series")))  # fmt: skip
    things = _query("things", "with the part of every thing", {"type": "boolean"})
    steps = _query("every", "the length of a step", {"type": "string", "enum": list(EVERY)})
    last = _query("last", "how many steps that are over; 7 without",
                  {"type": "integer", "minimum": 1, "maximum": 62})  # fmt: skip
    table = {_CSV: {"schema": _TEXT}}
    return {
        "/cities": _get(
            "listCities", "The cities that you may read",
            _object(["cities"], cities=_list(_ref("City"))), [_LANGUAGE],
        ),
        "/cities/{tenant}/values": _get(
            "getValues", "Values of a city for periods, with coverage, interval and provenance",
            values,
            [city, _PERIOD, _NAMED, _query("theme", "only of this theme"), things, _LANGUAGE,
             _FORMAT, _WAIT],
            also=table,
        ),
        "/cities/{tenant}/trend": _get(
            "getTrend", "Series of up to ten indicators", series,
            [city, _NAMED, steps, last, _LANGUAGE, _FORMAT, _WAIT], also=table,
        ),
    }  # fmt: skip


def _table_paths() -> Document:
    name = _path("table", "the id of a reference table")
    rows = _object(["table", "version", "total", "rows"], table=_TEXT, version=_COUNT, total=_COUNT,
                   rows=_list(_ref("Row")))  # fmt: skip
    return {
        "/tables": _get(
            "listTables", "Reference tables: of whom, on which terms",
            _object(["tables"], tables=_list({"type": "object"})), [_LANGUAGE],
        ),
        "/tables/{table}": _get(
            "getTable", "Columns, units, periods, notes and versions of a table",
            {"type": "object"}, [name, _VERSION],
        ),
        "/tables/{table}/rows": _get(
            "getRows", "Rows by key, or those whose name holds every word of `q`", rows,
            [name, _query("key", "keys, with commas or given again"), _query("q", "words"),
             _query("column", "columns; all without"),
             _query("limit", "20 without", {"type": "integer", "minimum": 0, "maximum": 2000}),
             _query("offset", "how many to leave out before", _COUNT), _VERSION, _FORMAT],
            also={_CSV: {"schema": _TEXT}},
        ),
    }  # fmt: skip


def _value_schemas() -> Document:
    status = {"enum": ["ok", "not enough data", "contradictory data"]}
    value = _object(
        ["id", "name", "theme", "period", "status", "value", "unit", "coverage", "provenance"],
        id=_TEXT, name=_TEXT, theme=_TEXT, period={"type": "object"}, status=status, value=_MAYBE,
        unit=_TEXT, unitCode={"type": "string", "description": "UN/CEFACT Recommendation 20"},
        direction={"enum": ["more", "less", "target", "none"]},
        coverage={"type": "number", "minimum": 0, "maximum": 1}, least_coverage=_NUMBER,
        standard_error=_MAYBE, interval={"type": ["array", "null"], "items": _NUMBER},
        interval_level=_MAYBE, things=_COUNT, readings=_COUNT, why=_TEXT,
        provenance={"type": "object"}, by_thing=_list({"type": "object"}),
    )  # fmt: skip
    point = _object(
        ["period", "start", "end", "status", "value"], period=_TEXT, start=_TIME, end=_TIME,
        status=_TEXT, value=_MAYBE, coverage=_NUMBER, interval={"type": ["array", "null"]},
        things=_COUNT, readings=_COUNT,
    )  # fmt: skip
    return {
        "Value": value,
        "PeriodValues": _object(
            ["label", "start", "end", "zone", "permanent", "values"], label=_TEXT, start=_TIME,
            end=_TIME, zone=_TEXT, computed_at={"type": ["string", "null"]},
            permanent={"type": "string", "description": "names the same time tomorrow"},
            values=_list(_ref("Value")),
        ),
        "Series": _object(
            ["id", "unit", "direction", "points"], id=_TEXT, name=_TEXT, unit=_TEXT,
            unitCode=_TEXT, direction=_TEXT, points=_list(point),
        ),
        "BeingComputed": _object(
            ["status", "done", "total"], status=_TEXT, done=_COUNT, total=_COUNT
        ),
    }  # fmt: skip


def _other_schemas() -> Document:
    return {
        "City": _object(["id", "name"], id=_TEXT, name=_TEXT, country=_TEXT, zone=_TEXT, now=_TIME),
        "Definition": _object(
            ["id", "theme", "unit", "direction", "name", "description"], id=_TEXT, theme=_TEXT,
            unit=_TEXT, unit_code=_TEXT, direction=_TEXT, name=_TEXTS, description=_TEXTS,
            standard=_TEXT, denominator=_TEXT, period=_TEXT, source=_TEXT, least_coverage=_NUMBER,
            computation={"type": ["object", "null"]},
        ),
        "Row": _object(["key", "name", "values"], key=_TEXT, name=_TEXT, values={"type": "object"}),
        "ProblemDetails": _object(
            ["type", "title", "status", "detail"], type=_TEXT, title=_TEXT, status=_COUNT,
            detail=_TEXT,
        ),
    }  # fmt: skip
