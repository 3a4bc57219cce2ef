"""A full disk: writes are refused with what to do, reads go on, and all is made good afterwards."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from tests.demo.service import Service, environment, until

from .disk import Disk, small_disk
from .ledger import API, TYPE, Ledger, check
from .test_kill import SETTINGS

WRITERS = 4


def start(disk: Disk) -> Service:
    """The service with its data folder on the disk, and its output elsewhere."""
    return Service("serve", disk.path, **SETTINGS, **disk.environment)


async def write(service: Service, ledger: Ledger, draw: random.Random, count: int) -> None:
    """So many writes of each writer."""

    async def writer(client: httpx.AsyncClient, seed: int) -> None:
        own = random.Random(draw.random())
        for _ in range(count):
            await ledger.write(client, seed, own)

    async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
        await ledger.subscribe(client)
        await asyncio.gather(*[writer(client, seed) for seed in range(WRITERS)])


def exhaust(service: Service) -> dict[str, Any]:
    """Write large entities until no more is taken; the problem that says so."""
    for n in range(1000):
        document = {"id": f"urn:ngsi-ld:Big:{n}", "type": "Big", "text": {"value": "x" * 100_000}}
        answer = service.client.post(f"{API}/entities", json=document)
        if answer.status_code != 201:
            assert answer.headers["content-type"].startswith("application/json")
            found: dict[str, Any] = answer.json()
            return found
    raise AssertionError("the disk is not full")


def test_a_full_disk_refuses_writes_answers_reads_and_loses_nothing(tmp_path: Path) -> None:
    ledger, draw = Ledger(), random.Random(3)
    with small_disk(tmp_path, tmp_path / "data", 24) as disk:
        service = start(disk)
        try:
            asyncio.run(write(service, ledger, draw, 40))
            disk.fill()
            problem = exhaust(service)
            assert problem["status"] == 507
            assert "disk" in problem["detail"]
            assert "Make room" in problem["detail"]
            asyncio.run(write(service, ledger, draw, 20))
            assert ledger.statuses[507] > 20, ledger.statuses
            reads(service, ledger)
            backup_fails(disk)
            doctor_asks_for_room(disk)
            until(
                lambda: "history of default: writing failed" in service.errors(), "history says it"
            )
            disk.free()
            until(
                lambda: "history of default: writing works again" in service.errors(),
                "history goes on",
            )
            asyncio.run(write(service, ledger, draw, 20))
            assert service.errors().count("a group of") == 0
            service.kill()
        finally:
            service.client.close()
            service.process.kill()
        orphans(disk)
        check_all(disk, ledger)
    assert ledger.total > 100


def history_fails(service: Service, ledger: Ledger, draw: random.Random, disk: Disk) -> None:
    """Fill the disk until history had something to write just then, and said that it cannot."""
    for _ in range(20):
        for _ in range(30):
            if "history of default: writing failed" in service.errors():
                return
            time.sleep(0.1)
        disk.free()
        asyncio.run(write(service, ledger, draw, 5))
        disk.fill()
    raise AssertionError("history never failed")


def reads(service: Service, ledger: Ledger) -> None:
    """One entity, a list, a query and the past are answered from a full disk."""
    name = next(name for name, values in ledger.acked.items() if values[-1] != -1)
    one = service.client.get(f"{API}/entities/{name}", params={"options": "keyValues"})
    assert one.json()["count"] == ledger.acked[name][-1]
    for path in (f"entities?type={TYPE}", f"entities?type={TYPE}&q=count>0", "types"):
        assert service.client.get(f"{API}/{path}").status_code == 200
    query = {"attrs": "count", "options": "temporalValues", "timeproperty": "modifiedAt"}
    past = service.client.get(f"{API}/temporal/entities/{name}", params=query)
    assert past.status_code == 200, past.text
    seen = [value for value, _ in past.json()["count"]["values"]]
    assert ledger.acked[name][-1] in seen


def backup_fails(disk: Disk) -> None:
    """A backup to the full disk says so and leaves nothing behind."""
    before = sorted(path.name for path in disk.path.iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "rynek", "backup", "--data", str(disk.path),
         str(disk.path / "backup.tar")],
        env=environment() | disk.environment, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in disk.path.iterdir()) == before


def doctor_asks_for_room(disk: Disk) -> None:
    """Nothing on a full disk is called damaged."""
    done = subprocess.run(
        [sys.executable, "-m", "rynek", "doctor", "--data", str(disk.path)],
        env=environment() | disk.environment, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert "BAD   disk" in done.stdout or disk.kind == "refusal", done.stdout
    assert "restore a backup" not in done.stdout, done.stdout


def orphans(disk: Disk) -> None:
    """No file of the table that its log does not know."""
    readings = disk.path / "tenants" / "default" / "history" / "readings"
    # Files that were merged stay for a day: the log tells of them.
    told = "".join(path.read_text() for path in readings.glob("_delta_log/*.json"))
    there = {path.name for path in readings.glob("day=*/*")}
    unknown = [name for name in there if name not in told]
    assert len(unknown) <= 1, "one may have been under way when it was killed"


def check_all(disk: Disk, ledger: Ledger) -> None:
    check(ledger, disk.path.parent)
