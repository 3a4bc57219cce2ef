"""Outlines of things: which views get them, what hostile geometry does."""

from __future__ import annotations

from typing import Any

import pytest

from rynek.base.clock import MICRO, parse_iso
from rynek.context import LOCATION, Change, Entity, Instance
from rynek.web.live import LiveHub
from rynek.web.live_shapes import AREA, COURSE, MAX_SHAPES, POINT, Shapes, extent

KIND = "https://uri.etsi.org/ngsi-ld/default-context/OnStreetParking"
SECTION = [
    [14.353637, 49.980411],
    [14.353758, 49.980215],
    [14.354604, 49.980546],
    [14.354178, 49.980925],
    [14.353637, 49.980411],
]
"""Section P16-0001 of Praha."""


class _At:
    def now(self) -> int:
        return parse_iso("2026-02-07T14:40:00Z")


def section(number: int, outline: object) -> Entity:
    return Entity(
        f"urn:ngsi-ld:OnStreetParking:{number}",
        [KIND],
        {LOCATION: [Instance("GeoProperty", outline)]},
    )


def hub_of(*entities: Entity) -> LiveHub:
    hub = LiveHub({each.id: each for each in entities}, _At())
    hub.apply(Change(1, MICRO, "create", e.id, e.types, e.attrs) for e in entities)
    return hub


def moved(outline: list[list[float]], east: float) -> list[list[float]]:
    return [[lon + east, lat] for lon, lat in outline]


def test_a_view_of_few_areas_has_their_outlines() -> None:
    street = {"type": "LineString", "coordinates": SECTION[:3]}
    hub = hub_of(section(1, {"type": "Polygon", "coordinates": [SECTION]}), section(2, street))
    first, second = hub.features(None, 14)["features"]
    assert first["shape"]["type"] == "Polygon"
    assert [list(place) for place in first["shape"]["coordinates"][0]] == SECTION
    assert first["geometry"]["type"] == "Point"
    assert second["shape"]["type"] == "LineString"


def test_many_areas_are_points() -> None:
    areas = [
        section(i, {"type": "Polygon", "coordinates": [moved(SECTION, 0.001 * i)]})
        for i in range(MAX_SHAPES + 1)
    ]
    seen = hub_of(*areas).features(None, 14)["features"]
    assert len(seen) == MAX_SHAPES + 1
    assert not any("shape" in each for each in seen)


def test_a_changed_outline_is_read_again() -> None:
    entity = section(1, {"type": "Polygon", "coordinates": [SECTION]})
    hub = hub_of(entity)
    hub.features(None, 14)
    entity.attrs[LOCATION] = [
        Instance("GeoProperty", {"type": "Polygon", "coordinates": [moved(SECTION, 0.01)]})
    ]
    hub.apply([Change(2, MICRO, "update", entity.id, entity.types, entity.attrs)])
    (seen,) = hub.features(None, 14)["features"]
    assert seen["shape"]["coordinates"][0][0][0] == pytest.approx(14.363637)


def test_a_long_outline_is_simplified() -> None:
    north = [[14.0 + i * 1e-5, 50.0] for i in range(5000)]
    ring = [*north, [14.05, 50.1], [14.0, 50.0]]
    shapes = Shapes({"long": section(1, {"type": "Polygon", "coordinates": [ring]})})
    shape = shapes.of("long")
    assert shape is not None
    assert len(shape["coordinates"][0]) < 10


@pytest.mark.parametrize(
    "value",
    [
        None,
        "Polygon",
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[1, 2]]]},
        {"type": "Polygon", "coordinates": "x"},
        {"type": "LineString", "coordinates": [[1], [2]]},
        {"type": "LineString", "coordinates": {"a": 1}},
        {"type": ["Polygon"], "coordinates": [SECTION]},
    ],
)
def test_strange_geometry_has_no_outline(value: Any) -> None:
    assert Shapes({"odd": section(1, value)}).of("odd") is None


def test_how_far_a_geometry_reaches() -> None:
    assert extent({"type": "MultiPolygon"}) == AREA
    assert extent({"type": "LineString"}) == COURSE
    assert extent({"type": "Point"}) == extent(None) == POINT
