"""Ids that rotate: one vehicle, another id each day, and no way from one to the other."""

from __future__ import annotations

import asyncio
import json
import re
import stat
import tarfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.feeds.support import MemorySink

from rynek.app import Engine
from rynek.backup import backup
from rynek.base import clock
from rynek.base.clock import MICRO, parse_iso
from rynek.base.settings import load
from rynek.feeds import FeedConfig, FeedRunner, runner
from rynek.feeds.rotation import Rotation
from rynek.web import Application

DAY = 86_400
API = "/ngsi-ld/v1"
Ask = Callable[[str], Awaitable[Any]]


class Machine:
    """The machine's time, which a test may let pass."""

    def __init__(self) -> None:
        self.ahead_s = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(time, name)
        if name in {"time", "monotonic", "clock_gettime"}:
            return lambda *given: found(*given) + self.ahead_s
        if name in {"time_ns", "monotonic_ns"}:
            return lambda: found() + self.ahead_s * 1_000_000_000
        return found


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(clock, "time", made)
    return made


def settle(folder: Path, kind: str) -> None:
    tenant = folder / "tenants" / "default"
    (tenant / "feeds").mkdir(parents=True)
    (tenant / "city.toml").write_text('name = "Alphaville"\nzone = "Europe/Warsaw"\n')
    (tenant / "feeds" / "shared.toml").write_text(
        f'kind = "{kind}"\nsource = "webhook:"\nrotate_ids = "day"\n'
    )


def serve(folder: Path, test: Callable[[Engine, Ask], Awaitable[None]]) -> None:
    async def body() -> None:
        engine = Engine(load(None, {}, {"data.path": str(folder)}))
        engine.open()
        await engine.start()
        transport = httpx.ASGITransport(app=Application(engine))

        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:

            async def ask(path: str) -> Any:
                answer = await client.get(path)
                assert answer.status_code == 200, answer.text
                return answer.json()

            try:
                await engine.tenant("default").feeds.reload()
                await test(engine, ask)
            finally:
                await engine.stop()

    asyncio.run(body())


def scooters(count: int, **more: Any) -> bytes:
    """free_bike_status.json as GBFS 2.3 has it."""
    bikes = [
        {
            "bike_id": f"scooter-{number}",
            "lat": 52.2 + number / 1000,
            "lon": 21.0,
            "is_reserved": False,
            "is_disabled": False,
            "last_reported": int(clock.SystemClock().now() / MICRO) - 60,
            **more,
        }
        for number in range(count)
    ]
    now = int(clock.SystemClock().now() / MICRO)
    return json.dumps(
        {"last_updated": now, "ttl": 30, "version": "2.3", "data": {"bikes": bikes}}
    ).encode()


def test_a_scooter_has_another_id_each_day_and_none_leads_to_the_next(
    tmp_path: Path, machine: Machine
) -> None:
    settle(tmp_path, "gbfs")

    async def ids(ask: Ask) -> set[str]:
        found = await ask(f"{API}/entities?type=Vehicle&limit=100")
        text = json.dumps(found)
        assert "scooter-" not in text
        assert "fleetVehicleId" not in text
        return {entity["id"] for entity in found}

    async def test(engine: Engine, ask: Ask) -> None:
        feeds = engine.tenant("default").feeds
        await feeds.deliver("shared", scooters(30))
        first = await ids(ask)
        assert len(first) == 30
        assert all(one.startswith("urn:ngsi-ld:Vehicle:shared:") for one in first)
        await feeds.deliver("shared", scooters(30, is_reserved=True))
        assert await ids(ask) == first
        machine.ahead_s += DAY
        # What belongs to yesterday is gone, also before anything comes today.
        assert await ids(ask) == set()
        await feeds.deliver("shared", scooters(30))
        second = await ids(ask)
        assert len(second) == 30
        assert first.isdisjoint(second)
        # Yesterday stays in the history, under yesterday's ids.
        known = min(first)
        past = await ask(
            f"{API}/temporal/entities/{known}?timerel=after&timeAt=2020-01-01T00:00:00Z&attrs=reserved"
        )
        assert len(past["reserved"]) >= 2
        health = next(one for one in feeds.health() if one.name == "shared")
        assert "scooter" not in str(health.findings)

    serve(tmp_path, test)
    for file in (tmp_path / "tenants" / "default").rglob("*"):
        if file.is_file():
            assert b"scooter-1" not in file.read_bytes(), file


def test_recorded_vehicles_keep_their_ids_within_a_day_over_a_restart(
    tmp_path: Path, machine: Machine, data: Path
) -> None:
    recorded = min((data / "gtfs_rt" / "krakow").glob("*ehicle*")).read_bytes()
    settle(tmp_path, "gtfs_rt")
    seen: list[set[str]] = []

    async def look(engine: Engine, ask: Ask) -> None:
        await engine.tenant("default").feeds.deliver("shared", recorded)
        found = await ask(f"{API}/entities?type=Vehicle&limit=1000&attrs=location")
        seen.append({entity["id"] for entity in found})

    serve(tmp_path, look)
    serve(tmp_path, look)
    assert len(seen[0]) > 20
    assert seen[0] == seen[1]
    key = tmp_path / "tenants" / "default" / ".rotation" / "day"
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    archive = tmp_path.with_name("backup.tar")
    backup(tmp_path, archive)
    with tarfile.open(archive) as tar:
        assert not [name for name in tar.getnames() if "rotation" in name]
    # Without its key, as after a restore, the day begins anew.
    key.unlink()
    serve(tmp_path, look)
    assert seen[2] > seen[0]
    assert len(seen[2]) == 2 * len(seen[0])


def at(text: str) -> int:
    return parse_iso(text)


@pytest.mark.parametrize(
    ("every", "inside", "outside"),
    [
        ("day", ["2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z"], "2026-03-29T22:00:00Z"),
        ("day", ["2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z"], "2026-10-25T23:00:00Z"),
        ("week", ["2026-03-22T23:00:00Z", "2026-03-29T21:59:59Z"], "2026-03-29T22:00:00Z"),
        ("hour", ["2026-03-01T10:00:00Z", "2026-03-01T10:59:59Z"], "2026-03-01T11:00:00Z"),
    ],
    ids=["a day of 23 hours", "a day of 25 hours", "a week", "an hour"],
)
def test_periods_begin_in_the_zone_of_the_city(
    every: str, inside: list[str], outside: str, tmp_path: Path
) -> None:
    rotation = Rotation(tmp_path / "keys", "Europe/Warsaw")
    names = [
        rotation.at(every, at(moment)).of("urn:ngsi-ld:Vehicle:f:1", "Vehicle") for moment in inside
    ]
    assert names[0] == names[1]
    assert rotation.at(every, at(outside)).of("urn:ngsi-ld:Vehicle:f:1", "Vehicle") != names[0]
    # The key of then is gone: nobody can make yesterday's ids again.
    assert rotation.at(every, at(inside[0])).of("urn:ngsi-ld:Vehicle:f:1", "Vehicle") != names[0]


def test_relations_hold_within_a_period(tmp_path: Path) -> None:
    rotation = Rotation(tmp_path / "keys", "UTC")
    config = FeedConfig(name="f", kind="gbfs", source="webhook:", rotate_ids="day")
    vehicle = {
        "id": "urn:ngsi-ld:Vehicle:f:7",
        "type": "Vehicle",
        "name": {"type": "Property", "value": "7"},
        "label": {"type": "Property", "value": "7"},
    }
    trip = {
        "id": "urn:ngsi-ld:Trip:f:a",
        "type": "Trip",
        "by": {"type": "Relationship", "object": ["urn:ngsi-ld:Vehicle:f:7"]},
    }
    hidden, beside = rotation.at("day", at("2026-03-01T10:00:00Z")).hide([vehicle, trip], config)
    assert beside["id"] == trip["id"]
    assert beside["by"]["object"] == [hidden["id"]]
    assert "expiresAt" not in beside
    assert "name" not in hidden
    assert hidden["label"]["value"] not in {"7", vehicle["id"]}
    assert hidden["expiresAt"] == "2026-03-02T00:00:00Z"


def test_without_a_place_for_the_key_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file where the folder should be")
    rotation = Rotation(tmp_path / "keys", "UTC")
    with pytest.raises(OSError):
        rotation.at("day", at("2026-03-01T10:00:00Z"))


def pseudonym(document: dict[str, Any], folder: Path, **config: Any) -> dict[str, Any]:
    wanted = FeedConfig(name="f", kind="ngsild", source="webhook:", rotate_ids="day", **config)
    rotation = Rotation(folder / "keys", "UTC", {"scooters"})
    return rotation.at("day", at("2026-03-01T10:00:00Z")).hide([document], wanted)[0]


CODE = "[a-z2-7]{24}"


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        ("https://city.eu/vehicles/17", "urn:ngsi-ld:Vehicle:"),
        ("urn:uuid:00000000-0000-4000-8000-000000000017", "urn:ngsi-ld:Vehicle:"),
        ("vehicle:17", "urn:ngsi-ld:Vehicle:"),
        ("urn:ngsi-ld:Vehicle:17:front", "urn:ngsi-ld:Vehicle:"),
        ("urn:ngsi-ld:Vehicle:bolt:17", "urn:ngsi-ld:Vehicle:"),
        ("urn:ngsi-ld:Vehicle:f", "urn:ngsi-ld:Vehicle:"),
        ("urn:ngsi-ld:Bike17:f:17", "urn:ngsi-ld:Vehicle:"),
        ("urn:ngsi-ld:Vehicle:f:17", "urn:ngsi-ld:Vehicle:f:"),
        ("urn:ngsi-ld:Vehicle:f:17:front", "urn:ngsi-ld:Vehicle:f:"),
        ("urn:ngsi-ld:Vehicle:scooters:17", "urn:ngsi-ld:Vehicle:scooters:"),
    ],
)
def test_a_pseudonym_keeps_of_an_id_the_type_and_a_feed_alone(
    own: str, kept: str, tmp_path: Path
) -> None:
    found = pseudonym({"id": own, "type": "Vehicle"}, tmp_path)
    assert re.fullmatch(re.escape(kept) + CODE, found["id"])


@pytest.mark.parametrize("types", [["Vehicle"], "Vehicle", "https://example.org/t/Vehicle"])
@pytest.mark.parametrize("wanted", ["Vehicle", "https://example.org/other#Vehicle"])
def test_types_rotate_as_short_names_and_as_iris(types: Any, wanted: str, tmp_path: Path) -> None:
    document = {
        "id": "urn:ngsi-ld:Vehicle:f:17",
        "type": types,
        "https://example.org/t/name": {"type": "Property", "value": "Bella"},
    }
    found = pseudonym(document, tmp_path, rotate_types=(wanted,))
    assert re.fullmatch(f"urn:ngsi-ld:Vehicle:f:{CODE}", found["id"])
    assert found["type"] == types
    assert "Bella" not in str(found)


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ("2099-01-01T00:00:00Z", "2026-03-02T00:00:00Z"),
        ("2026-03-01T11:00:00Z", "2026-03-01T11:00:00Z"),
        ({"type": "Property", "value": "2099-01-01T00:00:00Z"}, "2026-03-02T00:00:00Z"),
        ("never", "2026-03-02T00:00:00Z"),
        (None, "2026-03-02T00:00:00Z"),
    ],
)
def test_an_entity_ends_with_the_period_whatever_its_source_says(
    said: Any, ends: str, tmp_path: Path
) -> None:
    document = {"id": "urn:ngsi-ld:Vehicle:f:17", "type": "Vehicle", "expiresAt": said}
    assert pseudonym(document, tmp_path)["expiresAt"] == ends


@pytest.mark.parametrize("own", ["urn:ngsi-ld:Vehicle:f:4217", "https://city.eu/v/4217"])
def test_ids_within_values_are_replaced(own: str, tmp_path: Path) -> None:
    values = {
        "own": own,
        "text": "4217",
        "number": 4217,
        "url": "https://api.example.org/vehicles/4217",
        "query": "https://api.example.org/vehicles?id=4217",
        "longer": f"Vehicle ({own}), once {own}.",
        "list": [{"deep": "4217"}],
    }
    document = {"id": own, "type": "Vehicle"} | {
        name: {"type": "Property", "value": value} for name, value in values.items()
    }
    found = pseudonym(document, tmp_path)
    assert "4217" not in str(found)
    assert found["own"]["value"] == found["id"]
    assert found["longer"]["value"] == f"Vehicle ({found['id']}), once {found['id']}."
    assert found["number"] == found["text"]


def test_what_is_no_id_stays_as_it_is(tmp_path: Path) -> None:
    values = [17, 17.5, 4218, True, "17 km", "", "urn:ngsi-ld:Stop:f:17", [21.017, 52.2], None]
    document = {
        "id": "urn:ngsi-ld:Vehicle:f:17",
        "type": "Vehicle",
        "some": {"type": "Property", "value": values},
    }
    assert pseudonym(document, tmp_path)["some"]["value"] == values


def test_other_feeds_name_a_vehicle_alike_whatever_its_id_looks_like(tmp_path: Path) -> None:
    period = Rotation(tmp_path / "keys", "UTC", {"v", "t"}).at("day", at("2026-03-01T10:00:00Z"))
    vehicles, trips = (
        FeedConfig(name=name, kind="ngsild", source="webhook:", rotate_ids="day") for name in "vt"
    )
    ids = ["urn:ngsi-ld:Vehicle:v:7", "urn:ngsi-ld:Vehicle:7:b", "https://city.eu/v/7"]
    hidden = period.hide([{"id": one, "type": "Vehicle"} for one in ids], vehicles)
    trip = {
        "id": "urn:ngsi-ld:Trip:t:1",
        "type": "Trip",
        "by": {"type": "Relationship", "object": ids},
        "note": {"type": "Property", "value": f"by {ids[0]}, {ids[1]}."},
    }
    (found,) = period.hide([trip], trips)
    assert found["by"]["object"] == [one["id"] for one in hidden]
    assert found["note"]["value"] == f"by {hidden[0]['id']}, {hidden[1]['id']}."


def test_keys_of_ended_periods_are_deleted(tmp_path: Path) -> None:
    rotation = Rotation(tmp_path / "keys", "UTC")
    for every in ("hour", "day", "week"):
        rotation.at(every, at("2026-03-01T10:00:00Z"))
    (tmp_path / "keys" / ".day.17").write_text("half a key")
    fresh = Rotation(tmp_path / "keys", "UTC")
    fresh.discard_ended(at("2026-03-01T11:00:00Z"))
    assert {file.name for file in (tmp_path / "keys").iterdir()} == {"day", "week"}
    fresh.discard_ended(at("2026-03-09T11:00:00Z"))
    assert not list((tmp_path / "keys").iterdir())


@pytest.mark.parametrize("ends", ["while stopped", "before it is removed", "while it is off"])
def test_a_feed_that_is_off_leaves_no_key_of_an_ended_day(
    ends: str, tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "RELOAD_EVERY", 0.02)
    settle(tmp_path, "gbfs")
    folder = tmp_path / "tenants" / "default" / "feeds"
    key = folder.parent / ".rotation" / "day"

    async def off(feeds: FeedRunner) -> None:
        (folder / "shared.toml").unlink()
        await feeds.reload()

    async def test() -> None:
        feeds = FeedRunner(folder, MemorySink())
        await feeds.start()
        await feeds.deliver("shared", scooters(1))
        assert key.exists()
        if ends == "while stopped":
            await feeds.stop()
            assert key.exists()
            machine.ahead_s += DAY
            await off(feeds)
            feeds = FeedRunner(folder, MemorySink())
            await feeds.start()
        elif ends == "before it is removed":
            machine.ahead_s += DAY
            await off(feeds)
        else:
            await off(feeds)
            assert key.exists()
            machine.ahead_s += DAY
        while key.exists():  # noqa: ASYNC110 - the watch over the feeds deletes it
            await asyncio.sleep(0.01)
        await feeds.stop()

    asyncio.run(asyncio.wait_for(test(), 20))
