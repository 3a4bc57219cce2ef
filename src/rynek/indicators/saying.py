"""What indexes say to people, in every language: `say(id, …)`, from the tables in `messages/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from rynek.base.messages import Catalogue, Message

__all__ = ["read_message", "say"]

say: Final = Catalogue(Path(__file__).with_name("messages"))


def read_message(document: Any) -> Message | None:
    """A message of a kept index; None where there is none, or none that can be said."""
    return say.read(document)
