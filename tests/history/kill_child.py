"""Writes to a past, deletes some of it and merges all the time, until it is killed: `FOLDER FIRST`.

Prints what was acknowledged, a line each: `add N` and `gone N`.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from tests.history.support import MINUTE, T0, ListLog, iri, number

from rynek.context import TemporalFragment, TemporalQuery
from rynek.history import FollowerSettings, History, HistorySettings

SETTINGS = HistorySettings(follower=FollowerSettings(flush_seconds=3600))
ENTITIES = 3


def entity(value: int) -> str:
    """The entity that a value belongs to."""
    return f"urn:x:{value % ENTITIES}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def _merge(history: History) -> None:
    while True:
        await history.merge()
        await asyncio.sleep(0.005)


async def main(folder: Path, first: int) -> None:
    """Write values from `first` on."""
    history = History(folder, ListLog(), SETTINGS)
    await history.start()
    await history.ready()
    merging = asyncio.create_task(_merge(history))
    for value in itertools.count(first):
        given = number(value, T0 + value * MINUTE)
        fragment = TemporalFragment({iri("p"): [given]}, types=[iri("Thing")])
        await history.edit.add(entity(value), fragment, None, now=T0, create=True)
        _say(f"add {value}")
        if value % 4 == 3:
            query = TemporalQuery(attrs=(iri("p"),), last_n=2)
            found = await history.evolution([entity(value)], query)
            older = found[entity(value)].attrs[iri("p")][0]
            await history.edit.delete_instance(entity(value), iri("p"), older.instance_id, now=T0)
            _say(f"gone {older.instance.value}")
        assert not merging.done()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
