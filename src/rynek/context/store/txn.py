"""A group of writes as its jobs see it: what is committed, with the group's earlier writes on top."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from rynek.base.clock import Clock
from rynek.context.changes import Change
from rynek.context.formats import Sheet
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity, Instance
from rynek.context.store.contract import Moved
from rynek.context.store.documents import FORGET, KEEP
from rynek.context.store.indexes import Indexes
from rynek.context.store.log import encode_change
from rynek.context.store.outbox import Message
from rynek.context.store.pending import Pending, State
from rynek.context.store.written import Written


class GroupTxn:
    """`Txn` of one group: committed state with this group's writes on top."""

    def __init__(self, indexes: Indexes, clock: Clock, head: int, sent: int = 0) -> None:
        self.now = clock.now()
        self.pending: dict[str, Pending] = {}
        self.log: list[tuple[int, int, bytes]] = []
        self.messages: list[Message] = []
        # Whether entities were written that no row of the log tells of.
        self.quiet = False
        self._indexes = indexes
        self._head = head
        self._sent = sent
        self._undo: list[tuple[str, State, Moved | None, bool]] = []
        self._marks = (0, 0, 0, 0)
        # Statements of the store itself: before the group's rows (index building, which sees the
        # committed state) and after them (upkeep).
        self.before_rows: list[tuple[str, list[tuple[object, ...]]]] = []
        self.after_rows: list[tuple[str, tuple[object, ...]]] = []

    @property
    def head(self) -> int:
        """The seq of the newest row this group wrote."""
        return self._head + len(self.log)

    def begin(self) -> None:
        """Start a job."""
        self._undo.clear()
        self._marks = (
            len(self.log), len(self.before_rows), len(self.after_rows), len(self.messages)
        )  # fmt: skip

    def rollback(self) -> None:
        """Take back what the current job did, leaving its neighbours' writes."""
        for entity_id, state, moved, dirty in reversed(self._undo):
            pending = self.pending[entity_id]
            pending.after, pending.moved, pending.dirty = state, moved, dirty
        rows: tuple[list[Any], ...] = (
            self.log, self.before_rows, self.after_rows, self.messages
        )  # fmt: skip
        for written, mark in zip(rows, self._marks, strict=True):
            del written[mark:]

    def keep_context(self, ctx: CompiledContext) -> None:
        """Keep this very version of a @context."""
        self._indexes.contexts.number(ctx)

    @property
    def touched(self) -> bool:
        """Whether the current job wrote any entity."""
        return bool(self._undo)

    def written(self) -> list[Written]:
        """Each entity that the current job wrote, once."""
        if len(self._undo) == 1:
            entity_id, was, _, _ = self._undo[0]
            now = self.pending[entity_id].after
            return [Written(entity_id, was, now, now.moved)]
        first: dict[str, State] = {}
        again: set[str] = set()
        for entity_id, state, _, _ in self._undo:
            if first.setdefault(entity_id, state) is not state:
                again.add(entity_id)
        found = []
        for entity_id, was in first.items():
            now = self.pending[entity_id].after
            # Of an entity that was written again what differs altogether is not known.
            found.append(Written(entity_id, was, now, None if entity_id in again else now.moved))
        return found

    def send(self, target: str, about: bytes, head: bytes, body: Callable[[int], bytes]) -> int:
        """Put a message in the outbox: it leaves after the commit. `body` gets its number."""
        messages = self.messages
        n = self._sent + len(messages) + 1
        messages.append(Message(n, target, time.time_ns() // 1000, about, head, body(n)))
        return n

    @property
    def sent(self) -> int:
        """The number of the newest message, those of this group so far included."""
        return self._sent + len(self.messages)

    def first(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Run a statement before the group's own rows are written."""
        self.before_rows.append((sql, list(rows)))

    def later(self, sql: str, args: tuple[object, ...]) -> None:
        """Run a statement after the group's own rows and messages are written."""
        self.after_rows.append((sql, args))

    def _pending(self, entity_id: str) -> Pending:
        found = self.pending.get(entity_id)
        if found is None:
            found = self.pending[entity_id] = self._indexes.load(entity_id)
        return found

    def get(self, entity_id: str) -> Entity | None:
        """The entity as this group has it so far."""
        return self._pending(entity_id).after.entity

    def sheet(self, entity_id: str, ctx: CompiledContext) -> Sheet | None:
        """The entity in its parts as this group has it so far (see Txn.sheet)."""
        pending = self._pending(entity_id)
        state = pending.after
        if (pending.dirty and pending.moved is None) or state.ctx is None:
            return None
        return state.sheet() if state.ctx is ctx or state.ctx.id == ctx.id else None

    def alter(
        self,
        entity_id: str,
        ctx: CompiledContext,
        sheet: Sheet,
        moved: Moved,
        said: dict[str, list[Instance]],
        source: str | None = None,
        seen: dict[str, list[Instance]] | None = None,
    ) -> None:
        """Store an entity of which only attributes in `moved` differ (see Txn.alter)."""
        pending = self._pending(entity_id)
        self._undo.append((entity_id, pending.after, pending.moved, pending.dirty))
        held = pending.moved
        pending.moved = (
            moved
            if not held
            else held
            | {
                attr: (held[attr][0] if attr in held else was, one)
                for attr, (was, one) in moved.items()
            }
        )
        was_state = pending.after
        # One step back and no further: a long row of changes in one group is decoded instead.
        base = was_state if was_state.base is None or was_state.known is not None else None
        pending.after = State(ctx, parts=sheet, base=base, moved=moved)
        pending.dirty = True
        log, now, types = self.log, self.now, sheet.types
        if said or not seen:
            change = Change(0, now, "update", entity_id, types, said, source=source)
            log.append((self._head + len(log) + 1, now, encode_change(change)))
        if seen:
            change = Change(0, now, "observe", entity_id, types, seen, source=source)
            log.append((self._head + len(log) + 1, now, encode_change(change)))

    def put(
        self,
        entity: Entity,
        ctx: CompiledContext,
        *,
        op: str,
        attrs: dict[str, list[Instance]],
        deleted: list[tuple[str, str | None]] | None = None,
        source: str | None = None,
    ) -> None:
        """Store `entity`; one change row tells what was set and deleted."""
        before = self._set(entity.id, entity, ctx)
        self._append(op, before, entity, attrs, deleted or [], source)

    def remove(self, entity: Entity, *, source: str | None = None) -> None:
        """Delete `entity`; its change row lists every attribute as deleted."""
        self._set(entity.id, None, None)
        deleted = [
            (attr, instance.dataset_id)
            for attr, instances in entity.attrs.items()
            for instance in instances
        ]
        gone = msgspec.structs.replace(entity, scopes=None)
        self._append("delete", entity, gone, {}, deleted, source)

    def restore(self, entity: Entity, ctx: CompiledContext) -> None:
        """Store an entity just as it is, with its times; no change row, for copies."""
        self._set(entity.id, entity, ctx)
        self.quiet = True

    def context_of(self, entity_id: str) -> CompiledContext | None:
        """The @context that an entity is stored under; None where there is none."""
        return self._pending(entity_id).after.ctx

    def expired(self, limit: int) -> list[str]:
        """Entities of which something had expired before this group."""
        return self._indexes.expired(self.now, limit)

    def note_expiry(self) -> None:
        """Look up anew when something expires next, as committed before this group."""
        self._indexes.note_expiry()

    def rewrite(self, entity_id: str) -> None:
        """Store an entity again as it is, in today's form; no change row."""
        pending = self._pending(entity_id)
        pending.after = State(pending.after.ctx, pending.after.entity)
        pending.dirty, pending.moved = True, None
        self.quiet = True

    def keep(self, kind: str, document_id: str, body: bytes) -> None:
        """Keep a document beside the entities."""
        self.later(KEEP, (kind, document_id, body))

    def forget(self, kind: str, document_id: str) -> None:
        """Delete a kept document."""
        self.later(FORGET, (kind, document_id))

    def _set(
        self, entity_id: str, entity: Entity | None, ctx: CompiledContext | None
    ) -> Entity | None:
        """Let the entity be so from now on; what it was before."""
        pending = self._pending(entity_id)
        before = pending.after
        self._undo.append((entity_id, before, pending.moved, pending.dirty))
        pending.after = State(ctx, entity)
        pending.dirty, pending.moved = True, None
        return before.entity

    def _append(
        self,
        op: str,
        before: Entity | None,
        entity: Entity,
        attrs: dict[str, list[Instance]],
        deleted: list[tuple[str, str | None]],
        source: str | None,
    ) -> None:
        change = Change(0, self.now, op, entity.id, entity.types, attrs, deleted, source)
        if entity.scopes != (before.scopes if before is not None else None):
            change.scopes = entity.scopes or []
        if deleted and before is not None:
            held = before.attrs
            change.kinds = {attr: held[attr][0].kind for attr, _ in deleted if attr in held}
        self.log.append((self.head + 1, self.now, encode_change(change)))
