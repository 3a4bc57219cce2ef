"""Documents kept beside the entities: subscriptions, registrations, @contexts and the like."""

from __future__ import annotations

from typing import Final

from rynek.base.sqlite import Connection

KEEP: Final = (
    "INSERT INTO document(kind, id, body) VALUES(?, ?, ?)"
    " ON CONFLICT(kind, id) DO UPDATE SET body = excluded.body"
)
FORGET: Final = "DELETE FROM document WHERE kind = ? AND id = ?"


class SqliteDocuments:
    """`Documents` over the table document."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def list(self, kind: str) -> list[tuple[str, bytes]]:
        """(id, body) of every document of a kind, in the order in which they were first kept."""
        rows = self._reader.execute(
            "SELECT id, body FROM document WHERE kind = ? ORDER BY n", (kind,)
        ).fetchall()
        return [(str(one), bytes(body)) for one, body in rows]

    def find(self, kind: str, document_id: str) -> bytes | None:
        """The body of one document, or None."""
        row = self._reader.execute(
            "SELECT body FROM document WHERE kind = ? AND id = ?", (kind, document_id)
        ).fetchone()
        return None if row is None else bytes(row[0])
