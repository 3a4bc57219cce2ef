"""What a subscription to registrations looks for, and what a change means to it
(CIM 009 §5.11.2.4, §5.12, §5.3.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec

from rynek.context.registrations.match import Match, MatchedInfo, RegistrationSpec, match
from rynek.context.registrations.model import Registration, RegistrationInfo

__all__ = ["Reason", "SourceSelector", "reason"]

Reason = Literal["newlyMatching", "updated", "noLongerMatching"]


class SourceSelector(msgspec.Struct, frozen=True):
    """Registrations that one subscription is about: those that match one of `specs` (one for each
    of its entity selectors) and pass `csf` where there is one."""

    specs: tuple[RegistrationSpec, ...]
    csf: Callable[[Registration], bool] | None = None

    def match(self, registration: Registration) -> Match | None:
        """The parts of its information that any of the specs matches; None when none does."""
        if self.csf is not None and not self.csf(registration):
            return None
        found = [one for one in (match(registration, spec) for spec in self.specs) if one]
        if len(found) < 2:
            return found[0] if found else None
        parts: dict[int, MatchedInfo] = {}
        for one in found:
            for part in one.parts:
                known = parts.get(id(part.info))
                parts[id(part.info)] = part if known is None else _joined(known, part)
        ordered = (parts.get(id(info)) for info in registration.information)
        return Match(registration, tuple(part for part in ordered if part is not None))

    @property
    def types(self) -> frozenset[str] | None:
        """Types of which a registration that names entities has one; None when any may match."""
        found: set[str] = set()
        for spec in self.specs:
            if spec.types is None or frozenset() in spec.types.options:
                return None
            found.update(name for option in spec.types.options for name in option)
        return frozenset(found)


def _joined(one: MatchedInfo, other: MatchedInfo) -> MatchedInfo:
    entities = None
    if one.entities is not None and other.entities is not None:
        entities = tuple(dict.fromkeys((*one.entities, *other.entities)))
    attrs = None
    if one.attrs is not None and other.attrs is not None:
        attrs = one.attrs | other.attrs
    return MatchedInfo(one.info, entities, attrs)


_REASONS: Final[dict[tuple[bool, bool], Reason]] = {
    (False, True): "newlyMatching",
    (True, True): "updated",
    (True, False): "noLongerMatching",
}


def reason(before: Match | None, after: Match | None) -> Reason | None:
    """Why a change is told (§5.3.3); None when it is none of the subscription's business."""
    return _REASONS.get((before is not None, after is not None))


def shown_information(
    before: Match | None, after: Match | None, now: Registration | None
) -> Sequence[RegistrationInfo]:
    """The parts of the information that a notification shows: those that match, else those that
    did when the registration is gone, else all that it has now (§5.11.7)."""
    if after is not None:
        return [part.info for part in after.parts]
    if now is not None:
        return now.information
    return [] if before is None else [part.info for part in before.parts]
