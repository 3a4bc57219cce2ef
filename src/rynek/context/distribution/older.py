"""Entities for a source that knows an older version of the standard (CIM 009 §4.3.6.8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rynek.context.formats.instances import KIND_OF
from rynek.context.model import VALUE_MEMBER

__all__ = ["conform"]

Version = tuple[int, int]

# What came in with which version, and so is left out for those before (tables 4.3.6.8-1 to -3).
_ENTITY_SINCE: Final[dict[str, Version]] = {"expiresAt": (1, 9), "scope": (1, 4)}
_MEMBER_SINCE: Final[dict[str, Version]] = {
    "datasetId": (1, 3),
    "expiresAt": (1, 9),
    "observedAt": (1, 3),
    "unitCode": (1, 3),
    "valueType": (1, 9),
    "objectType": (1, 8),
}
_KIND_SINCE: Final[dict[str, Version]] = {
    "LanguageProperty": (1, 4),
    "JsonProperty": (1, 8),
    "VocabProperty": (1, 8),
    "ListProperty": (1, 8),
    "ListRelationship": (1, 8),
}
_MANY_SINCE: Final[Version] = (1, 3)
_LEAVES: Final = frozenset(VALUE_MEMBER.values()) | frozenset(_MEMBER_SINCE) | {"type", "id"}
_ENTITY_MEMBERS: Final = frozenset(("id", "@id", "type", "@type", "@context", "scope", "expiresAt"))


def conform(document: Any, version: str) -> Any:
    """`document` (an entity, a fragment, or an array of these) as `version` (major.minor) knows
    them: newer members left out, newer kinds of attributes as Property or Relationship."""
    told = _version(version)
    if told is None:
        return document
    if isinstance(document, list):
        return [_entity(one, told) if isinstance(one, dict) else one for one in document]
    return _entity(document, told) if isinstance(document, dict) else document


def _version(text: str) -> Version | None:
    major, dot, minor = text.partition(".")
    return (int(major), int(minor)) if dot and major.isdigit() and minor.isdigit() else None


def _entity(document: dict[str, Any], version: Version) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, item in document.items():
        if version < _ENTITY_SINCE.get(name, version):
            continue
        if name in {"type", "@type"} and version < _MANY_SINCE and isinstance(item, list):
            out[name] = item[0]
        elif name in _ENTITY_MEMBERS:
            out[name] = item
        else:
            out[name] = _attribute(item, version)
    return out


def _attribute(item: Any, version: Version) -> Any:
    if isinstance(item, list) and all(isinstance(one, dict) for one in item) and item:
        if version < _MANY_SINCE:
            default = [one for one in item if "datasetId" not in one]
            return _instance((default or item)[0], version)
        return [_instance(one, version) for one in item]
    return _instance(item, version) if isinstance(item, dict) else item


def _instance(item: dict[str, Any], version: Version) -> dict[str, Any]:
    kind = _kind(item)
    if kind is None:
        return item
    out: dict[str, Any] = {}
    for name, inner in item.items():
        if version < _MEMBER_SINCE.get(name, version):
            continue
        out[name] = inner if name in _LEAVES else _attribute(inner, version)
    return _reshaped(out, kind) if version < _KIND_SINCE.get(kind, version) else out


def _kind(item: dict[str, Any]) -> str | None:
    kind = item.get("type")
    if isinstance(kind, str):
        return kind if kind in VALUE_MEMBER else None
    return next((KIND_OF[name] for name in item if name in KIND_OF), None)


def _reshaped(item: dict[str, Any], kind: str) -> dict[str, Any]:
    """A newer kind of attribute as the Property or Relationship that it stands for."""
    member = VALUE_MEMBER[kind]
    if member not in item:
        return item
    plain = "Relationship" if kind == "ListRelationship" else "Property"
    take: Callable[[Any], Any] = _objects if kind == "ListRelationship" else _same
    renamed = {
        VALUE_MEMBER[plain] if name == member else name: inner for name, inner in item.items()
    }
    renamed[VALUE_MEMBER[plain]] = take(item[member])
    return renamed | {"type": plain}


def _objects(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [one["object"] if isinstance(one, dict) and "object" in one else one for one in value]


def _same(value: Any) -> Any:
    return value
