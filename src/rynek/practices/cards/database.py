"""The file that holds cards and answers."""

from __future__ import annotations

from typing import Final

__all__ = ["FILE", "MIGRATIONS"]

FILE: Final = "practices.db"

MIGRATIONS: Final = (
    """
CREATE TABLE version(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, number INTEGER NOT NULL,
  at INTEGER NOT NULL, who TEXT NOT NULL, note TEXT NOT NULL, removed INTEGER NOT NULL,
  body BLOB NOT NULL, UNIQUE(id, number)
) STRICT;
CREATE TABLE card(
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, door TEXT NOT NULL, seq INTEGER NOT NULL UNIQUE,
  number INTEGER NOT NULL, removed INTEGER NOT NULL, nameless INTEGER NOT NULL,
  names TEXT NOT NULL, theme TEXT NOT NULL, cluster TEXT NOT NULL, verdict TEXT NOT NULL,
  status TEXT NOT NULL, country TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX card_door ON card(removed, door, owner);
CREATE TABLE result(
  id TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL,
  specification TEXT NOT NULL, input TEXT NOT NULL, rynek TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY(id, key, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE note(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
""",
    """
CREATE TABLE measured(
  indicator TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY(indicator, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX measured_card ON measured(id);
""",
    """
CREATE TABLE attempt(
  id TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, outcome TEXT NOT NULL,
  reason TEXT NOT NULL, message BLOB NOT NULL, PRIMARY KEY(id, key)
) STRICT, WITHOUT ROWID;
""",
)
