"""Value indexes: sorted values of one (type, attribute, path), built when a query first asks."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rynek.base.errors import Unavailable
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
        # By number: the entities that were written since an index began to be built.
        self.building: dict[int, set[int]] = {}
        self.generation = 0
        # Indexes (k) known to hold an array or object: ranges do not look inside those.
        self.compound: set[int] = set()
        self.reload()

    def count(self) -> tuple[int, int]:
        """How many indexes there are, and how many of them are under construction."""
        return len(self.by_name), len(self.building)

    def reload(self) -> None:
        """Read what is committed; an index that was never finished is dropped and asked for anew."""
        self.by_type, self.by_name, self.building = {}, {}, {}
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
            self._add(ValueKey(int(k), int(t), str(attr), decode_path(str(path))))

    def _add(self, key: ValueKey) -> None:
        self.by_type.setdefault(key.t, []).append(key)
        self.by_name[(key.t, key.attr, key.path)] = key

    def finish(self, key: ValueKey) -> None:
        """The index covers every entity from now on."""
        del self.building[key.k]
        self.generation += 1

    def start(self, key: ValueKey) -> None:
        """Register an index under construction: what is written from now on is in it."""
        self._add(key)
        self.building[key.k] = set()

    def next_number(self) -> int:
        """A number that no index has."""
        return max((key.k for key in self.by_name.values()), default=0) + 1

    def written(self, key: ValueKey) -> set[int]:
        """The entities of an index under construction that were written since it began; Unavailable
        where a write that failed took the index with it."""
        if self.by_name.get((key.t, key.attr, key.path)) is not key or key.k not in self.building:
            raise Unavailable("the index was lost in a write that failed; ask again")
        return self.building[key.k]

    def drop(self, key: ValueKey) -> None:
        """Forget an index; its rows are deleted by the caller."""
        self.by_type[key.t].remove(key)
        del self.by_name[(key.t, key.attr, key.path)]
        self.building.pop(key.k, None)
        self.generation += 1

    def ready(self, t: int, attr: str, path: tuple[str, ...]) -> ValueKey | None:
        """The finished index for that name; None while there is none."""
        key = self.by_name.get((t, attr, path))
        return key if key is not None and key.k not in self.building else None

    def difference(
        self, key: ValueKey, n: int, old: Iterable[Key], new: Iterable[Key]
    ) -> tuple[set[Key], set[Key]]:
        """(values to delete, values to insert) when entity n gets `new` in the place of `old`."""
        before, after = set(old), set(new)
        written = self.building.get(key.k)
        if written is None:
            return before - after, after - before
        # What is being built may not have reached it yet, and passes over it from now on.
        written.add(n)
        return before - after, after


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
