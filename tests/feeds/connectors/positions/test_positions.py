"""Kyiv as recorded on 2026-02-07: 125 polls, most positions months or years old."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.feeds.connectors.positions import connector
from rynek.feeds.contract import FeedConfig, Findings, Situation

POSITIONS = "transit_positions/kyiv_positions_2026-02-07.jsonl.gz"
ROUTES = "transit_positions/kyiv_routes_2026-02-07.jsonl.gz"
KYIV = {
    "zone": "Europe/Kyiv",
    "bounds": (30.2, 50.2, 30.9, 50.7),
    "options": {
        "bearing": "flag",
        "vehicle_types": {"1": "tram", "2": "trolley", "3": "bus"},
        "routes": "kyiv_routes.jsonl",
    },
}


def test_kyiv_poll_by_poll(drive: Any, recorded: Callable[[str], bytes]) -> None:
    run = drive(connector, **KYIV)
    run.feed(recorded(ROUTES), "routes")
    assert run.records == 0
    polls = recorded(POSITIONS).splitlines()
    assert len(polls) == 125
    for poll in polls:
        run.feed(poll)
    assert run.records == 22_504
    assert len(run.documents) == 22_485
    assert run.entities == {"Vehicle": 2339}
    assert run.findings == {
        "stale-position": 20_579,
        "years-old": 16_985,
        "unknown-route": 12_384,
        "time-backwards": 19,
        "nothing-fresh": 1,
        "parked": 183,
        "several-readings": 6,
    }


def test_kyiv_who_moves_and_who_is_parked(drive: Any, recorded: Callable[[str], bytes]) -> None:
    run = drive(connector, **KYIV)
    run.feed(recorded(ROUTES), "routes")
    run.feed(recorded(POSITIONS))
    state = run.state.values()
    judged = Counter((v["serviceStatus"]["value"], v["positionStatus"]["value"]) for v in state)
    assert judged == {
        ("onRoute", "current"): 260,
        ("parked", "current"): 20,
        ("parked", "stale"): 2059,
    }
    places: dict[str, set[tuple[float, float]]] = {}
    for made in run.documents:
        places.setdefault(made["id"], set()).add(tuple(made["location"]["value"]["coordinates"]))
    # 227 in the file; one of them "moves" only to a position older than the one before.
    assert sum(len(seen) > 1 for seen in places.values()) == 226
    kinds = Counter(v["vehicleType"]["value"] for v in state if "vehicleType" in v)
    assert kinds == {"bus": 864, "tram": 182, "trolley": 54}


def test_local_poll_time_and_epoch_vehicle_time(drive: Any) -> None:
    run = drive(connector, zone="Europe/Kyiv")
    # 16:35:02 in Kyiv is 14:35:02 UTC, epoch 1770474902.
    fresh, parked, stale = (poll(1770474902 - age) for age in (60, 3600, 90_000))
    made = [run.feed(each)[0] for each in (stale, parked, fresh)]
    assert [m["serviceStatus"]["value"] for m in made] == ["parked", "parked", "onRoute"]
    assert [m["positionStatus"]["value"] for m in made] == ["stale", "current", "current"]
    assert made[2]["location"]["observedAt"] == "2026-02-07T14:34:02Z"
    assert made[1]["location"]["observedAt"] == "2026-02-07T13:35:02Z"
    assert made[1]["serviceStatus"]["observedAt"] == "2026-02-07T13:45:02Z"
    assert run.feed(stale) == []
    assert run.findings["time-backwards"] == 1


def test_repeated_old_position_changes_nothing(drive: Any) -> None:
    run = drive(connector)
    first = run.feed(poll(1_600_000_000, "2026-02-07T16:35:02Z"))
    assert run.feed(poll(1_600_000_000, "2026-02-07T16:40:02Z")) == first


def test_routes_are_followed_until_read(drive: Any) -> None:
    run = drive(connector, **KYIV)
    wanted = [("routes", "kyiv_routes.jsonl")]
    assert list(connector.follow(poll(1770474902), run.situation)) == wanted
    run.feed(b'{"routes": [{"id": 9, "type": 1, "number": "28"}]}', "routes")
    assert list(connector.follow(poll(1770474902), run.situation)) == []
    made = run.feed(poll(1770474902))[0]
    assert (made["lineName"]["value"], made["vehicleType"]["value"]) == ("28", "tram")
    assert made["bearing"] == {
        "type": "Property",
        "value": 90,
        "unitCode": "DD",
        "observedAt": "2026-02-07T14:35:02Z",
    }


def test_bad_vehicles_are_counted(drive: Any) -> None:
    run = drive(connector, bounds=(30.0, 50.0, 31.0, 51.0))
    rows = [
        {"vehicle_id": 1, "lat": 0, "lon": 0, "timestamp": 1770474902},
        {"vehicle_id": 2, "lat": 52.0, "lon": 30.5, "timestamp": 1770474902},
        {"vehicle_id": 3, "lat": 50.5, "lon": 30.5, "timestamp": "soon"},
        {"vehicle_id": 4, "lat": 50.5, "lon": 30.5, "timestamp": 1770499999},
        {"lat": 50.5, "lon": 30.5, "timestamp": 1770474902},
        7,
    ]
    whole = {"timestamp": "2026-02-07T14:35:02", "count": 5, "positions": rows}
    assert run.feed(json.dumps(whole).encode()) == []
    assert run.findings == {
        "count-differs": 1,
        "bad-record": 2,
        "bad-time": 1,
        "position-zero": 1,
        "position-outside": 1,
        "time-in-future": 1,
    }


def test_sniff_and_refusals(drive: Any, recorded: Callable[[str], bytes]) -> None:
    assert connector.sniff(recorded(POSITIONS)[:65536], "x.jsonl") > 0.8
    assert connector.sniff(b"a,b\n", "x.csv") == 0
    for bad in (b"", b"[]", b"{", b'{"a": 1}', b'{"positions": []}\n{"a"\n'):
        with pytest.raises(ValueError, match=r"position|line"):
            drive(connector).feed(bad)


@given(st.binary(max_size=60) | st.from_regex(rb'\{"positions": ?\[.{0,30}\]\}', fullmatch=True))
def test_any_bytes_give_documents_or_a_refusal(data: bytes) -> None:
    config = FeedConfig(name="x", kind="positions", source="x")
    situation = Situation(config, 0, Findings(), {})
    try:
        records = list(connector.decode(data, situation))
    except ValueError:
        return
    assert all(list(connector.map(record, situation)) is not None for record in records)


def poll(seen: int, polled: str = "2026-02-07T16:35:02") -> bytes:
    """A poll with one vehicle, seen at epoch second `seen`."""
    vehicle = {"vehicle_id": 7, "route_id": 9, "lat": 50.45, "lon": 30.52, "flag": 90}
    rows = [vehicle | {"timestamp": seen}]
    return json.dumps({"timestamp": polled, "count": 1, "positions": rows}).encode()
