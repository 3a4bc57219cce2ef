"""Brings what the overlay holds into the table, a little at a time, so that neither grows old.

Nothing here needs to be done once only: the table says which added readings it holds, and a file
that was rewritten by a patch or a tombstone is not touched by it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from .amend import Amended, Amendments, key_of
from .engine import Engine
from .files import Part
from .lake import OVERLAY, Lake
from .overlay import Overlay
from .schema import ADDED, COLUMNS, Reading, to_table
from .select import hidden_rows, hides

if TYPE_CHECKING:
    import pyarrow as pa


class MergeSettings(msgspec.Struct, kw_only=True):
    """When the overlay is merged: from so many added readings or corrections on, or after so many
    seconds. One step looks at up to `look` files and rewrites up to `rewrite`."""

    added: int = 20_000
    corrections: int = 500
    seconds: float = 300.0
    look: int = 64
    rewrite: int = 4


class Merger:
    """Runs on the thread that writes the table."""

    def __init__(
        self,
        lake: Lake,
        overlay: Overlay,
        engine: Engine,
        settings: MergeSettings,
        written: Callable[[Mapping[str, int]], None],
    ) -> None:
        self._lake = lake
        self._overlay = overlay
        self._engine = engine
        self._settings = settings
        self._written = written
        self._since: float | None = None
        self._taken: Amendments = {}
        self._clean: set[str] = set()

    def step(self) -> None:
        """Merge a part of what waits, if it is time to."""
        added, corrections = self._overlay.size
        if not (added or corrections):
            self._since = None
            return
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if (
            self._taken
            or added >= self._settings.added
            or corrections >= self._settings.corrections
            or now - self._since >= self._settings.seconds
        ):
            self.append()
            if self.correct(self._settings.look, self._settings.rewrite):
                self._since = None
                self._overlay.tidy()

    def run(self) -> None:
        """Merge everything that can be merged now."""
        self.append()
        self._taken = {}
        self.correct()

    def append(self) -> None:
        """Store the added readings, as corrected so far, in the table."""
        self._forget(self._lake.renew().merged)
        taken = {one: held for one, held in self._overlay.frozen().items() if held.added}
        if not taken:
            return
        rows = [row for held in taken.values() for row in _visible(held)]
        number = max(row.seq for held in taken.values() for row in held.added) - ADDED
        self._written(_newest(rows))
        self._lake.append(to_table(rows), {OVERLAY: number})
        self._overlay.merged(number, taken)

    def _forget(self, merged: int) -> None:
        """Let go of added readings that are in the table by a commit that seemed to have failed.
        Their corrections are left for `correct`: some may be younger than it."""
        stored = {
            one: Amended(added=rows)
            for one, held in self._overlay.frozen().items()
            if (rows := tuple(row for row in held.added if row.seq <= ADDED + merged))
        }
        if stored:
            self._overlay.merged(merged, stored)

    def correct(self, look: int | None = None, rewrite: int | None = None) -> bool:
        """Rewrite files by patches and tombstones; whether all that were begun with are done."""
        if not self._taken:
            self._taken, self._clean = self._ready(), set()
        hidden = hidden_rows(self._taken)
        looked = rewritten = 0
        for part in self._lake.snapshot.select(sorted(self._taken)) if hidden else ():
            if part.path in self._clean:
                continue
            if looked == look or rewritten == rewrite:
                return False
            looked += 1
            rewritten += self._rewrite(part, hidden)
            self._clean.add(part.path)
        self._overlay.applied(self._taken)
        self._taken = {}
        return True

    def _ready(self) -> Amendments:
        """The corrections whose readings are all in the table."""
        seq = self._lake.snapshot.seq
        found: dict[str, Amended] = {}
        for entity_id, held in self._overlay.frozen().items():
            waiting = {key_of(row) for row in held.added}
            patches = {
                key: patch
                for key, patch in held.patches.items()
                if key not in waiting and (key[2] <= seq or key[2] >= ADDED)
            }
            gone = tuple(stone for stone in held.gone if stone.seq <= seq)
            if patches or gone:
                found[entity_id] = Amended(patches=patches, gone=gone)
        return found

    def _rewrite(self, part: Part, hidden: dict[str, pa.Table]) -> bool:
        """Replace the file if anything in it is to be changed; whether it was."""
        path = str(self._lake.folder / part.path).replace("'", "''")
        source = f"read_parquet('{path}', hive_partitioning=false)"
        changed = hides(hidden, unless_applied=True)
        names = ", ".join(f'r."{name}"' for name in COLUMNS)
        ids = list(self._taken)
        touched = self._engine.run(
            "SELECT r.entity_id, r.attr, coalesce(r.dataset_id, ''), r.seq"
            f" FROM {source} r WHERE r.entity_id IN (SELECT unnest(?::VARCHAR[])) AND ({changed})",
            [ids],
            hidden,
        )
        if len(touched) == 0:
            return False
        kept = self._engine.run(
            f"SELECT {names} FROM {source} r WHERE NOT ({changed})"
            " ORDER BY entity_id, attr, time, seq",
            [],
            hidden,
        )
        rows: list[Reading] = []
        for entity_id, *key in zip(
            *(column.to_pylist() for column in touched.columns), strict=True
        ):
            patch = self._taken[entity_id].patches.get((key[0], key[1], key[2]))
            if patch is not None and patch.row is not None:
                rows.append(patch.row)
        before = set(self._paths())
        self._written(_newest(rows))
        self._lake.replace([part], _as_stored(kept), to_table(rows))
        self._clean |= set(self._paths()) - before
        return True

    def _paths(self) -> list[str]:
        return [part.path for part in self._lake.snapshot.parts()]


def _newest(rows: Iterable[Reading]) -> dict[str, int]:
    """The newest time of each entity."""
    found: dict[str, int] = {}
    for row in rows:
        found[row.entity_id] = max(found.get(row.entity_id, row.time), row.time)
    return found


def _visible(held: Amended) -> list[Reading]:
    """The added readings as their patches have them."""
    rows = []
    for row in held.added:
        patch = held.patches.get(key_of(row))
        if patch is None:
            rows.append(row)
        elif patch.row is not None:
            rows.append(patch.row)
    return rows


def _as_stored(table: pa.Table) -> pa.Table:
    from .schema import arrow_schema

    return table.cast(arrow_schema())
