"""The place index: padded boxes in an R*Tree, moved only when an object leaves its box."""

from __future__ import annotations

from typing import Any

from rynek.base.geo import bbox
from rynek.base.sqlite import Connection
from rynek.context.model import LOCATION, Entity

# About 250 m: a bus leaves its box every half minute or so instead of with every position.
_PAD_DEGREES = 0.0025
_AHEAD_DEGREES = 0.00125
_SLOTS = 16
# Boxes of what moved lately, so many at most: some 300 bytes each.
_REMEMBERED = 131_072

Box = tuple[float, float, float, float]


class Places:
    """Boxes of GeoProperties by p = n << 4 | slot; the first 16 attribute names have a slot."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.slots: dict[str, int] = {}
        self._new: list[tuple[int, str]] = []
        self._boxes: dict[int, Box] = {}
        self.reload()

    def reload(self) -> None:
        """Read the slots that are committed."""
        rows = self._connection.execute(
            "SELECT slot, iri FROM place_slot JOIN term ON term.t = place_slot.a"
        ).fetchall()
        self.slots = {str(iri): int(slot) for slot, iri in rows}
        self._new = []
        self._boxes.clear()

    def slot(self, attr: str) -> int | None:
        """The slot of a GeoProperty; None when all are taken (it is then found by scanning)."""
        found = self.slots.get(attr)
        if found is None:
            if len(self.slots) >= _SLOTS - (0 if attr == LOCATION or LOCATION in self.slots else 1):
                return None
            found = self.slots[attr] = len(self.slots)
            self._new.append((found, attr))
        return found

    def take_new(self) -> list[tuple[int, str]]:
        """The (slot, IRI) pairs to insert with this group."""
        new, self._new = self._new, []
        return new

    def boxes(self, geometries: dict[str, list[Any]]) -> dict[int, Box]:
        """The exact box of each GeoProperty, by slot (all its instances together)."""
        found: dict[int, Box] = {}
        for attr, values in geometries.items():
            if (slot := self.slot(attr)) is not None:
                found[slot] = _union([bbox(value) for value in values])
        return found

    def stored(self, p: int) -> Box | None:
        """The padded box in the index (which may hold it a little larger)."""
        known = self._boxes.get(p)
        if known is not None:
            return known
        row = self._connection.execute(
            "SELECT west, south, east, north FROM place WHERE p = ?", (p,)
        ).fetchone()
        if row is None:
            return None
        self.note(p, (row[0], row[1], row[2], row[3]))
        return self._boxes[p]

    def note(self, p: int, box: Box) -> None:
        """A padded box as it is, or will be with this group, in the index."""
        if len(self._boxes) >= _REMEMBERED and p not in self._boxes:
            del self._boxes[next(iter(self._boxes))]
        self._boxes[p] = box

    def forget(self, p: int) -> None:
        """A box leaves the index."""
        self._boxes.pop(p, None)


def geometries_of(entity: Entity | None) -> dict[str, list[Any]]:
    """The GeoJSON values of each GeoProperty, by attribute IRI."""
    found: dict[str, list[Any]] = {}
    if entity is not None:
        for attr, instances in entity.attrs.items():
            for one in instances:
                if one.kind == "GeoProperty":
                    found.setdefault(attr, []).append(one.value)
    return found


def _union(boxes: list[Box]) -> Box:
    if len(boxes) == 1:
        return boxes[0]
    west, south, east, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)


def padded(box: Box, left: Box | None) -> Box:
    """A box with room to move; one that was never moved gets little, for it may stand for ever. A
    thing that has `left` a box has more room ahead than behind: most go on as they went."""
    if left is None:
        pad = 0.00001
        return box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad
    east = box[0] + box[2] - left[0] - left[2]
    north = box[1] + box[3] - left[1] - left[3]
    most = max(abs(east), abs(north)) or 1.0
    east, north = _AHEAD_DEGREES * east / most, _AHEAD_DEGREES * north / most
    return (
        box[0] - _PAD_DEGREES + east,
        box[1] - _PAD_DEGREES + north,
        box[2] + _PAD_DEGREES + east,
        box[3] + _PAD_DEGREES + north,
    )


def inside(box: Box, outer: Box | None) -> bool:
    """Whether `box` lies within `outer`."""
    return (
        outer is not None
        and outer[0] <= box[0]
        and outer[1] <= box[1]
        and outer[2] >= box[2]
        and outer[3] >= box[3]
    )
