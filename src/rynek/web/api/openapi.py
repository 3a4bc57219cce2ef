"""The OpenAPI 3.1 document of the NGSI-LD API, made from routes, parameters, shapes and schemas."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from rynek import __version__
from rynek.web.api.parameters import allowed, parameters_of
from rynek.web.api.route import Route, not_yet
from rynek.web.api.schema import SCHEMAS, Schema, ref
from rynek.web.api.shapes import SHAPES, Answer, Shape

Document = dict[str, Any]

# Names of the variable parts of a path, by the part before them.
_VARIABLES: Final = {
    "entities": "entityId",
    "attrs": "attrId",
    "types": "type",
    "attributes": "attrId",
    "subscriptions": "subscriptionId",
    "csourceSubscriptions": "subscriptionId",
    "csourceRegistrations": "registrationId",
    "jsonldContexts": "contextId",
    "entityMaps": "entityMapId",
    "snapshots": "snapshotId",
    "*": "instanceId",
}
_GROUPS: Final = {
    "entities": "Entities",
    "entityOperations": "Batches and queries",
    "types": "Discovery",
    "attributes": "Discovery",
    "temporal": "History",
    "subscriptions": "Subscriptions",
    "csourceRegistrations": "Context sources",
    "csourceSubscriptions": "Context sources",
    "info": "Context sources",
    "jsonldContexts": "@contexts",
    "entityMaps": "Entity maps",
    "snapshots": "Snapshots",
    "openapi.json": "This description",
}
_TEXT: Final[Schema] = {"type": "string"}
_HEADERS: Final[dict[str, tuple[str, Schema]]] = {
    "Link": ("the @context of the answer (§6.3.6), pages before and after (§6.3.10)", _TEXT),
    "Location": ("the path of what was made", _TEXT),
    "ETag": ("for If-None-Match", _TEXT),
    "Content-Range": ("which times the answer has (§6.3.10)", _TEXT),
    "Preference-Applied": ("the version that the answer conforms to (§6.3.6)", _TEXT),
    "NGSILD-Results-Count": ("how many there are in all (§6.3.13)", {"type": "integer"}),
    "NGSILD-EntityMap": ("the entity map that was used (§6.4.3.2)", _TEXT),
    "NGSILD-Warning": ("sources that could not answer (§6.3.17)", _TEXT),
}
_REQUEST_HEADERS: Final[dict[str, tuple[str, Schema]]] = {
    "Link": (
        'the @context: `<url>; rel="http://www.w3.org/ns/json-ld#context"` (§6.3.5)',
        _TEXT,
    ),
    "NGSILD-Tenant": (
        "the tenant; the default one without it (§6.3.14)",
        {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$"},
    ),
    "Prefer": ("`ngsi-ld=1.8`: as that version has it; `body=json` (§6.3.6)", _TEXT),
}
_JSON: Final = "application/json"
_LD: Final = "application/ld+json"
_GEO: Final = "application/geo+json"
_PROBLEM: Final[Document] = {_JSON: {"schema": ref("ProblemDetails")}}


class Operation:
    """One operation of the API as people and documents name it."""

    def __init__(self, route: Route, method: str) -> None:
        self.route = route
        self.method = method
        self.key = f"{method} {route.path}"
        self.done = route.handler is not not_yet
        parts, names = [], []
        before = ""
        for part in route.path.split("/"):
            if part == "*":
                names.append(_VARIABLES[before])
                parts.append(f"{{{names[-1]}}}")
                before = "*" if before == "attrs" else part
            else:
                parts.append(part)
                before = part
        self.path = "/" + "/".join(parts)
        self.variables = names
        self.group = _GROUPS[route.path.partition("/")[0]]

    @property
    def summary(self) -> str:
        """What it does and its clause: the first sentence of its handler."""
        if not self.done:
            return "not supported yet"
        return (self.route.handler.__doc__ or "").partition("\n\n")[0].split(": ")[0].rstrip(".")

    @property
    def name(self) -> str:
        """Unique among all operations."""
        words = re.findall(r"[A-Za-z]+", self.path)
        return self.method.lower() + "".join(word[0].upper() + word[1:] for word in words)


def operations(routes: tuple[Route, ...]) -> list[Operation]:
    """Every operation, in the order of the routes."""
    return [Operation(route, method) for route in routes for method in route.methods.split()]


@lru_cache(maxsize=4)
def document(routes: tuple[Route, ...], base_path: str = "") -> Document:
    """The whole description; not to be changed by who gets it."""
    paths: Document = {}
    for operation in operations(routes):
        if operation.done:
            paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    tags = dict.fromkeys(operation.group for operation in operations(routes) if operation.done)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rynek: NGSI-LD API",
            "version": __version__,
            "description": "ETSI GS CIM 009 V1.9.1. Clauses stand in brackets.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": f"{base_path}/ngsi-ld/v1"}],
        "tags": [{"name": tag} for tag in tags],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "headers": {
                name: {"description": says, "schema": schema}
                for name, (says, schema) in _HEADERS.items()
            },
            "parameters": {
                name: {"name": name, "in": "header", "description": says, "schema": schema}
                for name, (says, schema) in _REQUEST_HEADERS.items()
            },
            "responses": {"Problem": {"description": "an error (§5.5.2)", "content": _PROBLEM}},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation) -> Document:
    shape = SHAPES[operation.key]
    made: Document = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.group],
        "parameters": _parameters(operation),
        "responses": _responses(operation, shape),
    }
    if shape.body is not None:
        made["requestBody"] = {"required": True, "content": _body(operation, shape.body)}
    return made


def _parameters(operation: Operation) -> list[Document]:
    made: list[Document] = [
        {"name": name, "in": "path", "required": True, "schema": _variable(name)}
        for name in operation.variables
    ]
    made += [
        {
            "name": row.name,
            "in": "query",
            "description": f"{row.says} (§{row.clause})",
            "schema": row.schema,
        }
        for row in parameters_of(operation.key)
    ]
    takes = allowed(operation.key)
    if takes.options:
        words = {"type": "string", "enum": sorted(takes.options)}
        made.append(
            {
                "name": "options",
                "in": "query",
                "description": "words separated by commas (§6.3.7, §6.3.11)",
                "style": "form",
                "explode": False,
                "schema": {"type": "array", "items": words},
            }
        )
    if takes.formats:
        made.append(
            {
                "name": "format",
                "in": "query",
                "description": "the representation (§6.3.7)",
                "schema": {"type": "string", "enum": sorted(takes.formats)},
            }
        )
    made += [{"$ref": f"#/components/parameters/{name}"} for name in _REQUEST_HEADERS]
    return made


def _variable(name: str) -> Schema:
    if name in ("attrId", "type", "contextId"):
        return {"type": "string", "minLength": 1}
    return {"type": "string", "format": "uri"}


def _body(operation: Operation, schema: Schema) -> Document:
    content: Document = {_JSON: {"schema": schema}, _LD: {"schema": _with_context(schema)}}
    if operation.method == "PATCH":
        content["application/merge-patch+json"] = {"schema": schema}
    return content


def _with_context(schema: Schema) -> Schema:
    """The same as JSON-LD: with its @context inside (§6.3.5); of identifiers there is none."""
    if schema.get("type") != "array":
        return {"allOf": [schema, {"type": "object", "required": ["@context"]}]}
    if "$ref" not in schema["items"]:
        return schema
    return {"type": "array", "items": _with_context(schema["items"])}


def _responses(operation: Operation, shape: Shape) -> Document:
    made: Document = {str(one.status): _answer(operation, one) for one in shape.answers}
    if operation.method == "GET" and any("ETag" in one.headers for one in shape.answers):
        made["304"] = {"description": "nothing changed"}
    if shape.body is not None:
        made["411"] = {"description": "Content-Length is missing"}
        made["415"] = {"description": "the body is of another media type"}
    made["default"] = {"$ref": "#/components/responses/Problem"}
    return made


def _answer(operation: Operation, answer: Answer) -> Document:
    made: Document = {"description": answer.says}
    if answer.headers:
        made["headers"] = {
            name: {"$ref": f"#/components/headers/{name}"} for name in answer.headers
        }
    if answer.schema is not None:
        content: Document = {_JSON: {"schema": answer.schema}}
        if answer.status != 207 and (operation.method == "GET" or operation.route.right == "read"):
            content[_LD] = {"schema": answer.schema}
        if answer.geojson is not None and operation.route.geojson:
            content[_GEO] = {"schema": answer.geojson}
        made["content"] = content
    return made
