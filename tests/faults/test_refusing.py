"""Ten processes at one entity, then a disk that turns read-only, and one that loses its syncs."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.demo.service import Service, environment

from . import workload
from .ledger import Ledger, check, kept
from .refusal import NO_SYNC, READ_ONLY, Refusal
from .test_full import reads, write
from .test_kill import SETTINGS

PROCESSES = int(os.environ.get("RYNEK_TEST_PROCESSES", "10"))
SAME = workload.identifier(100_000)
# Standard library alone: ten interpreters that start at once.
WRITER = """
import http.client, json, sys
port, seed, count = map(int, sys.argv[1:4])
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
for n in range(count):
    value = seed * 100000 + n
    body = json.dumps([{"id": sys.argv[4], "type": "Meter", "count": {"value": value}}])
    connection.request("POST", "/ngsi-ld/v1/entityOperations/upsert", body,
                       {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status in (201, 204), answer.status
    print(value, flush=True)
"""


@pytest.fixture(scope="module")
def refusal(tmp_path_factory: pytest.TempPathFactory) -> Refusal:
    folder = tmp_path_factory.mktemp("refusing")
    (folder / "data").mkdir()
    return Refusal(folder, folder / "data")


@pytest.fixture(scope="module")
def service(refusal: Refusal) -> Iterator[Service]:
    settings = SETTINGS | {"RYNEK_METRICS_ANONYMOUS": "loopback"}
    running = Service("serve", refusal.root, **settings, **refusal.environment)
    yield running
    running.client.close()
    running.process.kill()
    running.process.wait()


def same_entity(service: Service, count: int) -> list[list[int]]:
    """What each of the processes had acknowledged, in its order."""
    command = [sys.executable, "-S", "-c", WRITER, str(service.port)]
    running = [
        subprocess.Popen([*command, str(seed), str(count), SAME], stdout=subprocess.PIPE, text=True)
        for seed in range(1, PROCESSES + 1)
    ]
    told = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES
    return [[int(line) for line in lines.split()] for lines in told]


def doctor(refusal: Refusal) -> str:
    """What the doctor says of the folder."""
    done = subprocess.run(
        [sys.executable, "-m", "rynek", "doctor", "--data", str(refusal.root)],
        env=environment() | refusal.environment, capture_output=True, text=True, check=False,
        timeout=90,
    )  # fmt: skip
    assert done.returncode == 1
    return done.stdout


def test_whatever_the_disk_refuses_each_acknowledged_write_is_there_once(
    refusal: Refusal, service: Service
) -> None:
    ledger, draw = Ledger(), random.Random(11)
    acked = same_entity(service, 20)
    asyncio.run(write(service, ledger, draw, 15))
    for what in (READ_ONLY, NO_SYNC):
        before = len(ledger.problems)
        with refusal.on(what):
            asyncio.run(write(service, ledger, draw, 8))
            reads(service, ledger)
            if what == READ_ONLY:
                health = service.client.get("/health").json()["checks"]["store:writes"][0]
                assert "cannot be written (Read-only file system)" in health["output"]
                assert "may not be written (Read-only file system)" in doctor(refusal)
        problems = ledger.problems[before:]
        assert len(problems) > 5
        assert all("nothing of this was kept" in one["detail"] for one in problems), problems[-1]
        assert service.client.get("/health").json()["status"]
        asyncio.run(write(service, ledger, draw, 8))
        assert len(ledger.problems) == before + len(problems), "it goes on by itself"
    assert "Traceback" not in service.errors()
    service.kill()
    check(ledger, refusal.root.parent)
    found = asyncio.run(kept(refusal.root.parent, names=[SAME]))
    logged = found.logged[SAME]
    assert sorted(logged) == sorted(value for values in acked for value in values)
    for values in acked:
        assert [value for value in logged if value in set(values)] == values
    assert found.history[SAME] == logged
    assert found.now[SAME] == logged[-1]


def test_a_folder_that_cannot_be_written_is_named_at_the_start(refusal: Refusal) -> None:
    with refusal.on(READ_ONLY):
        done = subprocess.run(
            [sys.executable, "-m", "rynek", "serve", "--port", "0", "--data", str(refusal.root)],
            env=environment() | refusal.environment, capture_output=True, text=True, check=False,
            timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert str(refusal.root) in done.stderr
    assert "Read-only file system" in done.stderr
    assert "--data" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 3
