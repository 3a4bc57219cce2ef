"""An in-memory change log with the contract of the real one, and shorthand for changes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from rynek.base.clock import parse_iso, to_iso
from rynek.context import DEFAULT_VOCAB, Change, Instance

T0 = parse_iso("2026-03-10T12:00:00Z")
MINUTE = 60_000_000
HOUR = 60 * MINUTE


class ListLog:
    """The contract of ChangeLog over a list; `trim()` drops what every cursor has passed. Its
    changes begin above `above`."""

    def __init__(self, above: int = 0) -> None:
        self.changes: list[Change] = []
        self.cursors: dict[str, int] = {}
        self.pinned: dict[str, int] = {}
        self._last = above
        self._more = asyncio.Event()

    def write(self, change: Change) -> int:
        """Append one change under the next seq."""
        self._last += 1
        change.seq = self._last
        self.changes.append(change)
        self._more.set()
        return self._last

    def trim(self) -> None:
        """Drop the changes that every cursor has acknowledged."""
        low = min(self.cursors.values(), default=0)
        self.changes = [change for change in self.changes if change.seq > low]

    def head(self) -> int:
        return self._last

    def oldest(self) -> int:
        return self.changes[0].seq if self.changes else self._last + 1

    def read(self, after: int, limit: int = 1000) -> list[Change]:
        return [change for change in self.changes if change.seq > after][:limit]

    async def wait(self, after: int, timeout: float) -> int:
        if self._last <= after:
            self._more.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._more.wait(), timeout)
        return self._last

    def cursor(self, name: str) -> int | None:
        return self.cursors.get(name, self.pinned.get(name))

    def pin(self, name: str, seq: int) -> None:
        self.pinned[name] = seq

    def acknowledge(self, name: str, seq: int) -> None:
        self.cursors[name] = seq


def iri(name: str) -> str:
    """A term as the default context expands it."""
    return DEFAULT_VOCAB + name


def number(value: Any, time: int | None, **members: Any) -> Instance:
    """A Property, observed at `time` (epoch µs)."""
    observed = None if time is None else to_iso(time)
    return Instance(kind="Property", value=value, observed_at=observed, **members)


def change(
    op: str,
    entity_id: str,
    attrs: dict[str, Instance | list[Instance]],
    *,
    at: int = T0,
    kind: str = "Thing",
    deleted: list[tuple[str, str | None]] | None = None,
    source: str | None = "feed:test",
) -> Change:
    """One change, names in short form."""
    return Change(
        seq=0,
        at=at,
        op=op,
        entity_id=entity_id,
        types=[iri(kind)],
        attrs={
            iri(name): given if isinstance(given, list) else [given]
            for name, given in attrs.items()
        },
        deleted=[(iri(name), dataset) for name, dataset in deleted or []],
        source=source,
    )
