"""Where the newest readings of series stand: from the catalogue, without a look at the readings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .files import Part
from .schema import ADDED
from .select import NUMBER, Selection, moment_column

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_EVER: Final = -ADDED
_MOST_SERIES: Final = 100_000


class Floors(msgspec.Struct, frozen=True):
    """The files that the newest readings of some series are in, and how far back they may be:
    `table` has entity_id, attr, wanted_number (the entity's place) and floor (epoch µs), `lowest`
    is the lowest of those that files hold."""

    parts: list[Part]
    table: pa.Table
    lowest: int


class FloorSearch:
    """Goes through the catalogue's entries of files, and keeps for each series of a selection the
    latest time at which it is sure to have a reading: its newest is not before that."""

    def __init__(self, select: Selection) -> None:
        import numpy as np
        import pyarrow as pa

        self._select = select
        self._ids = pa.array(select.entity_ids, pa.string())
        self._attrs = pa.array(select.attrs, pa.string())
        count = len(self._ids) * len(self._attrs)
        self._floors: npt.NDArray[np.int64] = np.full(count, _EVER, np.int64)
        self._held: list[tuple[Part, npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []

    @staticmethod
    def fits(select: Selection) -> bool:
        """Whether entries can tell of a selection: of named series, by the time of readings."""
        return (
            moment_column(select.time_property) == "time"
            and select.time_property != "deletedAt"
            and 0 < len(select.entity_ids or ()) * len(select.attrs) <= _MOST_SERIES
            and select.dataset_ids is None
            and select.seq is None
            and not select.only
            and select.spans is None
        )

    def is_done(self, part: Part) -> bool:
        """Whether this file, and all that end before it, hold nothing that matters."""
        return bool(part.max_time < self._floors.min())

    def take(self, part: Part, entries: pa.Table) -> None:
        """Take in the entries of a file that are of the selection, whatever their time."""
        import numpy as np

        places, attrs = (
            _places(entries, name, wanted)
            for name, wanted in (("entity_id", self._ids), ("attr", self._attrs))
        )
        first, last = (entries.column(name).to_numpy() for name in ("first", "last"))
        start = _EVER if self._select.start is None else self._select.start
        end = ADDED if self._select.end is None else self._select.end
        kept = (places >= 0) & (attrs >= 0) & (first < end) & (last >= start)
        if not kept.any():
            return
        keys, first, last = (places * len(self._attrs) + attrs)[kept], first[kept], last[kept]
        sure = np.where(last < end, last, np.where(first >= start, first, _EVER))
        np.maximum.at(self._floors, keys, sure)
        self._held.append((part, keys, last))

    def found(self, amended: Sequence[str]) -> Floors:
        """What all files that matter say; of `amended` entities any reading may be hidden."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        if amended:
            blind = pc.is_in(self._ids, pa.array(amended, pa.string())).to_numpy(False)
            self._floors[np.repeat(blind, len(self._attrs))] = _EVER
        parts, lowest = [], ADDED
        for part, keys, last in self._held:
            reached = last >= self._floors[keys]
            if reached.any():
                parts.append(part)
                lowest = min(lowest, int(self._floors[keys[reached]].min()))
        places = np.repeat(np.arange(len(self._ids), dtype=np.int32), len(self._attrs))
        columns = {
            "entity_id": self._ids.take(pa.array(places)),
            "attr": pa.array(self._select.attrs * len(self._ids), pa.string()),
            NUMBER: pa.array(places),
            "floor": pa.array(self._floors),
        }
        return Floors(parts[::-1], pa.table(columns), lowest)


def _places(entries: pa.Table, name: str, wanted: Any) -> npt.NDArray[np.int64]:
    """The place of each entry's value among those that are wanted; -1 for others."""
    import pyarrow as pa
    import pyarrow.compute as pc

    coded = entries.column(name).combine_chunks()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.chunk(0)
    known = pc.fill_null(pc.index_in(coded.dictionary, wanted), -1).cast(pa.int64())
    found: npt.NDArray[np.int64] = known.take(coded.indices).to_numpy(zero_copy_only=False)
    return found
