"""What clients added to a past and corrected in it, as values (CIM 009 §5.6.11 - §5.6.16)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from .schema import ADDED, Reading

Key = tuple[str, str, int]
"""(attribute, dataset id or "", seq): one reading of an entity."""


def key_of(row: Reading) -> Key:
    """The key of a reading among those of its entity."""
    return row.attr, row.dataset_id or "", row.seq


class Known(msgspec.Struct, frozen=True):
    """What is known of an entity besides its readings: `types`, when its evolution was made and
    last changed here (`own`: it was made here), and when it was deleted (epoch µs)."""

    types: tuple[str, ...] = ()
    own: bool = False
    created: int = 0
    modified: int = 0
    deleted: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.types or self.own or self.deleted)


class Patch(msgspec.Struct, frozen=True):
    """What stands for a reading; `row` None: nothing does."""

    v: int
    row: Reading | None


class Tombstone(msgspec.Struct, frozen=True):
    """Hides what was recorded before: changes up to `seq`, bulk rows written up to `at`, added
    readings up to number `n`. `attr` None is every attribute, `dataset` None every dataset.
    """

    v: int
    attr: str | None
    dataset: str | None
    seq: int
    at: int
    n: int

    def covers(self, key: Key) -> bool:
        """Whether what has this key is hidden, when it was recorded before."""
        attr, dataset, _ = key
        return self.attr in (None, attr) and self.dataset in (None, dataset)

    def hides(self, row: Reading) -> bool:
        """Whether a reading of the entity is hidden."""
        if not self.covers(key_of(row)):
            return False
        if row.seq < 0:
            return row.at <= self.at
        return row.seq - ADDED <= self.n if row.seq >= ADDED else row.seq <= self.seq


class Amended(msgspec.Struct, frozen=True):
    """What was added to one entity's past and corrected in it; a value."""

    added: tuple[Reading, ...] = ()
    patches: Mapping[Key, Patch] = MappingProxyType({})
    gone: tuple[Tombstone, ...] = ()

    def hides(self, row: Reading) -> bool:
        """Whether a recorded reading is not to be seen, or seen as its patch instead."""
        return key_of(row) in self.patches or any(one.hides(row) for one in self.gone)

    def rows(self, merged: int) -> list[Reading]:
        """The readings to see besides those recorded; added ones up to `merged` are recorded."""
        rows = [
            row
            for row in self.added
            if row.seq - ADDED > merged and key_of(row) not in self.patches
        ]
        return rows + [one.row for one in self.patches.values() if one.row is not None]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added or corrected."""
        return not (self.added or self.patches or self.gone)


Amendments = Mapping[str, Amended]
"""By entity id: what the overlay holds at one moment."""
NOTHING: Final[Amendments] = MappingProxyType({})
BURIED: Final = Amended(gone=(Tombstone(0, None, None, ADDED - 1, 1 << 62, 1 << 61),))
"""Hides everything that was recorded."""
