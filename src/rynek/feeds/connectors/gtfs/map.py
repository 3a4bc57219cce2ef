"""Rows of a schedule → `GtfsAgency`, `GtfsRoute`, `GtfsStop`, `GtfsStation` and `GtfsShape`
(dataModel.UrbanMobility). A schedule is no observation: nothing carries `observedAt`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import shapely

from rynek.feeds.connectors.gtfs.decode import Row
from rynek.feeds.contract import Document, Situation
from rynek.feeds.kit import document, geo, number, place_problem, point, prop, provenance, rel, urn

_MAX_POINTS = 5_000
_STOP_TYPES = {"0": "GtfsStop", "1": "GtfsStation"}


def map_row(row: Row, situation: Situation) -> Iterator[Document]:
    """The entity of one row; rows without an id are left out (counted while decoding)."""
    scope = str(situation.config.options.get("scope") or situation.config.name)
    made = {"agency": _agency, "routes": _route, "stops": _stop, "shapes": _shape}[row.what](
        row.values, scope, situation
    )
    if made is not None:
        yield made


def _agency(row: dict[str, Any], scope: str, situation: Situation) -> Document | None:
    return document(
        urn("GtfsAgency", scope, row["agency_id"] or "1"),
        "GtfsAgency",
        agencyName=_text(row["agency_name"]),
        page=_text(row["agency_url"]),
        timezone=_text(row["agency_timezone"]),
        language=_text(row["agency_lang"]),
        phone=_text(row["agency_phone"]),
        **provenance(situation.config),
    )


def _route(row: dict[str, Any], scope: str, situation: Situation) -> Document | None:
    if row["route_id"] is None:
        return None
    # The only agency needs not be named; where there are several, only the route itself can say.
    agency = row["agency_id"] or situation.memory.get("agency")
    return document(
        urn("GtfsRoute", scope, row["route_id"]),
        "GtfsRoute",
        shortName=_text(row["route_short_name"]),
        name=_text(row["route_long_name"] or row["route_short_name"]),
        routeType=_text(row["route_type"]),
        routeColor=_text(row["route_color"]),
        routeTextColor=_text(row["route_text_color"]),
        page=_text(row["route_url"]),
        operatedBy=rel(urn("GtfsAgency", scope, agency)) if agency else None,
        **provenance(situation.config),
    )


def _stop(row: dict[str, Any], scope: str, situation: Situation) -> Document | None:
    kind = _STOP_TYPES.get(row["location_type"] or "0")
    if kind is None:
        situation.findings.add("stop-not-for-boarding", "info", row["stop_id"])
        return None
    if row["stop_id"] is None:
        return None
    return document(
        urn(kind, scope, row["stop_id"]),
        kind,
        name=_text(row["stop_name"]),
        code=_text(row["stop_code"]),
        location=_place(row, situation),
        zoneCode=_text(row["zone_id"]),
        platformCode=_text(row["platform_code"]),
        wheelChairAccessible=_text(row["wheelchair_boarding"]),
        hasParentStation=(
            rel(urn("GtfsStation", scope, row["parent_station"])) if row["parent_station"] else None
        ),
        **provenance(situation.config),
    )


def _place(row: dict[str, Any], situation: Situation) -> dict[str, Any] | None:
    lon, lat = number(row["stop_lon"]), number(row["stop_lat"])
    name = f"{row['stop_id']} {row['stop_name'] or ''}"
    if lon is None or lat is None:
        situation.findings.add("stop-without-coordinates", "warning", name)
        return None
    problem = place_problem(lon, lat, situation.config.bounds)
    if problem is not None:
        situation.findings.add(problem, "warning", f"{name}: {lon} {lat}")
        return None
    return point(lon, lat)


def _shape(row: dict[str, Any], scope: str, situation: Situation) -> Document | None:
    points = row["points"]
    if len(points) < 2:
        situation.findings.add("shape-too-short", "warning", row["shape_id"])
        return None
    tolerance = float(situation.config.options.get("shape_tolerance", 0.00005))
    line = shapely.LineString(points).simplify(max(tolerance, 0.0), preserve_topology=False)
    coordinates = [[round(x, 6), round(y, 6)] for x, y in line.coords]
    if len(coordinates) > _MAX_POINTS:
        coordinates = coordinates[:: math.ceil(len(coordinates) / _MAX_POINTS)] + coordinates[-1:]
    return document(
        urn("GtfsShape", scope, row["shape_id"]),
        "GtfsShape",
        location=geo({"type": "LineString", "coordinates": coordinates}),
        **provenance(situation.config),
    )


def _text(value: str | None) -> dict[str, Any] | None:
    return prop(" ".join(value.split())) if value else None
