"""The recorded GTFS-Realtime files: what is in them, and what is odd in them."""

from __future__ import annotations

from collections import Counter

import pytest
from google.transit import gtfs_realtime_pb2 as pb
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.feeds.support import convert, counts, situation
from tests.recorded import DATA

from rynek.feeds import kind_of

POZNAN = DATA / "gtfs_rt" / "poznan"
NOW = "2026-01-28T15:04:00Z"


def read(name: str) -> bytes:
    return (DATA / "gtfs_rt" / name).read_bytes()


def test_poznan_vehicle_positions() -> None:
    at = situation("gtfs_rt", NOW, options={"line_from": "label"})
    made = convert(read("poznan/2026-01-28T150359Z_vehicle_positions.pb"), at)
    assert Counter(d["type"] for d in made) == {"Vehicle": 544}
    assert len({d["id"] for d in made}) == 544
    first = made[0]
    assert first["id"] == "urn:ngsi-ld:Vehicle:test:7003"
    assert first["location"]["value"]["coordinates"] == [16.88003, 52.347279]
    assert first["location"]["observedAt"] == "2026-01-28T15:03:45Z"
    assert first["lineName"]["value"] == "701"
    assert first["serviceStatus"]["value"] == "onRoute"
    assert "speed" not in first and "vehicleType" not in first
    assert counts(at) == {}


def test_poznan_both_in_one_feed_are_joined_by_vehicle() -> None:
    at = situation("gtfs_rt", NOW, stale_after=300.0)
    made = convert(read("poznan/2026-01-28T150339Z_feeds.pb"), at)
    assert len(made) == 548
    assert all("delay" in d and "location" in d for d in made)
    assert made[0]["delay"] == {
        "type": "Property",
        "value": 260,
        "unitCode": "SEC",
        "observedAt": "2026-01-28T15:03:30Z",
    }
    assert counts(at) == {"delay-outlier": 2, "stop-without-id": 548, "time-stale": 1}
    assert [d["serviceStatus"]["value"] for d in made].count("parked") == 1


def test_poznan_delays_beyond_an_hour_are_flagged_and_kept() -> None:
    at = situation("gtfs_rt", NOW)
    made = convert(read("poznan/2026-01-28T150319Z_trip_updates.pb"), at)
    delays = [d["delay"]["value"] for d in made]
    assert (len(delays), min(delays), max(delays)) == (547, -4122, 10743)
    assert counts(at) == {"delay-outlier": 3, "stop-without-id": 547}
    assert not any("location" in d for d in made)


def test_positions_outside_the_bounds_are_kept_out_and_counted() -> None:
    at = situation("gtfs_rt", NOW, bounds=(16.7, 52.3, 17.1, 52.5))
    made = convert(read("poznan/2026-01-28T150359Z_vehicle_positions.pb"), at)
    outside = counts(at)["position-outside"]
    assert outside == 32
    assert sum("location" not in d for d in made) == outside


def test_vehicles_that_swap_trips_are_told_but_ids_are_stable() -> None:
    memory: dict[str, object] = {}
    first = situation("gtfs_rt", NOW, memory)
    convert(read("poznan/2026-01-28T150339Z_feeds.pb"), first)
    second = situation("gtfs_rt", NOW, memory)
    convert(read("poznan/2026-01-28T150359Z_vehicle_positions.pb"), second)
    assert counts(second) == {"vehicle-id-changed": 2}


def test_krakow_buses_and_trams() -> None:
    at = situation("gtfs_rt", "2024-08-20T14:29:00Z", options={"route_type": 0})
    made = convert(read("krakow/2024-08-20T142843Z_tram_vehicle_positions.pb"), at)
    assert Counter(d["type"] for d in made) == {"Vehicle": 166}
    tram = made[0]
    assert tram["vehicleType"]["value"] == "tram"
    assert tram["vehiclePlateIdentifier"]["value"] == "RF302"
    assert tram["bearing"] == {
        "type": "Property",
        "value": 45.0,
        "unitCode": "DD",
        "observedAt": "2024-08-20T14:28:41Z",
    }
    assert tram["occupancyStatus"]["value"] == "EMPTY"
    assert tram["vehicleRunningStatus"]["value"] == "running"
    buses = situation("gtfs_rt", "2024-08-20T14:29:00Z")
    assert len(convert(read("krakow/2024-08-20T142829Z_bus_vehicle_positions.pb"), buses)) == 366
    assert counts(at) == counts(buses) == {}


def test_koleje_slaskie_speed_in_km_h_and_an_estimation_for_each_trip() -> None:
    at = situation("gtfs_rt", "2023-04-06T08:20:00Z")
    made = convert(read("koleje_slaskie/2023-04-06T081959Z_vehicle_positions.pb"), at)
    assert len(made) == 32
    assert made[0]["speed"]["value"] == 57.0
    assert max(d["speed"]["value"] for d in made) == 118.0
    made = convert(read("koleje_slaskie/2023-04-06T081959Z_trip_updates.pb"), at)
    assert Counter(d["type"] for d in made) == {"Vehicle": 32, "ArrivalEstimation": 32}
    estimation = next(d for d in made if d["type"] == "ArrivalEstimation")
    assert estimation["id"] == "urn:ngsi-ld:ArrivalEstimation:test:94605_20230406:76992"
    assert estimation["delay"]["value"] == -120
    assert estimation["hasVehicle"]["object"] == "urn:ngsi-ld:Vehicle:test:75007.0"
    assert made[0]["delay"]["value"] == -120


@pytest.mark.parametrize("path", sorted((DATA / "gtfs_rt").rglob("*.pb")), ids=lambda p: p.name)
def test_every_recording_is_recognised_and_gives_its_vehicles(path: object) -> None:
    data = path.read_bytes()  # type: ignore[attr-defined]
    connector = kind_of("gtfs_rt").connector
    assert connector.sniff(data[:65536], "bytes") > 0.9
    message = pb.FeedMessage()
    message.ParseFromString(data)
    ids = {
        (e.vehicle if e.HasField("vehicle") else e.trip_update).vehicle.id for e in message.entity
    }
    at = situation("gtfs_rt", NOW)
    made = convert(data, at)
    kept_out = counts(at).get("time-in-future", 0)
    assert sum(d["type"] == "Vehicle" for d in made) == len(ids) - kept_out


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Local time sent as if it were UTC: an hour ahead of the header. And one broken unit.
        (
            "2023-03-20T111247Z_vehicle_positions.pb",
            {"time-in-future": 1, "time-ahead": 17},
        ),
        # Milliseconds instead of seconds.
        ("2023-03-23T065735Z_vehicle_positions.pb", {"time-in-milliseconds": 19}),
        ("2023-04-05T091043Z_vehicle_positions.pb", {"time-in-future": 1}),
        ("2023-04-06T054553Z_vehicle_positions.pb", {}),
        (
            "2023-03-20T111247Z_trip_updates.pb",
            {"time-ahead": 17, "time-in-future": 1, "delay-outlier": 1},
        ),
    ],
)
def test_wrong_clocks_of_koleje_dolnoslaskie(name: str, expected: dict[str, int]) -> None:
    at = situation("gtfs_rt", "2023-05-01T07:00:00Z")
    made = convert(read(f"koleje_dolnoslaskie/{name}"), at)
    assert counts(at) == expected
    newest = max(d["location" if "location" in d else "delay"]["observedAt"] for d in made)
    assert newest[:10] == name[:10]


def test_alert_in_two_languages() -> None:
    message = pb.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    message.header.timestamp = 1769612639
    entity = message.entity.add(id="a1")
    for tag, text in (("pl", "Objazd"), ("en", "Diversion")):
        entity.alert.header_text.translation.add(text=text, language=tag)
    entity.alert.effect = pb.Alert.DETOUR
    entity.alert.severity_level = pb.Alert.WARNING
    entity.alert.active_period.add(start=1769600000)
    entity.alert.informed_entity.add(route_id="T7/3")
    at = situation("gtfs_rt", NOW)
    (alert,) = convert(message.SerializeToString(), at)
    assert alert["id"] == "urn:ngsi-ld:Alert:test:a1"
    assert alert["name"]["languageMap"] == {"pl": "Objazd", "en": "Diversion"}
    assert alert["subCategory"]["value"] == "DETOUR"
    assert alert["severity"]["value"] == "medium"
    assert alert["appliesTo"]["object"] == ["urn:ngsi-ld:GtfsRoute:test:T7%2F3"]
    assert "validTo" not in alert


def odd_message() -> pb.FeedMessage:
    message = pb.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    message.header.timestamp = 1769612639
    for key, lon, lat, stamp in (
        ("zero", 0.0, 0.0, 1769612630),
        ("old", 16.9, 52.4, 1600000000),
        ("none", 16.9, 52.4, 0),
        ("wild", 200.0, 52.4, 1769612630),
        ("tomorrow", 16.9, 52.4, 1769612639 + 100_000),
        ("fast", 16.9, 52.4, 1769612630),
        ("fast", 16.9, 52.4, 1769612620),
    ):
        vehicle = message.entity.add(id=key).vehicle
        vehicle.vehicle.id = key
        vehicle.position.longitude, vehicle.position.latitude = lon, lat
        vehicle.timestamp = stamp
        if key == "fast":
            vehicle.position.speed = 500.0
    return message


def test_odd_vehicles_are_kept_out_or_flagged_and_counted() -> None:
    at = situation("gtfs_rt", NOW)
    made = {d["fleetVehicleId"]["value"]: d for d in convert(odd_message().SerializeToString(), at)}
    assert counts(at) == {
        "position-zero": 1,
        "position-invalid": 1,
        "time-years-old": 1,
        "time-missing": 1,
        "time-in-future": 1,
        "vehicle-twice": 1,
        "speed-impossible": 1,
    }
    assert set(made) == {"zero", "old", "none", "wild", "fast"}
    assert "location" not in made["zero"] and "location" not in made["wild"]
    assert made["old"]["serviceStatus"]["value"] == "parked"
    assert made["none"]["location"]["observedAt"] == "2026-01-28T15:03:59Z"
    assert "speed" not in made["fast"]


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"<html></html>", b"\x0a\x05\x0a\x03abc", b"\x1f\x8bx"]
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a GTFS-Realtime|gzip"):
        convert(data, situation("gtfs_rt", NOW))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 2000))
def test_broken_bytes_give_a_value_error_or_documents(noise: bytes, cut: int) -> None:
    real = read("koleje_slaskie/2023-04-06T081959Z_vehicle_positions.pb")
    for data in (noise, real[:cut] + noise, b"\x0a\x0d\x0a\x032.0" + noise):
        try:
            made = convert(data, situation("gtfs_rt", NOW))
        except ValueError:
            continue
        assert all(d["id"].startswith("urn:ngsi-ld:") for d in made)
