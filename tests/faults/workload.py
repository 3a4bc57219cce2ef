"""Writes to one tenant until it is told to end; every acknowledged write leaves a line in `acks`.

python workload.py FOLDER SECONDS: the line is appended after the acknowledgement, so that a record
of the file operations holds both in their order.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from functools import partial
from pathlib import Path

from rynek.app import Engine
from rynek.base.settings import Settings, load
from rynek.context import operations, parse_entity, parse_fragment

ENTITIES = 40


def settings_of(folder: Path, **more: object) -> Settings:
    """The settings of a test's data folder; `more` with __ for the dot."""
    return load(None, {}, {
        "data.path": str(folder / "data"), "access.anonymous": "write",
        "history.flush_seconds": 0.3, "network.allow_private": True,
        **{name.replace("__", "."): value for name, value in more.items()},
    })  # fmt: skip


def identifier(number: int) -> str:
    return f"urn:ngsi-ld:Meter:{number}"


async def main(folder: Path, seconds: float) -> None:
    engine = Engine(settings_of(folder))
    engine.open()
    await engine.start()
    context = engine.tenant("default").context
    ld = await context.default_ld()
    acks = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def writer(seed: int) -> None:
        draw = random.Random(seed)
        for value in range(1, 1_000_000):
            if time.monotonic() > until:
                return
            number = seed * 10 + draw.randrange(10)
            count = {"type": "Property", "value": seed * 1_000_000 + value}
            document = {"id": identifier(number), "type": "Meter", "count": count}
            if context.get(identifier(number)) is None:
                entity = parse_entity(document, ld, now=0)
                await context.write(partial(operations.create, entity=entity, ctx=ld))
            else:
                part = parse_fragment({"count": count}, ld, now=0)
                step = partial(
                    operations.append, entity_id=identifier(number), fragment=part, ctx=ld
                )
                await context.write(step)
            os.write(acks, f"{number} {count['value']}\n".encode())

    until = time.monotonic() + seconds
    await asyncio.gather(*[writer(seed) for seed in range(ENTITIES // 10)])
    # Ends without good-byes: what follows a power cut is not a good end.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
