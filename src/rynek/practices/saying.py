"""What practices say to people, in every language: `say(id, …)`, from the tables in `messages/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from rynek.base.messages import Catalogue, Message

__all__ = ["name_of_check", "read_message", "say"]

say: Final = Catalogue(Path(__file__).with_name("messages"))


def read_message(document: Any) -> Message | None:
    """A message of a kept answer; None where there is none, or none that can be said."""
    return say.read(document)


def name_of_check(name: str) -> Message | None:
    """The name of a check, from the fixed one that JSON has; None where nobody knows it."""
    found = "check-" + name.replace(" ", "-")
    return say(found) if found in say.entries else None
