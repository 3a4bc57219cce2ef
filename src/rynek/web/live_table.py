"""The map's memory: one row per entity in numpy columns, so that a million stay affordable."""

from __future__ import annotations

import math
import sys
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rynek.base.clock import MICRO, parse_iso
from rynek.context import LOCATION, Entity, Instance
from rynek.web.live_shapes import extent
from rynek.web.live_trace import Trace
from rynek.web.themes import RULES, THEME_INDEX, THEMES, TypeRule, rule_of, short_name

CURRENT, MOVING, PARKED, STALE, UNDATED = range(5)
STATUSES: Final = ("current", "moving", "parked", "stale", "undated")
THING, STOP, REFERENCE = range(3)
_ROLES: Final = {"thing": THING, "stop": STOP, "reference": REFERENCE}
_NAMES: Final = ("name", "stationName", "stopName", "title", "label", "alternateName")
_HEADINGS: Final = ("heading", "bearing")
_STANDING_M: Final = 12.0
_METRES: Final = 111_320.0
MOVING_FOR: Final = 180 * MICRO
NEVER: Final = -(2**62)

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]


def number(value: Any) -> float:
    """A JSON value as a number; NaN where it is none."""
    if isinstance(value, dict):
        value = value.get("@value", value.get("value"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return float("nan")
    return float(value)


def text(value: Any) -> str:
    """A JSON value as a short text; empty where it is none."""
    if isinstance(value, dict):
        value = value.get("@value") or value.get("en") or next(iter(value.values()), "")
    if isinstance(value, str):
        return value.rsplit(":", 1)[-1][:80] if value.startswith("urn:") else value[:80]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    return ""


def point(value: Any) -> tuple[float, float] | None:
    """Longitude and latitude of a GeoJSON geometry: a point, or the middle of its box."""
    if not isinstance(value, dict):
        return None
    found: list[tuple[float, float]] = []
    _collect(value.get("coordinates"), found, 0)
    if not found:
        return None
    west, south = (min(axis) for axis in zip(*found, strict=True))
    east, north = (max(axis) for axis in zip(*found, strict=True))
    lon, lat = (west + east) / 2, (south + north) / 2
    return (lon, lat) if -180 <= lon <= 180 and -90 <= lat <= 90 else None


def _collect(part: Any, found: list[tuple[float, float]], depth: int) -> None:
    if not isinstance(part, list) or depth > 4 or not part:
        return
    if isinstance(part[0], int | float):
        if len(part) > 1 and isinstance(part[1], int | float):
            found.append((float(part[0]), float(part[1])))
        return
    for item in part:
        _collect(item, found, depth + 1)


def micros(iso: str | None) -> int:
    """An ISO time as epoch microseconds; NEVER when there is none or it cannot be read."""
    if iso is None:
        return NEVER
    try:
        return parse_iso(iso)
    except ValueError:
        return NEVER


_COLUMNS: Final[dict[str, tuple[str, float]]] = {
    "lon": ("f8", np.nan),
    "lat": ("f8", np.nan),
    "number": ("f4", np.nan),
    "total": ("f4", np.nan),
    "level": ("f4", np.nan),
    "bearing": ("f4", np.nan),
    "speed": ("f4", np.nan),
    "theme": ("u1", 0),
    "role": ("u1", 0),
    "kind": ("u2", 0),
    "spoken": ("u1", 0),
    "leveled": ("u1", 0),
    "extent": ("u1", 0),
    "moves": ("?", 0),
    "alive": ("?", 0),
    "seen": ("i8", NEVER),
    "since": ("i8", NEVER),
    "moved": ("i8", NEVER),
    "frame": ("i8", 0),
}


class LiveTable:
    """Current place, theme, number and times of every entity of a tenant.

    `spoken` tells which of the rule's `number` attributes `number` comes from; `leveled` which
    of its `level` attributes, counted from 1 (0: level is number / total). `extent` tells points,
    courses and areas apart (live_shapes). `trace` is where vehicles have been.
    Columns are numpy arrays of equal length; `size` rows are in use, deleted ones are reused.
    About 110 bytes a row plus the texts (id, name, label).
    """

    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    number: npt.NDArray[np.float32]
    total: npt.NDArray[np.float32]
    level: npt.NDArray[np.float32]
    bearing: npt.NDArray[np.float32]
    speed: npt.NDArray[np.float32]
    theme: npt.NDArray[np.uint8]
    role: npt.NDArray[np.uint8]
    kind: npt.NDArray[np.uint16]
    spoken: npt.NDArray[np.uint8]
    leveled: npt.NDArray[np.uint8]
    extent: npt.NDArray[np.uint8]
    moves: Mask
    alive: Mask
    seen: Rows
    since: Rows
    moved: Rows
    frame: Rows

    def __init__(self, capacity: int = 1024) -> None:
        self.size = 0
        self.trace = Trace()
        self.rows: dict[str, int] = {}
        self.ids: list[str] = []
        self.names: list[str] = []
        self.labels: list[str] = []
        self.kinds: list[str] = []
        self._kind_index: dict[str, int] = {}
        self._free: list[int] = []
        for column, (kind, empty) in _COLUMNS.items():
            setattr(self, column, np.full(capacity, empty, dtype=kind))

    def __len__(self) -> int:
        return len(self.rows)

    def put(self, entity: Entity) -> int:
        """Take in a whole entity; its row."""
        return self.set(entity.id, entity.types, entity.attrs)

    def set(self, entity_id: str, types: list[str], attrs: dict[str, list[Instance]]) -> int:
        """Take in the given attributes of an entity (all of them, or those that changed)."""
        row = self.rows.get(entity_id)
        if row is None:
            row = self._add(entity_id, types)
        rule = RULES.get(self.kinds[self.kind[row]]) or rule_of(types)[1]
        short = {short_name(iri): instances for iri, instances in attrs.items()}
        seen = self._observed(attrs, rule, short)
        if LOCATION in attrs:
            self._place(row, attrs[LOCATION], seen)
        self._speak(row, rule, short)
        self.seen[row] = max(int(self.seen[row]), seen)
        return row

    def remove(self, entity_id: str) -> int | None:
        """Forget an entity; its row, or None when it was not here."""
        row = self.rows.pop(entity_id, None)
        if row is None:
            return None
        for column, (_, empty) in _COLUMNS.items():
            getattr(self, column)[row] = empty
        self.ids[row] = self.names[row] = self.labels[row] = ""
        self._free.append(row)
        return row

    def drop(self, row: int, attrs: list[str]) -> None:
        """Forget deleted attributes of a row (IRIs)."""
        if LOCATION in attrs:
            self.lon[row] = self.lat[row] = np.nan
        names = {short_name(iri) for iri in attrs}
        rule = RULES.get(self.kinds[self.kind[row]])
        if rule is None:
            return
        for column in ("number", "total", "level"):
            if names.intersection(getattr(rule, column)):
                getattr(self, column)[row] = np.nan

    def status(self, rows: Rows, now: int, stale_after: npt.NDArray[np.int64]) -> Any:
        """The status (index into STATUSES) of `rows` at `now`; `stale_after` in µs by theme."""
        seen = self.seen[rows]
        result = np.full(len(rows), CURRENT, dtype=np.uint8)
        moves = self.moves[rows]
        recent = now - self.moved[rows] <= MOVING_FOR
        speed = self.speed[rows]
        known_still = (speed < 0.5) | (seen - self.since[rows] >= MOVING_FOR)
        result[moves & known_still] = PARKED
        result[moves & (recent | (speed >= 0.5))] = MOVING
        result[now - seen > stale_after[self.theme[rows]]] = STALE
        result[seen == NEVER] = UNDATED
        return result

    def _add(self, entity_id: str, types: list[str]) -> int:
        kind, rule = rule_of(types)
        if self._free:
            row = self._free.pop()
            self.ids[row] = entity_id
        else:
            row = self.size
            if row == len(self.alive):
                self._grow()
            self.size += 1
            self.ids.append(entity_id)
            self.names.append("")
            self.labels.append("")
        self.rows[entity_id] = row
        self.kind[row] = self._kind(kind)
        self.theme[row] = THEME_INDEX[rule.theme]
        self.role[row] = _ROLES[rule.role]
        self.moves[row] = rule.moves
        self.alive[row] = True
        return row

    def _kind(self, name: str) -> int:
        index = self._kind_index.get(name)
        if index is None:
            if len(self.kinds) >= 65_000:  # the column is 16 bits wide: the rest share one name
                return 0
            index = self._kind_index[name] = len(self.kinds)
            self.kinds.append(name)
        return index

    def _grow(self) -> None:
        more = max(1024, len(self.alive) // 2)
        for column, (kind, empty) in _COLUMNS.items():
            grown = np.concatenate([getattr(self, column), np.full(more, empty, dtype=kind)])
            setattr(self, column, grown)

    def _observed(
        self, attrs: dict[str, list[Instance]], rule: TypeRule, short: dict[str, list[Instance]]
    ) -> int:
        """When the place or the spoken value was observed; else any attribute's time."""
        told = [attrs[LOCATION]] if LOCATION in attrs else []
        told += [short[n] for n in (*rule.number, *rule.level) if n in short]
        for group in (told, list(attrs.values())):
            times = [micros(i.observed_at) for instances in group for i in instances]
            newest = max(times, default=NEVER)
            if newest != NEVER:
                return newest
        stated = short.get("dateObserved") or short.get("dateModified")
        value = stated[0].value if stated else None
        return micros(text(value)) if value is not None else NEVER

    def _place(self, row: int, instances: list[Instance], seen: int) -> None:
        place = point(instances[0].value)
        self.extent[row] = extent(instances[0].value)
        if place is None:
            self.lon[row] = self.lat[row] = np.nan
            return
        lon, lat = place
        old_lon, old_lat = float(self.lon[row]), float(self.lat[row])
        if not math.isnan(old_lon):
            dx = (lon - old_lon) * np.cos(np.radians(lat)) * _METRES
            dy = (lat - old_lat) * _METRES
            if float(np.hypot(dx, dy)) >= _STANDING_M:
                if self.moves[row]:
                    self.trace.add((old_lon, old_lat), place, seen - int(self.seen[row]))
                self.moved[row] = self.since[row] = seen
                self.bearing[row] = float(np.degrees(np.arctan2(dx, dy))) % 360
        else:
            self.since[row] = seen
        self.lon[row], self.lat[row] = lon, lat

    def _speak(self, row: int, rule: TypeRule, short: dict[str, list[Instance]]) -> None:
        for name in _HEADINGS:
            if name in short and (heading := number(short[name][0].value)) >= 0:
                self.bearing[row] = heading % 360
        if "speed" in short:
            self.speed[row] = number(short["speed"][0].value)
        for i, name in enumerate(rule.number):
            if name in short and (i <= self.spoken[row] or np.isnan(self.number[row])):
                self.number[row], self.spoken[row] = number(short[name][0].value), i
                break
        for name in rule.total:
            if name in short:
                self.total[row] = number(short[name][0].value)
                break
        self._fill(row, rule, short)
        for name in _NAMES:
            if name in short and (said := text(short[name][0].value)):
                self.names[row] = said
                break
        for name in rule.label:
            if name in short and (said := text(short[name][0].value)):
                self.labels[row] = sys.intern(said)
                break

    def _fill(self, row: int, rule: TypeRule, short: dict[str, list[Instance]]) -> None:
        for i, name in enumerate(rule.level):
            if name in short:
                level = number(short[name][0].value)
                self.leveled[row] = i + 1
                self.level[row] = level / 100 if short[name][0].unit_code == "P1" else level
                return
        total = float(self.total[row])
        if total > 0 and not self.leveled[row]:
            self.level[row] = float(self.number[row]) / total


def stale_table(overrides: dict[str, float]) -> npt.NDArray[np.int64]:
    """Microseconds after which a reading is stale, by theme index; `overrides` by theme key."""
    seconds = [overrides.get(theme.key, theme.stale_after) for theme in THEMES]
    return np.array([int(s * MICRO) for s in seconds], dtype=np.int64)
