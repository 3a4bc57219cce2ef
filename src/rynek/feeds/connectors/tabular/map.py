"""Rows of a table → entities, by a mapping."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from rynek.base.ids import urn
from rynek.feeds.connectors.tabular.cells import convert, filled, moment, plain
from rynek.feeds.connectors.tabular.decode import Row, cell
from rynek.feeds.connectors.tabular.mapping import (
    Attribute,
    Location,
    Mapping,
    Time,
    placeholders,
)
from rynek.feeds.contract import Document, Situation
from rynek.feeds.kit.checked import finite, placed
from rynek.feeds.kit.documents import geo, point, prop, provenance
from rynek.feeds.kit.reference import Reference, reference

_POINT = re.compile(
    r"\s*(?:SRID=\d+;)?\s*POINT\s*Z?\s*\(\s*([-\d.eE+]+)\s+([-\d.eE+]+)(?:\s+[-\d.eE+]+)?\s*\)\s*\Z",
    re.IGNORECASE,
)
_GEOMETRIES = frozenset(
    {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"}
)
MAX_POINTS = 20_000


def map_row(row: Row, mapping: Mapping, situation: Situation) -> Iterator[Document]:
    """One row → at most one entity; why there is none is counted."""
    own = filled(mapping.id, {name: cell(row, name) for name in placeholders(mapping.id)})
    if own is None:
        situation.findings.add("no-id", "warning", _sample(row))
        return
    at = None
    if mapping.time is not None:
        given = _given_time(row, mapping.time)
        zone = mapping.time.zone or situation.config.zone
        at = moment(given, zone, mapping.time.format)
        if at is None:
            situation.findings.add("bad-time", "warning", f"{own}: {given}")
            return
    else:
        _count_repeats(own, situation)
    made: Document = {"id": entity_id(mapping, own, situation), "type": mapping.type}
    if mapping.location is not None:
        location = _location(row, mapping, own, situation)
        if location is not None:
            made["location"] = location
        elif mapping.location.required:
            return
    for rule in mapping.attribute:
        _add(made, rule, row, mapping, at, situation)
    yield made | provenance(situation.config)


def _given_time(row: Row, rule: Time) -> Any:
    if not rule.template:
        return cell(row, rule.column)
    return filled(rule.template, {name: cell(row, name) for name in placeholders(rule.template)})


def _count_repeats(own: str, situation: Situation) -> None:
    """Without times a second row of the same entity replaces the first: that is worth knowing."""
    seen: set[str] = situation.memory.setdefault("rows", set())
    if own in seen:
        situation.findings.add("same-entity", "warning", own)
    seen.add(own)


def entity_id(mapping: Mapping, own: str, situation: Situation) -> str:
    """`urn:ngsi-ld:<type>:<scope>:<own>`; the scope is the mapping's, else the feed's name."""
    scope = str(situation.config.options.get("scope") or mapping.scope or situation.config.name)
    return urn(mapping.type, scope, own)


def _add(
    made: Document,
    rule: Attribute,
    row: Row,
    mapping: Mapping,
    at: int | None,
    situation: Situation,
) -> None:
    zone = mapping.time.zone if mapping.time is not None and mapping.time.zone else ""
    zone = zone or situation.config.zone
    value = rule.value
    if rule.template:
        value = filled(rule.template, {c: cell(row, c) for c in placeholders(rule.template)})
    elif rule.column:
        found = cell(row, rule.column)
        value = convert(found, rule, mapping.table.decimal, zone, situation.findings)
    if value is None:
        return
    instance = prop(value, None if rule.static else at, rule.unit or None)
    dataset = dataset_id(rule, {c: cell(row, c) for c in placeholders(rule.dataset)})
    if dataset is not None:
        instance["datasetId"] = dataset
    before = made.get(rule.name)
    made[rule.name] = instance if before is None else [*_list(before), instance]


def dataset_id(rule: Attribute, values: dict[str, Any]) -> str | None:
    """The datasetId of a rule's instance; None for the default one and where a column is empty."""
    name = filled(rule.dataset, values) if rule.dataset else None
    return None if name is None or name == rule.default_dataset else urn("Dataset", name)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _location(row: Row, mapping: Mapping, own: str, situation: Situation) -> dict[str, Any] | None:
    rule = mapping.location
    assert rule is not None
    told = row.get("_crs")
    system = reference(rule.crs) if rule.crs else told if isinstance(told, Reference) else None
    if rule.geometry or rule.geojson:
        shape = row.get("_geometry") if rule.geometry else _parsed(cell(row, rule.geojson))
        return _geometry(shape, own, situation, system)
    lon, lat = map(_coordinate, _pair(row, rule))
    # What a document names is the system of its geometries; columns beside may well be degrees.
    if not rule.crs and system is not None and not system.planar(lon, lat):
        system = None
    where = _usable(lon, lat, situation, own, system)
    return point(*where) if where else None


def _pair(row: Row, rule: Location) -> tuple[Any, Any]:
    """Longitude (easting) and latitude (northing) as they stand in the row."""
    if rule.wkt:
        match = _POINT.match(str(cell(row, rule.wkt) or ""))
        return (match.group(1), match.group(2)) if match else (None, None)
    if not rule.latlon:
        return cell(row, rule.lon), cell(row, rule.lat)
    pair = cell(row, rule.latlon)
    if isinstance(pair, str):
        pair = [part for part in re.split(r"[,;\s]+", pair.strip("()[] ")) if part]
    return (pair[1], pair[0]) if isinstance(pair, list) and len(pair) == 2 else (None, None)


def _parsed(value: Any) -> Any:
    """A geometry that is a JSON text in its cell."""
    try:
        return msgspec.json.decode(value) if isinstance(value, str) and value else value
    except (msgspec.DecodeError, RecursionError):
        return None


def _usable(
    lon: Any, lat: Any, situation: Situation, own: str, system: Reference | None
) -> tuple[float, float] | None:
    """Longitude and latitude in degrees; what is no usable position is counted."""
    lon, lat = _coordinate(lon), _coordinate(lat)
    if isinstance(lon, str) or isinstance(lat, str):
        situation.findings.add("position-invalid", "warning", f"{own}: {lon}, {lat}")
        return None
    if system is None or lon is None or lat is None:
        return placed(lon, lat, situation, own)
    where = system.degrees(lon, lat)
    if where is None:
        swapped = system.degrees(lat, lon) is not None
        code = "position-swapped" if swapped else "position-outside"
        situation.findings.add(code, "warning", f"{own}: {lon}, {lat} in {system.name}")
        return None
    return placed(where[0], where[1], situation, own)


def _coordinate(value: Any) -> Any:
    """A number, None where there is none, or the text that is none. A comma can only be the decimal
    mark: no one groups thousands of degrees."""
    if isinstance(value, str):
        text = plain(value, "," if value.count(",") == 1 else ".")
        found = finite(text)
        return found if found is not None else (value.strip() or None)
    return finite(value)


def _geometry(
    geometry: Any, own: str, situation: Situation, system: Reference | None
) -> dict[str, Any] | None:
    """A GeoJSON geometry whose every position is usable; else None, counted."""
    if not isinstance(geometry, dict) or str(geometry.get("type")) not in _GEOMETRIES:
        situation.findings.add("position-missing", "info", own)
        return None
    count = 0
    pending = [geometry.get("coordinates")]
    while pending:
        value = pending.pop()
        if not isinstance(value, list) or not value:
            situation.findings.add("position-invalid", "warning", own)
            return None
        if isinstance(value[0], list):
            pending.extend(value)
            if len(pending) <= MAX_POINTS:
                continue
        count += 1
        if count > MAX_POINTS or len(pending) > MAX_POINTS:
            situation.findings.add("geometry-too-large", "warning", own)
            return None
        if len(value) < 2 or _usable(value[0], value[1], situation, own, system) is None:
            return None
    try:
        coordinates = _rounded(geometry["coordinates"], system)
        return geo({"type": geometry["type"], "coordinates": coordinates})
    except RecursionError:
        situation.findings.add("geometry-too-large", "warning", own)
        return None


def _rounded(value: Any, system: Reference | None) -> Any:
    if not _is_position(value):
        return [_rounded(inner, system) for inner in value]
    lon, lat = float(value[0]), float(value[1])
    if system is not None:
        lon, lat = system.degrees(lon, lat) or (lon, lat)
    return [round(lon, 6), round(lat, 6)]


def _is_position(value: list[Any]) -> bool:
    return bool(value) and not isinstance(value[0], list)


def _sample(row: Row) -> str:
    return str({key: row[key] for key in list(row)[:4]})
