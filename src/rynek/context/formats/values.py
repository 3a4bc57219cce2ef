"""Checks of single members: values by kind, times, identifiers (CIM 009 §4.5, §4.6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from rynek.base.clock import parse_iso, to_iso
from rynek.base.errors import BadRequestData
from rynek.base.geo import GEOMETRY_TYPES, validate_geometry
from rynek.context.jsonld import CompiledContext
from rynek.context.jsonld.names import is_uri
from rynek.context.language import NONE
from rynek.context.model import NULL

__all__ = [
    "GEOMETRY_TYPES",
    "NONE",
    "Invalid",
    "check_value",
    "moment",
    "name_iri",
    "refuse_nulls",
    "text",
    "uri",
]

MAX_VALUE_DEPTH: Final = 500
_ZULU_LENGTHS: Final = frozenset((20, 22, 23, 24, 25, 26, 27))


class Invalid(Exception):
    """What is wrong, and the path of names to it, innermost first; becomes BadRequestData."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.path: list[str] = []

    def problem(self) -> BadRequestData:
        """The error for the client, naming the attribute's path."""
        path = ".".join(reversed(self.path))
        return BadRequestData(f"{path}: {self}" if path else str(self))


def shown(value: Any) -> str:
    """A hostile value, short enough for an error message."""
    return repr(value)[:80]


def moment(member: str, value: Any, *, nulls: bool = False) -> str:
    """A DateTime in UTC (§4.6.3), unchanged when it already is; other zones are converted."""
    if type(value) is not str or len(value) > 64:
        raise Invalid(f"{member} is not a DateTime: {shown(value)}")
    utc = _utc(value)
    if utc is not None:
        return utc
    if nulls and value == NULL:
        return value
    raise Invalid(f"{member} is not a DateTime: {shown(value)}")


@lru_cache(maxsize=4096)
def _utc(value: str) -> str | None:
    """Remembered: the members of one entity, and of one poll, tend to share their time."""
    try:
        if (
            len(value) in _ZULU_LENGTHS
            and value[-1] == "Z"
            and value[10] == "T"
            and value[13] == ":"
            and value[4] == "-"
            and value[5] != "W"
        ):
            datetime.fromisoformat(value)
            return value
        return to_iso(parse_iso(value))
    except (ValueError, OverflowError):
        return None


def text(member: str, value: Any, *, nulls: bool = False) -> str:
    """A string; the NGSI-LD Null only where it may delete the member."""
    if type(value) is not str or not value or (value == NULL and not nulls):
        raise Invalid(f"{member} is not a string: {shown(value)}")
    return value


def uri(member: str, value: Any) -> str:
    """An absolute URI."""
    if type(value) is not str or not is_uri(value):
        raise Invalid(f"{member} is not a URI: {shown(value)}")
    return value


def refuse_nulls(value: Any, depth: int = 0) -> None:
    """Invalid when an object that is a value has the NGSI-LD Null as a member (§5.5.4)."""
    for item in value.values() if type(value) is dict else value:
        kind = type(item)
        if kind is str:
            if item == NULL and type(value) is dict:
                raise Invalid("the NGSI-LD Null inside of a value is only for a merge")
        elif kind is dict or kind is list:
            if depth > MAX_VALUE_DEPTH:
                raise Invalid(f"the value nests more than {MAX_VALUE_DEPTH} deep")
            refuse_nulls(item, depth + 1)


def name_iri(expand: Callable[[str], str], member: str, value: Any) -> str:
    """A name expanded by the @context."""
    if type(value) is not str:
        raise Invalid(f"{member} is not a name: {shown(value)}")
    try:
        return expand(value)
    except BadRequestData as problem:
        raise Invalid(f"{member}: {problem.detail}") from None


def check_value(kind: str, value: Any, ctx: CompiledContext, *, nulls: bool) -> Any:
    """The value of an attribute of `kind` in its inner form; Invalid when it is none (§4.5.2 ff.)."""
    if value == NULL:
        if nulls:
            return value
        raise Invalid("the NGSI-LD Null is only for fragments")
    if value is None and kind != "JsonProperty":
        raise Invalid("null is not a value")
    check = _CHECKS.get(kind)
    return check(value, ctx, nulls) if check else value


def _geometry(value: Any, _ctx: CompiledContext, _nulls: bool) -> Any:
    try:
        validate_geometry(value)
    except ValueError as error:
        raise Invalid(str(error)) from None
    return value


def _object(value: Any, _ctx: CompiledContext, _nulls: bool) -> Any:
    if type(value) is list:
        if not value:
            raise Invalid("object is an empty array")
        return [uri("object", item) for item in value]
    return uri("object", value)


def _language_map(value: Any, _ctx: CompiledContext, nulls: bool) -> Any:
    if type(value) is not dict or not value:
        raise Invalid("languageMap is not an object of texts by language")
    for language, words in value.items():
        plain = words if type(words) is list else [words]
        if not language or not all(type(word) is str for word in plain):
            raise Invalid(f"languageMap holds no text for {shown(language)}")
        if words == NULL and not nulls:
            raise Invalid("the NGSI-LD Null is only for fragments")
    return value


def _vocab(value: Any, ctx: CompiledContext, _nulls: bool) -> Any:
    if type(value) is list and value:
        return [name_iri(ctx.expand_term, "vocab", item) for item in value]
    return name_iri(ctx.expand_term, "vocab", value)


def _value_list(value: Any, _ctx: CompiledContext, _nulls: bool) -> Any:
    if type(value) is not list:
        raise Invalid("valueList is not an array")
    return value


def _object_list(value: Any, _ctx: CompiledContext, _nulls: bool) -> Any:
    if type(value) is not list:
        raise Invalid("objectList is not an array")
    return [
        uri("object", item["object"] if type(item) is dict and len(item) == 1 and "object" in item
            else item)
        for item in value
    ]  # fmt: skip


_CHECKS: Final[dict[str, Callable[[Any, CompiledContext, bool], Any]]] = {
    "GeoProperty": _geometry,
    "Relationship": _object,
    "LanguageProperty": _language_map,
    "VocabProperty": _vocab,
    "ListProperty": _value_list,
    "ListRelationship": _object_list,
}
