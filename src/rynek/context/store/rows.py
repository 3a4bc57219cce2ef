"""What a group changes in the tables of entities: rows by statement, and the statements in order."""

from __future__ import annotations

from typing import Final

import msgspec

Shape = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A type, the attributes of an entity and the kind of each: most new entities share theirs."""


class Rows(msgspec.Struct):
    """Bind rows gathered over a group, each list one executemany."""

    entity: list[tuple[object, ...]] = []
    again: list[tuple[object, ...]] = []
    moved: list[tuple[object, ...]] = []
    gone: list[tuple[int]] = []
    type_in: list[tuple[int, int]] = []
    type_out: list[tuple[int, int]] = []
    scope_in: list[tuple[str, int]] = []
    scope_out: list[tuple[str, int]] = []
    place_in: list[tuple[object, ...]] = []
    place_out: list[tuple[int]] = []
    value_in: list[tuple[object, ...]] = []
    value_out: list[tuple[object, ...]] = []
    counts: dict[tuple[int, int], int] = {}
    kinds: dict[tuple[int, int], str] = {}
    more_kinds: list[tuple[int, int, int, str]] = []
    alike: dict[Shape, int] = {}

    def note_kind(self, pair: tuple[int, int], kind: str) -> None:
        """Entities of a type have an attribute of a kind; in one group it may be of several."""
        if self.kinds.setdefault(pair, kind) != kind:
            self.more_kinds.append((*pair, 0, kind))


_INSERT = (
    "INSERT INTO entity(ctx, created, modified, expires, body, times, n, id)"
    " VALUES(?, ?, ?, ?, ?, ?, ?, ?)"
)
# An update leaves the index of ids alone, unlike a replacement.
_AGAIN = (
    "UPDATE entity SET ctx = ?, created = ?, modified = ?, expires = ?, body = ?, times = ?"
    " WHERE n = ?"
)
STATEMENTS: Final = (
    ("gone", "DELETE FROM entity WHERE n = ?"),
    ("entity", _INSERT),
    ("again", _AGAIN),
    ("moved", "UPDATE entity SET modified = ?, body = ?, times = ? WHERE n = ?"),
    ("type_out", "DELETE FROM entity_type WHERE t = ? AND n = ?"),
    ("type_in", "INSERT OR IGNORE INTO entity_type VALUES(?, ?)"),
    ("scope_out", "DELETE FROM entity_scope WHERE scope = ? AND n = ?"),
    ("scope_in", "INSERT OR IGNORE INTO entity_scope VALUES(?, ?)"),
    ("place_out", "DELETE FROM place WHERE p = ?"),
    ("place_in", "INSERT OR REPLACE INTO place(p, west, south, east, north) VALUES(?,?,?,?,?)"),
    ("value_out", "DELETE FROM value_index WHERE k = ? AND v = ? AND n = ?"),
    ("value_in", "INSERT OR IGNORE INTO value_index(k, v, n) VALUES(?, ?, ?)"),
)
