from __future__ import annotations

import contextlib
import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely.geometry import shape as to_shape

from rynek.base.errors import BadRequestData, Problem, TooComplexQuery
from rynek.base.geo import bbox, box_around, haversine_m
from rynek.context.query import GeoQuery, parse_geo
from rynek.context.query.shapes import BadShape, build

LOCATION = "https://uri.etsi.org/ngsi-ld/location"
SQUARE = [[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [lon, lat]}


def line(*coordinates: list[float]) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": list(coordinates)}


def polygon(rings: list[Any]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": rings}


def shifted(by: float) -> dict[str, Any]:
    return polygon([[[x + by, y] for x, y in SQUARE[0]]])


def query(georel: str, geometry: dict[str, Any]) -> GeoQuery:
    found = parse_geo(georel, geometry["type"], json.dumps(geometry["coordinates"]))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("georel", "target", "expected"),
    [
        ("within", point(1, 1), True),
        ("within", point(3, 1), False),
        ("within", point(0, 1), False),  # on the edge: no interior in common
        ("within", {"type": "Point", "coordinates": [1, 1, 99]}, True),
        ("within", line([0.5, 0.5], [1, 1]), True),
        ("within", line([0.5, 0.5], [3, 3]), False),
        ("contains", polygon([[[-1, -1], [3, -1], [3, 3], [-1, 3], [-1, -1]]]), True),
        ("contains", point(1, 1), False),
        ("intersects", point(0, 1), True),
        ("intersects", line([1, 1], [5, 5]), True),
        ("intersects", line([4, 4], [5, 5]), False),
        ("equals", polygon([[[2, 2], [0, 2], [0, 0], [2, 0], [2, 2]]]), True),
        ("equals", shifted(1), False),
        ("disjoint", shifted(5), True),
        ("disjoint", shifted(1), False),
        ("overlaps", shifted(1), True),
        ("overlaps", shifted(5), False),
        ("overlaps", shifted(0), False),
        ("intersects", {"type": "MultiPoint", "coordinates": [[9, 9], [1, 1]]}, True),
        ("within", {"type": "MultiPolygon", "coordinates": [SQUARE]}, True),
    ],
)
def test_relations(georel: str, target: dict[str, Any], expected: bool) -> None:
    found = query(georel, polygon(SQUARE))
    assert found.matches(target) is expected
    if expected and georel != "disjoint":
        assert meet(found.box(), bbox(target))


def meet(one: tuple[float, ...] | None, other: tuple[float, ...]) -> bool:
    assert one is not None
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def test_near_a_point() -> None:
    near = query("near;maxDistance==2000", point(8, 40))
    far = query("near;minDistance==2000", point(8, 40))
    ring = query("near;minDistance==1000;maxDistance==2000", point(8, 40))
    for lat, metres in [(40.0, 0), (40.012, 1334), (40.02, 2224)]:
        assert haversine_m(8, 40, 8, lat) == pytest.approx(metres, abs=1)
        assert near.matches(point(8, lat)) is (metres <= 2000)
        assert far.matches(point(8, lat)) is (metres > 2000)
        assert ring.matches(point(8, lat)) is (1000 < metres <= 2000)
    assert near.box() == box_around(8, 40, 2000)
    assert far.box() is None
    assert query("disjoint", point(8, 40)).box() is None


def test_near_extended_targets() -> None:
    near = query("near;maxDistance==2000", point(8, 40))
    far = query("near;minDistance==500", point(8, 40))
    crossing = line([7.99, 40], [8.01, 40])
    leaving = line([8, 40], [9, 40])
    assert near.matches(crossing)
    assert not near.matches(leaving)  # not within the buffer as a whole
    assert not far.matches(crossing)
    assert far.matches(line([8.1, 40], [9, 40]))
    around = polygon([[[7, 39], [9, 39], [9, 41], [7, 41], [7, 39]]])
    assert not far.matches(around)


def test_a_line_without_length_is_a_target_like_a_point() -> None:
    stub = line([1, 1], [1, 1])
    assert query("near;maxDistance==5", point(1, 1)).matches(stub)
    assert query("near;minDistance==5", point(1.1, 1)).matches(stub)
    assert query("near;maxDistance==5", polygon(SQUARE)).matches(stub)


def test_near_a_line_or_an_area() -> None:
    street = query("near;maxDistance==300", line([14.40, 50.08], [14.44, 50.08]))
    assert street.matches(point(14.42, 50.082))  # 222 m beside the middle
    assert not street.matches(point(14.42, 50.084))
    area = query("near;maxDistance==300", polygon(SQUARE))
    assert area.matches(point(1, 1))
    assert area.matches(point(2.001, 1))
    assert not area.matches(point(2.004, 1))
    assert query("near;minDistance==300", polygon(SQUARE)).matches(point(2.004, 1))


LON = st.floats(-180, 180)
LAT = st.floats(-89, 89)


@settings(deadline=None)
@given(LON, LAT, LON, LAT, st.floats(1, 2e7))
def test_near_box_holds_every_match(
    lon: float, lat: float, x: float, y: float, metres: float
) -> None:
    found = GeoQuery("near", point(lon, lat), max_distance_m=metres)
    if found.matches(point(x, y)):
        box = found.box()
        assert box is None or meet(box, (x, y, x, y))


@settings(deadline=None, max_examples=200)
@given(
    st.floats(-179, 178),
    st.floats(-85, 84),
    st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
    st.floats(1, 2e5),
)
def test_near_box_of_a_line_holds_every_match(
    lon: float,
    lat: float,
    step: tuple[float, float],
    away: tuple[float, float],
    metres: float,
) -> None:
    reference = line([lon, lat], [min(lon + step[0], 180), lat + step[1]])
    assume(reference["coordinates"][0] != reference["coordinates"][1])
    found = GeoQuery("near", reference, max_distance_m=metres)
    x, y = max(-180, min(180, lon + away[0])), lat + away[1]
    if found.matches(point(x, y)):
        assert meet(found.box(), (x, y, x, y))


def test_distance_map_agrees_with_haversine() -> None:
    square = polygon([[[30, 50], [30.001, 50], [30.001, 50.001], [30, 50.001], [30, 50]]])
    metres = haversine_m(30.001, 50.0005, 30.2, 50.0005)
    assert not query(f"near;maxDistance=={metres * 0.999}", square).matches(point(30.2, 50.0005))
    assert query(f"near;maxDistance=={metres * 1.001}", square).matches(point(30.2, 50.0005))


def test_recorded_districts_of_prague(data: Path) -> None:
    file = data / "geo" / "prague_districts.geojson.gz"
    features = json.loads(gzip.decompress(file.read_bytes()))["features"]
    districts = [feature["geometry"] for feature in features]
    square = point(14.4208, 50.0875)  # the Old Town Square
    holding = [shape for shape in districts if query("contains", square).matches(shape)]
    assert len(holding) == 1
    assert query("within", holding[0]).matches(square)
    neighbours = [shape for shape in districts if query("intersects", holding[0]).matches(shape)]
    assert 2 < len(neighbours) < len(districts)
    assert query("equals", holding[0]).matches(holding[0])


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "text",
        [],
        {},
        {"type": "Point"},
        {"type": "Point", "coordinates": []},
        {"type": "Point", "coordinates": ["a", "b"]},
        {"type": "Blob", "coordinates": [1, 1]},
        {"type": "Polygon", "coordinates": [[[0, 0]]]},
    ],
)
@pytest.mark.parametrize(
    "georel", ["near;maxDistance==5", "near;minDistance==5", "within", "equals"]
)
def test_what_is_no_geometry_never_matches(bad: Any, georel: str) -> None:
    assert not query(georel, polygon(SQUARE)).matches(bad)
    assert not query(georel.replace("within", "equals"), point(1, 1)).matches(bad)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("near;maxDistance==5", "Point", None), "together"),
        ((None, "Point", "[1,1]"), "together"),
        (("near", "Point", "[1,1]"), "georel: expected near;maxDistance"),
        (("nearby", "Point", "[1,1]"), "georel"),
        (("near;maxDistance=5", "Point", "[1,1]"), "found 'maxDistance=5'"),
        (("near;maxDistance==0", "Point", "[1,1]"), "above 0"),
        (("near;maxDistance==-1", "Point", "[1,1]"), "above 0"),
        (("near;maxDistance==1e999", "Point", "[1,1]"), "above 0"),
        (("near;maxDistance==1;maxDistance==2", "Point", "[1,1]"), "once"),
        (("within;maxDistance==1", "Point", "[1,1]"), "georel"),
        (("within", "Circle", "[1,1]"), "none of Point"),
        (("within", "GeometryCollection", "[1,1]"), "none of Point"),
        (("within", "Point", "1,1"), "coordinates: not a JSON array"),
        (("within", "Point", "[1,91]"), "latitude"),
        (("within", "Polygon", "[[[0,0],[1,1],[1,0]]]"), "four"),
        (("within", "Polygon", "[[[0,0],[1,1],[1,0],[0,1],[0,0]]]"), "Self-intersection"),
        (("within", "MultiPoint", json.dumps([[1, 1]] * 10_001)), "more positions"),
        (("within", "Point", "[" * 5_000), "coordinates"),
    ],
)
def test_bad_parameters(arguments: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(BadRequestData, match=message):
        parse_geo(*arguments)


def test_bounds_defaults_and_arrays() -> None:
    with pytest.raises(TooComplexQuery):
        parse_geo("within", "Point", "[" + "1" * 300_000)
    assert parse_geo(None, None, None, "location") is None
    plain = parse_geo("within", "Polygon", SQUARE)
    assert plain is not None
    assert plain.geoproperty == LOCATION
    named = parse_geo("within", "Polygon", SQUARE, "place", lambda name: f"https://x.org/{name}")
    assert named is not None
    assert named.geoproperty == "https://x.org/place"


@given(
    st.text(max_size=40) | st.sampled_from(["within", "near;maxDistance==1"]),
    st.text(max_size=9) | st.sampled_from(["Point", "Polygon", "MultiPolygon"]),
    st.text("[]0123456789.,-e ", max_size=40) | st.text(max_size=9),
)
def test_parser_raises_nothing_but_problems(georel: str, geometry: str, coordinates: str) -> None:
    with contextlib.suppress(Problem):
        parse_geo(georel, geometry, coordinates)


@pytest.mark.parametrize("holes", [0, 2])
@pytest.mark.parametrize("altitude", [False, True])
def test_a_polygon_of_many_positions_is_the_shape_that_shapely_makes(
    holes: int, *, altitude: bool
) -> None:
    def ring(x: float, radius: float, count: int) -> list[list[float]]:
        turns = [2 * math.pi * n / count for n in range(count)]
        points = [[x + radius * math.cos(t), radius * math.sin(t)] for t in turns]
        points[0] = [x + radius, 0]
        return [point + [5.0] * altitude for point in [*points, points[0]]]

    rings = [ring(0, 10, 200), *(ring(4 * n - 2, 1, 5) for n in range(holes))]
    geometry = {"type": "Polygon", "coordinates": rings}
    assert build(geometry, check=True).equals_exact(shapely.force_2d(to_shape(geometry)), 0)
    bowtie = {"type": "Polygon", "coordinates": [[[0, 0], [9, 9], [9, 0], *ring(0, 9, 90), [0, 0]]]}
    with pytest.raises(BadShape):
        build(bowtie, check=True)
