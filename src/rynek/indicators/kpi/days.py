"""Sums of days: those that are kept and still true, the others from one scan of the readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rynek.context import DEFAULT_VOCAB
from rynek.history import Record, Selection
from rynek.indicators.kpi.coding import among
from rynek.indicators.kpi.families import Family
from rynek.indicators.kpi.kept import Block, KeptDays
from rynek.indicators.kpi.scan import Day, Scanned, attribute_iri, scanned
from rynek.indicators.kpi.segments import Segment, month_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Days"]

_MOST_ROWS: Final = 1_000_000
"""Readings of a type that are held at once; a day with more is read in one go nevertheless."""
_FASTER: Final = 8
"""By how much a chunk may be longer than the one before."""


class Days:
    """The sums of days of one record; what was asked for stays in memory. Not for several threads
    at once."""

    def __init__(self, record: Record, zone: str, kept: KeptDays | None = None) -> None:
        self.record = record
        self._zone = zone
        self._kept = kept
        self._blocks: dict[Family, dict[int, Block]] = {}
        self._parts: dict[tuple[Family, int, int], dict[str, pa.Table]] = {}
        self._stamps: dict[tuple[str, int, int], bytes] = {}
        first = record.first
        if kept is not None and first is not None:
            kept.begin_with(month_of(first, zone))

    def ensure(self, families: Sequence[Family], wanted: Sequence[Segment]) -> None:
        """Make sure of the sums of segments side by side, for families of one type: compute what is
        not kept, or no longer true."""
        stamps = self._stamped(families[0].type, wanted)
        months = sorted({one.month for one in wanted if one.whole})
        missing: dict[Segment, list[Family]] = {}
        for family in families:
            blocks = self._loaded(family, months)
            for one in wanted:
                if one.whole:
                    known = blocks[one.month].stamps.get(one.start) == stamps[one]
                else:
                    known = (family, one.start, one.end) in self._parts
                if not known and (stamps[one] or one.start in blocks[one.month].stamps):
                    missing.setdefault(one, []).append(family)
        self._compute(missing, stamps)

    def _stamped(self, type_: str, wanted: Sequence[Segment]) -> dict[Segment, bytes]:
        bounds = [(one.start, one.end) for one in wanted]
        fresh = [one for one in bounds if (type_, *one) not in self._stamps]
        if fresh:
            found = self.record.stamps(bounds, (DEFAULT_VOCAB + type_,))
            for one, stamp in zip(bounds, found, strict=True):
                self._stamps[(type_, *one)] = stamp
        return {one: self._stamps[(type_, one.start, one.end)] for one in wanted}

    def _loaded(self, family: Family, months: Sequence[int]) -> dict[int, Block]:
        held = self._blocks.setdefault(family, {})
        lacking = [month for month in months if month not in held]
        if lacking and self._kept is not None:
            held.update(self._kept.load(family.key(self._zone), lacking))
        for month in lacking:
            held.setdefault(month, Block())
        return held

    def _compute(
        self, missing: Mapping[Segment, list[Family]], stamps: Mapping[Segment, bytes]
    ) -> None:
        left = sorted(missing, key=lambda one: one.start)
        changed: dict[Family, set[int]] = {}
        share = 1.0
        while left:
            chunk, rows = self._chunk(left, share)
            left = left[len(chunk) :]
            families = list(dict.fromkeys(one for each in chunk for one in missing[each]))
            spans = [Day(one.start, one.end) for one in chunk]
            count, found = scanned(self.record, families, spans, self._zone)
            share = max(count / max(rows, 1), share / _FASTER)
            for family in families:
                self._take(family, chunk, stamps, found)
                changed.setdefault(family, set()).update(one.month for one in chunk if one.whole)
            self._save(changed, left[0].month if left else None)

    def _chunk(self, left: Sequence[Segment], share: float) -> tuple[list[Segment], int]:
        """The next segments side by side, together of so many readings of the type, if it has as
        large a share of all as it had before; and those of all."""
        chunk: list[Segment] = []
        rows = 0
        for one in left:
            count = self.record.extent(one.start, one.end)[1]
            apart = bool(chunk) and chunk[-1].end != one.start
            if chunk and (apart or (rows + count) * share > _MOST_ROWS):
                break
            chunk.append(one)
            rows += count
        return chunk, rows

    def _take(
        self,
        family: Family,
        chunk: Sequence[Segment],
        stamps: Mapping[Segment, bytes],
        found: Scanned,
    ) -> None:
        """Put what was found of some days where it belongs."""
        tables = found[family]
        blocks = self._blocks.setdefault(family, {})
        by_month: dict[int, dict[int, bytes]] = {}
        for one in chunk:
            if one.whole:
                by_month.setdefault(one.month, {})[one.start] = stamps[one]
            else:
                self._parts[(family, one.start, one.end)] = _of_days(tables, [one.start])
        for month, days in by_month.items():
            blocks[month].put(days, _of_days(tables, list(days)))

    def _save(self, changed: dict[Family, set[int]], following: int | None) -> None:
        """Keep the months that are done with: all but the `following` one."""
        if self._kept is None:
            return
        for family, months in changed.items():
            done = {month for month in months if month != following}
            if done:
                blocks = {month: self._blocks[family][month] for month in done}
                self._kept.save(family.key(self._zone), family.about, blocks)
                months -= done

    def tables(self, family: Family, wanted: Sequence[Segment]) -> dict[str, pa.Table]:
        """The sums of segments that were made sure of; `day` is where each begins."""
        import pyarrow as pa

        days = [one.start for one in wanted if one.whole]
        held = self._blocks[family]
        found: dict[str, list[pa.Table]] = {}
        for month in sorted({one.month for one in wanted if one.whole}):
            for name, table in _of_days(held[month].tables, days).items():
                found.setdefault(name, []).append(table)
        for one in wanted:
            part = None if one.whole else self._parts.get((family, one.start, one.end))
            for name, table in (part or {}).items():
                found.setdefault(name, []).append(table)
        if not found:
            # No day has readings: what a scan of one gives, with no rows.
            first = Day(wanted[0].start, wanted[0].end)
            return scanned(self.record, [family], [first], self._zone)[1][family]
        return {name: pa.concat_tables(tables) for name, tables in found.items()}

    def runs(self, family: Family) -> pa.Table:
        """The runs that are open, of an attribute or of all."""
        attrs = (attribute_iri(family),) if family.attribute else ()
        return self.record.open_runs(Selection(attrs=attrs, dataset_ids=(None,) if attrs else None))


def _of_days(tables: Mapping[str, pa.Table], days: Sequence[int]) -> dict[str, Any]:
    import pyarrow as pa

    found = {}
    for name, table in tables.items():
        inside = among(table.column("day"), days)
        # A copy of a month is large, and mostly all of it is wanted.
        found[name] = table if inside.all() else table.filter(pa.array(inside))
    return found
