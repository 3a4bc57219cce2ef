"""Scheduled positions at a moment, from real and small timetables."""

from __future__ import annotations

import gzip
from datetime import date

import pyarrow as pa
import pytest
from tests.feeds.support import convert, situation
from tests.recorded import DATA

from rynek.base.clock import parse_iso
from rynek.feeds import Timetable, compact_tables
from rynek.feeds.checking import MemoryReference

MINUTE = 60_000_000


@pytest.fixture(scope="module")
def plzen() -> Timetable:
    here = situation("gtfs", "2026-03-04T08:00:00Z", name="plzen")
    here.reference = MemoryReference()
    convert((DATA / "gtfs" / "plzen_pmdp_2026-02-09.zip").read_bytes(), here)
    return Timetable.load(here.reference, "plzen")


def test_plzen_by_day_and_night(plzen: Timetable) -> None:
    assert plzen.trips == 7942 and plzen.zone == "Europe/Prague"
    morning = plzen.active_trips(parse_iso("2026-03-04T07:30:20Z"))
    night = plzen.active_trips(parse_iso("2026-03-04T01:30:00Z"))
    assert len(morning) == 96 and len(night) < 20
    assert len({vehicle.trip_id for vehicle in morning}) == len(morning)
    assert {vehicle.route_type for vehicle in morning} >= {0, 3}
    for vehicle in morning:
        assert 13.1 < vehicle.lon < 13.6 and 49.6 < vehicle.lat < 49.9
        assert vehicle.line and vehicle.headsign
        assert vehicle.bearing is None or 0 <= vehicle.bearing < 360


def test_nothing_runs_after_the_schedule_has_ended(plzen: Timetable) -> None:
    assert plzen.active_trips(parse_iso("2026-12-04T07:30:20Z")) == []


def small(shapes: bool = False, zone: str = "Europe/Warsaw") -> dict[str, pa.Table]:
    """One trip from 23:50 to 24:10 over three stops; the one in the middle has no times."""
    day = (date(2026, 3, 28) - date(1970, 1, 1)).days
    corner = [16.0, 16.0, 16.2] if shapes else []
    return {
        "feed": pa.table({"scope": ["x"], "zone": [zone]}),
        "routes": pa.table(
            {"route_id": ["r"], "short_name": ["7"], "long_name": [None], "route_type": [0]}
        ),
        "stops": pa.table(
            {
                "stop_id": ["a", "b", "c"],
                "name": ["A", "B", "C"],
                "lon": [16.0, 16.1, 16.2],
                "lat": [52.0, 52.0, 52.0],
            }
        ),
        "trips": pa.table(
            {
                "trip_id": ["t"],
                "route_id": ["r"],
                "service_id": ["s"],
                "headsign": pa.array([None], pa.string()),
                "shape_id": pa.array(["p"], pa.string()),
            }
        ),
        "stop_times": pa.table(
            {
                "trip": [0, 0, 0],
                "stop": [0, 1, 2],
                "arrival": [85800, -1, 87000],
                "departure": [85800, -1, 87000],
            }
        ),
        "service_days": pa.table({"service_id": ["s"], "day": pa.array([day], pa.int32())}),
        "shapes": pa.table(
            {
                "shape_id": pa.array(["p"] * len(corner), pa.string()),
                "lon": pa.array(corner, pa.float64()),
                "lat": pa.array([52.0, 52.05, 52.0][: len(corner)], pa.float64()),
            }
        ),
    }


def test_a_trip_runs_over_midnight_into_the_next_day() -> None:
    timetable = Timetable(small())
    start = parse_iso("2026-03-28T22:50:00Z")
    assert timetable.active_trips(start - 1) == []
    (vehicle,) = timetable.active_trips(start)
    assert (vehicle.lon, vehicle.lat, vehicle.stopped) == (16.0, 52.0, True)
    (vehicle,) = timetable.active_trips(start + 5 * MINUTE)
    assert (vehicle.lon, vehicle.line, vehicle.headsign) == (16.05, "7", "C")
    assert vehicle.bearing == 90.0 and not vehicle.stopped
    (vehicle,) = timetable.active_trips(start + 15 * MINUTE)
    assert vehicle.lon == 16.15
    assert timetable.active_trips(start + 20 * MINUTE + 1) == []


def test_times_count_from_noon_minus_twelve_hours_when_clocks_change() -> None:
    """On 2026-03-29 Warsaw skips 02:00-03:00: noon minus 12 h is 23:00 the evening before."""
    tables = small()
    day = (date(2026, 3, 29) - date(1970, 1, 1)).days
    tables["service_days"] = pa.table({"service_id": ["s"], "day": pa.array([day], pa.int32())})
    timetable = Timetable(tables)
    assert len(timetable.active_trips(parse_iso("2026-03-29T21:50:00Z"))) == 1
    assert timetable.active_trips(parse_iso("2026-03-28T22:50:00Z")) == []


def test_vehicles_follow_the_shape_where_there_is_one() -> None:
    timetable = Timetable(small(shapes=True))
    (vehicle,) = timetable.active_trips(parse_iso("2026-03-28T22:50:00Z") + 5 * MINUTE)
    assert vehicle.lat > 52.01
    assert vehicle.bearing is not None


def compact(day: str) -> bytes:
    return gzip.decompress((DATA / "transit_compact" / "poznan" / f"{day}.json.gz").read_bytes())


def test_poznan_from_the_compact_timetable() -> None:
    files = [compact(day) for day in ("workday", "saturday", "sunday")]
    tables = compact_tables(files, "Europe/Warsaw", "poznan", date(2026, 1, 1), date(2026, 1, 31))
    assert tables["trips"].num_rows == 26704 and tables["stops"].num_rows == 3107
    timetable = Timetable(tables)
    recorded = parse_iso("2026-01-28T15:03:59Z")
    vehicles = timetable.active_trips(recorded)
    assert len(vehicles) == 378
    assert {vehicle.route_type for vehicle in vehicles} == {0, 3}
    assert all(16 < vehicle.lon < 18 and 52 < vehicle.lat < 53 for vehicle in vehicles)
    saturday = timetable.active_trips(recorded - 4 * 86_400_000_000)
    assert 0 < len(saturday) < len(vehicles)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"version":2}', compact("workday")[:1000]])
def test_other_bytes_are_no_compact_timetable(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a compact timetable"):
        compact_tables([data], "Europe/Warsaw", "x", date(2026, 1, 1), date(2026, 1, 2))
