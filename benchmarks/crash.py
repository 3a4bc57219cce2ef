"""Updates at a steady rate, a receiver that refuses half of them, and a kill -9 in the middle.

`run` starts `rynek serve`, writes, kills it, starts it again, waits until the receiver has
everything, and says what was lost (an acknowledged value that never came), came in the wrong order
for its entity, or came twice.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import server
from benchmarks.load import http
from benchmarks.receiver import Receiver, receiver
from benchmarks.subscribing import notification, subscribe

TYPE = "Vehicle"
_CONNECTIONS = 8


class Outcome(NamedTuple):
    """What a run saw. `lost` are acknowledged values that the receiver never took, `disordered`
    entities whose values came in another order than they were written, `repeated` notifications
    that came more than once, `refused` those that the receiver refused, `drained_s` how long
    after the last write everything was there."""

    written: int
    taken: int
    lost: list[tuple[str, int]]
    disordered: list[str]
    repeated: int
    refused: int
    drained_s: float


def run(
    folder: Path,
    *,
    seconds: float,
    rate: float,
    entities: int,
    fail: float,
    drain: float,
    retry: float = 1.0,
) -> Outcome:
    """Write for `seconds` at `rate` a second; wait at most `drain` seconds for the rest."""
    port = server.free_port()
    with receiver(fail=fail, keep=True) as taking:
        process = _start(folder, port, retry)
        try:
            subscribe(port, [{"entities": [{"type": TYPE}],
                              "notification": notification(taking.uri)}])  # fmt: skip
            writer = _Writer(port, entities)
            asyncio.run(writer.write(seconds / 2, rate))
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = _start(folder, port, retry)
            asyncio.run(writer.write(seconds / 2, rate))
            ended = time.monotonic()
            _drain(taking, len(writer.acknowledged), drain)
            return _judge(writer.acknowledged, taking, time.monotonic() - ended)
        finally:
            process.kill()
            process.wait()


def _start(folder: Path, port: int, retry: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from rynek.cli import main; main()", "serve"]
    command += ["--data", str(folder), "--port", str(port)]
    env = {
        "RYNEK_ACCESS_ANONYMOUS": "write",
        "RYNEK_NETWORK_ALLOW_PRIVATE": "true",
        "RYNEK_LOG_LEVEL": "error",
        "RYNEK_NOTIFICATIONS_RETRY_SECONDS": str(retry),
    }
    process = subprocess.Popen(
        command, cwd=server.ROOT, env=os.environ | env, stdout=subprocess.DEVNULL
    )
    server.wait(process, f"http://127.0.0.1:{port}/ngsi-ld/v1/types")
    return process


class _Writer:
    """Writes values that rise for each entity, and remembers those that were acknowledged."""

    def __init__(self, port: int, entities: int) -> None:
        self._port = port
        self._values = dict.fromkeys((f"urn:ngsi-ld:{TYPE}:{n}" for n in range(entities)), 0)
        self._due = 0.0
        self.acknowledged: list[tuple[str, int]] = []

    async def write(self, seconds: float, rate: float) -> None:
        """Write at `rate` a second, each entity by one connection only."""
        names = list(self._values)
        until = time.monotonic() + seconds
        shares = [names[n::_CONNECTIONS] for n in range(_CONNECTIONS)]
        await asyncio.gather(*(self._share(one, until, rate / _CONNECTIONS) for one in shares))

    async def _share(self, names: Sequence[str], until: float, rate: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        due = time.monotonic()
        position = 0
        while (now := time.monotonic()) < until:
            if due > now:
                await asyncio.sleep(due - now)
            due += 1 / rate
            name = names[position % len(names)]
            position += 1
            value = self._values[name] = self._values[name] + 1
            body = json.dumps([{"id": name, "type": TYPE, "speed": {"value": value}}]).encode()
            path = "/ngsi-ld/v1/entityOperations/upsert"
            writer.write(http("POST", path, body, Content_Type="application/json"))
            if await _status(reader) in (201, 204):
                self.acknowledged.append((name, value))
        writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    at = head.lower().find(b"content-length:")
    if at >= 0:
        await reader.readexactly(int(head[at + 15 : head.find(b"\r\n", at)]))
    return int(head[9:12])


def _drain(taking: Receiver, wanted: int, seconds: float) -> None:
    """Wait until the receiver has so many, or none came for a while."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and taking.look()[0] < wanted:
        time.sleep(0.1)
    time.sleep(0.2)


def _judge(acknowledged: list[tuple[str, int]], taking: Receiver, drained: float) -> Outcome:
    kept = taking.kept()
    first: dict[tuple[str, Any], None] = {}
    for _, name, value in kept:
        first.setdefault((name, value))
    newest: dict[str, int] = {}
    disordered = []
    for name, value in first:
        if value < newest.get(name, 0):
            disordered.append(name)
        newest[name] = value
    counted = Counter(one for one, _, _ in kept)
    return Outcome(
        len(acknowledged),
        len(kept),
        [one for one in acknowledged if one not in first],
        disordered,
        sum(times - 1 for times in counted.values()),
        taking.look()[1],
        drained,
    )
