"""Entities as earlier versions of the standard know them (CIM 009 §4.3.6.8)."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["Version", "as_of", "attribute_as_of", "parse_version"]

Version = tuple[int, int]

_SYSTEM: Final = frozenset(("id", "type", "@context", "createdAt", "modifiedAt", "deletedAt"))
# Kinds that came later: since when, and which member holds what became `value` or `object`.
_KINDS: Final[dict[str, tuple[Version, str, str]]] = {
    "LanguageProperty": ((1, 4), "languageMap", "Property"),
    "JsonProperty": ((1, 8), "json", "Property"),
    "VocabProperty": ((1, 8), "vocab", "Property"),
    "ListProperty": ((1, 8), "valueList", "Property"),
    "ListRelationship": ((1, 8), "objectList", "Relationship"),
}
_BY_MEMBER: Final = {member: kind for kind, (_, member, _) in _KINDS.items()}
_MEMBERS: Final[tuple[tuple[Version, tuple[str, ...]], ...]] = (
    ((1, 3), ("datasetId", "observedAt", "unitCode")),
    ((1, 8), ("objectType",)),
    ((1, 9), ("valueType", "expiresAt")),
)
# What an instance holds that is no attribute of it.
_VALUES: Final = frozenset(
    ("value", "object", "languageMap", "json", "vocab", "valueList", "objectList", "entity",
     "entityList", "previousValue", "previousObject", "previousLanguageMap", "previousJson",
     "previousVocab", "previousValueList", "previousObjectList")
)  # fmt: skip


def parse_version(text: str) -> Version | None:
    """The version in `major.minor`; None when it is none."""
    major, dot, minor = text.partition(".")
    told = dot and major.isascii() and major.isdigit() and minor.isascii() and minor.isdigit()
    return (int(major), int(minor)) if told else None


def as_of(document: Any, version: Version, *, simplified: bool = False) -> Any:
    """`document` (an entity, a fragment, a feature, a collection or a list of these) amended to
    `version`: newer members left out, newer kinds of attributes as Property or Relationship."""
    if isinstance(document, list):
        return [as_of(one, version, simplified=simplified) for one in document]
    if not isinstance(document, dict):
        return document
    if document.get("type") == "FeatureCollection" and "features" in document:
        features = as_of(document["features"], version, simplified=simplified)
        return document | {"features": features}
    if document.get("type") == "Feature" and isinstance(document.get("properties"), dict):
        properties = as_of(document["properties"], version, simplified=simplified)
        return document | {"properties": properties}
    return _entity(document, version, simplified=simplified)


def _entity(entity: dict[str, Any], version: Version, *, simplified: bool) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, item in entity.items():
        if (name == "expiresAt" and version < (1, 9)) or (name == "scope" and version < (1, 4)):
            continue
        several = name == "type" and isinstance(item, list) and item and isinstance(item[0], str)
        if several and version < (1, 3):
            made[name] = item[0]
        elif simplified or name in _SYSTEM or name in ("expiresAt", "scope"):
            made[name] = item
        else:
            made[name] = attribute_as_of(item, version)
    return made


def attribute_as_of(item: Any, version: Version) -> Any:
    """An instance, or those of several datasets: before 1.3 the default one, else the first."""
    if isinstance(item, list):
        instances = [one for one in item if isinstance(one, dict)]
        if version < (1, 3) and instances and any("datasetId" in one for one in instances):
            default = [one for one in instances if "datasetId" not in one]
            return _instance((default or instances)[0], version)
        return [attribute_as_of(one, version) for one in item]
    return _instance(item, version) if isinstance(item, dict) else item


def _instance(instance: dict[str, Any], version: Version) -> dict[str, Any]:
    kind = instance.get("type") or next(
        (kind for member, kind in _BY_MEMBER.items() if member in instance), None
    )
    gone = {name for since, names in _MEMBERS if version < since for name in names}
    made: dict[str, Any] = {}
    for name, item in instance.items():
        if name not in gone:
            made[name] = item if name in _VALUES else attribute_as_of(item, version)
    if isinstance(kind, str) and kind in _KINDS and version < _KINDS[kind][0]:
        _, member, becomes = _KINDS[kind]
        if member in made:
            inner = made.pop(member)
            made["type"] = becomes
            if becomes == "Property":
                made["value"] = inner
            else:
                made["object"] = _objects(inner)
    return made


def _objects(listed: Any) -> Any:
    """URIs of an objectList, whose items may be objects with a member `object`."""
    if not isinstance(listed, list):
        return listed
    return [one.get("object", one) if isinstance(one, dict) else one for one in listed]
