"""What is measured of each city of an installation, as it was computed last.

A file of its own, made of the cities' histories: it is in no backup, and is made again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from rynek.base.clock import Clock, SystemClock
from rynek.base.database import Database
from rynek.base.typed import decode
from rynek.indicators.definition import definitions
from rynek.indicators.kpi.value import Value
from rynek.indicators.likeness import Measured

__all__ = ["PROFILES_FILE", "Profile", "Profiles"]

PROFILES_FILE: Final = "city-values.db"
_V1: Final = """
CREATE TABLE city(
  name TEXT PRIMARY KEY, at INTEGER NOT NULL, country TEXT NOT NULL, known_as TEXT NOT NULL,
  population REAL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""
_V2: Final = """
ALTER TABLE city ADD COLUMN years BLOB NOT NULL DEFAULT x'7b7d';
"""


class Profile(msgspec.Struct, frozen=True):
    """A city (`name` of its tenant): when it was looked at (epoch µs; 0 where only what tables tell
    was), its ISO 3166-1 country, the keys under which tables know it, its people, and what is
    measured of it."""

    name: str
    at: int
    country: str
    known_as: tuple[str, ...]
    population: float | None
    measured: Measured


class Profiles:
    """What is measured of the cities of a data folder; safe from several threads."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._database = Database(folder / PROFILES_FILE, (_V1, _V2))
        self._clock = clock or SystemClock()

    def keep(
        self,
        name: str,
        values: Mapping[str, Iterable[Value]],
        *,
        country: str = "",
        known_as: Sequence[str] = (),
        population: float | None = None,
        whole: bool = True,
    ) -> None:
        """Keep a city's values, by the label of their period, in place of what was known of it;
        without `whole` the city is due to be looked at."""
        found: dict[str, dict[str, float]] = {}
        years: dict[str, int] = {}
        for label, every in values.items():
            for one in every:
                if one.status == "ok" and one.value is not None and math.isfinite(one.value):
                    found.setdefault(one.definition.id, {})[label] = one.value
                    if one.definition.source == "imported":
                        years[one.definition.id] = int(one.period.label)
        with self._database.writing() as database:
            database.execute(
                "INSERT OR REPLACE INTO city VALUES(?, ?, ?, ?, ?, ?, ?)",
                (
                    name,
                    self._clock.now() if whole else 0,
                    country,
                    msgspec.json.encode(list(known_as)).decode(),
                    population,
                    msgspec.json.encode(found),
                    msgspec.json.encode(years),
                ),
            )

    def forget(self, names: Iterable[str]) -> None:
        """Drop cities that are none any more."""
        with self._database.writing() as database:
            database.executemany("DELETE FROM city WHERE name = ?", [(name,) for name in names])

    def all(self) -> dict[str, Profile]:
        """Every city by name."""
        themes = {one.id: one.theme for one in definitions()}
        by_ratio = frozenset(one.id for one in definitions() if one.by_ratio)
        with self._database.reading() as database:
            rows = database.execute(
                "SELECT name, at, country, known_as, population, body, years FROM city ORDER BY name"
            ).fetchall()
        found = {}
        for name, at, country, known_as, population, body, years in rows:
            values = {
                indicator: by_label
                for indicator, by_label in decode(body, dict[str, dict[str, float]]).items()
                if indicator in themes
            }
            keys = tuple(decode(known_as.encode(), list[str]))
            told = Measured(values, themes, decode(years, dict[str, int]), by_ratio)
            found[name] = Profile(name, at, country, keys, population, told)
        return found

    def close(self) -> None:
        """Close the file."""
        self._database.close()
