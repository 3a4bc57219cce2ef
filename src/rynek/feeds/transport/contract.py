"""What every transport answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from rynek.feeds.contract import WriteReport


class SourceError(Exception):
    """A source could not be read; the message says why in words for the person who set it up."""


class Payload(msgspec.Struct):
    """Bytes of one document. `part` names it within its poll, `name` is its URL or file name;
    `at` is when a recording received it, in epoch microseconds."""

    data: bytes
    part: str = ""
    name: str = ""
    at: int | None = None


class Source(Protocol):
    """One configured source.

    `paced` sources wait inside `fetch` until something arrives; the others answer at once and are
    asked on the feed's schedule. After each `fetch` the runner calls `confirm` or `reject`; what
    was not confirmed comes again where the source can do that.
    """

    paced: bool

    async def fetch(self) -> Sequence[Payload]:
        """What is new; empty when nothing changed. SourceError when it cannot be read."""
        ...

    async def more(self, documents: Sequence[tuple[str, str]]) -> Sequence[Payload]:
        """Further (part, reference) documents of the same poll that changed; those that are not
        there are left out."""
        ...

    def confirm(self, report: WriteReport) -> None:
        """Everything since the last call is written durably."""
        ...

    def reject(self, error: Exception) -> None:
        """What the last fetch gave could not be used."""
        ...

    async def close(self) -> None:
        """Let go of everything; `fetch` is not called again."""
        ...
