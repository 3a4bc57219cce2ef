"""What JSON Schemas (2020-12) are put together from."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

URI: Final[Schema] = {"type": "string", "format": "uri"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
TEXT: Final[Schema] = {"type": "string"}
TEXTS: Final[Schema] = {"type": "array", "items": TEXT, "minItems": 1}
ONE_OR_MORE: Final[Schema] = {"anyOf": [TEXT, TEXTS]}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
FLAG: Final[Schema] = {"type": "boolean"}
NUMBER: Final[Schema] = {"type": "number"}
NAME: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,30}$"}
SYSTEM: Final[Schema] = {"createdAt": TIME, "modifiedAt": TIME, "deletedAt": TIME}


def ref(name: str) -> Schema:
    """A reference to one of SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(schema: Schema) -> Schema:
    """An array of these."""
    return {"type": "array", "items": schema}


def obj(properties: Schema, required: tuple[str, ...] = (), says: str = "", **more: Any) -> Schema:
    """An object with these members; `more` are further keywords."""
    made: Schema = {"type": "object", "properties": properties}
    if required:
        made["required"] = list(required)
    if says:
        made["description"] = says
    return made | more
