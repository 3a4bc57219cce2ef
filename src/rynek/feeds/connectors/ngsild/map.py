"""Entities in any representation → normalized documents with short names, ids kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rynek.base.clock import to_iso
from rynek.base.ids import is_uri, urn
from rynek.context import DEFAULT_VOCAB, VALUE_MEMBER
from rynek.feeds.connectors.ngsild.decode import Entity
from rynek.feeds.contract import Document, Situation
from rynek.feeds.kit.checked import finite
from rynek.feeds.kit.documents import provenance
from rynek.feeds.kit.times import to_micros

_KINDS_OF = {member: kind for kind, member in reversed(VALUE_MEMBER.items())}
_GEOMETRIES = frozenset(
    {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"}
)
_SIMPLE = {
    "geo:point": "Point",
    "geo:line": "LineString",
    "geo:polygon": "Polygon",
    "geo:box": "Polygon",
}
_MODELS = re.compile(r"https://(smartdatamodels\.org/|uri\.fiware\.org/ns/)[\w./-]*[/#](\w+)\Z")
_SYSTEM = frozenset({"createdAt", "modifiedAt", "deletedAt"})
_LEFT_OUT = frozenset({"@context", "id", "@id", "type", "@type"}) | _SYSTEM
_PLAIN = frozenset({"observedAt", "unitCode", "datasetId", "objectType", "valueType", "scope"})


def map_entity(entity: Entity, situation: Situation) -> Iterator[Document]:
    """One entity → one document; none (counted) when it can't have a usable id or type."""
    if entity.get("type") == "Feature":
        entity = _unfeatured(entity)
    given = entity.get("type", entity.get("@type"))
    kinds = [_short(kind, situation) for kind in (given if isinstance(given, list) else [given])
             if isinstance(kind, str) and kind]  # fmt: skip
    if not kinds:
        situation.findings.add("bad-record", "warning", f"no type: {entity.get('id')}")
        return
    own = entity.get("id", entity.get("@id"))
    if not isinstance(own, str) or not is_uri(own):
        situation.findings.add("id-no-uri", "warning", own)
        own = urn(kinds[0], str(own))
    made: Document = {"id": own, "type": kinds[0] if len(kinds) == 1 else kinds}
    for name, value in entity.items():
        if name in _LEFT_OUT:
            continue
        if name == "scope":
            made[name] = value
            continue
        attribute = _attribute(name, value, situation)
        if attribute is not None:
            made[_short(name, situation)] = attribute
    for name, attribute in provenance(situation.config).items():
        made.setdefault(name, attribute)
    yield made


def _unfeatured(feature: Entity) -> Entity:
    """A GeoJSON feature (CIM 009 §4.5.16): attributes stand in `properties`."""
    properties = feature.get("properties")
    found = dict(properties) if isinstance(properties, dict) else {}
    if feature.get("geometry") is not None:
        found.setdefault("location", feature["geometry"])
    return found | {"id": feature.get("id")}


def _short(name: str, situation: Situation) -> str:
    """Terms of the default and the Smart Data Models contexts lose their IRI; others keep it."""
    if name.startswith(DEFAULT_VOCAB):
        return name[len(DEFAULT_VOCAB) :]
    match = _MODELS.match(name)
    if match is None:
        return name
    situation.findings.add("term-shortened", "info", name)
    return match.group(2)


def _attribute(name: str, value: Any, situation: Situation) -> Any:
    """A normalized attribute, or a list of its instances; None (counted) for a null."""
    if value is None:
        situation.findings.add("null-value", "info", name)
        return None
    if isinstance(value, list) and value and all(_is_instance(item) for item in value):
        found = [_instance(name, item, situation) for item in value]
        return [item for item in found if item is not None] or None
    return _instance(name, value, situation)


def _is_instance(value: Any) -> bool:
    return isinstance(value, dict) and not value.keys().isdisjoint(_KINDS_OF)


def _instance(name: str, value: Any, situation: Situation) -> dict[str, Any] | None:
    """One instance from its normalized, concise, simplified or v2 form (CIM 009 §4.5.1 - §4.5.4)."""
    if not _is_instance(value):
        return _simplified(name, value)
    kind = value.get("type")
    if not isinstance(kind, str | None):
        situation.findings.add("bad-attribute", "warning", f"{name}: type {kind}")
        return None
    if kind not in VALUE_MEMBER:
        return _from_v2(name, value, situation) if kind is not None else _concise(value, situation)
    if VALUE_MEMBER[kind] not in value:
        situation.findings.add("bad-attribute", "warning", f"{name}: {kind} without its value")
        return None
    if value[VALUE_MEMBER[kind]] is None:
        situation.findings.add("null-value", "info", name)
        return None
    return _with_parts(
        value, {"type": kind, VALUE_MEMBER[kind]: value[VALUE_MEMBER[kind]]}, situation
    )


def _concise(value: dict[str, Any], situation: Situation) -> dict[str, Any]:
    member = next(m for m in value if m in _KINDS_OF)
    kind = _KINDS_OF[member]
    if member == "value":
        kind = "GeoProperty" if _is_geometry(value[member]) else "Property"
    return _with_parts(value, {"type": kind, member: value[member]}, situation)


def _simplified(name: str, value: Any) -> dict[str, Any]:
    if _is_geometry(value):
        return {"type": "GeoProperty", "value": value}
    texts = value if isinstance(value, list) and value else [value]
    # Simplified entities do not say which attributes are relationships; the models name them so.
    if name.startswith(("ref", "has")) and all(
        isinstance(text, str) and text.startswith("urn:ngsi-ld:") for text in texts
    ):
        return {"type": "Relationship", "object": value}
    return {"type": "Property", "value": value}


def _from_v2(name: str, value: dict[str, Any], situation: Situation) -> dict[str, Any] | None:
    kind, content = value["type"], value.get("value")
    situation.findings.add("ngsi-v2", "info", f"{name}: {kind}")
    if content is None:
        situation.findings.add("null-value", "info", name)
        return None
    place = (
        content if kind == "geo:json" and _is_geometry(content) else _simple_place(kind, content)
    )
    if place is not None:
        made: dict[str, Any] = {"type": "GeoProperty", "value": place}
    elif kind.startswith("geo:"):
        situation.findings.add("bad-attribute", "warning", f"{name}: {kind} {content!r}")
        return None
    elif kind == "Relationship" and isinstance(content, str) and is_uri(content):
        made = {"type": "Relationship", "object": content}
    else:
        made = {"type": "Property", "value": content}
    metadata = value.get("metadata")
    stamp = metadata.get("timestamp") if isinstance(metadata, dict) else None
    if isinstance(stamp, dict):
        made |= _moment(stamp.get("value"), situation)
    return made


def _simple_place(kind: str, content: Any) -> dict[str, Any] | None:
    """A place in NGSI v2's simple location format, texts of latitude and longitude (FIWARE NGSI v2,
    "Geospatial properties of entities"); None for anything else."""
    texts = [content] if isinstance(content, str) else content
    if kind not in _SIMPLE or not isinstance(texts, list):
        return None
    points: list[list[float]] = []
    for text in texts:
        pair = [finite(part) for part in text.split(",")] if isinstance(text, str) else []
        if len(pair) != 2 or pair[0] is None or pair[1] is None:
            return None
        points.append([float(pair[1]), float(pair[0])])
    if kind == "geo:box":
        if len(points) != 2:
            return None
        (west, south), (east, north) = points
        points = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    coordinates: Any = points[0] if kind == "geo:point" else points
    shape = _SIMPLE[kind]
    return {"type": shape, "coordinates": [points] if shape == "Polygon" else coordinates}


def _with_parts(
    value: dict[str, Any], made: dict[str, Any], situation: Situation
) -> dict[str, Any]:
    """observedAt, unitCode … and sub-attributes, the latter normalized too."""
    for name, part in value.items():
        if name in made or name in _SYSTEM or name == "instanceId":
            continue
        if name == "observedAt":
            made |= _moment(part, situation)
        elif name in _PLAIN:
            made[name] = part
        else:
            inner = _attribute(name, part, situation)
            if inner is not None:
                made[_short(name, situation)] = inner
    return made


def _moment(text: Any, situation: Situation) -> dict[str, str]:
    try:
        return {"observedAt": to_iso(to_micros(text, situation.config.zone))}
    except (ValueError, AttributeError, TypeError, OverflowError):
        situation.findings.add("bad-time", "warning", text)
        return {}


def _is_geometry(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and str(value.get("type")) in _GEOMETRIES
        and isinstance(value.get("coordinates"), list)
    )
