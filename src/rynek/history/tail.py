"""The newest readings, in memory: what the log holds above the table."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

import msgspec

from .amend import BURIED, NOTHING, Amended, Amendments
from .files import Part
from .lake import Snapshot
from .schema import Reading

MINUTE: Final = 60_000_000


class Times(msgspec.Struct):
    """The newest time (epoch µs) of some rows, but for those `ahead` of the clock by more than a
    minute, which are told with their entities."""

    newest: int | None = None
    ahead: list[tuple[str, int]] = []

    def join(self, other: Times) -> None:
        """Take in those of more rows."""
        if self.newest is None or (other.newest is not None and other.newest > self.newest):
            self.newest = other.newest
        self.ahead += other.ahead


def times_of(rows: Iterable[Reading]) -> Times:
    """The times of rows; there may be many, so this is for a thread."""
    bound, found = time.time_ns() // 1000 + MINUTE, Times()
    newest = -1
    for row in rows:
        if row.time > bound:
            found.ahead.append((row.entity_id, row.time))
        elif row.time > newest:
            newest = row.time
    if newest >= 0:
        found.newest = newest
    return found


class Tail:
    """Rows of the changes up to and including `seq`, in order, and by entity; `times` of all of
    them, once they were looked through."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.rows: list[Reading] = []
        self.times: Times | None = None
        self._by_entity: dict[str, list[Reading]] = {}

    def extend(self, rows: Iterable[Reading], seq: int) -> None:
        """Take the rows of the next change."""
        for row in rows:
            self.rows.append(row)
            self._by_entity.setdefault(row.entity_id, []).append(row)
        self.seq = seq

    def add(self, entity_id: str, rows: list[Reading], seq: int) -> None:
        """Take the rows of the next change, all of one entity; the list is given away."""
        if rows:
            self.rows += rows
            held = self._by_entity.get(entity_id)
            if held is None:
                self._by_entity[entity_id] = rows
            else:
                held += rows
        self.seq = seq

    def of(self, entity_id: str) -> list[Reading]:
        """The rows of one entity, in order of writing."""
        return self._by_entity.get(entity_id, [])

    def above(self, seq: int) -> Tail:
        """This tail without the rows that a table up to `seq` holds (itself when it has none)."""
        if not self.rows or self.rows[0].seq > seq:
            return self
        rest = Tail(self.seq)
        rest.extend((row for row in self.rows if row.seq > seq), self.seq)
        return rest

    def up_to(self, seq: int) -> Tail:
        """What a table up to `seq` holds of this tail (itself when that is all)."""
        if self.seq <= seq:
            return self
        held = Tail(seq)
        if self.rows and self.rows[0].seq <= seq:
            held.extend((row for row in self.rows if row.seq <= seq), seq)
        return held

    def remove(self, rows: Iterable[Reading]) -> None:
        """Take rows out."""
        gone = {id(row) for row in rows}
        self.rows = [row for row in self.rows if id(row) not in gone]
        self._by_entity = {
            name: [row for row in held if id(row) not in gone]
            for name, held in self._by_entity.items()
        }

    def before(self, newer: Tail) -> Tail:
        """Both in one, for a flush that failed: this one's rows first."""
        both = Tail(newer.seq)
        both.extend(self.rows, self.seq)
        both.extend(newer.rows, newer.seq)
        return both


class View(msgspec.Struct, frozen=True):
    """One consistent state to answer from: a table snapshot, the rows above it, and what clients
    added and corrected. `landed` are rows that came to the table just now, of which the recent
    window does not know yet."""

    snapshot: Snapshot
    tails: tuple[Tail, ...]
    amended: Amendments = NOTHING
    landed: tuple[Tail, ...] = ()

    def rows(self, entity_ids: Iterable[str] | None = None) -> list[Reading]:
        """The rows above the table, of some entities or of all, in order of writing.

        A copy: later changes do not move it.
        """
        if entity_ids is None:
            rows = [row for tail in self.tails for row in tail.rows]
        else:
            rows = [row for tail in self.tails for one in entity_ids for row in tail.of(one)]
        if not self.amended:
            return rows
        about = self.amendments(entity_ids)
        rows = [r for r in rows if (one := about.get(r.entity_id)) is None or not one.hides(r)]
        return rows + [r for one in about.values() for r in one.rows(self.snapshot.merged)]

    def amendments(self, entity_ids: Iterable[str] | None = None) -> Amendments:
        """What was added and corrected of some entities, or of all."""
        if entity_ids is None or not self.amended:
            return self.amended
        found: dict[str, Amended] = {}
        for one in entity_ids:
            amended = self.amended.get(one)
            if amended is not None:
                found[one] = amended
        return found


def only(view: View, parts: Iterable[Part], without: Amendments) -> View:
    """The same state with some files alone, and nothing of the amended entities."""
    days: dict[int, tuple[Part, ...]] = {}
    for part in parts:
        days[part.day] = (*days.get(part.day, ()), part)
    snapshot = msgspec.structs.replace(view.snapshot, days=days)
    hidden = dict.fromkeys(without, BURIED)
    return View(snapshot, (), hidden)
