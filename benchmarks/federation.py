"""A query over ten neighbours, each answering after 50 ms, and with an eleventh that hangs.

`python benchmarks/federation.py`: two `rynek serve` processes; the neighbours are ten tenants of
one of them, behind a proxy that delays every request. Prints how long answers took: the aim is the
slowest neighbour plus 25 ms, and the set timeout with a warning where one hangs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import server
from benchmarks.entities import batch

_STEP = 500


def main() -> None:
    """Parse the arguments, start everything, measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--neighbours", type=int, default=10)
    parser.add_argument("--entities", type=int, default=10_000)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--delay-ms", type=float, default=50)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--timeout-ms", type=float, default=400)
    options = parser.parse_args()
    os.environ["RYNEK_NETWORK_ALLOW_PRIVATE"] = "true"
    with server.rynek() as far, server.rynek() as near:
        tenants = [f"n{number}" for number in range(options.neighbours)]
        for number, tenant in enumerate(tenants):
            _fill(far, tenant, number * options.entities, options.entities)
        asyncio.run(_measure(near, far, tenants, options))


async def _measure(near: int, far: int, tenants: list[str], options: argparse.Namespace) -> None:
    delayed = await _proxy(far, options.delay_ms / 1000)
    hanging = await _proxy(far, 3600)
    loop = asyncio.get_running_loop()

    async def call(method: str, path: str, body: Any = None) -> Any:
        return await loop.run_in_executor(None, _call, near, method, path, body)

    for tenant in tenants:
        await call("POST", "csourceRegistrations", _registration(delayed, tenant=tenant))
    query = f"entities?type=Vehicle&limit={options.limit}"
    slowest = await _direct(delayed, tenants[0], options)
    for name, path in (("first page", query), ("counted", query + "&count=true"),
                       ("second page", query + f"&offset={options.limit}"),
                       ("filtered", query + "&q=speed>50")):  # fmt: skip
        took, answer = await _times(call, path.replace(">", "%3E"), options.rounds)
        _print(name, took, f"{len(answer[1])} entities; one neighbour alone {slowest:.1f} ms")
    management = {"timeout": options.timeout_ms}
    await call("POST", "csourceRegistrations", _registration(hanging, management=management))
    took, answer = await _times(call, query, 1)
    _print("one hanging", took, f"{len(answer[1])} entities; {answer[0]['NGSILD-Warning']}")
    for _ in range(2):
        await call("GET", query)
    took, answer = await _times(call, query, options.rounds)
    _print("left alone", took, f"{len(answer[1])} entities; {answer[0]['NGSILD-Warning']}")


def _print(name: str, took: list[float], note: str) -> None:
    worst = max(took)
    print(f"{name:12} median {statistics.median(took):6.1f} ms, worst {worst:6.1f} ms; {note}")


async def _times(call: Any, path: str, rounds: int) -> tuple[list[float], Any]:
    took = []
    answer: Any = None
    for _ in range(rounds):
        begun = time.perf_counter()
        answer = await call("GET", path)
        took.append((time.perf_counter() - begun) * 1000)
    return took, answer


async def _direct(port: int, tenant: str, options: argparse.Namespace) -> float:
    """The median of one neighbour's own answers, in ms."""
    loop = asyncio.get_running_loop()
    took = []
    path = f"entities?type=Vehicle&limit={options.limit}"
    for _ in range(20):
        begun = time.perf_counter()
        await loop.run_in_executor(None, _call, port, "GET", path, None, tenant)
        took.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took)


def _registration(port: int, **members: Any) -> dict[str, Any]:
    return {
        "type": "ContextSourceRegistration",
        "endpoint": f"http://127.0.0.1:{port}",
        "information": [{"entities": [{"type": "Vehicle"}]}],
    } | members


def _call(
    port: int, method: str, path: str, body: Any = None, tenant: str | None = None
) -> tuple[Any, Any]:
    """Headers and JSON of an answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/ngsi-ld/v1/{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"} if body is not None else {},
        method=method,
    )
    if tenant is not None:
        request.add_header("NGSILD-Tenant", tenant)
    with urllib.request.urlopen(request, timeout=60) as answer:
        content = answer.read()
        return answer.headers, json.loads(content) if content else None


def _fill(port: int, tenant: str, first: int, count: int) -> None:
    for start in range(first, first + count, _STEP):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/ngsi-ld/v1/entityOperations/upsert",
            batch(range(start, min(start + _STEP, first + count))),
            {"Content-Type": "application/json", "NGSILD-Tenant": tenant},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=60):
            pass


async def _proxy(target: int, delay: float) -> int:
    """A port that passes on to `target` what comes, each time after `delay` seconds."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wait: float) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if wait:
                    await asyncio.sleep(wait)
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pump(reader, far_writer, delay), pump(far_reader, writer, 0))

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port: int = listening.sockets[0].getsockname()[1]
    return port


if __name__ == "__main__":
    main()
