"""Plays a capital's feeds from a process of its own: publishes, posts, and asks what arrived when."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import defaultdict
from multiprocessing.connection import Connection
from typing import Any

import msgspec
import orjson
import uvloop
from benchmarks import cores
from benchmarks.capital.plan import FEEDS, MICRO, Feed, information
from benchmarks.load import http

_POSTING = 48
_ASK_EVERY_S = 0.02
_GIVE_UP_S = 60.0
_FILL_BATCH = 5000


class Plan(msgspec.Struct):
    """What to play: `zero` is the time (µs) of the state before, `fill` sends that state alone."""

    port: int
    zero: int
    seconds: float = 0
    speed: float = 1
    worst: bool = False
    fill: bool = False


class Played(msgspec.Struct):
    """What was played. `served` holds, for each feed that is polled, (update, time in µs) of each
    document that the service took; `posted`, for each other feed, the time of each update and how
    many entities it tells of. `lags` are seconds from the source's time until a client could read
    the value in state (or, with the suffix `past`, in history); `refused` counts answers after which
    a body was posted again, `failed` bodies that were given up."""

    begun: float = 0
    ended: float = 0
    settled: float = 0
    served: dict[str, list[tuple[int, int]]] = {}
    posted: dict[str, list[tuple[int, int]]] = {}
    lags: dict[str, list[float]] = {}
    updates: int = 0
    refused: int = 0
    failed: int = 0
    asked: int = 0


def main(pipe: Connection) -> None:
    """The process: sends the port of what it publishes, receives a Plan, sends a Played."""
    os.sched_setaffinity(0, {cores.LOAD})
    uvloop.run(_main(pipe))


async def _main(pipe: Connection) -> None:
    city = City()
    server = await asyncio.start_server(city.publish, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    plan = await asyncio.to_thread(pipe.recv)
    pipe.send(await city.play(plan, pipe))


class City:
    """All feeds, their present documents, and what happened to them."""

    def __init__(self) -> None:
        self._now: dict[str, tuple[int, int, bytes]] = {}
        self._taken: dict[str, int] = defaultdict(lambda: -1)
        self._played = Played(
            served={feed.name: [] for feed in FEEDS if feed.way == "poll"},
            posted={feed.name: [] for feed in FEEDS if feed.way != "poll"},
            lags=defaultdict(list),
        )
        self._information = {feed.name: information(feed) for feed in FEEDS if feed.kind == "gbfs"}
        self._queue: asyncio.Queue[tuple[Feed, bytes, int, int, int]] = asyncio.Queue()

    async def publish(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer GETs of one connection: 304 when the asker has the present document."""
        # At its end connections that feeds keep open are cancelled.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                writer.write(self._answer(head))
                await writer.drain()
        writer.close()

    def _answer(self, head: str) -> bytes:
        path = head.split(" ", 2)[1].strip("/")
        name, _, rest = path.partition("/")
        if rest:
            return _ok(self._information[name], "0")
        if name not in self._now:
            return b"HTTP/1.1 503 Not yet\r\nContent-Length: 0\r\n\r\n"
        k, at, document = self._now[name]
        if f'if-none-match: "{k}"' in head.lower():
            self._taken[name] = k
            return b"HTTP/1.1 304 Not Modified\r\n\r\n"
        served = self._played.served[name]
        if not served or served[-1] != (k, at):
            served.append((k, at))
        return _ok(document, str(k))

    async def play(self, plan: Plan, pipe: Connection) -> Played:
        """Everything: the state before, then the clock, until all of it was taken. Says "begun"
        and "ended" when the clock starts and stops."""
        for feed in FEEDS:
            if feed.way == "poll":
                self._now[feed.name] = (0, plan.zero, _whole(feed, 0, plan.zero))
        posting = [asyncio.create_task(self._post(plan.port)) for _ in range(_POSTING)]
        if plan.fill:
            self._queue_state(plan.zero)
        await self._taken_all()
        self._played.begun = time.time()
        pipe.send("begun")
        if plan.seconds:
            await self._run(plan)
        self._played.ended = time.time()
        pipe.send("ended")
        await self._queue.join()
        await self._taken_all()
        self._played.settled = time.time()
        for task in posting:
            task.cancel()
        self._played.lags = dict(self._played.lags)
        return self._played

    def _queue_state(self, zero: int) -> None:
        for feed in FEEDS:
            for first in range(0, feed.total if feed.way != "poll" else 0, _FILL_BATCH):
                numbers = range(first, min(first + _FILL_BATCH, feed.total))
                self._queue.put_nowait((feed, feed.document(numbers, 0, zero), zero, 0, 0))

    async def _taken_all(self) -> None:
        """Until every published document was asked for again by somebody who has it."""
        until = time.monotonic() + 300
        while any(self._taken[name] != k for name, (k, _, _) in self._now.items()):
            if time.monotonic() > until:
                raise RuntimeError(f"not all feeds are polled: {dict(self._taken)}")
            await asyncio.sleep(0.1)

    async def _run(self, plan: Plan) -> None:
        await asyncio.sleep(1 - time.time() % 1)
        start = int(time.time())
        self._played.begun = time.time()
        async with asyncio.TaskGroup() as group:
            for feed in FEEDS:
                every = (feed.worst if plan.worst else feed.normal) / plan.speed
                if feed.way == "poll":
                    group.create_task(self._tick(feed, every, start, plan))
                else:
                    rate = feed.total / every
                    group.create_task(self._push(feed, rate, start, plan))

    async def _tick(self, feed: Feed, every: float, start: int, plan: Plan) -> None:
        """Publish a new document every so often; a probe looks for it."""
        probe: asyncio.Task[None] | None = None
        for k in range(1, int(plan.seconds / every) + 1):
            due = start + k * every
            await asyncio.sleep(due - time.time())
            at = int(due * MICRO)
            self._now[feed.name] = (k, at, _whole(feed, k, at))
            self._played.updates += feed.total
            if probe is None or probe.done():
                numbers = k * 131 % feed.total
                probe = asyncio.create_task(self._probe(plan.port, feed, numbers, at))
        if probe is not None:
            await probe

    async def _push(self, feed: Feed, rate: float, start: int, plan: Plan) -> None:
        """Post each message when it is due, or once a second what came up meanwhile."""
        size = 1 if feed.way == "single" else max(1, round(rate))
        period = size / rate
        for number in range(int(plan.seconds / period)):
            due = start + (number + 1) * period
            if (wait := due - time.time()) > 0:
                await asyncio.sleep(wait)
            at = feed.stamp(int(due * MICRO))
            parts: dict[int, list[int]] = defaultdict(list)
            for update in range(number * size, (number + 1) * size):
                parts[update // feed.total + 1].append(update % feed.total)
            body = b"\n".join(feed.document(es, k, at) for k, es in parts.items())
            self._played.posted[feed.name].append((at, size))
            self._played.updates += size
            self._queue.put_nowait((feed, body, at, number, size))

    async def _post(self, port: int) -> None:
        client = Client(port)
        while True:
            feed, body, at, number, size = await self._queue.get()
            path = f"/c/default/feeds/{feed.name}/deliver"
            request = http("POST", path, body, Content_Type="application/json")
            for _ in range(200):
                status, answer = await client.send(request)
                if status == 200 and b'"rejected":0' in answer:
                    break
                self._played.refused += 1
                await asyncio.sleep(0.2)
            else:
                self._played.failed += 1
            if size:
                self._played.lags[feed.name].append(time.time() - at / MICRO)
            if size > 1 and number % 2 == 0:
                await self._look_back(client, feed, number * size % feed.total, at)
            self._queue.task_done()

    async def _probe(self, port: int, feed: Feed, e: int, at: int) -> None:
        """Ask for one entity until its state is that of `at`, then until its past has it."""
        client = Client(port)
        path = f"/ngsi-ld/v1/entities/{feed.entity_id(e)}?attrs={feed.attrs[0]}"
        if await self._wait_for(client, path, feed, at):
            self._played.lags[feed.name].append(time.time() - at / MICRO)
            await self._look_back(client, feed, e, at)
        client.close()

    async def _look_back(self, client: Client, feed: Feed, e: int, at: int) -> None:
        path = f"/ngsi-ld/v1/temporal/entities/{feed.entity_id(e)}?attrs={feed.attrs[0]}&lastN=1"
        if await self._wait_for(client, path, feed, at):
            self._played.lags["past"].append(time.time() - at / MICRO)

    async def _wait_for(self, client: Client, path: str, feed: Feed, at: int) -> bool:
        request = http("GET", path)
        wanted = feed.stamp(at)
        until = time.monotonic() + _GIVE_UP_S
        while time.monotonic() < until:
            status, answer = await client.send(request)
            self._played.asked += 1
            if status == 200 and _newest(answer, feed.attrs[0]) >= wanted:
                return True
            await asyncio.sleep(_ASK_EVERY_S)
        self._played.lags[feed.name].append(_GIVE_UP_S)
        return False


class Client:
    """One connection that is kept, and opened again when it ends."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Status and body; 0 when there is no answer."""
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 : head.find(b"\r\n", at)]) if at >= 0 else 0
            return int(head[9:12]), await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return 0, b""

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _whole(feed: Feed, k: int, at: int) -> bytes:
    return feed.document(range(feed.total), k, at)


def _ok(body: bytes, tag: str) -> bytes:
    head = f'HTTP/1.1 200 OK\r\nETag: "{tag}"\r\nContent-Length: {len(body)}\r\n\r\n'
    return head.encode() + body


def _newest(answer: bytes, attr: str) -> int:
    """The newest observedAt of an attribute in an answer, in µs; 0 when there is none."""
    from rynek.base.clock import parse_iso

    found: Any = orjson.loads(answer).get(attr, [])
    instances = found if isinstance(found, list) else [found]
    return max(
        (parse_iso(one["observedAt"]) for one in instances if "observedAt" in one), default=0
    )
