"""Value indexes: sorted values of one (type, attribute, path), built when a query first asks."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rynek.base.sqlite import Connection
from rynek.context.model import Entity
from rynek.context.query import Key, index_keys


class ValueKey(msgspec.Struct, frozen=True):
    """One value index: number, type term, attribute IRI, path within the attribute."""

    k: int
    t: int
    attr: str
    path: tuple[str, ...]


class ValueIndexes:
    """Which value indexes exist, which entities they cover, and what a write changes in them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.by_type: dict[int, list[ValueKey]] = {}
        self.by_name: dict[tuple[int, str, tuple[str, ...]], ValueKey] = {}
        self.built_to: dict[int, int | None] = {}
        self.generation = 0
        # Indexes (k) known to hold an array or object: ranges do not look inside those.
        self.compound: set[int] = set()
        self.reload()

    def count(self) -> tuple[int, int]:
        """How many indexes there are, and how many of them are under construction."""
        return len(self.built_to), sum(1 for to in self.built_to.values() if to is not None)

    def reload(self) -> None:
        """Read what is committed; an index that was never finished is dropped and asked for anew."""
        self.by_type, self.by_name, self.built_to = {}, {}, {}
        self.generation += 1
        unfinished = self._connection.execute("SELECT k FROM value_key WHERE built = 0").fetchall()
        if unfinished:
            with self._connection:
                self._connection.executemany("DELETE FROM value_index WHERE k = ?", unfinished)
                self._connection.executemany("DELETE FROM value_key WHERE k = ?", unfinished)
        rows = self._connection.execute(
            "SELECT v.k, v.t, x.iri, v.path FROM value_key v JOIN term x ON x.t = v.a"
            " WHERE v.built = 1"
        )
        for k, t, attr, path in rows.fetchall():
            self._add(ValueKey(int(k), int(t), str(attr), decode_path(str(path))), None)

    def _add(self, key: ValueKey, built_to: int | None) -> None:
        self.by_type.setdefault(key.t, []).append(key)
        self.by_name[(key.t, key.attr, key.path)] = key
        self.built_to[key.k] = built_to

    def finish(self, key: ValueKey) -> None:
        """The index covers every entity from now on."""
        self.built_to[key.k] = None
        self.generation += 1

    def start(self, key: ValueKey) -> None:
        """Register an index under construction: entities up to n = 0 are covered."""
        self._add(key, 0)

    def drop(self, key: ValueKey) -> None:
        """Forget an index; its rows are deleted by the caller."""
        self.by_type[key.t].remove(key)
        del self.by_name[(key.t, key.attr, key.path)]
        del self.built_to[key.k]
        self.generation += 1

    def ready(self, t: int, attr: str, path: tuple[str, ...]) -> ValueKey | None:
        """The finished index for that name; None while there is none."""
        key = self.by_name.get((t, attr, path))
        return key if key is not None and self.built_to[key.k] is None else None

    def covers(self, key: ValueKey, n: int) -> bool:
        """Whether entity n is already in the index, so that a write must maintain it."""
        built_to = self.built_to[key.k]
        return built_to is None or n <= built_to


def encode_path(path: tuple[str, ...]) -> str:
    """A path as stored: segments joined by a character that no name holds."""
    return "\x1f".join(path)


def decode_path(text: str) -> tuple[str, ...]:
    """The inverse of encode_path."""
    return tuple(text.split("\x1f")) if text else ()


def entity_keys(entity: Entity | None, attr: str, path: tuple[str, ...]) -> set[Key]:
    """The values that an index of (attr, path) holds for `entity`."""
    if entity is None:
        return set()
    instances = entity.attrs.get(attr)
    if not instances:
        return set()
    keys: set[Key] = set()
    for instance in instances:
        keys.update(index_keys(instance, path))
    return keys


def difference(old: Iterable[Key], new: Iterable[Key]) -> tuple[set[Key], set[Key]]:
    """(values to delete, values to insert)."""
    before, after = set(old), set(new)
    return before - after, after - before
