"""Small integers for IRIs and @contexts, so that indexes and rows stay narrow."""

from __future__ import annotations

from rynek.base.sqlite import Connection
from rynek.context.jsonld import CompiledContext


class Terms:
    """IRI ↔ integer, kept in memory whole; new ones are written by the group that uses them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.by_iri: dict[str, int] = {}
        self.by_number: dict[int, str] = {}
        self._new: list[tuple[int, str]] = []
        self.reload()

    def reload(self) -> None:
        """Read what is committed (at start, and after a group that failed)."""
        rows = self._connection.execute("SELECT t, iri FROM term").fetchall()
        self.by_number = {int(t): str(iri) for t, iri in rows}
        self.by_iri = {iri: t for t, iri in self.by_number.items()}
        self._new = []

    def number(self, iri: str) -> int:
        """The number of `iri`, a new one if it was never seen."""
        found = self.by_iri.get(iri)
        if found is None:
            found = len(self.by_number) + 1
            self.by_iri[iri] = found
            self.by_number[found] = iri
            self._new.append((found, iri))
        return found

    def take_new(self) -> list[tuple[int, str]]:
        """The (number, IRI) pairs to insert with this group."""
        new, self._new = self._new, []
        return new


class Contexts:
    """@context versions that bodies were written under, by number; compiled once."""

    def __init__(self, connection: Connection, reader: Connection) -> None:
        self._connection = connection
        # Compiling happens while a commit may run on the writing connection in a thread.
        self._reader = reader
        self._by_hash: dict[str, int] = {}
        self._compiled: dict[int, CompiledContext] = {}
        self._new: list[tuple[int, str, bytes]] = []
        self.reload()

    def reload(self) -> None:
        """Read the numbers that are committed; contexts compile on first use."""
        rows = self._connection.execute("SELECT c, hash FROM context").fetchall()
        self._by_hash = {str(digest): int(c) for c, digest in rows}
        known = set(self._by_hash.values())
        self._compiled = {c: ctx for c, ctx in self._compiled.items() if c in known}
        self._new = []

    def number(self, ctx: CompiledContext) -> int:
        """The number of this very version of a context."""
        found = self._by_hash.get(ctx.id)
        if found is None:
            found = max(self._by_hash.values(), default=0) + 1
            self._by_hash[ctx.id] = found
            self._new.append((found, ctx.id, ctx.dump()))
        self._compiled.setdefault(found, ctx)
        return found

    def compiled(self, number: int) -> CompiledContext:
        """The context with that number."""
        ctx = self._compiled.get(number)
        if ctx is None:
            row = self._reader.execute(
                "SELECT document FROM context WHERE c = ?", (number,)
            ).fetchone()
            ctx = CompiledContext.load(bytes(row[0]))
            self._compiled[number] = ctx
        return ctx

    def known(self, ctx: CompiledContext) -> int:
        """The number of this very version of a context; 0 when nothing was kept under it."""
        return self._by_hash.get(ctx.id, 0)

    def by_hash(self, digest: str) -> CompiledContext | None:
        """The context with that hash, if anything was kept under it."""
        number = self._by_hash.get(digest)
        return None if number is None else self.compiled(number)

    def take_new(self) -> list[tuple[int, str, bytes]]:
        """The (number, hash, document) rows to insert with this group."""
        new, self._new = self._new, []
        return new
