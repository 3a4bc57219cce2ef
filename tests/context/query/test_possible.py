"""An area that may hold a match (CIM 009 §5.10.2.4): never refused while something in it matches."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rynek.context import parse_geo
from rynek.context.query.possible import possible

corners = st.integers(0, 10)


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    """A rectangle."""
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


boxes = st.builds(
    lambda x, y, w, h: (x, y, x + w, y + h), corners, corners, st.integers(1, 5), st.integers(1, 5)
)


@given(
    boxes,
    boxes,
    st.sampled_from(["within", "intersects", "disjoint", "equals", "overlaps", "contains"]),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_match_inside_makes_the_area_possible(
    space: tuple[int, int, int, int],
    reference: tuple[int, int, int, int],
    relation: str,
    across: float,
    up: float,
) -> None:
    geo = parse_geo(relation, "Polygon", box(*reference)["coordinates"])
    assert geo is not None
    west, south, east, north = space
    point = {
        "type": "Point",
        "coordinates": [west + across * (east - west), south + up * (north - south)],
    }
    inner = box(west, south, west + (east - west) / 2, south + (north - south) / 2)
    for target in (point, inner, box(*space)):
        if geo.matches(target):
            assert possible(geo, box(*space))


@given(boxes, corners, corners, st.sampled_from([1000, 50_000, 200_000]), st.floats(0, 1))
def test_something_near_makes_the_area_possible(
    space: tuple[int, int, int, int], lon: int, lat: int, metres: int, along: float
) -> None:
    west, south, east, _ = space
    point = {"type": "Point", "coordinates": [west + along * (east - west), south]}
    for modifier in ("maxDistance", "minDistance"):
        geo = parse_geo(f"near;{modifier}=={metres}", "Point", [lon, lat])
        assert geo is not None
        if geo.matches(point):
            # The map on which distances to areas are taken is exact to about a tenth of a per cent.
            wider = parse_geo(
                f"near;{modifier}=={metres * (1.01 if modifier == 'maxDistance' else 0.99)}",
                "Point",
                [lon, lat],
            )
            assert wider is not None
            assert possible(wider, box(*space))


def test_what_lies_apart_is_not_possible() -> None:
    space = box(0, 0, 1, 1)
    for relation, reference, expected in (
        ("within", box(2, 2, 3, 3), False),
        ("within", box(0.5, 0.5, 3, 3), True),
        ("intersects", box(2, 2, 3, 3), False),
        ("equals", box(0.5, 0.5, 3, 3), False),
        ("equals", box(0.2, 0.2, 0.4, 0.4), True),
        ("contains", box(0.2, 0.2, 0.4, 0.4), True),
        ("contains", box(0.5, 0.5, 3, 3), False),
        ("disjoint", box(-1, -1, 3, 3), False),
        ("disjoint", box(0.5, 0.5, 3, 3), True),
        ("overlaps", box(2, 2, 3, 3), False),
    ):
        geo = parse_geo(relation, "Polygon", reference["coordinates"])
        assert geo is not None
        assert possible(geo, space) is expected, relation
    near = parse_geo("near;maxDistance==1000", "Point", [5, 5])
    assert near is not None
    assert not possible(near, space)
    assert not possible(near, {"type": "Nonsense"})
    assert not possible(near, "here")
