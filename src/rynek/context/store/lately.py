"""What was written lately, in its parts: what is written again and again is not read each time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

from rynek.context.formats import Sheet
from rynek.context.jsonld import CompiledContext
from rynek.context.store.pending import Pending, State

# Beside the bytes of its body, which may be held twice (as it was read, and what changed since).
_ENTITY_BYTES: Final = 1_000
_LARGEST_BYTES: Final = 16_384


class _Held(NamedTuple):
    """An entity as committed: its number, @context and parts, and about how many bytes that is."""

    n: int
    ctx: CompiledContext
    sheet: Sheet
    size: int


class Lately:
    """Entities of which only attributes changed in the last groups, up to `most_bytes`; who was not
    written for longest goes first. All of it is as committed: the writer alone changes entities,
    and says what came of each group."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def pending(self, entity_id: str) -> Pending | None:
        """An entity, ready to be changed; None where it is not known."""
        held = self._held.get(entity_id)
        if held is None:
            return None
        state = State(held.ctx, parts=held.sheet)
        return Pending(held.n, state, state)

    def committed(self, group: Iterable[tuple[str, Pending]]) -> None:
        """A group is in the file."""
        held = self._held
        for entity_id, one in group:
            if not one.dirty:
                continue
            state = one.after
            sheet, ctx, body = state.parts, state.ctx, state.body
            before = held.pop(entity_id, None)
            if before is not None:
                self._bytes -= before.size
            if one.moved is None or sheet is None or ctx is None or body is None:
                continue
            if len(body) <= _LARGEST_BYTES:
                size = 2 * len(body) + _ENTITY_BYTES
                held[entity_id] = _Held(one.n, ctx, sheet, size)
                self._bytes += size
        while self._bytes > self._most:
            _, gone = held.popitem(last=False)
            self._bytes -= gone.size

    def clear(self) -> None:
        """Begin anew, as after a commit that failed."""
        self._held.clear()
        self._bytes = 0
