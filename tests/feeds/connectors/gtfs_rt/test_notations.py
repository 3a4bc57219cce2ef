"""GTFS-Realtime in the notations and with the cases that its specification has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import json_format, text_format
from google.transit import gtfs_realtime_pb2 as pb
from tests.feeds.support import convert, counts, situation

from rynek.feeds import kind_of

NOW = "2026-11-23T08:00:00Z"
T = 1795420800
Stop = pb.TripUpdate.StopTimeUpdate


def message() -> Any:
    """A vehicle on a trip that it has half behind it, and what is known of that trip's stops."""
    made = pb.FeedMessage()
    made.header.gtfs_realtime_version = "2.0"
    made.header.timestamp = T
    position = made.entity.add(id="v").vehicle
    position.vehicle.id = "7003"
    position.trip.trip_id = "T1"
    position.position.latitude, position.position.longitude = 52.4, 16.9
    position.timestamp = T - 10
    update = made.entity.add(id="u").trip_update
    update.trip.trip_id = "T1"
    update.vehicle.id = "7003"
    update.timestamp = T - 10
    for number, (stop, at, delay) in enumerate(
        [("A", T - 900, 0), ("B", T + 60, 180), ("C", T + 200, 200)], start=1
    ):
        entry = update.stop_time_update.add(stop_id=stop, stop_sequence=number)
        entry.arrival.time, entry.arrival.delay = at, delay
    return made


def made_of(given: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    at = situation("gtfs_rt", NOW)
    data = given if isinstance(given, bytes) else given.SerializeToString()
    return convert(data, at), counts(at)


NOTATIONS: list[Callable[[Any], bytes]] = [
    lambda m: m.SerializeToString(),
    lambda m: json_format.MessageToJson(m).encode(),
    lambda m: json_format.MessageToJson(
        m, preserving_proto_field_name=True, use_integers_for_enums=True
    ).encode(),
    lambda m: text_format.MessageToString(m).encode(),
]


@pytest.mark.parametrize("notation", NOTATIONS)
def test_the_three_notations_of_protobuf_say_the_same(notation: Callable[[Any], bytes]) -> None:
    data = notation(message())
    assert kind_of("gtfs_rt").connector.sniff(data, "feed") > 0.9
    assert made_of(data) == made_of(message())


@pytest.mark.parametrize(
    "data",
    [
        b'{"header": {"gtfsRealtimeVersion": "2.0"}, "entity": [{}]}',
        b'{"header": {"gtfsRealtimeVersion": "2.0"}, "entity": 5}',
        b'{"header": {"gtfsRealtimeVersion": "2.0"}, "x": ' + b"[" * 5000,
        b'header { gtfs_realtime_version: "2.0" } entity { id: ',
        b'header { gtfs_realtime_version: "2.0" } ' + b"x { " * 5000,
    ],
)
def test_broken_notations_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a GTFS-Realtime message"):
        made_of(data)


def test_stops_behind_the_vehicle_say_neither_delay_nor_arrival() -> None:
    (vehicle, arrival), _ = made_of(message())
    assert vehicle["delay"]["value"] == 180
    assert arrival["id"] == "urn:ngsi-ld:ArrivalEstimation:test:T1:B"
    assert arrival["arrivalTime"]["value"]["@value"] == "2026-11-23T08:01:00Z"


def test_skipped_stops_and_those_without_data_are_none() -> None:
    given = message()
    first, second = given.entity[1].trip_update.stop_time_update[1:]
    first.schedule_relationship = Stop.SKIPPED
    assert [d["id"][-1] for d in made_of(given)[0][1:]] == ["C"]
    second.schedule_relationship = Stop.NO_DATA
    assert len(made_of(given)[0]) == 1


def test_all_behind_the_last_delay_counts() -> None:
    given = message()
    given.header.timestamp = given.entity[0].vehicle.timestamp = T + 4000
    (vehicle,), _ = made_of(given)
    assert vehicle["delay"]["value"] == 200


def test_a_cancelled_trip_arrives_nowhere() -> None:
    given = message()
    given.entity[1].trip_update.trip.schedule_relationship = pb.TripDescriptor.CANCELED
    (vehicle,), found = made_of(given)
    assert "delay" not in vehicle
    assert found["trip-cancelled"] == 1
    del given.entity[0]
    given.entity[0].trip_update.ClearField("vehicle")
    assert made_of(given) == ([], {"update-without-vehicle": 1, "trip-cancelled": 1})


def test_a_duplicated_trip_has_its_own_id_and_times_may_be_milliseconds() -> None:
    given = message()
    update = given.entity[1].trip_update
    update.trip.schedule_relationship = pb.TripDescriptor.DUPLICATED
    update.trip_properties.trip_id = "T1-extra"
    for stop in update.stop_time_update:
        stop.arrival.time *= 1000
    (_, arrival), _ = made_of(given)
    assert arrival["id"].endswith(":T1-extra:B")
    assert arrival["arrivalTime"]["value"]["@value"] == "2026-11-23T08:01:00Z"


def test_alerts_in_several_languages_and_a_vehicle_without_id() -> None:
    given = message()
    given.entity[0].vehicle.vehicle.ClearField("id")
    alert = given.entity.add(id="a").alert
    for language, text in (("cs", "Výluka"), ("en", "Closure")):
        alert.header_text.translation.add(language=language, text=text)
    made, found = made_of(given)
    name = next(d for d in made if d["type"] == "Alert")["name"]
    assert name["languageMap"] == {"cs": "Výluka", "en": "Closure"}
    assert found["vehicle-without-id"] == 1
