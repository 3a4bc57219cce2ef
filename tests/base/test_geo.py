from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.base.geo import (
    bbox,
    box_around,
    haversine_m,
    positions,
    validate_geometry,
)

LON = st.floats(-180, 180)
LAT = st.floats(-90, 90)


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        ((0, 0), (0, 0), 0),
        ((0, 0), (1, 0), 111_195),
        ((0, 0), (180, 0), 20_015_115),
        ((14.4378, 50.0755), (30.5234, 50.4501), 1_142_000),  # Prague - Kyiv
        ((179.5, 10), (-179.5, 10), 109_505),
    ],
)
def test_haversine(a: tuple[float, float], b: tuple[float, float], metres: float) -> None:
    assert haversine_m(*a, *b) == pytest.approx(metres, rel=1e-3)
    assert haversine_m(*b, *a) == haversine_m(*a, *b)


@given(LON, LAT, LON, LAT, st.floats(1, 3e7))
def test_box_around_holds_the_circle(
    lon: float, lat: float, x: float, y: float, metres: float
) -> None:
    west, south, east, north = box_around(lon, lat, metres)
    assert west <= lon <= east
    assert south <= lat <= north
    if haversine_m(lon, lat, x, y) <= metres:
        assert west <= x <= east
        assert south <= y <= north


@given(LON, st.floats(-85, 85), st.floats(0, 360), st.floats(1, 5_000))
def test_box_around_holds_the_rim(lon: float, lat: float, bearing: float, metres: float) -> None:
    angle, phi, theta = metres / 6_371_008.8, math.radians(lat), math.radians(bearing)
    y = math.asin(
        math.sin(phi) * math.cos(angle) + math.cos(phi) * math.sin(angle) * math.cos(theta)
    )
    x = math.radians(lon) + math.atan2(
        math.sin(theta) * math.sin(angle) * math.cos(phi),
        math.cos(angle) - math.sin(phi) * math.sin(y),
    )
    degrees = (math.degrees(x) + 540) % 360 - 180
    west, south, east, north = box_around(lon, lat, metres)
    assert west <= degrees <= east
    assert south <= math.degrees(y) <= north


def test_box_around_takes_all_longitudes_at_poles_and_antimeridian() -> None:
    assert box_around(179.99, 0, 5_000)[::2] == (-180, 180)
    assert box_around(10, 89.99, 5_000)[::2] == (-180, 180)
    assert box_around(10, 89.99, 5_000)[3] == 90
    assert box_around(10, 50, 1_000)[2] < 10.02


def test_bbox_and_positions() -> None:
    area = {"type": "Polygon", "coordinates": [[[1, 2], [5, 2, 9], [4, 8], [1, 2]]]}
    assert bbox(area) == (1, 2, 5, 8)
    assert list(positions(area)) == [(1, 2), (5, 2), (4, 8), (1, 2)]
    assert bbox({"type": "Point", "coordinates": [7, 8, 1]}) == (7, 8, 7, 8)
    nested = {"type": "MultiPolygon", "coordinates": [[[[0, 0], [1, 0], [1, -3], [0, 0]]]]}
    assert bbox(nested) == (0, -3, 1, 0)


RING = [[0, 0], [1, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    "good",
    [
        {"type": "Point", "coordinates": [14.4, 50.1]},
        {"type": "Point", "coordinates": [14.4, 50.1, 200]},
        {"type": "MultiPoint", "coordinates": [[1, 1]]},
        {"type": "LineString", "coordinates": [[1, 1], [2, 2]]},
        {"type": "MultiLineString", "coordinates": [[[1, 1], [2, 2]]]},
        {"type": "Polygon", "coordinates": [RING]},
        {"type": "MultiPolygon", "coordinates": [[RING]]},
    ],
)
def test_valid_geometries(good: dict[str, object]) -> None:
    validate_geometry(good)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (None, "object"),
        ([], "object"),
        ({}, "type"),
        ({"type": "GeometryCollection", "geometries": []}, "none of"),
        ({"type": ["Point"], "coordinates": [1, 1]}, "none of"),
        ({"type": "Point"}, "array"),
        ({"type": "Point", "coordinates": [1]}, "array"),
        ({"type": "Point", "coordinates": [1, 2, 3, 4]}, "array"),
        ({"type": "Point", "coordinates": ["1", 2]}, "finite"),
        ({"type": "Point", "coordinates": [True, 2]}, "finite"),
        ({"type": "Point", "coordinates": [float("nan"), 2]}, "finite"),
        ({"type": "Point", "coordinates": [float("inf"), 2]}, "finite"),
        ({"type": "Point", "coordinates": [181, 2]}, "longitude"),
        ({"type": "Point", "coordinates": [2, -90.5]}, "latitude"),
        ({"type": "LineString", "coordinates": [[1, 1]]}, "two positions"),
        ({"type": "LineString", "coordinates": []}, "non-empty"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0]]]}, "four"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [2, 2]]]}, "began"),
        ({"type": "Polygon", "coordinates": RING}, "array"),
        ({"type": "MultiPoint", "coordinates": [[0, 0]] * 11}, "more positions"),
        ({"type": "MultiLineString", "coordinates": [[[0, 0], [1, 1]]] * 6}, "more positions"),
    ],
)
def test_invalid_geometries(bad: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        validate_geometry(bad, max_positions=10)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "coordinates", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.sampled_from(["Point", "Polygon", "MultiPolygon", "LineString"]), JSON)
def test_validation_raises_nothing_but_value_error(kind: str, coordinates: object) -> None:
    geometry = {"type": kind, "coordinates": coordinates}
    try:
        validate_geometry(geometry)
    except ValueError:
        return
    west, south, east, north = bbox(geometry)
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90


@pytest.mark.parametrize("name", ["prague_districts", "ukraine_oblasts", "poland_powiaty_min"])
def test_recorded_areas_are_valid(name: str, data: Path) -> None:
    file = data / "geo" / f"{name}.geojson.gz"
    features = json.loads(gzip.decompress(file.read_bytes()))["features"]
    assert features
    for feature in features:
        validate_geometry(feature["geometry"], 1_000_000)
        west, south, east, north = bbox(feature["geometry"])
        assert 10 < west < east < 41
        assert 43 < south < north < 56
