"""The ordered change log: one row per entity write, read by history, subscriptions and pages."""

from __future__ import annotations

from typing import Protocol

import msgspec

from rynek.context.model import Instance


class Change(msgspec.Struct, array_like=True, omit_defaults=True):
    """What one write did to one entity.

    `seq` orders the tenant's writes (AUTOINCREMENT: never reused). `op` is create, update, delete
    or observe (a feed saw the same values again at a newer time: only `observed_at` moved).
    `attrs` holds the instances that the write set (all of them on create; when they were written
    is `at`, whatever they say themselves); `deleted` holds
    (attribute IRI, dataset id or None) pairs; a delete of the entity lists every attribute.
    `kinds` says of what kind the deleted attributes were; `scopes` are those that the write set
    ([]: it took them away), None where it left them as they were.
    `source` is `feed:<name>` or None for the API. `at` is epoch microseconds.
    """

    seq: int
    at: int
    op: str
    entity_id: str
    types: list[str]
    attrs: dict[str, list[Instance]]
    deleted: list[tuple[str, str | None]] = []
    source: str | None = None
    scopes: list[str] | None = None
    kinds: dict[str, str] = {}


class ChangeLog(Protocol):
    """Reads of the change log, and durable cursors over it.

    A cursor pins the log: rows above the lowest cursor are kept, up to the tenant's bound.
    """

    def head(self) -> int:
        """The seq of the newest committed row; 0 when nothing was ever written."""
        ...

    def oldest(self) -> int:
        """The seq of the oldest row still kept; head() + 1 when none is."""
        ...

    def read(self, after: int, limit: int = 1000) -> list[Change]:
        """Committed rows with seq > after, ascending, at most `limit`."""
        ...

    async def wait(self, after: int, timeout: float) -> int:
        """Return head() as soon as it exceeds `after`, or after `timeout` seconds at the latest."""
        ...

    def cursor(self, name: str) -> int | None:
        """The last seq that `name` acknowledged; None for an unknown cursor."""
        ...

    def pin(self, name: str, seq: int) -> None:
        """Keep the rows above `seq` for the cursor `name`, as long as this process lives."""
        ...

    def acknowledge(self, name: str, seq: int) -> None:
        """Move the cursor `name` to `seq` (durable with the next commit)."""
        ...
