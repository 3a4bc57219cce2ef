"""The recent window: newest readings that stay in memory after they went to the table.

Two things are known for sure, and answers rest on nothing else. Every reading whose time is at or
above an entity's `floor` is in memory. Every reading of a change above `since` is in memory. Where a
client corrected what is in memory, memory is not asked until those readings have left it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable

import msgspec

from .schema import Reading
from .select import Selection, passes
from .tail import MINUTE, Tail, Times, View, times_of

_JOINED_ROWS = 5_000
_MOST_FLOORS = 10_000
_MOST_ENTITIES = 50
_NEVER = 1 << 62
LAST_N = 128
"""How many readings of a series are remembered."""

Kept = tuple[str, tuple[str, ...]]
"""An entity and the attributes that were asked for (none: all)."""


class _Remembered(msgspec.Struct):
    """The newest LAST_N readings of each series of an entity, as of the change `seq`."""

    seq: int
    epoch: int
    rows: list[Reading]


class Recent:
    """Tails that were flushed, as far as there is room for; and answers that were read lately."""

    def __init__(self, most_rows: int) -> None:
        self._most = most_rows
        self._tails: deque[Tail] = deque()
        self._rows = 0
        self._floor = 0
        self._floors: dict[str, int] = {}
        self._corrected: dict[str, int] = {}
        self._lock = threading.Lock()
        self._remembered: OrderedDict[Kept, _Remembered] = OrderedDict()
        self._remembered_rows = 0
        self.since = 0

    def begin(self, seq: int, newest: int, later: dict[str, int]) -> None:
        """The table holds the changes up to `seq`; nothing in it is newer than `newest`, but for
        some entities with their newest times (`later`)."""
        self._tails.clear()
        self._rows = 0
        self.since = seq
        self._corrected = {}
        with self._lock:
            # What has been on its way into the table since before has raised floors already.
            self._floor = max(self._floor, newest + 1)
        for entity_id, moment in later.items():
            self.raise_floor(entity_id, moment)

    def corrected(self, entity_id: str, seq: int) -> None:
        """A client corrects what was recorded of an entity up to the change `seq`."""
        if len(self._corrected) >= _MOST_FLOORS:
            held = {one: at for one, at in self._corrected.items() if at > self.since}
            if len(held) >= _MOST_FLOORS:
                self._floor = _NEVER
            self._corrected = held
        self._corrected[entity_id] = seq

    def raise_floor(self, entity_id: str, moment: int) -> None:
        """A reading of this time is about to be in the table and not in memory.

        A time far ahead counts for its entity alone: one wrong clock must not blind all.
        """
        with self._lock:
            if moment < self._floor:
                return
            ahead = moment > time.time_ns() // 1000 + MINUTE
            if ahead and (entity_id in self._floors or len(self._floors) < _MOST_FLOORS):
                self._floors[entity_id] = max(self._floors.get(entity_id, 0), moment + 1)
            else:
                self._floor = moment + 1

    def keep(self, tail: Tail) -> list[Reading]:
        """A tail went to the table; the oldest ones make room for it. What is no longer kept is for
        the caller to let go of: so many objects take a while to be freed."""
        if not tail.rows:
            return []
        times = tail.times or times_of(tail.rows)
        last = self._tails[-1] if self._tails else None
        if last is not None and len(last.rows) < _JOINED_ROWS:
            assert last.times is not None  # each that is kept has been through here
            last.times.join(times)
            last.extend(tail.rows, tail.seq)
        else:
            tail.times = times
            self._tails.append(tail)
        self._rows += len(tail.rows)
        let_go: list[Reading] = []
        while self._rows > self._most:
            gone = self._tails.popleft()
            self._rows -= len(gone.rows)
            self._raise_floors(gone.times or times_of(gone.rows))
            self.since = gone.seq
            let_go += gone.rows
        return let_go

    def _raise_floors(self, times: Times) -> None:
        """`raise_floor` for all rows of a tail at once, as there are many."""
        if times.newest is not None:
            with self._lock:
                # Not far ahead when the rows were looked through: were the clock set back since, it
                # would seem so now.
                self._floor = max(self._floor, times.newest + 1)
        for entity_id, moment in times.ahead:
            self.raise_floor(entity_id, moment)

    def floor(self, entity_id: str) -> int:
        """The time from which on all readings of the entity are in memory, as they are."""
        if self._corrected.get(entity_id, -1) > self.since:
            return _NEVER
        return max(self._floor, self._floors.get(entity_id, 0))

    def rows(
        self, view: View, select: Selection, last_n: int | None
    ) -> dict[str, list[Reading]] | None:
        """The readings of a selection, in order of writing, by entity; all those of the interval,
        or at least the `last_n` newest of each series. None where memory does not hold them.
        """
        if not _is_plain(select) or view.amendments(select.entity_ids):
            return None
        found = {}
        for entity_id in select.entity_ids or ():
            rows = self._of(view, entity_id, select)
            floor = self.floor(entity_id)
            if (select.start is None or select.start < floor) and not (
                last_n is not None
                and select.attrs
                and view.snapshot.plain
                and _reaches(rows, select.attrs, last_n, floor)
            ):
                return None
            if rows:
                found[entity_id] = rows
        return found

    def _of(self, view: View, entity_id: str, select: Selection) -> list[Reading]:
        tails = (*self._tails, *view.landed, *view.tails)
        return [r for tail in tails for r in tail.of(entity_id) if passes(r, select)]

    def remembered(self, view: View, select: Selection) -> dict[str, list[Reading]] | None:
        """The newest readings of one entity, at least LAST_N of each series, from an answer that
        was read before and what was written since; None where there is none that holds.
        """
        if not is_newest(select) or view.amendments(select.entity_ids):
            return None
        ((entity_id,), attrs) = select.entity_ids or ("",), select.attrs
        known = self._remembered.get((entity_id, attrs))
        if known is None or known.epoch != view.snapshot.epoch or known.seq < self.since:
            return None
        self._remembered.move_to_end((entity_id, attrs))
        later = [row for row in self._of(view, entity_id, select) if row.seq > known.seq]
        rows = [row for row in known.rows if passes(row, select)] + later
        return {entity_id: rows} if rows else {}

    def remember(self, view: View, select: Selection, seq: int, rows: list[Reading]) -> None:
        """Keep what `view` said: the newest LAST_N of each series, as of the change `seq`."""
        if not is_newest(select) or view.amendments(select.entity_ids):
            return
        key = ((select.entity_ids or ("",))[0], select.attrs)
        old = self._remembered.pop(key, None)
        self._remembered_rows += len(rows) - (len(old.rows) if old else 0)
        self._remembered[key] = _Remembered(seq, view.snapshot.epoch, rows)
        while self._remembered_rows > self._most:
            _, gone = self._remembered.popitem(last=False)
            self._remembered_rows -= len(gone.rows)


def _is_plain(select: Selection) -> bool:
    """Whether memory can be asked: some entities, by the time of the reading."""
    return (
        select.time_property == "observedAt"
        and select.entity_ids is not None
        and len(select.entity_ids) <= _MOST_ENTITIES
        and not select.types
        and select.seq is None
        and not select.only
    )


def is_newest(select: Selection) -> bool:
    """Whether the newest readings of one entity are asked for, whatever their time."""
    return (
        _is_plain(select)
        and len(select.entity_ids or ()) == 1
        and select.start is None
        and select.end is None
        and not select.observed_only
        and select.deleted
        and select.dataset_ids is None
    )


def _reaches(rows: Iterable[Reading], attrs: tuple[str, ...], last_n: int, floor: int) -> bool:
    """Whether each attribute has `last_n` readings from `floor` on, none of them of a dataset
    (others of which may be in the table)."""
    counts = dict.fromkeys(attrs, 0)
    for row in rows:
        if row.dataset_id is not None:
            return False
        if row.time >= floor:
            counts[row.attr] += 1
    return min(counts.values()) >= last_n
