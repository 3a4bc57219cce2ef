"""What clients were promised by HTTP, and whether a data folder keeps it.

Every write has a number of its own as its value, and every entity one writer, so that the folder's
state, change log, history and outbox must show exactly the acknowledged numbers, in their order.
What was sent and never answered may be there or not, but wholly and once.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from rynek.app import Engine
from rynek.context import DEFAULT_VOCAB, Change
from rynek.history import Selection

from . import workload

TYPE: Final = "Meter"
COUNT: Final = DEFAULT_VOCAB + "count"
PAST: Final = DEFAULT_VOCAB + "past"
API: Final = "/ngsi-ld/v1"
BATCH: Final = 3
EACH: Final = 6
"""Entities of one writer."""
GONE: Final = -1
"""Stands for the deletion of an entity, among its values."""


class Ledger:
    """Numbers by entity: acknowledged (`acked`), answered with a refusal (`refused`), or neither
    (`unsure`). `past` holds those of temporal writes, `statuses` how the requests were answered."""

    def __init__(self) -> None:
        self.acked: dict[str, list[int]] = defaultdict(list)
        self.past: dict[str, list[int]] = defaultdict(list)
        self.unsure: set[int] = set()
        self.unsure_gone: set[str] = set()
        self.refused: set[int] = set()
        self.statuses: Counter[int] = Counter()
        self.problems: list[dict[str, Any]] = []
        self.subscribed = False
        self._numbers = itertools.count(1)
        self._there: dict[str, bool] = {}

    @property
    def total(self) -> int:
        """How many writes were acknowledged."""
        return sum(map(len, self.acked.values())) + sum(map(len, self.past.values()))

    async def subscribe(self, client: httpx.AsyncClient) -> None:
        """Let every change be told to somebody who never listens: it waits in the outbox."""
        endpoint = {"uri": "http://127.0.0.1:9/", "accept": "application/json"}
        document = {
            "id": "urn:ngsi-ld:Subscription:ledger",
            "type": "Subscription",
            "entities": [{"type": TYPE}],
            "watchedAttributes": ["count"],
            "notification": {"endpoint": endpoint, "attributes": ["count"]},
        }
        answer = await client.post(f"{API}/subscriptions", json=document)
        assert answer.status_code in (201, 409), answer.text
        self.subscribed = True

    async def write(self, client: httpx.AsyncClient, seed: int, draw: random.Random) -> None:
        """One random write of the writer `seed`; httpx.TransportError when the service went away."""
        names = [workload.identifier(seed * EACH + n) for n in range(EACH)]
        kind = draw.choice(("patch", "patch", "upsert", "batch", "delete", "past"))
        if kind == "batch":
            await self._batch(client, draw.sample(names, BATCH))
            return
        name = draw.choice(names)
        if kind == "past":
            await self._past(client, name)
        elif not self._there.get(name):
            await self._one(client, name, "POST", f"{API}/entities", _document(name))
        elif kind == "delete" and draw.random() < 0.3:
            await self._delete(client, name)
        elif kind == "upsert":
            path = f"{API}/entityOperations/upsert"
            await self._one(client, name, "POST", path, [_document(name)])
        else:
            path = f"{API}/entities/{name}/attrs"
            await self._one(client, name, "PATCH", path, {"count": {"type": "Property"}})

    async def _one(
        self, client: httpx.AsyncClient, name: str, method: str, path: str, body: Any
    ) -> None:
        value = next(self._numbers)
        target = body[0] if isinstance(body, list) else body
        target["count"] = {"type": "Property", "value": value}
        self._there.setdefault(name, False)  # a kill may leave it there unacknowledged
        if await self._sent(client, method, path, body, {value}):
            self.acked[name].append(value)
            self._there[name] = True

    async def _batch(self, client: httpx.AsyncClient, names: list[str]) -> None:
        values = {name: next(self._numbers) for name in names}
        body = [
            _document(name) | {"count": {"type": "Property", "value": value}}
            for name, value in values.items()
        ]
        for name in names:
            self._there.setdefault(name, False)
        path = f"{API}/entityOperations/upsert"
        if await self._sent(client, "POST", path, body, set(values.values())):
            for name, value in values.items():
                self.acked[name].append(value)
                self._there[name] = True

    async def _delete(self, client: httpx.AsyncClient, name: str) -> None:
        self.unsure_gone.add(name)
        if await self._sent(client, "DELETE", f"{API}/entities/{name}", None, set()):
            self.acked[name].append(GONE)
            self._there[name] = False
        self.unsure_gone.discard(name)

    async def _past(self, client: httpx.AsyncClient, name: str) -> None:
        value = next(self._numbers)
        observed = f"2025-03-{1 + value % 28:02d}T{value % 24:02d}:{value % 60:02d}:00Z"
        reading = {"type": "Property", "value": value, "observedAt": observed}
        body = {"id": name, "type": TYPE, "past": [reading]}
        if await self._sent(client, "POST", f"{API}/temporal/entities", body, {value}):
            self.past[name].append(value)

    async def _sent(
        self, client: httpx.AsyncClient, method: str, path: str, body: Any, values: set[int]
    ) -> bool:
        """Whether a request was acknowledged; one that is neither stays unsure."""
        self.unsure |= values
        answer = await client.request(method, path, json=body)
        self.unsure -= values
        self.statuses[answer.status_code] += 1
        if answer.status_code in (200, 201, 204):
            return True
        self.refused |= values
        self.problems.append(answer.json())
        assert answer.status_code in (503, 507), (answer.status_code, answer.text)
        return False

    async def learn(self, client: httpx.AsyncClient) -> None:
        """Ask which entities are there, after a life that ended amid writes: a deletion that nobody
        acknowledged has happened or not, and from now on that is sure."""
        for name in {*self.acked, *self._there}:
            answer = await client.get(f"{API}/entities/{name}")
            self._there[name] = answer.status_code == 200
            if name in self.unsure_gone and not self._there[name]:
                self.acked[name].append(GONE)
        self.unsure_gone.clear()


def _document(name: str) -> dict[str, Any]:
    return {"id": name, "type": TYPE}


class Kept:
    """What a folder holds: the value of each entity, its log, its history, what was added to its
    past, and how often each number waits in the outbox."""

    def __init__(self) -> None:
        self.now: dict[str, int] = {}
        self.logged: dict[str, list[int]] = defaultdict(list)
        self.history: dict[str, list[int]] = defaultdict(list)
        self.past: dict[str, list[int]] = defaultdict(list)
        self.told: Counter[int] = Counter()
        self.seqs: list[int] = []


async def kept(folder: Path, names: Sequence[str] = (), **settings: Any) -> Kept:
    """Everything in the data folder below `folder`, which nobody serves."""
    found = Kept()
    engine = Engine(workload.settings_of(folder, **settings))
    engine.open()
    await engine.start()
    tenant = engine.tenant("default")
    try:
        for change in tenant.context.changes.read(0, limit=10_000_000):
            found.seqs.append(change.seq)
            _note(found, change)
        for _, entity in tenant.context.scan(limit=1_000_000):
            if COUNT in entity.attrs:
                found.now[entity.id] = entity.attrs[COUNT][0].value
        asked = set(names) or {*found.logged, *(workload.identifier(n) for n in range(EACH * 64))}
        select = Selection(entity_ids=tuple(asked), attrs=(COUNT, PAST), deleted=True)
        rows = await tenant.history.rows(select)
        # What came in one microsecond stands in the order of its numbers.
        for row in sorted(rows.to_pylist(), key=lambda row: row["seq"]):
            into = found.history if row["attr"] == COUNT else found.past
            into[row["entity_id"]].append(GONE if row["deleted"] else int(row["number"]))
        store: Any = tenant.context.store
        for summary in store.outbox.backlog():
            messages = store.outbox.read(
                summary.target, 0, 10_000_000, dead=summary.dead, size=1 << 40
            )
            for message in messages:
                body = json.loads(message.body)
                found.told.update(one["count"]["value"] for one in body["data"] if "count" in one)
    finally:
        await engine.stop()
    return found


def _note(found: Kept, change: Change) -> None:
    for attr, instances in change.attrs.items():
        if attr == COUNT:
            found.logged[change.entity_id] += [one.value for one in instances]
    if change.op == "delete":
        found.logged[change.entity_id].append(GONE)


def check(ledger: Ledger, folder: Path, **settings: Any) -> Kept:
    """Assert that the folder keeps what the ledger says, each number once and in order."""
    found = asyncio.run(kept(folder, **settings))
    assert found.seqs == sorted(set(found.seqs)), "numbers of the log are double or out of order"
    for name, acked in ledger.acked.items():
        logged = found.logged[name]
        known = [v for v in logged if v not in ledger.unsure]
        if name in ledger.unsure_gone and known[len(acked) :] == [GONE]:
            known.pop()
        assert known == acked, f"{name}: the log is not what was acknowledged"
        assert found.history[name] == logged, f"{name}: history does not agree with the log"
        newest = logged[-1]
        assert found.now.get(name, GONE) == newest, f"{name}: the state is not the log's newest"
        if ledger.subscribed:
            told = [found.told[value] for value in logged if value != GONE]
            assert told == [1] * len(told), f"{name}: notifications are lost or double"
    for name, past in found.past.items():
        assert len(set(past)) == len(past), f"{name}: a temporal write is there twice"
        sure = [value for value in past if value not in ledger.unsure]
        assert sorted(sure) == sorted(ledger.past[name]), f"{name}: its past lost or gained"
    every = {v for values in found.logged.values() for v in values}
    assert not every & ledger.refused, "what was refused is there"
    return found
