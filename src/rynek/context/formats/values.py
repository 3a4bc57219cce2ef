"""Checks of single members: values by kind, times, identifiers (CIM 009 §4.5, §4.6)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

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
    "bound_depth",
    "check_value",
    "moment",
    "name_iri",
    "refuse_nulls",
    "text",
    "uri",
]

MAX_VALUE_DEPTH: Final = 200
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:(\d\d)([.,]\d{1,6})?Z", re.ASCII)
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")


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


def moment(member: str, value: Any, *, nulls: bool = False, zones: bool = False) -> str:
    """A DateTime in UTC (§4.6.3): `YYYY-MM-DDThh:mm:ss[.ffffff]Z`; a decimal comma becomes a point.

    With `zones` a time of another zone is converted.
    """
    if type(value) is not str or len(value) > 64:
        raise Invalid(f"{member} is not a DateTime: {shown(value)}")
    utc = _utc(value)
    if utc is not None:
        return utc
    if nulls and value == NULL:
        return value
    with contextlib.suppress(ValueError, OverflowError):
        # A zone may lead out of the years that there are.
        utc = _utc(to_iso(parse_iso(value))) if zones else None
    if utc is not None:
        return utc
    raise Invalid(f"{member} is not a DateTime (YYYY-MM-DDThh:mm:ss[.ffffff]Z): {shown(value)}")


@lru_cache(maxsize=4096)
def _utc(value: str) -> str | None:
    """Remembered: the members of one entity, and of one poll, tend to share their time."""
    match = _DATE_TIME.fullmatch(value)
    if match is None:
        return None
    text = value.replace(",", ".")
    try:
        if match[1] == "60":  # a leap second
            return to_iso(parse_iso(text))
        datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return text


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
    """Invalid when an object or array that is a value has the NGSI-LD Null inside (§5.2.1, §5.5.4),
    or nests too deep."""
    for item in value.values() if type(value) is dict else value:
        kind = type(item)
        if kind is str:
            if item == NULL:
                raise Invalid("the NGSI-LD Null inside of a value is only for a merge")
        elif kind is dict or kind is list:
            if depth >= MAX_VALUE_DEPTH:
                raise Invalid(_TOO_DEEP)
            refuse_nulls(item, depth + 1)


def null_inside(value: Any, depth: int = 0) -> str | None:
    """Where an object or array of a data type of the standard has null or the NGSI-LD Null inside,
    as a path such as `[0].id`; None where it has none. No member admits one (§5.2.1)."""
    steps: Iterable[tuple[str, Any]]
    if type(value) is dict:
        steps = ((f".{name[:80]}", item) for name, item in value.items())
    elif type(value) is list:
        steps = ((f"[{position}]", item) for position, item in enumerate(value))
    else:
        return None
    for step, item in steps:
        if item is None or item == NULL:
            return step
        found = null_inside(item, depth + 1) if depth < MAX_VALUE_DEPTH else None
        if found is not None:
            return step + found
    return None


def bound_depth(value: Any, depth: int = 0) -> None:
    """Invalid when an object or array nests too deep; what it holds is the caller's."""
    for item in value.values() if type(value) is dict else value:
        kind = type(item)
        if kind is dict or kind is list:
            if depth >= MAX_VALUE_DEPTH:
                raise Invalid(_TOO_DEEP)
            bound_depth(item, depth + 1)


_TOO_DEEP: Final = f"the value nests more than {MAX_VALUE_DEPTH} deep"


def name_iri(expand: Callable[[str], str], member: str, value: Any) -> str:
    """A name expanded by the @context."""
    if type(value) is not str:
        raise Invalid(f"{member} is not a name: {shown(value)}")
    try:
        return expand(value)
    except BadRequestData as problem:
        raise Invalid(f"{member}: {problem.detail}") from None


def check_value(
    kind: str,
    value: Any,
    ctx: CompiledContext,
    nulls: bool,
    deep_nulls: bool,
) -> Any:
    """The value of an attribute of `kind` in its inner form; Invalid when it is none (§4.5.2 ff.).

    With `nulls` the NGSI-LD Null is a value, in whichever form the kind has for it (§4.5.0):
    alone, as the only element of an array, as `{"@none": …}` of a languageMap; inside it is
    always plain NULL. `deep_nulls` lets it also stand inside of a value (merge patch only).
    """
    if value == NULL or (kind in _NULLS and value in _NULLS[kind]):
        if nulls:
            return NULL
        raise Invalid(NOT_HERE)
    if value is None:
        raise Invalid("null is not a value")
    if kind in _CHECKS:
        return _CHECKS[kind](value, ctx, deep_nulls)
    if type(value) in _CONTAINERS:
        (bound_depth if deep_nulls else refuse_nulls)(value)
    return value


NOT_HERE: Final = "the NGSI-LD Null is only for fragments of an update or merge"
_CONTAINERS: Final = frozenset((dict, list))
_NULLS: Final[dict[str, tuple[Any, ...]]] = {
    "LanguageProperty": ({NONE: NULL},),
    "Relationship": ([NULL],),
    "VocabProperty": ([NULL],),
    "ListProperty": ([NULL],),
    "ListRelationship": ([NULL], [{"object": NULL}]),
}


def _geometry(value: Any, _ctx: CompiledContext, _nulls: bool) -> Any:
    """A geometry, also as the JSON text of one (§4.7.2)."""
    if type(value) is str and value[:1] == "{":
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            raise Invalid(f"not the JSON text of a geometry: {shown(value)}") from None
    try:
        validate_geometry(value)
    except ValueError as error:
        raise Invalid(str(error)) from None
    return value


def _reference(member: str, value: Any) -> str:
    if value == NULL:
        raise Invalid(NOT_HERE)
    return uri(member, value)


def _object(value: Any, _ctx: CompiledContext, _nulls: bool) -> Any:
    if type(value) is list:
        if not value:
            raise Invalid("object is an empty array")
        return [_reference("object", item) for item in value]
    return uri("object", value)


def _language_map(value: Any, _ctx: CompiledContext, nulls: bool) -> Any:
    """Texts by language tag or @none (§4.6.5); with `nulls` a language may be deleted."""
    if type(value) is not dict or not value:
        raise Invalid("languageMap is not an object of texts by language")
    for language, words in value.items():
        plain = words if type(words) is list else (words,)
        if language != NONE and _LANGUAGE.fullmatch(language) is None:
            raise Invalid(f"languageMap: not a language tag (RFC 5646) or @none: {shown(language)}")
        if not all(type(word) is str for word in plain):
            raise Invalid(f"languageMap holds no text for {shown(language)}")
        if NULL in plain and not (nulls and words == NULL):
            raise Invalid(NOT_HERE)
    return value


def _json(value: Any, _ctx: CompiledContext, _nulls: bool) -> Any:
    """A raw object or array (§4.5.24.2): nothing in it is read, not even the NGSI-LD Null."""
    if type(value) not in _CONTAINERS:
        raise Invalid(f"json is neither an object nor an array: {shown(value)}")
    bound_depth(value)
    return value


def _vocab(value: Any, ctx: CompiledContext, _nulls: bool) -> Any:
    if type(value) is list and value:
        if NULL in value:
            raise Invalid(NOT_HERE)
        return [name_iri(ctx.expand_term, "vocab", item) for item in value]
    return name_iri(ctx.expand_term, "vocab", value)


def _value_list(value: Any, _ctx: CompiledContext, nulls: bool) -> Any:
    if type(value) is not list:
        raise Invalid("valueList is not an array")
    (bound_depth if nulls else refuse_nulls)(value)
    return value


def _object_list(value: Any, _ctx: CompiledContext, _nulls: bool) -> Any:
    if type(value) is not list:
        raise Invalid("objectList is not an array")
    return [
        _reference(
            "object",
            item["object"] if type(item) is dict and len(item) == 1 and "object" in item else item,
        )
        for item in value
    ]


_CHECKS: Final[dict[str, Callable[[Any, CompiledContext, bool], Any]]] = {
    "GeoProperty": _geometry,
    "Relationship": _object,
    "LanguageProperty": _language_map,
    "VocabProperty": _vocab,
    "JsonProperty": _json,
    "ListProperty": _value_list,
    "ListRelationship": _object_list,
}
