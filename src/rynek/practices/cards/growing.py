"""Questions of cards to a city's recorded history, answered again as it grows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from rynek.base.errors import BadRequestData
from rynek.base.typed import convert
from rynek.practices.bounds import Bounds
from rynek.practices.cards.model import Question as CardQuestion
from rynek.practices.panel import Panel
from rynek.practices.saying import say
from rynek.practices.specification import Question
from rynek.practices.wording import shape_message

__all__ = ["NOW", "AskHistory", "asked_of_history", "digest_of", "whole_until"]

AskHistory = Callable[[str, Question], Panel]
"""Gives the panel that a question asks of the history of a tenant."""

NOW: Final = "now"
"""In place of a question's `last`: up to the last whole period."""
_BOUNDS: Final = Bounds(places=500, values=500_000)


def asked_of_history(question: CardQuestion, owner: str, now: int, zone: ZoneInfo) -> Question:
    """What a card's question asks of its owner's history, up to the last whole period at `now`
    (epoch µs). BadRequestData: a card asks no other city's history than that of its owner."""
    panel = question.specification.get("panel")
    try:
        asked = convert(panel, Question)
    except msgspec.ValidationError as error:
        where = f"{question.key}: panel"
        told = shape_message(error, Question, where, inside=f"{where}.")
        raise BadRequestData(told) from None
    if not owner or asked.tenant not in (None, owner):
        raise BadRequestData(say("answer-owner", key=question.key))
    if asked.last == NOW:
        asked = msgspec.structs.replace(asked, last=whole_until(now, asked.every, zone))
    return msgspec.structs.replace(asked, tenant=owner)


def whole_until(now: int, every: str, zone: ZoneInfo) -> str:
    """The beginning of the period that `now` (epoch µs) lies in, in a city's time: what is before
    it is whole."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now)).astimezone(zone)
    if every == "hour":
        return local.replace(minute=0, second=0, microsecond=0).isoformat()
    day = local.date()
    if every == "week":
        day -= timedelta(days=day.weekday())
    elif every == "month":
        day = day.replace(day=1)
    elif every == "quarter":
        day = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    elif every == "year":
        day = day.replace(month=1, day=1)
    return day.isoformat()


def digest_of(panel: Panel) -> str:
    """SHA-256 of what a panel holds. BadRequestData where it is too large to be answered here."""
    _BOUNDS.check(panel)
    told: list[Any] = [list(panel.units), list(panel.labels), sorted(panel.columns)]
    digest = hashlib.sha256(msgspec.json.encode(told))
    for name in sorted(panel.columns):
        digest.update(np.ascontiguousarray(panel.columns[name]).tobytes())
    return digest.hexdigest()
