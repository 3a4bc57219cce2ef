"""kill -9 at random moments under load: what was acknowledged is there, once.

RYNEK_TEST_ROUNDS sets how often the service is killed (the suite does it a few times).
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import defaultdict
from pathlib import Path

import httpx
from tests.demo.service import Service

from rynek.app import Engine
from rynek.context import DEFAULT_VOCAB, Change

from . import workload

ROUNDS = int(os.environ.get("RYNEK_TEST_ROUNDS", "4"))
WRITERS = 8
COUNT = DEFAULT_VOCAB + "count"
UPSERT = "/ngsi-ld/v1/entityOperations/upsert"
Values = dict[int, list[int]]


async def write_until_killed(
    service: Service, round_: int, seconds: float
) -> tuple[Values, Values]:
    """(acknowledged, only sent) values by entity, until the service is killed."""
    acked: Values = defaultdict(list)
    sent: Values = defaultdict(list)

    async def writer(client: httpx.AsyncClient, seed: int) -> None:
        draw = random.Random(f"{round_}:{seed}")
        for value in range(10_000):
            number = seed * 5 + draw.randrange(5)
            count = (round_ * WRITERS + seed) * 10_000 + value
            document = {
                "id": workload.identifier(number),
                "type": "Meter",
                "count": {"type": "Property", "value": count},
            }
            try:
                answer = await client.post(UPSERT, json=[document])
            except httpx.TransportError:
                sent[number].append(count)
                return
            assert answer.status_code in (201, 204), answer.text
            acked[number].append(count)

    async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
        tasks = [asyncio.create_task(writer(client, seed)) for seed in range(WRITERS)]
        await asyncio.sleep(seconds)
        service.kill()
        await asyncio.gather(*tasks)
    return acked, sent


async def look(folder: Path) -> tuple[dict[int, int], Values, list[Change]]:
    """State, history and change log of the folder, once nobody serves it."""
    engine = Engine(workload.settings_of(folder))
    engine.open()
    await engine.start()
    tenant = engine.tenant("default")
    now: dict[int, int] = {}
    past: Values = {}
    for number in range(WRITERS * 5):
        entity = tenant.context.get(workload.identifier(number))
        if entity is not None:
            now[number] = entity.attrs[COUNT][0].value
            series = await tenant.history.series(entity.id, [COUNT])
            past[number] = [int(value) for value in series.column("number").to_pylist()]
    log = tenant.context.changes.read(0, limit=1_000_000)
    await engine.stop()
    return now, past, log


def test_what_was_acknowledged_outlives_kill_9(tmp_path: Path) -> None:
    acked: Values = defaultdict(list)
    sent: Values = defaultdict(list)
    draw = random.Random(9)
    for round_ in range(ROUNDS):
        service = Service("serve", tmp_path / "data", RYNEK_ACCESS_ANONYMOUS="write")
        ours, lost = asyncio.run(write_until_killed(service, round_, draw.uniform(0.1, 0.8)))
        service.client.close()
        for number, values in ours.items():
            acked[number] += values
        for number, values in lost.items():
            sent[number] += values
    now, past, log = asyncio.run(look(tmp_path))
    assert sum(map(len, acked.values())) > 20 * ROUNDS
    logged: Values = defaultdict(list)
    for change in log:
        number = int(change.entity_id.rpartition(":")[2])
        logged[number] += [one.value for one in change.attrs.get(COUNT, ())]
    assert [change.seq for change in log] == sorted({change.seq for change in log})
    for number, values in acked.items():
        known = [value for value in past[number] if value not in sent[number]]
        assert known == values, f"entity {number}: the history is not what was acknowledged"
        assert [v for v in logged[number] if v not in sent[number]] == values
        assert now[number] == past[number][-1] == logged[number][-1]
