"""The live hub: what of a real file is where, how things age, views and streams stay bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rynek.app import Engine
from rynek.base.clock import MICRO, parse_iso, to_iso
from rynek.base.settings import load
from rynek.context import LOCATION, Change, Instance
from rynek.web.live import MAX_POINTS, Hubs, LiveHub
from rynek.web.live_stream import KEEP_BYTES, QUEUE_FRAMES, RESYNC, Broadcast, Watcher
from rynek.web.live_table import LiveTable
from rynek.web.live_trace import MAX_STEPS, Trace
from rynek.web.live_view import visible
from rynek.web.themes import RULES, THEME_INDEX, THEMES, rule_of, theme_of

VOCAB = "https://uri.etsi.org/ngsi-ld/default-context/"
NOW = parse_iso("2026-02-07T14:40:00Z")
ALL = range(len(THEMES))


class _At:
    def __init__(self, now: int = NOW) -> None:
        self.moment = now

    def now(self) -> int:
        return self.moment


def change(
    number: int, place: tuple[float, float] | None = None, at: int | None = None,
    kind: str = "Vehicle", op: str = "update", **values: Any,
) -> Change:  # fmt: skip
    observed = to_iso(at) if at is not None else None
    attrs = {
        VOCAB + name: [Instance("Property", value, observed_at=observed)]
        for name, value in values.items()
    }
    if place is not None:
        point = {"type": "Point", "coordinates": list(place)}
        attrs[LOCATION] = [Instance("GeoProperty", point, observed_at=observed)]
    return Change(1, NOW, op, f"urn:ngsi-ld:{kind}:{number}", [VOCAB + kind], attrs)


@pytest.fixture
def clock() -> _At:
    return _At()


@pytest.fixture
def hub(clock: _At) -> LiveHub:
    """A hub that is fed by hand."""
    return LiveHub(None, clock)


async def until(true: Callable[[], bool]) -> None:
    """Wait for what another task brings about; half a minute at the most."""
    for _ in range(600):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")


def only(hub: LiveHub) -> dict[str, Any]:
    (found,) = hub.features(None, 14)["features"]
    told: dict[str, Any] = found["properties"]
    return told


def test_real_vehicles_from_store_to_view(tmp_path: Path, data: Path) -> None:
    """The recorded Poznań file goes through connector and store; the hub loads and follows it."""
    feeds = tmp_path / "tenants" / "poznan" / "feeds"
    feeds.mkdir(parents=True)
    source = (data / "gtfs_rt/poznan/2026-01-28T150359Z_vehicle_positions.pb").resolve()
    feeds.joinpath("ztm.toml").write_text(f'kind = "gtfs_rt"\nsource = "{source}"\n')

    async def run() -> None:
        engine = Engine(load(None, {}, {"data.path": str(tmp_path), "tenants.default": "poznan"}))
        engine.open()
        hubs = Hubs(engine.tenants, engine.stopping)
        try:
            hub = hubs.get("poznan")  # before the feed: everything comes by the change log
            await engine.start()
            await until(lambda: len(hub.table) >= 544)
            late = LiveHub(engine.tenants["poznan"].context, engine.tenants["poznan"].clock)
            late.start()  # after it: everything comes by the scan
            await until(lambda: late.loaded)
            for each in (hub, late):
                seen = each.features((16.4, 52.1, 17.5, 52.8), 12)
                assert not seen["clustered"]
                assert seen["total"] == len(seen["features"]) == 544
                (found,) = await each.search("701/11")
                assert found["properties"]["label"] == "701"
                # The recording is months old against the machine's clock.
                counted = each.legend()["themes"]["transport"]
                assert counted == {"total": 544, "placed": 544, "status": {"stale": 544}}
            await late.stop()
        finally:
            await engine.stop()

    asyncio.run(run())


def test_a_vehicle_moves_stands_and_ages(hub: LiveHub, clock: _At) -> None:
    hub.apply([change(1, (30.5, 50.45), NOW)])
    assert only(hub)["status"] == "current"  # one position tells nothing about movement
    hub.apply([change(1, (30.51, 50.45), NOW + 10 * MICRO)])
    assert only(hub)["status"] == "moving"
    assert only(hub)["bearing"] == 90
    for seconds in (60, 250):
        clock.moment = NOW + seconds * MICRO
        hub.apply([change(1, (30.51, 50.45), clock.moment)])
    assert only(hub)["status"] == "parked"
    clock.moment += 601 * MICRO
    assert only(hub)["status"] == "stale"


def test_without_any_time_a_thing_is_undated(hub: LiveHub) -> None:
    hub.apply([change(1, (23.3, 42.7), kind="WasteContainer")])
    assert only(hub)["status"] == "undated"
    assert "seen" not in only(hub)


def test_speed_tells_movement_at_once(hub: LiveHub) -> None:
    hub.apply([change(1, (30.5, 50.45), NOW, speed=31.0, bearing=200.0)])
    assert (only(hub)["status"], only(hub)["bearing"]) == ("moving", 200)


def test_a_station_speaks_of_bikes_and_fills(hub: LiveHub) -> None:
    place = (10.7, 59.9)
    hub.apply([change(1, place, NOW, "BikeHireDockingStation", totalSlotNumber=20, name="Torg")])
    hub.apply([change(1, None, NOW, "BikeHireDockingStation", availableBikeNumber=5)])
    told = only(hub)
    assert (told["number"], told["total"], told["level"]) == (5, 20, 0.25)
    assert (told["attr"], told["theme"], told["name"]) == ("availableBikeNumber", "bikes", "Torg")


def test_a_level_in_per_cent_becomes_a_share(hub: LiveHub) -> None:
    full = change(1, (14.4, 50.1), NOW, "WasteContainer")
    full.attrs[VOCAB + "fillingLevel"] = [Instance("Property", 85, unit_code="P1")]
    hub.apply([full])
    assert only(hub)["level"] == 0.85


def test_what_has_no_place_is_listed_but_not_drawn(hub: LiveHub) -> None:
    hub.apply(
        [change(1, None, NOW, "BikeHireDockingStation", availableBikeNumber=3, name="U řeky")]
    )
    assert hub.features(None, 12)["total"] == 0
    listed, count = hub.unplaced()
    assert count == 1
    assert listed[0]["geometry"] is None
    assert hub.legend()["themes"]["bikes"]["placed"] == 0


def test_a_deleted_thing_goes_and_its_row_serves_again(hub: LiveHub) -> None:
    hub.apply([change(1, (30.5, 50.45), NOW, name="old", lineName="7")])
    hub.apply([change(1, op="delete")])
    assert hub.features(None, 12)["features"] == []
    hub.apply([change(2, (30.6, 50.5), NOW)])
    assert hub.table.size == 1
    assert "label" not in only(hub)


def test_stops_appear_from_close_by_and_are_not_counted_as_things(hub: LiveHub) -> None:
    hub.apply([change(1, (13.4, 49.7), None, "GtfsStop", name="Bory")])
    assert hub.features(None, 11)["total"] == 0
    assert only(hub)["stop"] is True
    assert hub.legend()["total"] == 0
    assert hub.legend()["types"] == {"GtfsStop": 1}


def test_themes_and_statuses_filter_the_view(hub: LiveHub) -> None:
    hub.apply([change(1, (10.7, 59.9), NOW), change(2, (10.7, 59.9), NOW, "WasteContainer")])
    assert hub.features(None, 12, [THEME_INDEX["waste"]])["total"] == 1
    assert hub.features(None, 12, [])["total"] == 0
    assert hub.features(None, 12, statuses=[3])["total"] == 0


def filled(count: int, seed: int = 1) -> LiveHub:
    hub = LiveHub(None, _At())
    random = np.random.default_rng(seed)
    places = random.normal((23.32, 42.69), (0.06, 0.04), (count, 2)).tolist()
    kinds = ("WasteContainer", "Streetlight", "ParkingSpot")
    hub.apply(change(i, (x, y), NOW, kinds[i % 3]) for i, (x, y) in enumerate(places))
    return hub


def test_a_hundred_thousand_things_make_a_small_view() -> None:
    hub = filled(100_000)
    for zoom, box in ((10, (23.0, 42.4, 23.7, 43.0)), (13, (23.28, 42.66, 23.36, 42.72))):
        view = hub.features(box, zoom)
        assert view["clustered"]
        assert len(view["features"]) <= MAX_POINTS
        counted = sum(f["properties"].get("count", 1) for f in view["features"])
        assert counted == view["total"]
    close = hub.features((23.32, 42.69, 23.325, 42.694), 17)
    assert not close["clustered"]
    assert close["total"] == len(close["features"]) > 10


@settings(max_examples=40, deadline=None)
@given(
    west=st.floats(-180, 180), east=st.floats(-180, 180), south=st.floats(-90, 90),
    high=st.floats(0, 180), zoom=st.floats(0, 24), limit=st.integers(-5, 100_000),
)  # fmt: skip
def test_any_view_counts_what_is_in_it(
    west: float, east: float, south: float, high: float, zoom: float, limit: int
) -> None:
    box = (west, south, east, min(90.0, south + high))
    view = _FILLED.features(box, zoom, ALL, limit)
    counted = sum(f["properties"].get("count", 1) for f in view["features"])
    assert counted == view["total"] == len(visible(_FILLED.table, box, zoom, ALL))
    orjson.dumps(view)  # no number that JSON cannot say


_FILLED = filled(4000, seed=7)


def test_search_wants_every_word_and_puts_beginnings_first(hub: LiveHub) -> None:
    rows = [(1, "Stary Rynek"), (2, "Rynek Łazarski"), (3, "Most Teatralny")]
    hub.apply(change(n, (16.9, 52.4), NOW, "GtfsStop", name=name) for n, name in rows)

    def names(query: str) -> list[str]:
        found = asyncio.run(hub.search(query))
        return [item["properties"]["name"] for item in found]

    assert names("rynek") == ["Rynek Łazarski", "Stary Rynek"]
    assert names("ŁAZARSKI rynek") == ["Rynek Łazarski"]
    assert names("  ") == names("nowhere") == []


def frames(watcher: Watcher) -> bytes:
    return asyncio.run(watcher.take(0.01)) or b""


def body(frame: bytes) -> dict[str, Any]:
    line = next(part for part in frame.split(b"\n") if part.startswith(b"data: "))
    told: dict[str, Any] = orjson.loads(line[6:])
    return told


def test_watchers_get_only_what_changed(hub: LiveHub) -> None:
    hub.apply([change(1, (30.5, 50.4), NOW), change(2, (30.6, 50.4), NOW)])
    hub.flush()
    watcher = Watcher()
    hub.stream.watchers.add(watcher)
    hub.flush()
    assert frames(watcher) == b""
    hub.apply([change(2, (30.7, 50.4), NOW), change(1, op="delete")])
    hub.flush()
    told = body(frames(watcher))
    assert [f["properties"]["id"] for f in told["features"]] == ["urn:ngsi-ld:Vehicle:2"]
    assert told["gone"] == ["urn:ngsi-ld:Vehicle:1"]
    assert told["more"] is False


def test_a_flood_of_changes_is_one_bounded_frame(hub: LiveHub) -> None:
    watcher = Watcher()
    hub.stream.watchers.add(watcher)
    hub.apply(change(n, (30.5, 50.4), NOW) for n in range(5000))
    hub.flush()
    told = body(frames(watcher))
    assert len(told["features"]) == 2000
    assert told["more"] is True


def test_a_slow_watcher_loses_the_oldest_and_is_told() -> None:
    stream, watcher = Broadcast(), Watcher()
    stream.watchers.add(watcher)
    for n in range(QUEUE_FRAMES + 3):
        stream.send("changes", str(n).encode())
    got = frames(watcher)
    assert got.startswith(RESYNC)
    assert got.count(b"event: changes") == QUEUE_FRAMES
    assert b"data: 2\n" not in got
    assert b"data: 3\n" in got


def test_who_comes_back_gets_what_was_missed_or_a_resync() -> None:
    stream = Broadcast(epoch=100)
    for n in range(5):
        stream.send("changes", str(n).encode())
    assert stream.deltas(105) == []
    assert [b"data: 3" in f for f in stream.deltas(103) or []] == [True, False]
    assert stream.deltas(99) is None  # of before this server's start
    assert stream.deltas(10**15) is None  # of no server of ours
    stream.skip()
    assert stream.deltas(105) is None  # nobody watched, nothing was kept


def test_kept_frames_are_bounded() -> None:
    stream = Broadcast()
    for _ in range(10):
        stream.send("changes", b"x" * (KEEP_BYTES // 4))
    assert stream.deltas(0) is None
    kept = stream.deltas(8)
    assert kept is not None
    assert sum(map(len, kept)) <= KEEP_BYTES


def test_a_stream_ends_when_the_server_stops() -> None:
    async def run() -> list[bytes]:
        stopping, stream = asyncio.Event(), Broadcast()
        got = []
        async with asyncio.timeout(5):
            async for part in stream.follow(lambda: b"{}", None, stopping):
                got.append(part)
                stopping.set()
        assert not stream.watchers
        return got

    got = asyncio.run(run())
    assert b"event: hello" in got[0]
    assert got[-1] == b"event: bye\ndata: {}\n\n"


def table_of(*changes: Change) -> LiveTable:
    table = LiveTable()
    for each in changes:
        table.set(each.entity_id, each.types, each.attrs)
    return table


def hostile() -> Iterator[object]:
    yield from (None, [], {}, "x", {"type": "Point"}, {"coordinates": [[]]}, {"coordinates": ["a"]})
    yield {"type": "Point", "coordinates": [1e9, 0]}
    yield {"type": "Polygon", "coordinates": [[[[[[[1]]]]]]]}


@pytest.mark.parametrize("value", list(hostile()))
def test_a_strange_place_is_no_place(value: object) -> None:
    strange = change(1)
    strange.attrs[LOCATION] = [Instance("GeoProperty", value)]
    assert np.isnan(table_of(strange).lon[0])


def test_an_area_stands_in_its_middle() -> None:
    area = change(1, kind="OnStreetParking")
    ring = [[[0, 0], [2, 0], [2, 4], [0, 4], [0, 0]]]
    area.attrs[LOCATION] = [Instance("GeoProperty", {"type": "Polygon", "coordinates": ring})]
    table = table_of(area)
    assert (table.lon[0], table.lat[0]) == (1, 2)


def test_every_rule_names_a_theme_and_every_theme_is_told_apart_by_shape() -> None:
    assert {rule.theme for rule in RULES.values()} <= set(THEME_INDEX)
    assert len({theme.shape for theme in THEMES}) == len({t.glyph for t in THEMES}) == len(THEMES)
    assert theme_of([VOCAB + "Unheard", VOCAB + "Vehicle"]).key == "transport"
    assert theme_of(["urn:x#Streetlight"]).key == "lighting"
    assert rule_of([])[1].theme == theme_of([VOCAB + "Unheard"]).key == "other"


def test_vehicles_draw_the_ways_they_took(hub: LiveHub) -> None:
    minute = 60 * MICRO
    street = [(30.50 + 0.002 * i, 50.45) for i in range(5)]  # about 140 m a minute
    hub.apply(change(1, place, NOW + i * minute) for i, place in enumerate(street))
    hub.apply(change(2, place, NOW + i * minute) for i, place in enumerate(reversed(street)))
    hub.apply([change(3, (30.50, 50.50), NOW), change(3, (30.56, 50.50), NOW + minute)])
    hub.apply([change(4, (30.50, 50.51), NOW), change(4, (30.502, 50.51), NOW + 10 * minute)])
    body, tag = hub.traces()
    ways, dots = orjson.loads(body)["features"]
    drawn = {tuple(map(tuple, way)) for way in ways["geometry"]["coordinates"]}
    assert drawn == {(street[i], street[i + 1]) for i in range(4)}, "once, and no long jumps"
    ends = sorted(dots["geometry"]["coordinates"])
    assert ends == [[30.5, 50.5], [30.5, 50.51], [30.502, 50.51], [30.56, 50.5]]
    assert hub.traces() == (body, tag)


def test_the_drawing_of_ways_stays_bounded() -> None:
    trace = Trace()
    for i in range(MAX_STEPS + 50):
        lon, lat = (i % 150) * 0.004, (i // 150) * 0.004
        trace.add((lon, lat), (lon + 0.002, lat), MICRO)
    assert len(trace) == MAX_STEPS


def test_very_many_things_are_dots_on_the_ground(hub: LiveHub) -> None:
    places = [(23.3 + 0.001 * (i % 40), 42.6 + 0.001 * (i // 40)) for i in range(1200)]
    hub.apply(change(i, place, NOW, "WasteContainer") for i, place in enumerate(places))
    hub.apply(change(5000 + i, places[0], NOW, "WasteContainer") for i in range(50))
    (dots,) = orjson.loads(hub.traces()[0])["features"]
    assert dots["properties"] == {"dots": True}
    assert len(dots["geometry"]["coordinates"]) == 1200
