"""Who sees a card, and as what: the door it stands behind, and whether the city's name is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from rynek.practices.cards.model import Card, Door
from rynek.practices.cards.naming import without_name
from rynek.practices.cards.reading import to_document

__all__ = ["EVERYBODY", "Change", "Seen", "Stored", "Viewer", "Written"]


@dataclass(frozen=True)
class Viewer:
    """Who looks: `member` has a token, `owners` are the tenants it may write for, `admin` all."""

    member: bool = False
    owners: frozenset[str] = field(default_factory=frozenset)
    admin: bool = False

    def edits(self, owner: str) -> bool:
        """Whether the viewer may write cards of that owner; catalogue cards have none."""
        return self.admin or (bool(owner) and owner in self.owners)

    def passes(self, door: Door, owner: str) -> bool:
        """Whether the door lets the viewer see that there is such a card."""
        return (
            door == "public"
            or (door == "members" and (self.member or self.admin))
            or self.edits(owner)
        )


EVERYBODY = Viewer()
_EARLIER: Final = re.compile(r"version (\d{1,9}) again")


class Written(msgspec.Struct, frozen=True):
    """A version: its number, when (epoch microseconds), by whom, why, and whether it took the card
    away."""

    version: int
    at: int
    who: str = ""
    note: str = ""
    removed: bool = False

    @property
    def earlier(self) -> str:
        """The number of the version whose words it has again, where nobody said why; "" else."""
        found = _EARLIER.fullmatch(self.note)
        return found[1] if found else ""

    @staticmethod
    def note_of_earlier(version: int) -> str:
        """What is noted of a version that has the words of an earlier one, where nobody says why."""
        return f"version {version} again"


class Stored(msgspec.Struct, frozen=True):
    """A card as it is kept. `seq` rises with every change of any card; `nameless` holds from the
    newest version on for all of them."""

    id: str
    owner: str
    door: Door
    seq: int
    written: Written
    card: Card
    nameless: bool = False

    def seen_by(self, viewer: Viewer) -> Seen | None:
        """As a viewer may see it; None where the door is shut for them."""
        if not viewer.passes(self.door, self.owner):
            return None
        return self.whole() if viewer.edits(self.owner) else self.published()

    def whole(self) -> Seen:
        """With everything, for who may write it."""
        return Seen(self.id, self.door, self.seq, self.written, self.card, self.owner)

    def published(self) -> Seen:
        """As whoever may not write it sees it: without the city where it is nameless."""
        if not self.nameless:
            return self.whole()
        bare = Written(self.written.version, self.written.at, removed=self.written.removed)
        return Seen(self.id, self.door, self.seq, bare, without_name(self.card))


class Seen(msgspec.Struct, frozen=True):
    """A card as somebody may see it; every representation is made of this and nothing else."""

    id: str
    door: Door
    seq: int
    written: Written
    card: Card
    owner: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        about: dict[str, Any] = {
            "id": self.id,
            "version": self.written.version,
            "changed": self.written.at,
            "door": self.door,
        }
        if self.owner:
            about["owner"] = self.owner
        return about | {"card": to_document(self.card)}


class Change(msgspec.Struct, frozen=True):
    """A card's newest change: `seen` is what anyone past its door sees of it, None once removed."""

    seq: int
    id: str
    owner: str
    door: Door
    seen: Seen | None
