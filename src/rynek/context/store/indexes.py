"""What a write changes in the tables: only rows whose content differs are touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rynek.base.clock import parse_iso
from rynek.base.sqlite import Connection
from rynek.context.formats import encode_times, expiries
from rynek.context.model import Entity, Instance
from rynek.context.query import COMPOUND, Key, index_keys
from rynek.context.store.contract import Moved
from rynek.context.store.lately import Lately
from rynek.context.store.pending import Pending, State
from rynek.context.store.places import Box, Places, geometries_of, inside, padded
from rynek.context.store.remembered import Remembered
from rynek.context.store.rows import STATEMENTS, Rows
from rynek.context.store.terms import Contexts, Terms
from rynek.context.store.values import ValueIndexes, ValueKey, entity_keys


class Indexes:
    """The tables of one tenant as the writer sees them."""

    def __init__(self, connection: Connection, reader: Connection, remember_bytes: int = 0) -> None:
        self._connection = connection
        self.remembered = Remembered(remember_bytes)
        self.lately = Lately(remember_bytes)
        self.terms = Terms(connection)
        self.contexts = Contexts(connection, reader)
        self.places = Places(connection)
        self.values = ValueIndexes(connection)
        self.large_types: set[int] = set()
        self._pairs: set[tuple[int, int]] = set()
        self._new_names = False
        self._names_changed = 0
        self._next_n = self._newest_n() + 1
        self.soonest: int | None = None
        self.note_expiry()

    def note_expiry(self) -> None:
        """Look up when something committed expires first: `soonest`, in epoch µs."""
        first = self._connection.execute(
            "SELECT min(expires) FROM entity WHERE expires IS NOT NULL"
        ).fetchone()[0]
        self.soonest = None if first is None else int(first)

    def expired(self, now: int, limit: int) -> list[str]:
        """Entities of which something has expired, as committed; those longest over first."""
        rows = self._connection.execute(
            "SELECT id FROM entity WHERE expires <= ? ORDER BY expires LIMIT ?", (now, limit)
        )
        return [str(one) for (one,) in rows.fetchall()]

    def _newest_n(self) -> int:
        return int(self._connection.execute("SELECT max(n) FROM entity").fetchone()[0] or 0)

    @property
    def generation(self) -> int:
        """Changes whenever a plan made before may no longer be right or best."""
        return self._names_changed * 1_000_003 + self.values.generation

    def in_file(self, group: Mapping[str, Pending]) -> None:
        """What was applied is in the file: plans made before, or while it was written, may lack a
        type that has an attribute for the first time, or an index its first array."""
        self.remembered.settled()
        self.lately.committed(group.items())
        if self._new_names:
            self._new_names = False
            self._names_changed += 1

    def reload(self) -> None:
        """Forget what a failed group had added in memory."""
        self.remembered.clear()
        self.lately.clear()
        for part in (self.terms, self.contexts, self.places, self.values):
            part.reload()
        self._next_n = self._newest_n() + 1
        self._pairs.clear()
        self.note_expiry()

    def load(self, entity_id: str) -> Pending:
        """The committed state of one entity, ready to be changed."""
        known = self.lately.pending(entity_id)
        if known is not None:
            return known
        row = self._connection.execute(
            "SELECT n, ctx, body, times FROM entity WHERE id = ?", (entity_id,)
        ).fetchone()
        if row is None:
            return Pending(0, State(), State())
        stored = State(self.contexts.compiled(row[1]), None, row[2], row[3])
        return Pending(row[0], stored, stored)

    def apply(self, pending: Iterable[Pending]) -> None:
        """Write a group's entities and everything derived from them (inside a transaction)."""
        self.remembered.unsettled()
        rows = Rows()
        for one in pending:
            if one.dirty:
                self._collect(one, rows)
        self._shared(rows)
        execute = self._connection.executemany
        terms = self.terms.take_new()
        self._new_names |= bool(terms)
        slots = [(slot, self.terms.number(attr)) for slot, attr in self.places.take_new()]
        for sql, new in (
            ("INSERT INTO term(t, iri) VALUES(?, ?)", terms),
            ("INSERT INTO context(c, hash, document) VALUES(?, ?, ?)", self.contexts.take_new()),
            ("INSERT INTO place_slot(slot, a) VALUES(?, ?)", slots),
        ):
            if new:
                execute(sql, new)
        for name, sql in STATEMENTS:
            bind = getattr(rows, name)
            if bind:
                execute(sql, bind)
        self._count(rows)

    def _collect(self, one: Pending, rows: Rows) -> None:
        if one.moved is not None:
            self._moved(one, one.moved, rows)
            return
        if one.n == 0 and self._created(one, rows):
            return
        state, before, after = one.after, one.before.entity, one.after.entity
        if before is None and after is None:
            return
        is_new = one.n == 0
        if is_new:
            one.n = self._next_n
            self._next_n += 1
        n = one.n
        self.remembered.forget(n)
        if after is None:
            rows.gone.append((n,))
        else:
            expiring = expiries(after)
            body = state.encoded()  # settles under which @context it stands
            assert state.ctx is not None  # put() always gives one
            row = (
                self.contexts.number(state.ctx),
                after.created_at,
                after.modified_at,
                self._first(expiring),
                body,
                encode_times(after, expiring),
                n,
            )
            if is_new:
                rows.entity.append((*row, after.id))
            else:
                rows.again.append(row)
        self._names(n, before, after, rows)
        self._places(n, before, after, rows)
        self._values(n, before, after, rows)

    def _created(self, one: Pending, rows: Rows) -> bool:
        """A new entity as most are: of one type, with one instance of each attribute, all of it as
        old as itself. False, and nothing done, for others."""
        state = one.after
        entity = state.known
        if entity is None or entity.scopes or entity.expires_at or len(entity.types) != 1:
            return False
        created, modified, kinds = entity.created_at, entity.modified_at, []
        geometries: dict[str, list[Any]] = {}
        for attr, instances in entity.attrs.items():
            first = instances[0]
            if (
                len(instances) != 1
                or first.subs is not None
                or first.expires_at is not None
                or first.created_at != created
                or first.modified_at != modified
            ):
                return False
            kinds.append(first.kind)
            if first.kind == "GeoProperty":
                geometries[attr] = [first.value]
        n = one.n = self._next_n
        self._next_n += 1
        body = state.encoded()  # settles under which @context it stands
        assert state.ctx is not None  # put() always gives one
        ctx, times = self.contexts.number(state.ctx), b"[%d,%d]" % (created, modified)
        rows.entity.append((ctx, created, modified, None, body, times, n, entity.id))
        self._alike(n, entity, kinds, rows)
        if geometries:
            self._boxes(n, self.places.boxes(geometries), rows, is_new=True)
        if self.values.by_type:
            self._values(n, None, entity, rows)
        return True

    def _alike(self, n: int, entity: Entity, kinds: list[str], rows: Rows) -> None:
        """Count a new entity of one type with all that have the same attributes."""
        shape = (entity.types[0], tuple(entity.attrs), tuple(kinds))
        rows.alike[shape] = rows.alike.get(shape, 0) + 1
        rows.type_in.append((self.terms.number(shape[0]), n))

    def _moved(self, one: Pending, moved: Moved, rows: Rows) -> None:
        """An entity of which only attributes differ, each of the kind that it was."""
        sheet, n = one.after.parts, one.n
        assert sheet is not None  # alter() always gives one
        self.remembered.forget(n)
        rows.moved.append((sheet.modified, one.after.encoded(), one.after.encoded_times(), n))
        for attr, (was, now) in moved.items():
            if now.kind == "GeoProperty" and was.value != now.value:
                self._boxes(n, self.places.boxes({attr: [now.value]}), rows)
        if self.values.by_type:
            for key in self.values.by_type.get(self.terms.number(sheet.types[0]), ()):
                pair = moved.get(key.attr)
                if pair is not None:
                    old, new = (index_keys(instance, key.path) for instance in pair)
                    self._keys(n, key, old, new, rows)

    def _first(self, expiring: list[tuple[list[str], str]]) -> int | None:
        """When the first of these expires; None for none."""
        if not expiring:
            return None
        first = min(parse_iso(moment) for _, moment in expiring)
        if self.soonest is None or first < self.soonest:
            self.soonest = first
        return first

    def _names(self, n: int, before: Entity | None, after: Entity | None, rows: Rows) -> None:
        number = self.terms.number
        old_types = before.types if before else []
        new_types = after.types if after else []
        if before is None and after is not None and len(new_types) == 1 and not after.scopes:
            self._alike(n, after, [held[0].kind for held in after.attrs.values()], rows)
            return
        if old_types != new_types:
            old, new = {number(t) for t in old_types}, {number(t) for t in new_types}
            rows.type_out += [(t, n) for t in old - new]
            rows.type_in += [(t, n) for t in new - old]
            if before is not None:
                for t in old ^ new:
                    self.remembered.forget_list(t)
        old_scopes = (before.scopes if before else None) or []
        new_scopes = (after.scopes if after else None) or []
        if old_scopes != new_scopes:
            rows.scope_out += [(s, n) for s in set(old_scopes) - set(new_scopes)]
            rows.scope_in += [(s, n) for s in set(new_scopes) - set(old_scopes)]
        old_attrs = before.attrs if before else {}
        new_attrs = after.attrs if after else {}
        self._kinds(new_types, old_attrs, new_attrs, rows)
        if old_types == new_types and old_attrs.keys() == new_attrs.keys():
            return
        old_pairs = {(number(t), number(a)) for t in old_types for a in old_attrs}
        new_pairs = {(number(t), number(a)) for t in new_types for a in new_attrs}
        for pair in old_pairs - new_pairs:
            rows.counts[pair] = rows.counts.get(pair, 0) - 1
        for pair in new_pairs - old_pairs:
            rows.counts[pair] = rows.counts.get(pair, 0) + 1
            rows.note_kind(pair, new_attrs[self.terms.by_number[pair[1]]][0].kind)

    def _shared(self, rows: Rows) -> None:
        """Count what new entities of one shape have."""
        number = self.terms.number
        for (name, attrs, kinds), by in rows.alike.items():
            for attr, kind in zip(attrs, kinds, strict=True):
                pair = (number(name), number(attr))
                rows.counts[pair] = rows.counts.get(pair, 0) + by
                rows.note_kind(pair, kind)

    def _kinds(
        self,
        types: list[str],
        old: dict[str, list[Instance]],
        new: dict[str, list[Instance]],
        rows: Rows,
    ) -> None:
        """Note attributes that have become of another kind."""
        for attr, instances in new.items():
            before = old.get(attr)
            if before is None or before is instances or before[0].kind == instances[0].kind:
                continue
            for name in types:
                pair = (self.terms.number(name), self.terms.number(attr))
                rows.counts.setdefault(pair, 0)
                rows.note_kind(pair, instances[0].kind)

    def _places(self, n: int, before: Entity | None, after: Entity | None, rows: Rows) -> None:
        geometries = geometries_of(after)
        if before is None:
            self._boxes(n, self.places.boxes(geometries), rows, is_new=True)
            return
        if geometries_of(before) == geometries:
            return  # where it is did not change
        new = self.places.boxes(geometries)
        for slot in self.places.boxes(geometries_of(before)).keys() - new.keys():
            rows.place_out.append((n << 4 | slot,))
            self.places.forget(n << 4 | slot)
        self._boxes(n, new, rows)

    def _boxes(self, n: int, boxes: dict[int, Box], rows: Rows, *, is_new: bool = False) -> None:
        """Note the boxes (by slot) that an entity has left, or has for the first time."""
        for slot, box in boxes.items():
            p = n << 4 | slot
            stored = None if is_new else self.places.stored(p)
            if not inside(box, stored):
                room = padded(box, stored)
                rows.place_in.append((p, *room))
                if not is_new:
                    self.places.note(p, room)

    def _values(self, n: int, before: Entity | None, after: Entity | None, rows: Rows) -> None:
        values = self.values
        if not values.by_type:
            return
        old_types = {self.terms.number(t) for t in before.types} if before else set()
        new_types = {self.terms.number(t) for t in after.types} if after else set()
        for t in old_types | new_types:
            for key in values.by_type.get(t, ()):
                was = entity_keys(before, key.attr, key.path) if t in old_types else set()
                now = entity_keys(after, key.attr, key.path) if t in new_types else set()
                self._keys(n, key, was, now, rows)

    def _keys(
        self, n: int, key: ValueKey, was: Iterable[Key], now: Iterable[Key], rows: Rows
    ) -> None:
        gone, added = self.values.difference(key, n, was, now)
        rows.value_out += [(key.k, v, n) for v in gone]
        rows.value_in += [(key.k, v, n) for v in added]
        if COMPOUND in added and key.k not in self.values.compound:
            self.values.compound.add(key.k)
            self._new_names = True

    def _count(self, rows: Rows) -> None:
        if not rows.counts:
            return
        self._connection.executemany(
            "INSERT INTO type_attr(t, a, entities, kinds) VALUES(?1, ?2, ?3, ?4)"
            " ON CONFLICT(t, a) DO UPDATE SET entities = entities + excluded.entities, kinds ="
            " CASE WHEN excluded.kinds = ''"
            " OR instr(' ' || kinds || ' ', ' ' || excluded.kinds || ' ') THEN kinds"
            " ELSE kinds || ' ' || excluded.kinds END",
            [
                (t, a, by, rows.kinds.get((t, a), ""))
                for (t, a), by in rows.counts.items()
                if by or (t, a) in rows.kinds
            ]
            + rows.more_kinds,
        )
        self._note_pairs(rows.counts)

    def _note_pairs(self, counts: Mapping[tuple[int, int], int]) -> None:
        """Remember which types have which attributes: only a new pair changes plans."""
        for pair, by in counts.items():
            if by > 0 and pair not in self._pairs:
                self._pairs.add(pair)
                self._new_names = True
            elif by < 0:
                left = self._connection.execute(
                    "SELECT entities FROM type_attr WHERE t = ? AND a = ?", pair
                ).fetchone()
                if left is None or left[0] <= 0:
                    self._pairs.discard(pair)
