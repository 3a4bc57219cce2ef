"""Whom values concern that entities keep from one change to the next."""

from __future__ import annotations

from typing import Final

from rynek.context.subscriptions.model import Subscription

__all__ = ["Known", "Subscriptions"]

# Bytes of what is kept of stored values, about: an entry has its own, and some a subscription.
_MAX_KNOWN_BYTES: Final = 32 << 20
_MAX_ENTRY_BYTES: Final = 16 << 10
_ENTRY_BYTES: Final = 500
_FOUND_BYTES: Final = 60
Subscriptions = dict[str, Subscription]
_NOBODY: Final[Subscriptions] = {}
_Stored = tuple[str, bytes]
"""The @context (its id) and the bytes in which an attribute is stored."""


class Known:
    """Whose condition a value meets that entities keep from one change to the next: which of the
    names, places and states it is, by the bytes in which it is stored. Forgotten as a whole when a
    subscription comes or goes, and when there is too much of it; a long value, or one that concerns
    many, is not kept at all."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, _Stored], Subscriptions] = {}
        self._bytes = 0

    def find(self, place: object, stored: _Stored) -> Subscriptions | None:
        """Those whose condition, of the place in the index, a value meets; None when unknown."""
        return self._found.get((place, stored))

    def note(self, place: object, stored: _Stored, found: Subscriptions) -> None:
        """Remember them."""
        size = _ENTRY_BYTES + len(stored[1]) + _FOUND_BYTES * len(found)
        if size > _MAX_ENTRY_BYTES:
            return
        self._bytes += size
        if self._bytes > _MAX_KNOWN_BYTES:
            self.forget()
            self._bytes = size
        self._found[(place, stored)] = found or _NOBODY

    def forget(self) -> None:
        """Forget everything."""
        self._found.clear()
        self._bytes = 0
