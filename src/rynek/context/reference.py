"""Reference tables that connectors look things up in (a schedule, a catalogue), versioned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


class ReferenceStore(Protocol):
    """Named groups of Arrow tables; a group is replaced as a whole, atomically and durably."""

    def put(self, group: str, version: str, tables: dict[str, pa.Table]) -> None:
        """Store `tables` as the newest version of `group`; the same version again is a no-op."""
        ...

    def version(self, group: str) -> str | None:
        """The newest version of `group`; None when there is none."""
        ...

    def get(self, group: str, table: str, columns: list[str] | None = None) -> pa.Table:
        """One table of the newest version; KeyError when there is none."""
        ...
