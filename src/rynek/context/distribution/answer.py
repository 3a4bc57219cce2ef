"""What a context source answered, or why it did not (CIM 009 §6.3.17)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from rynek.context.jsonld import CompiledContext
from rynek.context.registrations import Registration

__all__ = ["Answer"]


class Answer(msgspec.Struct, frozen=True):
    """What came of it. `status` is 0 without an answer, and `failure` then says why: timeout,
    cooldown, network, invalid (no HTTP, or too large), context (its @context cannot be had).
    `stale` ones were asked for before."""

    source: Registration
    ld: CompiledContext
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = {}
    failure: str = ""
    detail: str = ""
    stale: bool = False

    @property
    def ok(self) -> bool:
        """Whether the source did what it was asked."""
        return 200 <= self.status < 300

    @property
    def reason(self) -> str:
        """What went wrong, for people; empty for nothing."""
        if self.ok:
            return ""
        return self.detail if self.failure else f"answered with status {self.status}"
