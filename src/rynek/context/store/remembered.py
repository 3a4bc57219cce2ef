"""What reads found in the file, for as long as it holds: bodies, numbers of ids, pages of lists."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

# Beside a body there are its place in a table, its number and the object around it; an id is text
# and has a place of its own.
_BODY_BYTES: Final = 150
_ID_BYTES: Final = 250
# Each write asks every @context's bodies for the entity: few are kept apart.
_CONTEXTS: Final = 8
_STARTS: Final = 4_096
_PAGE_NUMBERS: Final = 200_000
# A page of few entities takes as much as one of so many more.
_PAGE: Final = 8

_NOTHING: Final[dict[int, bytes]] = {}

Known = dict[str, dict[int, bytes]]
"""Bodies by the @context they stand under (its id) and the entity's number."""


class Remembered:
    """Entities as they are sent, so that a read need not look for them in the file again.

    All of it is as committed. The writer says what a group changes before its commit, and `settled`
    after it. While a commit is on its way, which may take effect in a thread at any moment, `holds`
    is false: what is still here is the same before and after it, but nothing may be kept, and what
    else is read may be of either state. All calls come from the event loop.

    What was not used for long goes: there is a younger and an older half, and when the younger one
    is full it becomes the older.
    """

    def __init__(self, most_bytes: int) -> None:
        self._half = most_bytes // 2
        self.clear()

    def clear(self) -> None:
        """Begin anew, as after a commit that failed: nothing is taken for granted."""
        self.holds = True
        self._bytes = 0
        self._bodies: Known = {}
        self._older: Known = {}
        self._numbers: dict[str, int] = {}
        self._older_numbers: dict[str, int] = {}
        # By type: offsets in ascending order, each with the number of the entity that stands there.
        self._starts: dict[int, list[tuple[int, int]]] = {}
        # By type: the numbers of the entities of a page (offset, limit) that another one follows.
        self._pages: dict[int, dict[tuple[int, int], list[int]]] = {}
        self._page_numbers = 0

    def body(self, ctx: str, entity_id: str) -> bytes | None:
        """One entity under a @context; None where it is not known."""
        n = self._numbers.get(entity_id)
        if n is None:
            n = self._older_numbers.get(entity_id)
            if n is None:
                return None
            self._keep_number(entity_id, n)
        known = self._bodies.get(ctx)
        body = known.get(n) if known is not None else None
        return self._again(ctx, n) if body is None else body

    def bodies(self, ctx: str, numbers: Sequence[int]) -> list[bytes | None]:
        """Entities under a @context by their numbers; None for each that is not known."""
        found: list[bytes | None] = list(map(self._bodies.get(ctx, _NOTHING).get, numbers))
        older = self._older.get(ctx)
        if older and not all(found):
            again = list(map(older.get, numbers))
            if any(again):
                return [
                    one or (self._again(ctx, n) if other else None)
                    for one, other, n in zip(found, again, numbers, strict=True)
                ]
        return found

    def _again(self, ctx: str, n: int) -> bytes | None:
        """A body of the older half, which is young again."""
        older = self._older.get(ctx)
        body = older.pop(n, None) if older is not None else None
        if body is not None:
            self.keep(ctx, n, body)
        return body

    def keep(self, ctx: str, n: int, body: bytes) -> None:
        """Remember a body as it is committed."""
        self._known(ctx)[n] = body
        self._count(len(body) + _BODY_BYTES)

    def keep_all(self, ctx: str, numbers: Sequence[int], bodies: Sequence[bytes]) -> None:
        """Remember bodies as they are committed."""
        self._known(ctx).update(zip(numbers, bodies, strict=True))
        self._count(sum(map(len, bodies)) + len(bodies) * _BODY_BYTES)

    def _known(self, ctx: str) -> dict[int, bytes]:
        known = self._bodies.get(ctx)
        if known is None:
            if len(self._bodies) >= _CONTEXTS:
                self._turn()
            known = self._bodies[ctx] = {}
        return known

    def keep_one(self, ctx: str, entity_id: str, n: int, body: bytes) -> None:
        """Remember a body, to be asked for by its id too: that leads to a body or to none, for no
        number is used twice."""
        self._keep_number(entity_id, n)
        self.keep(ctx, n, body)

    def _keep_number(self, entity_id: str, n: int) -> None:
        self._numbers[entity_id] = n
        self._count(_ID_BYTES)

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > self._half:
            self._turn()

    def _turn(self) -> None:
        self._older, self._bodies = self._bodies, {}
        self._older_numbers, self._numbers = self._numbers, {}
        self._bytes = 0

    def start(self, t: int, offset: int) -> tuple[int, int]:
        """The last known place at or before `offset` in the list of a type: (its offset, the number
        of the entity there)."""
        starts = self._starts.get(t)
        if starts is None:
            return 0, 0
        at = bisect_right(starts, offset, key=_offset)
        return starts[at - 1] if at else (0, 0)

    def keep_start(self, t: int, offset: int, n: int) -> None:
        """Remember which entity stands at an offset in the list of a type."""
        starts = self._starts.setdefault(t, [])
        at = bisect_right(starts, offset, key=_offset)
        if at and starts[at - 1][0] == offset:
            return
        starts.insert(at, (offset, n))
        if len(starts) > _STARTS:
            del starts[::2]

    def page(self, t: int, offset: int, limit: int) -> list[int] | None:
        """The numbers of a page that is not the last in the list of a type; None where they are
        not known."""
        pages = self._pages.get(t)
        return None if pages is None else pages.get((offset, limit))

    def keep_page(self, t: int, offset: int, limit: int, numbers: list[int]) -> None:
        """Remember a page that another one follows: what comes later comes after it."""
        self._page_numbers += len(numbers) + _PAGE
        if self._page_numbers > _PAGE_NUMBERS:
            self._pages.clear()
            self._page_numbers = len(numbers) + _PAGE
        self._pages.setdefault(t, {})[(offset, limit)] = numbers

    def forget(self, n: int) -> None:
        """An entity is about to change."""
        for half in (self._bodies, self._older):
            for known in half.values():
                body = known.pop(n, None)
                if body is not None and half is self._bodies:
                    self._bytes -= len(body) + _BODY_BYTES

    def forget_list(self, t: int) -> None:
        """Entities of a type go, or come that are older than others."""
        self._starts.pop(t, None)
        self._pages.pop(t, None)

    def unsettled(self) -> None:
        """A commit is on its way."""
        self.holds = False

    def settled(self) -> None:
        """It is in the file."""
        self.holds = True


def _offset(start: tuple[int, int]) -> int:
    return start[0]
