"""Checks of single members of a registration; each raises Invalid with the path of what is wrong
(CIM 009 §5.2.8 - §5.2.11, §5.2.34, §4.3.6.6)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from rynek.base.clock import parse_iso
from rynek.base.errors import Problem
from rynek.base.geo import validate_geometry
from rynek.context.formats.values import NONE, Invalid, moment, name_iri, shown, text, uri
from rynek.context.jsonld import CompiledContext
from rynek.context.jsonld.names import is_uri
from rynek.context.model import NULL
from rynek.context.query import pattern
from rynek.context.registrations.model import (
    MODES,
    EntityInfo,
    Interval,
    KeyValue,
    Management,
    RegistrationInfo,
)
from rynek.context.registrations.operations import GROUPS, NAMES

T = TypeVar("T")
MAX_ITEMS: Final = 1000
MAX_TEXT: Final = 4096
_SCHEMES: Final = frozenset(("http", "https"))
_MEDIA: Final = frozenset(("application/json", "application/ld+json"))
_CONFORMANCE: Final = re.compile(r"\d{1,3}\.\d{1,3}", re.ASCII)
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?::\d{1,5})?", re.ASCII)
_HOST_CHARS: Final = re.compile(r"[!-~]+", re.ASCII)
_DURATION: Final = re.compile(
    r"P(?=[\dT])(?:(\d+(?:[.,]\d+)?)Y)?(?:(\d+(?:[.,]\d+)?)M)?(?:(\d+(?:[.,]\d+)?)W)?"
    r"(?:(\d+(?:[.,]\d+)?)D)?(?:T(?=\d)(?:(\d+(?:[.,]\d+)?)H)?(?:(\d+(?:[.,]\d+)?)M)?"
    r"(?:(\d+(?:[.,]\d+)?)S)?)?",
    re.ASCII,
)
_SECONDS: Final = (31_557_600, 2_629_800, 604_800, 86_400, 3600, 60, 1)


def is_identifier(value: Any) -> bool:
    """Whether a value may be the id of a registration."""
    return isinstance(value, str) and is_uri(value) and value != NULL


def micros(value: str) -> int:
    """Epoch microseconds of a checked DateTime."""
    return parse_iso(value)


def plain_text(value: Any, _ld: CompiledContext) -> str:
    """A non-empty text."""
    checked = text("the value", value)
    if len(checked) > MAX_TEXT:
        raise Invalid(f"longer than {MAX_TEXT} characters")
    return checked


def header_text(value: Any, ld: CompiledContext) -> str:
    """A text that can go into an HTTP header as it is (`tenant`)."""
    checked = plain_text(value, ld)
    if _HOST_CHARS.fullmatch(checked) is None:
        raise Invalid(f"has a character that no header may carry: {shown(value)}")
    return checked


def pseudonym(value: Any, _ld: CompiledContext) -> str:
    """The pseudonym of a Via header (RFC 7230 §5.7.1): a token, with or without a port."""
    if type(value) is not str or len(value) > MAX_TEXT or _TOKEN.fullmatch(value) is None:
        raise Invalid(f"is no pseudonym as in RFC 7230: {shown(value)}")
    return value


def endpoint(value: Any, _ld: CompiledContext) -> str:
    """A URI that can be dereferenced: http or https, with a host."""
    checked = uri("the value", value)
    try:
        parts = urlsplit(checked)
        usable = parts.scheme.lower() in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise Invalid(f"is no http or https URI with a host: {shown(value)}")
    return checked


def mode(value: Any, _ld: CompiledContext) -> str:
    """How the source takes part in distributed operations (§4.3.6)."""
    if type(value) is not str or value not in MODES:
        raise Invalid(f"is none of {', '.join(sorted(MODES))}: {shown(value)}")
    return value


def operations(value: Any, _ld: CompiledContext) -> tuple[str, ...]:
    """Names of operations and of groups (§4.20)."""
    for one in _array(value):
        if type(one) is not str or (one not in NAMES and one not in GROUPS):
            raise Invalid(f"is not the name of an operation or a group (§4.20): {shown(one)}")
    return tuple(dict.fromkeys(value))


def dataset_ids(value: Any, _ld: CompiledContext) -> tuple[str, ...]:
    """URIs, or `@none` for instances without dataset id."""
    return tuple(one if one == NONE else uri("an element", one) for one in _array(value))


def scopes(value: Any, _ld: CompiledContext) -> tuple[str, ...]:
    """One scope or several (§4.18)."""
    found = value if type(value) is list else [value]
    for scope in _array(found):
        levels = scope.removeprefix("/").split("/") if type(scope) is str else [""]
        if not all(level and level.replace("_", "a").isalnum() for level in levels):
            raise Invalid(f"is not a scope: {shown(scope)}")
    return tuple(dict.fromkeys(found))


def date_time(value: Any, _ld: CompiledContext) -> str:
    """A DateTime (§4.6.3), in UTC."""
    return moment("the value", value)


def interval(value: Any, _ld: CompiledContext) -> Interval:
    """A TimeInterval (§5.2.11)."""
    given = _object(value, ("startAt", "endAt"))
    if "startAt" not in given:
        raise Invalid("startAt is missing")
    start_at = moment("startAt", given["startAt"])
    start = micros(start_at)
    if "endAt" not in given:
        return Interval(start_at, start)
    end_at = moment("endAt", given["endAt"])
    end = micros(end_at)
    if end < start:
        raise Invalid("endAt is before startAt")
    return Interval(start_at, start, end_at, end)


def geometry(value: Any, _ld: CompiledContext) -> dict[str, Any]:
    """A GeoJSON geometry (§4.7), also one inside a GeoProperty."""
    if type(value) is dict and value.get("type") == "GeoProperty":
        value = value.get("value")
    try:
        validate_geometry(value)
    except ValueError as error:
        raise Invalid(str(error)) from None
    kept: dict[str, Any] = value
    return kept


def duration(value: Any, _ld: CompiledContext) -> str:
    """An ISO 8601 duration, as it came."""
    if type(value) is not str or duration_seconds(value) is None:
        raise Invalid(f"is not an ISO 8601 duration: {shown(value)}")
    return value


def duration_seconds(value: str) -> float | None:
    """The length of an ISO 8601 duration in seconds, with years and months of mean length;
    None when it is none."""
    match = _DURATION.fullmatch(value) if len(value) <= 64 else None
    if match is None or not any(match.groups()):
        return None
    return sum(
        float(number.replace(",", ".")) * seconds
        for number, seconds in zip(match.groups(), _SECONDS, strict=True)
        if number is not None
    )


def management(value: Any, _ld: CompiledContext) -> Management:
    """RegistrationManagementInfo (§5.2.34)."""
    given = _object(value, ("localOnly", "cacheDuration", "timeout", "cooldown"))
    local_only = given.get("localOnly")
    if local_only is not None and type(local_only) is not bool:
        raise Invalid(f"localOnly is neither true nor false: {shown(local_only)}")
    cache = given.get("cacheDuration")
    seconds = duration_seconds(cache) if type(cache) is str else None
    if cache is not None and seconds is None:
        raise Invalid(f"cacheDuration is not an ISO 8601 duration: {shown(cache)}")
    return Management(
        local_only, cache, seconds, _above_zero(given, "timeout"), _above_zero(given, "cooldown")
    )


def _above_zero(given: dict[str, Any], member: str) -> int | float | None:
    value: int | float | None = given.get(member)
    if value is not None and (type(value) not in (int, float) or not value > 0):
        raise Invalid(f"{member} is not a number of milliseconds above 0: {shown(value)}")
    if value is not None and value >= 1e15:
        raise Invalid(f"{member} is more than 30,000 years: {shown(value)}")
    return value


def context_source_info(value: Any, _ld: CompiledContext) -> tuple[KeyValue, ...]:
    """Key and value pairs; four keys have a meaning and so a form (§4.3.6.6)."""
    found = []
    for position, one in enumerate([] if value == [] else _array(value)):
        if (
            type(one) is not dict
            or set(one) != {"key", "value"}
            or not all(type(part) is str and part != NULL for part in one.values())
            or not one["key"]
        ):
            raise Invalid(f"element {position} is not a pair of key and value, both texts")
        _check_reserved(one["key"], one["value"])
        found.append(KeyValue(one["key"], one["value"]))
    return tuple(found)


def _check_reserved(key: str, value: str) -> None:
    if key in ("accept", "contentType") and value not in _MEDIA:
        raise Invalid(f"{key} is none of {', '.join(sorted(_MEDIA))}: {shown(value)}")
    if key == "jsonldContext" and not (
        is_uri(value) and urlsplit(value).scheme.lower() in _SCHEMES
    ):
        raise Invalid(f"jsonldContext is no URL: {shown(value)}")
    if key == "ngsildConformance" and _CONFORMANCE.fullmatch(value) is None:
        raise Invalid(f"ngsildConformance is not like 1.5: {shown(value)}")
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise Invalid(f"the value of {shown(key)} has control characters")


def information(value: Any, ld: CompiledContext) -> tuple[RegistrationInfo, ...]:
    """RegistrationInfo[] (§5.2.10)."""
    return _each("", value, lambda one: _registration_info(one, ld))


def _registration_info(value: Any, ld: CompiledContext) -> RegistrationInfo:
    given = _object(value, ("entities", "propertyNames", "relationshipNames"))
    if not given:
        raise Invalid("needs entities, propertyNames or relationshipNames")

    def names(member: str) -> tuple[str, ...]:
        if member not in given:
            return ()
        return _each(member, given[member], lambda one: name_iri(ld.attribute, "the name", one))

    entities: tuple[EntityInfo, ...] = ()
    if "entities" in given:
        entities = _each("entities", given["entities"], lambda one: _entity_info(one, ld))
    return RegistrationInfo(entities, names("propertyNames"), names("relationshipNames"))


def _entity_info(value: Any, ld: CompiledContext) -> EntityInfo:
    given = _object(value, ("id", "idPattern", "type", "@id", "@type"))
    types = given.get("type", given.get("@type"))
    if types is None:
        raise Invalid("type is missing")
    listed = types if type(types) is list else [types]
    iris = tuple(name_iri(ld.entity_type, "type", one) for one in _array(listed))
    entity_id = given.get("id", given.get("@id"))
    if entity_id is not None:
        uri("id", entity_id)
    id_pattern = given.get("idPattern")
    if id_pattern is not None:
        try:
            pattern.search(text("idPattern", id_pattern), "idPattern")
        except Problem as problem:
            raise Invalid(problem.detail) from None
    return EntityInfo(tuple(dict.fromkeys(iris)), entity_id, id_pattern)


def _each(member: str, value: Any, check: Callable[[Any], T]) -> tuple[T, ...]:
    """Every element of a non-empty array; a failing one is named by its position."""
    try:
        elements = _array(value)
    except Invalid as error:
        error.path += [member] if member else []
        raise
    found = []
    for position, one in enumerate(elements):
        try:
            found.append(check(one))
        except Invalid as error:
            error.path.append(f"{member}[{position}]")
            raise
    return tuple(found)


def _array(value: Any) -> list[Any]:
    if type(value) is not list or not value:
        raise Invalid(f"is not an array with elements: {shown(value)}")
    if len(value) > MAX_ITEMS:
        raise Invalid(f"has more than {MAX_ITEMS} elements")
    return value


def _object(value: Any, allowed: tuple[str, ...]) -> dict[str, Any]:
    if type(value) is not dict:
        raise Invalid(f"is not an object: {shown(value)}")
    for member, item in value.items():
        if member not in allowed:
            raise Invalid(f"has no member {member[:80]!r}")
        if item is None or item == NULL:
            raise Invalid(f"{member} is null")
    return value
