"""The file that holds reference tables and published indexes, every version of each, and when
indicators were published last."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rynek.base.database import Database

__all__ = ["FILE", "MIGRATIONS", "open_indicators"]

FILE: Final = "indicators.db"

MIGRATIONS: Final = (
    """
CREATE TABLE reference(
  id TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, digest TEXT NOT NULL,
  about BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY(id, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE comparison(
  id TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, digest TEXT NOT NULL,
  about BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY(id, version)
) STRICT, WITHOUT ROWID;
""",
    """
CREATE TABLE publication(
  city TEXT NOT NULL, kind TEXT NOT NULL, period TEXT NOT NULL, at INTEGER NOT NULL,
  published INTEGER NOT NULL, without INTEGER NOT NULL, problem TEXT NOT NULL,
  PRIMARY KEY(city, kind)
) STRICT, WITHOUT ROWID;
""",
)


def open_indicators(folder: Path) -> Database:
    """The reference tables and published indexes of a data folder."""
    return Database(folder / FILE, MIGRATIONS)
