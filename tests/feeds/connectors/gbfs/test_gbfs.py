"""GBFS: Barcelona (1.x and 2.x habits) and Oslo as recorded, 3.0 by its specification."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.feeds import check
from rynek.feeds.connectors.gbfs import connector
from rynek.feeds.contract import FeedConfig, Findings, Situation
from rynek.feeds.kit import tar_members
from rynek.feeds.transport import HttpSource, SourceError

BARCELONA = "gbfs/barcelona/2022-04-19T060644Z_station_information.json.gz"
STATUS = "gbfs/barcelona/2022-04-19T060638Z_station_status.json.gz"
MISSING_STATUS = "gbfs/barcelona/2022-05-04T190513Z_station_status.json.gz"


def test_barcelona_information_then_status(drive: Any, recorded: Callable[[str], bytes]) -> None:
    run = drive(connector, bounds=(2.05, 41.30, 2.25, 41.48))
    assert len(run.feed(recorded(BARCELONA))) == 509
    assert len(run.feed(recorded(STATUS))) == 509
    assert run.entities == {"BikeHireDockingStation": 509}
    assert run.findings == {}
    station = run.state["urn:ngsi-ld:BikeHireDockingStation:x:1"]
    assert station["availableBikeNumber"] == {
        "type": "Property",
        "value": 10,
        "observedAt": "2022-04-19T06:02:33Z",
    }
    assert station["freeSlotNumber"]["value"] == 36
    assert station["totalSlotNumber"] == {"type": "Property", "value": 46}
    assert station["availableVehicleTypes"]["value"] == {"mechanical": 10, "ebike": 0}
    assert station["location"]["value"]["coordinates"] == [2.180107, 41.397978]


def test_unchanged_information_makes_nothing_again(
    drive: Any, recorded: Callable[[str], bytes]
) -> None:
    run = drive(connector)
    run.feed(recorded(BARCELONA))
    assert run.feed(recorded(BARCELONA)) == []


def test_status_before_information_ends_in_the_same_state(
    drive: Any, recorded: Callable[[str], bytes]
) -> None:
    forward, backward = drive(connector), drive(connector)
    for path in (BARCELONA, STATUS):
        forward.feed(recorded(path))
    for path in (STATUS, BARCELONA):
        backward.feed(recorded(path))
    assert forward.state == backward.state


def test_barcelona_stations_that_vanish_or_overflow(
    drive: Any, recorded: Callable[[str], bytes]
) -> None:
    run = drive(connector)
    for path in (BARCELONA, STATUS, MISSING_STATUS):
        run.feed(recorded(path))
    assert run.findings == {
        "station-gone": 3,
        "information-without-status": 3,
        "over-capacity": 3,
    }


def test_oslo_snapshots_with_information_as_csv(
    drive: Any, recorded: Callable[[str], bytes]
) -> None:
    run = drive(connector)
    assert len(run.feed(recorded("gbfs/oslo/station_information.csv"))) == 260
    archive = recorded("gbfs/oslo/2023-06-05_station_status.tar.gz")
    snapshots = list(tar_members(archive, 64 * 1024 * 1024))
    assert len(snapshots) == 68
    statuses = sum(len(run.feed(data)) for _, data in snapshots)
    assert statuses == 17_849
    assert run.findings["status-without-information"] == 509
    assert run.entities == {"BikeHireDockingStation": 268}
    placed = [d for d in run.state.values() if "location" in d]
    assert len(placed) == 260


def test_version_3_names_and_times(drive: Any) -> None:
    run = drive(connector)
    names = [{"text": "Main", "language": "en"}, {"text": "Główny", "language": "pl"}]
    place = {"station_id": "a", "name": names, "lat": 52.4, "lon": 16.9, "capacity": 12}
    run.feed(document({"stations": [place]}, "2026-01-01T10:00:00+01:00"))
    status = {
        "station_id": "a",
        "num_vehicles_available": 0,
        "num_docks_available": 12,
        "is_installed": True,
        "is_renting": True,
        "is_returning": True,
        "last_reported": "2026-01-01T09:59:00+01:00",
    }
    made = run.feed(document({"stations": [status]}, "2026-01-01T10:00:00+01:00"))[0]
    assert made["name"]["languageMap"] == {"en": "Main", "pl": "Główny"}
    assert made["status"] == {
        "type": "Property",
        "value": "empty",
        "observedAt": "2026-01-01T08:59:00Z",
    }


@pytest.mark.parametrize(
    ("reported", "observed", "code"),
    [
        (0, "2022-04-19T06:06:38Z", "no-last-reported"),
        (None, "2022-04-19T06:06:38Z", "no-last-reported"),
        (86_400, "2022-04-19T06:06:38Z", "bad-time"),
        (1_650_348_398 + 4000, "2022-04-19T06:06:38Z", "time-in-future"),
        (1_650_348_398 - 700, "2022-04-19T05:54:58Z", "stale"),
        (1_500_000_000, "2017-07-14T02:40:00Z", "years-old"),
    ],
)
def test_odd_times(drive: Any, reported: int | None, observed: str, code: str) -> None:
    run = drive(connector)
    station = {"station_id": 1, "num_bikes_available": 3, "last_reported": reported}
    made = run.feed(document({"stations": [station]}, 1_650_348_398))[0]
    assert made["availableBikeNumber"]["observedAt"] == observed
    assert run.findings == {code: 1}


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({"is_installed": 0}, "outOfService"),
        ({"is_renting": False, "is_returning": False}, "outOfService"),
        ({"is_renting": 0, "is_returning": 1}, "withIncidence"),
        ({"num_docks_available": 0}, "full"),
        ({"num_bikes_available": 0}, "empty"),
        ({}, "working"),
    ],
)
def test_station_states(drive: Any, flags: dict[str, Any], status: str) -> None:
    station = {"station_id": 1, "num_bikes_available": 3, "last_reported": 1_650_348_398}
    made = drive(connector).feed(document({"stations": [station | flags]}, 1_650_348_398))
    assert made[0]["status"]["value"] == status


def test_free_vehicles_types_and_rotating_ids(drive: Any) -> None:
    run = drive(connector)
    kind = {"vehicle_type_id": "s", "form_factor": "scooter", "propulsion_type": "electric"}
    run.feed(document({"vehicle_types": [kind]}, 1_650_348_398))

    def poll(*ids: str) -> list[dict[str, Any]]:
        bikes = [
            {"bike_id": i, "lat": 50.1, "lon": 19.9, "vehicle_type_id": "s", "is_reserved": 0}
            for i in ids
        ]
        made: list[dict[str, Any]] = run.feed(document({"bikes": bikes}, 1_650_348_398))
        return made

    first = poll("a", "b", "c")
    assert [d["vehicleType"]["value"] for d in first] == ["e-scooter"] * 3
    assert first[0]["location"]["observedAt"] == "2022-04-19T06:06:38Z"
    assert first[0]["serviceStatus"]["value"] == "parked"
    poll("d", "e", "f")
    assert run.findings["ids-change"] == 1


def test_positions_outside_are_left_out_and_counted(drive: Any) -> None:
    run = drive(connector, bounds=(19.0, 50.0, 20.0, 51.0))
    bikes = [{"bike_id": 1, "lat": 0, "lon": 0}, {"bike_id": 2, "lat": 10, "lon": 10}, {}, 3]
    assert run.feed(document({"bikes": bikes}, 1_650_348_398)) == []
    assert run.findings == {"bad-record": 2, "position-zero": 1, "position-outside": 1}


def test_discovery_lists_slow_files_once(drive: Any) -> None:
    run = drive(connector, now=1_700_000_000_000_000)
    listed = [
        {"name": name, "url": f"https://bikes.example/{name}"}
        for name in ("station_status", "station_information", "system_alerts", "free_bike_status")
    ]
    fast = ["station_status", "free_bike_status"]
    for data in ({"nb": {"feeds": listed}}, {"feeds": listed}):
        run.situation.memory.clear()
        discovery = document(data, 1_650_348_398)
        assert list(connector.decode(discovery, run.situation)) == []
        first = [part for part, _ in connector.follow(discovery, run.situation)]
        assert first == ["station_information", *fast]
        # A file that could not be had is asked for again; one that was read waits.
        assert [part for part, _ in connector.follow(discovery, run.situation)] == first
        run.feed(document({"stations": [{"station_id": "a"}]}, 1), "station_information")
        assert [part for part, _ in connector.follow(discovery, run.situation)] == fast


def test_sniff_and_refusals(drive: Any, recorded: Callable[[str], bytes]) -> None:
    assert connector.sniff(recorded(STATUS)[:65536], "status.json") > 0.9
    assert connector.sniff(b'{"data": 1}', "x.json") == 0
    for bad in (b"", b"{}", b'{"data": []}', b'{"data": {}}', b"a,b\n1,2\n", b'{"data": {"x": 1}}'):
        with pytest.raises(ValueError, match="GBFS"):
            drive(connector).feed(bad)


FIELDS = ["station_id", "bike_id", "lat", "lon", "num_bikes_available", "last_reported", "name"]


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    rows = st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5)
    return st.lists(inner, max_size=3) | rows


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
json_values = st.recursive(scalars, nested, max_leaves=12)


@given(st.sampled_from(["stations", "bikes", "vehicles", "vehicle_types"]), json_values)
def test_any_json_gives_documents_or_a_clear_refusal(name: str, value: Any) -> None:
    config = FeedConfig(name="x", kind="gbfs", source="x")
    situation = Situation(config, 0, Findings(), {})
    try:
        records = list(connector.decode(document({name: value}, value), situation))
    except ValueError:
        return
    for record in records:
        for made in connector.map(record, situation):
            assert made["id"].startswith("urn:ngsi-ld:")


def document(data: dict[str, Any], updated: Any) -> bytes:
    """A GBFS document with `data`."""
    return json.dumps({"last_updated": updated, "ttl": 60, "data": data}).encode()


def envelope(**data: Any) -> bytes:
    document = {"last_updated": "2026-11-23T08:00:00Z", "ttl": 0, "version": "3.0", "data": data}
    return json.dumps(document).encode()


def test_a_vehicle_of_an_unknown_type_is_no_bicycle(drive: Any) -> None:
    run = drive(connector)
    scooter = {"vehicle_id": "x", "lat": 50.1, "lon": 14.4, "vehicle_type_id": "s",
               "last_reported": "2026-11-23T09:00:00+01:00"}  # fmt: skip
    (made,) = run.feed(envelope(vehicles=[scooter]))
    assert "vehicleType" not in made
    assert run.findings == {"type-unknown": 1}
    types = [
        {"vehicle_type_id": "s", "form_factor": "scooter_standing", "propulsion_type": "electric"}
    ]
    run.feed(envelope(vehicle_types=types))
    (made,) = run.feed(envelope(vehicles=[scooter]))
    assert made["vehicleType"]["value"] == "e-scooter"
    assert made["location"]["observedAt"] == "2026-11-23T08:00:00Z"


def test_empty_documents_are_still_recognised_and_missing_files_told(drive: Any) -> None:
    assert connector.sniff(envelope(stations=[]), "x") > 0.9
    run = drive(connector)
    listed = [{"name": name, "url": f"{name}.json"} for name in
              ("system_information", "station_information", "station_status", "vehicle_types")]  # fmt: skip
    run.feed(
        envelope(stations=[{"station_id": "1", "is_renting": True, "num_vehicles_available": 0}])
    )
    run.feed(envelope(feeds=listed))
    assert run.findings["file-missing"] == 2


class Server:
    """A GBFS server that lists more than it has, http and relative, as some do."""

    files = {
        "https://h/gbfs/gbfs.json": envelope(
            feeds=[{"name": "vehicle_types", "url": "https://h/gbfs/vehicle_types.json"},
                   {"name": "station_information", "url": "/gbfs/info.json"},
                   {"name": "station_status", "url": "status.json"}]),
        "https://h/gbfs/info.json": envelope(stations=[{"station_id": "1", "lat": 50, "lon": 14}]),
        "https://h/gbfs/status.json": envelope(
            stations=[{"station_id": "1", "num_vehicles_available": 2, "is_renting": True}]),
    }  # fmt: skip

    async def fetch(self, url: str, **_: Any) -> Any:
        body = self.files.get(url)
        return SimpleNamespace(status=200 if body else 404, headers={}, body=body or b"", url=url)


def test_a_listed_file_that_is_not_there_does_not_keep_the_others_out() -> None:
    report = check("https://h/gbfs/gbfs.json", guard=Server())
    assert report.entities == {"BikeHireDockingStation": 1}
    assert report.sample[0]["location"]["value"]["coordinates"] == [14, 50]
    told = {finding.code: finding.example for finding in report.findings}
    assert told["file-missing"] == "vehicle_types: https://h/gbfs/vehicle_types.json"


def test_a_feed_reads_the_files_that_are_there() -> None:
    async def poll(kind: str) -> list[str]:
        config = FeedConfig(name="x", kind=kind, source="https://h/gbfs/gbfs.json")
        wanted = [("vehicle_types", "vehicle_types.json"), ("station_status", "status.json")]
        return [payload.part for payload in await HttpSource(config, Server()).more(wanted)]

    assert asyncio.run(poll("gbfs")) == ["station_status"]
    with pytest.raises(SourceError, match=r"404 for https://h/gbfs/vehicle_types\.json"):
        asyncio.run(poll("gtfs_rt"))
