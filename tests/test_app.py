"""The composition root: start and stop, the lock, tenants, and replays that begin anew."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from rynek.app import Engine, Tenant
from rynek.base.errors import BadRequestData, Forbidden, NonexistentTenant
from rynek.base.folder import FolderError
from rynek.base.settings import load
from rynek.feeds import ReplayOptions
from rynek.history import Selection

BUS = "urn:ngsi-ld:Vehicle:v:7"
SPEED = 50.0


def engine_in(folder: Path, **overrides: object) -> Engine:
    values = {"data.path": str(folder), "history.flush_seconds": 0.2}
    values |= {name.replace("__", "."): value for name, value in overrides.items()}
    return Engine(load(None, {}, values), replay=ReplayOptions(speed=SPEED))


def with_engine(
    folder: Path, work: Callable[[Engine], Awaitable[None]], **overrides: object
) -> None:
    async def run() -> None:
        engine = engine_in(folder, **overrides)
        engine.open()
        try:
            await engine.start()
            await work(engine)
        finally:
            await engine.stop()

    asyncio.run(run())


async def until(look: Callable[[], bool], what: str) -> None:
    for _ in range(600):
        if look():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(what)


def recording(folder: Path) -> None:
    """A tenant that replays two polls of one vehicle, ten seconds apart, again and again."""
    feeds = folder / "tenants" / "city" / "feeds"
    (feeds / "recording").mkdir(parents=True)
    (feeds / "v.toml").write_text(
        'kind = "positions"\nsource = "replay:recording/v.toml"\nzone = "Europe/Kyiv"\n'
    )
    (feeds / "recording" / "v.toml").write_text(
        'title = "two polls"\nzone = "Europe/Kyiv"\nloop = true\n'
        '[[read]]\nfiles = "v.jsonl"\ntime = "/timestamp"\nlines = true\n'
    )
    polls = [
        {
            "timestamp": f"2026-02-07T16:35:{second:02}",
            "positions": [
                {
                    "vehicle_id": 7,
                    "route_id": 1,
                    "lat": 50.44 + second / 1000,
                    "lon": 30.46,
                    "timestamp": 1_770_474_900 + second,
                }
            ],
        }
        for second in (0, 10)
    ]
    (feeds / "recording" / "v.jsonl").write_text("\n".join(map(json.dumps, polls)))


def test_the_default_tenant_is_there_and_others_are_made(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        assert list(engine.tenants) == ["default"]
        with pytest.raises(NonexistentTenant):
            engine.tenant("other")
        other = engine.tenant("other", create=True)
        assert engine.tenant("other") is other
        with pytest.raises(BadRequestData):
            engine.tenant("../up", create=True)
        with pytest.raises(Forbidden):
            engine.tenant("third", create=True)

    with_engine(tmp_path, work, tenants__max=2)


def test_tenants_are_found_again(tmp_path: Path) -> None:
    async def make(engine: Engine) -> None:
        engine.tenant("b", create=True)

    async def find(engine: Engine) -> None:
        assert sorted(engine.tenants) == ["b", "default"]

    with_engine(tmp_path, make)
    with_engine(tmp_path, find)


def test_a_folder_serves_one_engine_at_a_time(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        with pytest.raises(FolderError, match="in use"):
            engine_in(tmp_path).open()

    with_engine(tmp_path, work)
    with_engine(tmp_path, work)


def test_a_tenant_that_cannot_start_stops_no_other(tmp_path: Path) -> None:
    recording(tmp_path)
    broken = tmp_path / "tenants" / "broken"
    (broken / "feeds").mkdir(parents=True)
    (broken / "feeds" / "x.toml").write_text('kind = "gbfs"\nsource = "webhook:"\n')
    (broken / "state.db").write_bytes(b"this is no database" * 100)

    async def work(engine: Engine) -> None:
        city = engine.tenants["city"]
        await until(lambda: city.context.get(BUS) is not None, "the vehicle")

    with_engine(tmp_path, work)


def test_a_city_file_that_is_wrong_leaves_a_city_with_a_name(tmp_path: Path) -> None:
    folder = tmp_path / "tenants" / "city"
    folder.mkdir(parents=True)
    (folder / "city.toml").write_text("name = [")

    async def work(engine: Engine) -> None:
        assert engine.tenants["city"].city.name == "city"

    with_engine(tmp_path, work)


async def add_bench(tenant: Tenant) -> None:
    bench = {
        "id": "urn:ngsi-ld:Bench:1",
        "type": "Bench",
        "seats": {"type": "Property", "value": 3},
    }
    await tenant.context.ingest([bench], "import")


async def readings(tenant: Tenant, entity: str = BUS) -> int:
    rows = await tenant.history.rows(Selection(entity_ids=(entity,), deleted=True))
    return sum(attr.endswith("/location") for attr in rows.column("attr").to_pylist())


def test_a_loop_resets_what_its_feeds_wrote_and_records_it_once(tmp_path: Path) -> None:
    recording(tmp_path)

    async def work(engine: Engine) -> None:
        city = engine.tenants["city"]
        await until(lambda: city.context.get(BUS) is not None, "the vehicle")
        await add_bench(city)
        first = city.context.get(BUS)
        assert first is not None
        resume = tmp_path / "tenants" / "city" / "replay.json"

        def second_round() -> bool:
            told = json.loads(resume.read_bytes()) if resume.exists() else {}
            found = city.context.get(BUS)
            return told.get("muted_after") is not None and found is not None

        await until(second_round, "the second round")
        await until(lambda: city.clock.now() > 1_770_474_905_000_000, "its middle")
        assert city.context.get("urn:ngsi-ld:Bench:1") is not None
        assert await readings(city) == 2
        rows = await city.history.rows(Selection(entity_ids=(BUS,), deleted=True))
        assert not any(rows.column("deleted").to_pylist())

    with_engine(tmp_path, work)


def test_a_restart_goes_on_and_doubles_nothing(tmp_path: Path) -> None:
    recording(tmp_path)
    times = []

    async def first(engine: Engine) -> None:
        city = engine.tenants["city"]
        await until(lambda: city.context.get(BUS) is not None, "the vehicle")
        times.append(city.clock.now())

    async def second(engine: Engine) -> None:
        city = engine.tenants["city"]
        assert city.feeds.replay is not None
        assert city.feeds.replay.resume is not None
        assert city.feeds.replay.resume >= times[0]
        await until(lambda: city.clock.now() > 1_770_474_909_000_000, "the end")
        # A poll counts when it begins: what it brings is there when it was written.
        for _ in range(2_000):
            if await readings(city) >= 2:
                break
            await asyncio.sleep(0.05)
        assert await readings(city) == 2

    with_engine(tmp_path, first)
    with_engine(tmp_path, second)


def test_tenants_share_what_may_be_remembered(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        assert engine.remember_bytes() == 8 << 20
        assert engine.recent_rows() == 100_000
        engine.tenant("brno", create=True)
        assert engine.remember_bytes() == 4 << 20
        for number in range(8):
            engine.tenant(f"city{number}", create=True)
        assert engine.recent_rows() == 50_000

    with_engine(tmp_path, work, limits__remember_mb=8)
