"""Rows of a table → entities, by a mapping."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rynek.base.ids import urn
from rynek.feeds.connectors.tabular.cells import convert, filled, moment
from rynek.feeds.connectors.tabular.decode import Row, cell
from rynek.feeds.connectors.tabular.mapping import Attribute, Mapping, placeholders
from rynek.feeds.contract import Document, Situation
from rynek.feeds.kit.checked import placed
from rynek.feeds.kit.documents import geo, point, prop, provenance

_POINT = re.compile(r"\s*POINT\s*\(\s*([-\d.eE+]+)\s+([-\d.eE+]+)\s*\)\s*\Z", re.IGNORECASE)
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
        given = cell(row, mapping.time.column)
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
    if rule.geometry:
        return _geometry(row.get("_geometry"), own, situation)
    if rule.wkt:
        match = _POINT.match(str(cell(row, rule.wkt) or ""))
        lon, lat = match.groups() if match else (None, None)
    else:
        lon, lat = cell(row, rule.lon), cell(row, rule.lat)
        if mapping.table.decimal == ",":
            lon, lat = str(lon).replace(",", "."), str(lat).replace(",", ".")
    where = placed(lon, lat, situation, own)
    return point(*where) if where else None


def _geometry(geometry: Any, own: str, situation: Situation) -> dict[str, Any] | None:
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
        if len(value) < 2 or placed(value[0], value[1], situation, own) is None:
            return None
    try:
        return geo({"type": geometry["type"], "coordinates": _rounded(geometry["coordinates"])})
    except RecursionError:
        situation.findings.add("geometry-too-large", "warning", own)
        return None


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(inner) for inner in (value[:2] if _is_position(value) else value)]
    return round(float(value), 6)


def _is_position(value: list[Any]) -> bool:
    return bool(value) and not isinstance(value[0], list)


def _sample(row: Row) -> str:
    return str({key: row[key] for key in list(row)[:4]})
