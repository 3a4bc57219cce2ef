"""Upkeep of the table: merging small files, dropping old days, deleting dead bytes."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import msgspec

from rynek.base.clock import ClockWatch

from .commits import commit_file
from .damage import Damage
from .files import Part
from .lake import Lake
from .schema import DAY_US

log = logging.getLogger(__name__)

_VACUUM_SECONDS = 3600.0
_DAY_SECONDS = 86_400.0
_FAN = 8
_BASE_ROWS = 10_000
_MAX_ROWS = 1_000_000
"""Rows that are in memory at once, twice over: about half a gigabyte."""


class UpkeepSettings(msgspec.Struct, kw_only=True):
    """`retention_days` None keeps everything; dead files stay `vacuum_hours` for readers."""

    retention_days: int | None = None
    vacuum_hours: int = 24


def mergeable(parts: Sequence[Part], *, closed: bool) -> list[Part]:
    """Which files of one day to rewrite as one; empty when it is not worth it.

    An open day merges eight files of like size (each row is rewritten once per power of
    eight); a closed one becomes one file as far as the bound on rows allows.
    """
    small = sorted((p for p in parts if p.rows < _MAX_ROWS // 2), key=lambda p: p.rows)
    if closed:
        return _bounded(small) if len(small) > 1 else []
    tiers: dict[int, list[Part]] = {}
    for part in small:
        tiers.setdefault(_tier(part.rows), []).append(part)
    for tier in sorted(tiers):
        if len(tiers[tier]) >= _FAN:
            return _bounded(tiers[tier])
    return []


def _tier(rows: int) -> int:
    tier = 0
    while rows >= _BASE_ROWS:
        rows //= _FAN
        tier += 1
    return tier


def _bounded(parts: Sequence[Part]) -> list[Part]:
    taken: list[Part] = []
    rows = 0
    for part in parts:
        if taken and rows + part.rows > _MAX_ROWS:
            break
        taken.append(part)
        rows += part.rows
    return taken if len(taken) > 1 else []


class Upkeep:
    """Runs on the writer's thread, a little at a time, so that a flush never waits long."""

    def __init__(self, lake: Lake, settings: UpkeepSettings, damage: Damage | None = None) -> None:
        self._lake = lake
        self._damage = damage or Damage(lake.folder)
        self._settings = settings
        self._watch = ClockWatch()
        self._vacuumed: float | None = None
        self._looked = False

    def step(self, budget: int = 4) -> int:
        """Merge the files of at most `budget` days, then retention and vacuum if due."""
        done = self.compact(budget)
        if self._may_delete():
            self.retain()
            now = time.monotonic()
            if self._vacuumed is None or now - self._vacuumed >= _VACUUM_SECONDS:
                self._vacuumed = now
                self._lake.vacuum(self._settings.vacuum_hours)
        return done

    def _may_delete(self) -> bool:
        """Not while the clock is in doubt: it was set, or is far from the last commit's time."""
        if not self._looked:
            self._looked = True
            written = commit_file(self._lake.folder, self._lake.snapshot.version).stat().st_mtime
            away = time.time() - written
            if not -_DAY_SECONDS < away < 30 * _DAY_SECONDS:
                log.warning(
                    "history: %s was last written %.0f days from now: nothing of it is deleted for"
                    " an hour; is the clock right?", self._lake.folder, away / _DAY_SECONDS,
                )  # fmt: skip
                self._watch.hold(_VACUUM_SECONDS)
        return self._watch.is_steady()

    def compact(self, budget: int | None = None) -> int:
        """Merge small files day by day, at most `budget` days; how many were rewritten."""
        today = int(datetime.now(UTC).timestamp() * 1_000_000) // DAY_US
        done = 0
        for day, parts in sorted(self._lake.snapshot.days.items(), reverse=True):
            if budget is not None and done >= budget:
                break
            chosen = mergeable(self._damage.sound(parts), closed=day < today - 1)
            if chosen:
                self._damage.guarded(partial(self._lake.rewrite, day, chosen), lambda: chosen)  # noqa: B023
                done += 1
        return done

    def retain(self) -> int:
        """Take days older than the retention out of the table; how many files went."""
        keep = self._settings.retention_days
        if keep is None:
            return 0
        first = int(datetime.now(UTC).timestamp() * 1_000_000) // DAY_US - keep
        old = [part for part in self._lake.snapshot.parts() if part.max_time < first * DAY_US]
        if old:
            self._lake.drop(old)
            log.info("history: %d files older than %d days left the table", len(old), keep)
        return len(old)
