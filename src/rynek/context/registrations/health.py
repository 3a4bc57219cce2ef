"""How requests to registered sources went (CIM 009 Table 5.2.9-2)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from rynek.base.clock import to_iso

__all__ = ["Counters", "SourceHealth"]

_MAX_REASON: Final = 500


class Counters(msgspec.Struct, omit_defaults=True):
    """What became of the distributed operations of one registration; times in epoch µs."""

    times_sent: int = 0
    times_failed: int = 0
    last_success: int | None = None
    last_failure: int | None = None
    last_error: str | None = None
    ok: bool | None = None

    def success(self, at: int) -> None:
        """An operation succeeded."""
        self.times_sent += 1
        self.last_success = at
        self.ok = True

    def failure(self, at: int, reason: str) -> None:
        """An operation failed."""
        self.times_sent += 1
        self.times_failed += 1
        self.last_failure = at
        self.last_error = reason[:_MAX_REASON]
        self.ok = False

    @property
    def status(self) -> str | None:
        """How the last attempt went, ok or failed; None before the first."""
        return None if self.ok is None else ("ok" if self.ok else "failed")

    def members(self) -> dict[str, Any]:
        """The read-only members of a registration; none of them before the first attempt."""
        if self.status is None:
            return {}
        out: dict[str, Any] = {
            "status": self.status,
            "timesSent": self.times_sent,
            "timesFailed": self.times_failed,
        }
        if self.last_success is not None:
            out["lastSuccess"] = to_iso(self.last_success)
        if self.last_failure is not None:
            out["lastFailure"] = to_iso(self.last_failure)
        return out


class SourceHealth(msgspec.Struct, frozen=True):
    """One registered source for people: who it is and how requests to it went. Times are epoch
    µs; `status` is ok, failed or None (never asked)."""

    id: str
    name: str | None
    endpoint: str
    mode: str
    status: str | None
    times_sent: int
    times_failed: int
    last_success: int | None
    last_failure: int | None
    last_error: str | None
