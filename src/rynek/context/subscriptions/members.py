"""Checks of the members of a subscription's document; each raises Invalid with the path of what is
wrong (CIM 009 §5.2.12 - §5.2.15, §5.2.22, §5.2.33)."""

from __future__ import annotations

import re
from typing import Any, Final, cast

import msgspec

from rynek.base.clock import parse_iso
from rynek.base.delivery import parse_target
from rynek.base.errors import Problem
from rynek.base.mqtt import Version, parse_mqtt_target
from rynek.context.formats.values import NONE, Invalid, moment, name_iri, shown, text, uri
from rynek.context.jsonld import CompiledContext
from rynek.context.model import NULL
from rynek.context.query import GeoQuery, ScopeExpr, parse_geo, parse_scope, parse_types
from rynek.context.subscriptions.model import (
    ATTRIBUTE_CREATED,
    ATTRIBUTE_DELETED,
    ATTRIBUTE_UPDATED,
    ENTITY_UPDATED,
    TRIGGERS,
    Endpoint,
    Selector,
)

MAX_ITEMS: Final = 1000
MAX_TEXT: Final = 4096
MAX_TIME: Final = 1_000_000_000_000
SHORTEST: Final = 0.1
"""Seconds: a receiver that needs it more often is better told of changes."""
_MEDIA: Final = frozenset(("application/json", "application/ld+json", "application/geo+json"))
_VERSION: Final = re.compile(r"(\d{1,3})\.(\d{1,3})", re.ASCII)
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,200}", re.ASCII)
_FIELD_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# A receiverInfo that set these would break the framing of the request.
_FRAMING: Final = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade",
     "expect", "keep-alive")
)  # fmt: skip
_MQTT_VERSIONS: Final = frozenset(("mqtt3.1.1", "mqtt5.0"))


def at(step: str, error: Invalid) -> Invalid:
    """The error with one more step of its path."""
    # "entities" and "[0]" make one step of the path.
    inner = error.path.pop() if error.path and error.path[-1].startswith("[") else ""
    error.path.append(step[:80] + inner)
    return error


def plain(value: Any) -> str:
    """A text of bounded length."""
    if type(value) is not str or value == NULL:
        raise Invalid(f"is not a string: {shown(value)}")
    if len(value) > MAX_TEXT:
        raise Invalid(f"is longer than {MAX_TEXT} characters")
    return value


def flag(value: Any) -> bool:
    """A boolean."""
    if type(value) is not bool:
        raise Invalid(f"is neither true nor false: {shown(value)}")
    return value


def above_zero(value: Any) -> float:
    """A number greater than 0."""
    if type(value) not in (int, float) or not value > 0:
        raise Invalid(f"is not a number greater than 0: {shown(value)}")
    if value > MAX_TIME:
        raise Invalid(f"is more than {MAX_TIME:,}: {shown(value)}")
    return float(value)


def interval(value: Any) -> float:
    """Seconds between periodic notifications."""
    seconds = above_zero(value)
    if seconds < SHORTEST:
        raise Invalid(f"is less than {SHORTEST} seconds: {shown(value)}")
    return seconds


def items(value: Any) -> list[Any]:
    """An array that is not empty."""
    if type(value) is not list:
        raise Invalid(f"is not an array: {shown(value)}")
    if not value:
        raise Invalid("is an empty array")
    if len(value) > MAX_ITEMS:
        raise Invalid(f"has more than {MAX_ITEMS} elements")
    return value


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object."""
    if type(value) is not dict:
        raise Invalid(f"is not an object: {shown(value)}")
    return value


def selectors(value: Any, ld: CompiledContext) -> tuple[Selector, ...]:
    """EntitySelector[] (§5.2.33)."""
    found = []
    for position, one in enumerate(items(value)):
        try:
            found.append(_selector(mapping(one), ld))
        except Invalid as error:
            raise at(f"[{position}]", error) from None
    return tuple(found)


def _selector(given: dict[str, Any], ld: CompiledContext) -> Selector:
    kind = given.get("type", given.get("@type"))
    if kind is None:
        raise Invalid("has no type")
    if type(kind) is not str or not kind:
        raise at("type", Invalid(f"is not a string: {shown(kind)}"))
    types = None if kind == "*" else _refused("type", lambda: parse_types(kind, ld.expand_term))
    ids: frozenset[str] | None = None
    given_id = given.get("id", given.get("@id"))
    if given_id is not None:
        several = given_id if type(given_id) is list else [given_id]
        try:
            ids = frozenset(uri("an id", one) for one in items(several))
        except Invalid as error:
            raise at("id", error) from None
    id_pattern = given.get("idPattern")
    made = Selector(types, ids, id_pattern)
    if id_pattern is not None:
        if type(id_pattern) is not str or not id_pattern:
            raise at("idPattern", Invalid(f"is not a string: {shown(id_pattern)}"))
        _refused("idPattern", lambda: made._found)
    return made


def _refused(step: str, check: Any) -> Any:
    """What `check` gives; a problem of a parser becomes one of this member."""
    try:
        return check()
    except Problem as problem:
        raise at(step, Invalid(problem.detail)) from None


def triggers(value: Any) -> frozenset[str]:
    """Notification triggers; entityUpdated is the three of attributes (§5.2.12)."""
    for one in items(value):
        if type(one) is not str or one not in TRIGGERS:
            raise Invalid(f"is none of {', '.join(sorted(TRIGGERS))}: {shown(one)}")
    found = set(value)
    if ENTITY_UPDATED in found:
        found |= {ATTRIBUTE_CREATED, ATTRIBUTE_UPDATED, ATTRIBUTE_DELETED}
    return frozenset(found)


def attribute_names(value: Any, ld: CompiledContext) -> frozenset[str]:
    """Names of attributes → IRIs."""
    return frozenset(name_iri(ld.expand_term, "an element", one) for one in items(value))


def dataset_ids(value: Any) -> tuple[str, ...]:
    """URIs, or `@none` for instances without dataset id."""
    return tuple(one if one == NONE else uri("an element", one) for one in items(value))


def geo(value: Any, ld: CompiledContext) -> GeoQuery:
    """GeoQuery (§5.2.13)."""
    given = mapping(value)
    texts = {name: given.get(name) for name in ("georel", "geometry", "geoproperty")}
    for name, one in texts.items():
        if one is None and name != "geoproperty":
            raise Invalid(f"has no {name}")
        if one is not None and type(one) is not str:
            raise at(name, Invalid(f"is not a string: {shown(one)}"))
    coordinates = given.get("coordinates")
    if coordinates is None:
        raise Invalid("has no coordinates")
    if type(coordinates) is not str:
        if type(coordinates) is not list:
            raise at("coordinates", Invalid(f"is not an array: {shown(coordinates)}"))
        coordinates = msgspec.json.encode(coordinates).decode()
    try:
        found = parse_geo(
            texts["georel"], texts["geometry"], coordinates, texts["geoproperty"], ld.expand_term
        )
    except Problem as problem:
        raise Invalid(problem.detail) from None
    assert found is not None
    return found


def scope(value: Any) -> ScopeExpr:
    """A scope query (§4.19)."""
    try:
        return parse_scope(plain(value))
    except Problem as problem:
        raise Invalid(problem.detail) from None


def expiry(value: Any) -> int:
    """A DateTime → epoch microseconds."""
    return parse_iso(moment("the value", value))


def conformance(value: Any) -> tuple[int, int]:
    """A version of the standard as major.minor (§4.3.6.8)."""
    match = _VERSION.fullmatch(value) if type(value) is str else None
    if match is None:
        raise Invalid(f"is not a version as major.minor: {shown(value)}")
    return int(match[1]), int(match[2])


def endpoint(value: Any) -> Endpoint:
    """Endpoint (§5.2.15, §7.2)."""
    given = mapping(value)
    if "uri" not in given:
        raise Invalid("has no uri")
    try:
        address = uri("the value", given["uri"])
    except Invalid as error:
        raise at("uri", error) from None
    fields: dict[str, Any] = {"uri": address}
    try:
        if address.lower().startswith(("mqtt:", "mqtts:")):
            fields["mqtt"] = parse_mqtt_target(address)
        else:
            fields["http"] = parse_target(address)
    except ValueError as error:
        raise at("uri", Invalid(f"cannot be notified: {error}")) from None
    if "accept" in given:
        media = given["accept"]
        if type(media) is not str or media not in _MEDIA:
            allowed = ", ".join(sorted(_MEDIA))
            raise at("accept", Invalid(f"is none of {allowed}: {shown(media)}"))
        fields["media"] = media
    for name in ("cooldown", "timeout"):
        if name in given:
            try:
                fields[name] = above_zero(given[name]) / 1000
            except Invalid as error:
                raise at(name, error) from None
    fields["headers"] = _pairs(given, "receiverInfo", header="http" in fields)
    return Endpoint(**fields, **_mqtt(_pairs(given, "notifierInfo", header=False), fields))


def _pairs(given: dict[str, Any], member: str, *, header: bool) -> tuple[tuple[str, str], ...]:
    """KeyValuePair[] (§5.2.22); with `header` what RFC 7230 allows in headers."""
    if member not in given:
        return ()
    value = given[member]
    found: list[tuple[str, str]] = []
    try:
        if type(value) is not list or len(value) > MAX_ITEMS:
            raise Invalid(f"is not an array of key-value pairs: {shown(value)}")
        for position, one in enumerate(value):
            try:
                found.append(_pair(mapping(one), header=header))
            except Invalid as error:
                raise at(f"[{position}]", error) from None
    except Invalid as error:
        raise at(member, error) from None
    return tuple(found)


def _pair(given: dict[str, Any], *, header: bool) -> tuple[str, str]:
    for name in ("key", "value"):
        if name not in given:
            raise Invalid(f"has no {name}")
        if type(given[name]) is not str:
            raise at(name, Invalid(f"is not a string: {shown(given[name])}"))
    key, value = text("key", given["key"]), plain(given["value"])
    if header:
        if _TOKEN.fullmatch(key) is None:
            raise at("key", Invalid(f"is not the name of a header (RFC 7230): {shown(key)}"))
        if key.lower() in _FRAMING:
            raise at("key", Invalid(f"is a header that only the sender can set: {shown(key)}"))
        if _FIELD_VALUE.fullmatch(value) is None:
            raise at("value", Invalid("has a character that no header may carry"))
    return key, value


def _mqtt(pairs: tuple[tuple[str, str], ...], fields: dict[str, Any]) -> dict[str, Any]:
    """The protocol parameters of MQTT (Table 7.2-1)."""
    if "mqtt" not in fields:
        return {}
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key == "MQTT-QoS":
            if value not in ("0", "1", "2"):
                raise at("notifierInfo", Invalid(f"MQTT-QoS is none of 0, 1, 2: {shown(value)}"))
            found["mqtt_qos"] = int(value)
        elif key == "MQTT-Version":
            if value not in _MQTT_VERSIONS:
                allowed = ", ".join(sorted(_MQTT_VERSIONS))
                what = f"MQTT-Version is none of {allowed}: {shown(value)}"
                raise at("notifierInfo", Invalid(what))
            found["mqtt_version"] = cast("Version", value)
    return found
