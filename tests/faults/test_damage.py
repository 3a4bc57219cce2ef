"""Damaged files: named, with what to do; the rest is served; the doctor finds them, repair mends."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from rynek.app import Engine
from rynek.cli.main import cli
from rynek.history.commits import commits
from rynek.web import Application
from rynek.web.watch.health import ready

from . import workload

API = "/ngsi-ld/v1"
ENTITIES = 60
DAYS = ("2026-05-01", "2026-05-02", "2026-05-03")
OTHER = {"NGSILD-Tenant": "other"}
PAGE = 4096


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Engine]]:
    """An engine over the folder, in this process, and a client of it."""
    engine = Engine(workload.settings_of(folder))
    engine.open()
    await engine.start()
    transport = httpx.ASGITransport(Application(engine))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client, engine
    finally:
        await engine.stop()


def name(number: int) -> str:
    return workload.identifier(number)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two cities, each with readings of three days."""
    folder = tmp_path_factory.mktemp("whole")

    async def fill() -> None:
        async with served(folder) as (client, engine):
            for headers in ({}, OTHER):
                for day in DAYS:
                    await _fill(client, headers, day)
                    # Each day in a commit and a file of its own.
                    tenant = headers.get("NGSILD-Tenant", "default")
                    await engine.tenant(tenant).history.flush()
                body = {"id": name(1), "type": "Meter", "past": [
                    {"type": "Property", "value": 5, "observedAt": "2020-01-01T00:00:00Z"}]}  # fmt: skip
                await client.post(f"{API}/temporal/entities", json=body, headers=headers)

    asyncio.run(fill())
    return folder


async def _fill(client: httpx.AsyncClient, headers: dict[str, str], day: str) -> None:
    moment = {"type": "Property", "observedAt": f"{day}T12:00:00Z"}
    count, text = moment | {"value": int(day[-1])}, moment | {"value": f"{day} " + "x" * 300}
    batch = [
        {"id": name(n), "type": "Meter", "count": count, "text": text} for n in range(ENTITIES)
    ]
    answer = await client.post(f"{API}/entityOperations/upsert", json=batch, headers=headers)
    assert answer.status_code in (201, 204), answer.text


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    shutil.copytree(whole / "data", tmp_path / "data")
    return tmp_path


def home(folder: Path) -> Path:
    return folder / "data" / "tenants" / "other"


def doctor(folder: Path, *options: str) -> list[dict[str, str]]:
    """What the doctor finds bad."""
    done = CliRunner().invoke(cli, ["doctor", "--json", "--data", str(folder / "data"), *options])
    assert not done.exception or isinstance(done.exception, SystemExit), done.exception
    return [one for one in json.loads(done.stdout) if one["state"] == "bad"]


def repaired(folder: Path) -> str:
    command = ["history", "repair", "--yes", "--tenant", "other", "--data", str(folder / "data")]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    return done.output


def run(folder: Path, test: Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]) -> None:
    async def body() -> None:
        async with served(folder) as (client, _):
            await test(client)
            for path in (
                f"entities/{name(7)}",
                f"temporal/entities/{name(7)}",
                "entities?type=Meter",
            ):
                answer = await client.get(f"{API}/{path}")
                assert answer.status_code == 200, "the other city is served"

    asyncio.run(body())


def overwrite(path: Path, start: int, size: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[start : start + size] = bytes(size)
    path.write_bytes(raw)


async def problem(client: httpx.AsyncClient, path: str, *told: str) -> None:
    """The answer is 503 and says these things."""
    answer = await client.get(f"{API}/{path}", headers=OTHER)
    assert answer.status_code == 503, answer.text
    for part in told:
        assert part in answer.json()["detail"], answer.text


async def fine(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(f"{API}/{path}", headers=OTHER)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def values(client: httpx.AsyncClient, number: int) -> list[int]:
    """The counts of an entity by its past."""
    found = await fine(
        client, f"temporal/entities/{name(number)}?attrs=count&options=temporalValues"
    )
    return [value for value, _ in found["count"]["values"]]


def test_a_damaged_page_of_the_state_is_named_and_the_rest_is_served(folder: Path) -> None:
    database = home(folder) / "state.db"
    # The page of the table that holds this entity: by its document, of which indexes have none.
    at = database.read_bytes().index(f'"id":"{name(7)}"'.encode()) // PAGE * PAGE
    overwrite(database, at, PAGE)

    async def test(client: httpx.AsyncClient) -> None:
        await problem(client, f"entities/{name(7)}", "other/state.db", "rynek doctor", "backup")
        await fine(client, f"entities/{name(50)}")
        answer = await client.patch(
            f"{API}/entities/{name(7)}/attrs", json={"count": {"value": 1}}, headers=OTHER
        )
        assert answer.status_code == 503
        answer = await client.patch(
            f"{API}/entities/{name(50)}/attrs", json={"count": {"value": 1}}, headers=OTHER
        )
        assert answer.status_code == 204

    run(folder, test)
    for options in ((), ("--deep",)):
        (bad,) = doctor(folder, *options)
        assert "other/state.db" in bad["found"]
        assert "backup" in bad["advice"]
    target = str(folder / "b.tar")
    done = CliRunner().invoke(cli, ["backup", target, "--data", str(folder / "data")])
    assert done.exit_code == 1
    assert "other/state.db is damaged" in done.output
    assert [path.name for path in folder.iterdir()] == ["data"]


def test_a_state_that_is_no_database_stops_its_city_alone(folder: Path) -> None:
    overwrite(home(folder) / "state.db", 0, PAGE)

    async def test(client: httpx.AsyncClient) -> None:
        for path in (f"entities/{name(7)}", f"temporal/entities/{name(7)}", "types"):
            await problem(client, path, "other/state.db", "restore a backup")
        for path in ("/c/other/", "/c/other/entities", "/c/other/feeds"):
            page = await client.get(path)
            assert page.status_code == 503, path
            assert "tenants/other/state.db is damaged" in page.text
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/c/default/entities")).status_code == 200

    run(folder, test)
    (bad,) = doctor(folder)
    assert "other/state.db" in bad["found"]


def test_that_the_first_city_cannot_start_is_told_until_it_can(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = folder / "data" / "tenants" / "default" / "state.db"
    was = database.read_bytes()
    overwrite(database, 0, PAGE)

    async def body() -> None:
        async with served(folder) as (client, engine):
            for _ in range(2):
                health = await client.get("/health")
                assert health.status_code == 503
                assert health.json() == {"status": "fail"}
            (check,) = [one for one in ready(engine) if one.key == "tenant:start"]
            assert "tenants/default/state.db is damaged" in check.output
            assert "works again" not in caplog.text
            database.write_bytes(was)
            # Nobody asks, and it starts.
            for _ in range(600):
                if "works again" in caplog.text:
                    break
                await asyncio.sleep(0.05)
            assert (await client.get("/health")).status_code == 200

    asyncio.run(body())


def test_damaged_writes_to_the_past_are_named_and_what_can_be_read_is_saved(folder: Path) -> None:
    overlay = home(folder) / "history" / "overlay.db"
    pages = overlay.stat().st_size // PAGE
    for page in range(1, pages):
        overwrite(overlay, page * PAGE, 16)

    async def test(client: httpx.AsyncClient) -> None:
        await problem(client, f"temporal/entities/{name(7)}", "overlay.db")
        await fine(client, f"entities/{name(7)}")

    async def mended(client: httpx.AsyncClient) -> None:
        assert await values(client, 7) == [1, 2, 3]

    run(folder, test)
    (bad,) = doctor(folder)
    assert "overlay.db" in bad["found"]
    assert "rynek history repair --tenant other" in bad["advice"]
    assert "overlay.db was damaged" in repaired(folder)
    assert doctor(folder) == []
    run(folder, mended)


def test_writes_to_the_past_without_a_head_are_put_aside_whole(folder: Path) -> None:
    overwrite(home(folder) / "history" / "overlay.db", 0, PAGE)
    assert "overlay.db was damaged: 0 of its entries" in repaired(folder)
    assert all("overlay" not in bad["found"] for bad in doctor(folder))


def test_without_its_tokens_the_service_goes_on_for_those_who_need_none(folder: Path) -> None:
    overwrite(folder / "data" / "system.db", 0, PAGE)

    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.get(
            f"{API}/types", headers={"Authorization": "Bearer rynek_abcdefghijklmnopqrstuvwxyz"}
        )
        assert answer.status_code == 503
        assert "system.db" in answer.json()["detail"]
        assert (await client.get(f"{API}/types")).status_code == 200

    run(folder, test)
    (bad,) = doctor(folder)
    assert "token" in bad["advice"]


def part_of(folder: Path, day: str) -> Path:
    (path,) = (home(folder) / "history" / "readings" / f"day={day}").glob("*.parquet")
    return path


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 4] ^= 0x10
    path.write_bytes(raw)


@pytest.mark.parametrize("harm", [truncate, flip, Path.unlink])
def test_a_damaged_file_of_readings_is_named_and_comes_back_from_the_log(
    folder: Path, harm: Callable[[Path], None]
) -> None:
    path = part_of(folder, DAYS[1])
    harm(path)

    async def test(client: httpx.AsyncClient) -> None:
        if harm is not flip:  # what it turned over may not be read here
            await problem(
                client, f"temporal/entities/{name(7)}?timerel=after&timeAt=2026-05-01T00:00:00Z",
                path.name, "rynek history repair",
            )  # fmt: skip
        query = "timerel=between&timeAt=2026-05-03T00:00:00Z&endTimeAt=2026-05-04T00:00:00Z"
        await fine(client, f"temporal/entities/{name(7)}?{query}&attrs=count")
        await fine(client, f"entities/{name(7)}")

    async def mended(client: httpx.AsyncClient) -> None:
        assert [await values(client, n) for n in (0, 7, 59)] == [[1, 2, 3]] * 3

    run(folder, test)
    (bad,) = doctor(folder, "--deep")
    assert path.name in bad["found"]
    assert "rynek history repair" in bad["advice"]
    told = repaired(folder)
    assert f"{2 * ENTITIES} readings could not be read" in told or f"{ENTITIES} readings" in told
    assert doctor(folder, "--deep") == []
    run(folder, mended)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [truncate, empty, Path.unlink])
def test_a_damaged_commit_is_named_and_what_it_brought_comes_back(
    folder: Path, harm: Callable[[Path], None]
) -> None:
    log = commits(home(folder) / "history" / "readings")
    version = next(v for v in log if v and f"day={DAYS[1]}" in log[v].read_text())
    harm(log[version])

    async def test(client: httpx.AsyncClient) -> None:
        await problem(client, f"temporal/entities/{name(7)}", log[version].name, "history repair")
        await fine(client, f"entities/{name(7)}")

    async def mended(client: httpx.AsyncClient) -> None:
        assert [await values(client, n) for n in (0, 7, 59)] == [[1, 2, 3]] * 3

    run(folder, test)
    (bad,) = doctor(folder)
    assert log[version].name in bad["found"]
    repaired(folder)
    assert doctor(folder, "--deep") == []
    run(folder, mended)
