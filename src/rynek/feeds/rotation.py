"""Rotating ids: whoever reads the history cannot follow a vehicle over days by its id.

Each period has a random key. An id is replaced by a keyed hash of it (HMAC-SHA256), the same for
all feeds of a city within the period, so that relations hold. With the period its key is
overwritten: nobody can compute then which pseudonym was whose, not even we.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from rynek.base.clock import MICRO, to_iso
from rynek.base.folder import make_private, write_atomically
from rynek.feeds.contract import Document, FeedConfig

__all__ = ["Pseudonyms", "Rotation"]

_URN: Final = "urn:ngsi-ld:"
_HOUR: Final = 3600


class _Key(msgspec.Struct):
    """A period (the epoch second it began at) and its key in hexadecimal."""

    begun: int
    key: str


class Pseudonyms:
    """The ids of one period, which ends at `until` (epoch seconds)."""

    def __init__(self, key: bytes, begun: int, until: int) -> None:
        self._key = key
        self.begun = begun
        self.until = until

    def of(self, entity_id: str) -> str:
        """The pseudonym of an id, which keeps what is no vehicle's own: type and feed."""
        parts = entity_id.split(":")
        head = ":".join(parts[: 4 if len(parts) > 4 else 3])
        return f"{head}:{self._code(entity_id)}"

    def _code(self, text: str) -> str:
        return b32encode(hmac.digest(self._key, text.encode(), "sha256")[:15]).decode().lower()

    def hide(self, documents: Iterable[Document], config: FeedConfig) -> list[Document]:
        """The documents of a feed with pseudonyms. Those of `rotate_types` lose the attributes in
        `rotate_leave_out` and expire with the period."""
        heads = tuple(f"{_URN}{kind}:" for kind in config.rotate_types)
        until = to_iso(self.until * MICRO)
        return [self._hidden(one, config, heads, until) for one in documents]

    def _hidden(
        self, document: Document, config: FeedConfig, heads: tuple[str, ...], until: str
    ) -> Document:
        own = document["id"]
        types = document["type"]
        rotates = not set(config.rotate_types).isdisjoint(
            [types] if isinstance(types, str) else types
        )
        left_out = config.rotate_leave_out if rotates else ()
        made = {
            name: self._replaced(value, heads, own.rpartition(":")[2] if rotates else None)
            for name, value in document.items()
            if name not in left_out and name not in {"id", "type"}
        }
        if not rotates:
            return {"id": own, "type": types, **made}
        return {"id": self.of(own), "type": types, "expiresAt": until, **made}

    def _replaced(self, value: Any, heads: tuple[str, ...], own: str | None) -> Any:
        """A value in which ids of vehicles are pseudonyms, wherever they stand."""
        if isinstance(value, dict):
            return {key: self._replaced(inner, heads, own) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._replaced(inner, heads, own) for inner in value]
        if isinstance(value, str):
            if value.startswith(heads):
                return self.of(value)
            if own and value == own:
                return self._code(own)
        return value


class Rotation:
    """The keys of one city, one file a kind of period, in a folder that backups leave out."""

    def __init__(self, folder: Path, zone: str) -> None:
        self._folder = folder
        try:
            self._zone = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            self._zone = ZoneInfo("UTC")
        self._known: dict[str, Pseudonyms] = {}

    def at(self, every: str, now: int) -> Pseudonyms:
        """The pseudonyms of the hour, day or week of `now` (epoch µs). OSError when the key cannot
        be kept: without one nothing may be written."""
        second = now // MICRO
        known = self._known.get(every)
        if known is None or not known.begun <= second < known.until:
            begun, until = self._period(every, second)
            known = self._known[every] = Pseudonyms(self._key(every, begun), begun, until)
        return known

    def _period(self, every: str, second: int) -> tuple[int, int]:
        if every == "hour":
            begun = second - second % _HOUR
            return begun, begun + _HOUR
        day = datetime.fromtimestamp(second, self._zone)
        day = day.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        days = 1
        if every == "week":
            day, days = day - timedelta(days=day.weekday()), 7
        # By the wall clock: a day may have 23 or 25 hours.
        return int(day.timestamp()), int((day + timedelta(days=days)).timestamp())

    def _key(self, every: str, begun: int) -> bytes:
        file = self._folder / every
        try:
            kept = msgspec.json.decode(file.read_bytes(), type=_Key)
            if kept.begun == begun:
                return bytes.fromhex(kept.key)
        except (FileNotFoundError, msgspec.MsgspecError, ValueError):
            pass  # none yet, or none that can be used: a new one
        make_private(self._folder)
        key = secrets.token_bytes(32)
        write_atomically(file, msgspec.json.encode(_Key(begun, key.hex())))
        return key
