"""kill -9 at random moments under load: what was acknowledged is there, once, everywhere.

RYNEK_TEST_ROUNDS sets how often the service is killed (the suite does it a few times).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from pathlib import Path

import httpx
from tests.demo.service import Service

from rynek.base.clock import SystemClock
from rynek.context.store.sqlite import SqliteStore

from .ledger import Ledger, check

ROUNDS = int(os.environ.get("RYNEK_TEST_ROUNDS", "2"))
WRITERS = 8
OPENS_SECONDS = 2.0
SETTINGS = {
    "RYNEK_ACCESS_ANONYMOUS": "write",
    "RYNEK_NETWORK_ALLOW_PRIVATE": "true",
    "RYNEK_HISTORY_FLUSH_SECONDS": "0.2",
}


async def write_until_killed(
    service: Service, ledger: Ledger, draw: random.Random, seconds: float
) -> None:
    """Writers at work until the service is killed under them."""

    async def writer(client: httpx.AsyncClient, seed: int) -> None:
        own = random.Random(draw.random())
        with contextlib.suppress(httpx.TransportError):
            while True:
                await ledger.write(client, seed, own)

    async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
        await ledger.subscribe(client)
        await ledger.learn(client)
        tasks = [asyncio.create_task(writer(client, seed)) for seed in range(WRITERS)]
        await asyncio.sleep(seconds)
        service.kill()
        await asyncio.gather(*tasks)


def opening(folder: Path) -> float:
    """Seconds of processor time that opening the store takes, as it was left."""
    started = time.process_time()
    store = SqliteStore(folder, SystemClock())
    took = time.process_time() - started
    asyncio.run(store.close())
    return took


def killed(folder: Path, ledger: Ledger, draw: random.Random, seconds: float) -> None:
    """One life of the service, and a look at the store that it left."""
    service = Service("serve", folder / "data", **SETTINGS)
    asyncio.run(write_until_killed(service, ledger, draw, seconds))
    service.client.close()
    assert opening(folder / "data" / "tenants" / "default") <= OPENS_SECONDS


def test_what_was_acknowledged_outlives_kill_9(tmp_path: Path) -> None:
    ledger = Ledger()
    draw = random.Random(9)
    for _ in range(ROUNDS):
        killed(tmp_path, ledger, draw, draw.uniform(0.1, 0.8))
        check(ledger, tmp_path)
    assert ledger.total > 20 * ROUNDS
    assert ledger.statuses.keys() <= {200, 201, 204}
