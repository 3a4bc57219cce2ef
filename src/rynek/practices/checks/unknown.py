"""Checks that need facts which the specification does not hold."""

from __future__ import annotations

from typing import Final

from rynek.practices.estimate import Check

__all__ = ["unknown"]

_NEEDED: Final = {
    "spill-over to neighbours": (
        "nothing says which donors lie near the treated place; leave those that do out (exclude)"
    ),
    "coincident events": "nothing says what else happened around the start; look before you believe",
    "sensor changes": "nothing says whether sensors were changed or moved around the start",
    "multiple outcomes": "one outcome was looked at; of several, the best-looking proves nothing",
}


def unknown() -> list[Check]:
    """Named, so that a reader knows that nobody looked."""
    return [Check(name, "not applicable", why) for name, why in _NEEDED.items()]
