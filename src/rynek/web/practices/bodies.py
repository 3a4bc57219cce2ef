"""Members of the bodies that clients of the cards' interface send."""

from __future__ import annotations

from typing import Any

from rynek.base.errors import BadRequestData
from rynek.base.messages import Message
from rynek.practices import say
from rynek.practices.cards import Card, parse_card

__all__ = ["read_card", "read_text", "read_version"]


def read_card(told: dict[str, Any]) -> Card:
    """The card in a body. BadRequestData."""
    inner = told.get("card")
    if not isinstance(inner, dict):
        raise BadRequestData(say("card-object"))
    try:
        return parse_card(inner)
    except BadRequestData as problem:
        raise BadRequestData(_within(problem.message) or problem.detail) from None


def _within(message: Message | None) -> Message | None:
    """A message about a field of the card as one about the body that holds it."""
    if message is None or not isinstance(message.parameters.get("path"), str):
        return message
    told = {**message.parameters, "path": f"card.{message.parameters['path']}"}
    return message.catalogue(message.id, **told)


def read_text(told: dict[str, Any], name: str, default: str | None = None) -> str:
    value = told.get(name, default)
    if not isinstance(value, str):
        raise BadRequestData(say("card-text", path=name))
    return value


def read_version(value: Any, name: str = "version") -> int:
    """A member that is the number of a version. BadRequestData."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 31:
        raise BadRequestData(say("card-number", path=name))
    return value
