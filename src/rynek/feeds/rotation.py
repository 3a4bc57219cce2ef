"""Rotating ids: whoever reads the history cannot follow a vehicle over days by its id.

Each period has a random key. An id is replaced by a keyed hash of it (HMAC-SHA256), the same for
all feeds of a city within the period, so that relations hold. With the period its key is
overwritten: nobody can compute then which pseudonym was whose, not even we.
"""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from base64 import b32encode
from collections.abc import Container, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from rynek.base.clock import MICRO, parse_iso, to_iso
from rynek.base.folder import make_private, sync_folder, write_atomically
from rynek.base.typed import decode
from rynek.feeds.contract import Document, FeedConfig

__all__ = ["Pseudonyms", "Rotation"]

_URN: Final = "urn:ngsi-ld:"
_HOUR: Final = 3600
_PERIODS: Final = frozenset({"hour", "day", "week"})
_SEGMENTS: Final = re.compile(r"[/:#?&=]")
_SPACE: Final = re.compile(r"\s")
_ID_ENDS: Final = r"(?![\w-]|[:/.]\w)"
_LONG_NUMBER: Final = 1000
_MET_LIMIT: Final = 200_000

_log = logging.getLogger(__name__)


class _Key(msgspec.Struct):
    """A period (the epoch second it began at) and its key in hexadecimal."""

    begun: int
    key: str


class Pseudonyms:
    """The ids of one period, which ends at `until` (epoch seconds). `feeds` are the names of the
    city's feeds, the only words beside the type that a pseudonym keeps of an id."""

    def __init__(
        self, key: bytes, begun: int, until: int, feeds: Container[str] = frozenset()
    ) -> None:
        self._key = key
        self._feeds = feeds
        self._met: dict[str, str] = {}
        self.begun = begun
        self.until = until

    def of(self, entity_id: str, kind: str, feed: str = "") -> str:
        """The pseudonym of the id of an entity of type `kind`: `urn:ngsi-ld:<kind>[:<name>]:<code>`
        with the name of `feed` or another of the city where the id has it."""
        head = f"{_URN}{kind}:"
        if entity_id.startswith(head):
            name, colon, _ = entity_id[len(head) :].partition(":")
            if colon and name and (name == feed or name in self._feeds):
                head = f"{head}{name}:"
        return head + self._code(entity_id)

    def hide(self, documents: Iterable[Document], config: FeedConfig) -> list[Document]:
        """The documents of a feed with pseudonyms. Those of `rotate_types` lose the attributes in
        `rotate_leave_out` and expire with the period, or before it where the source says so."""
        documents = list(documents)
        kinds = [short_name(kind) for kind in config.rotate_types]
        owns = [self._own(one, kinds, config.name) for one in documents]
        left_out = frozenset(map(short_name, config.rotate_leave_out))
        hiding = _Hiding(self, kinds, config.name)
        until = to_iso(self.until * MICRO)
        found = []
        for document, own in zip(documents, owns, strict=True):
            made = {
                name: hiding.replaced(value, own)
                for name, value in document.items()
                if name not in {"id", "type"} and (own is None or short_name(name) not in left_out)
            }
            if own is not None:
                made["expiresAt"] = _earlier(document.get("expiresAt"), until)
            new = document["id"] if own is None else own.pseudonym
            found.append({"id": new, "type": document["type"], **made})
        return found

    def met(self, entity_id: str) -> str | None:
        """The pseudonym of an id that a document of this period had, of whatever shape it is."""
        return self._met.get(entity_id)

    def _own(self, document: Document, kinds: Sequence[str], feed: str) -> _Own | None:
        """What names the entity of a document; None when its ids do not rotate."""
        types = document["type"]
        shorts = [short_name(one) for one in ([types] if isinstance(types, str) else types)]
        rotating = [kind for kind in kinds if kind in shorts]
        if not rotating:
            return None
        entity_id = document["id"]
        kind = next((one for one in kinds if entity_id.startswith(f"{_URN}{one}:")), rotating[0])
        pseudonym = self.of(entity_id, kind, feed)
        if len(self._met) < _MET_LIMIT:
            self._met[entity_id] = pseudonym
        local = entity_id.removeprefix(pseudonym.rpartition(":")[0] + ":")
        codes = {one: self._code(one) for one in (local, _last(local)) if one}
        return _Own(entity_id, pseudonym, codes)

    def _code(self, text: str) -> str:
        return b32encode(hmac.digest(self._key, text.encode(), "sha256")[:15]).decode().lower()


class _Own(NamedTuple):
    """An entity's id, its pseudonym, and codes for the id's own part and the end of that."""

    entity_id: str
    pseudonym: str
    codes: dict[str, str]


class _Hiding:
    """Replaces ids within values, wherever they stand."""

    def __init__(self, pseudonyms: Pseudonyms, kinds: Sequence[str], feed: str) -> None:
        self._pseudonyms = pseudonyms
        self._feed = feed
        self._heads = tuple(f"{_URN}{kind}:" for kind in kinds)
        any_kind = "|".join(map(re.escape, kinds)) or "(?!)"
        self._ids = re.compile(rf"{_URN}({any_kind}):[^\s\"'<>(){{}},;]+")

    def replaced(self, value: Any, own: _Own | None) -> Any:
        """The value with pseudonyms in place of ids."""
        if isinstance(value, dict):
            return {key: self.replaced(inner, own) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.replaced(inner, own) for inner in value]
        if isinstance(value, str):
            return self._text(value, own)
        if own is not None and type(value) in {int, float} and abs(value) >= _LONG_NUMBER:
            # A short one is rather a speed than an id.
            written = str(int(value)) if value == value // 1 else ""
            return own.codes.get(written, value)
        return value

    def _text(self, text: str, own: _Own | None) -> str:
        if (found := self._pseudonyms.met(text)) is not None:
            return found
        if own is not None:
            if text in own.codes:
                return own.codes[text]
            if own.entity_id in text:
                parts = re.split(re.escape(own.entity_id) + _ID_ENDS, text)
                return own.pseudonym.join(map(self._others, parts))
            if "/" in text and (code := own.codes.get(last := _last(text))) is not None:
                ended = text.rstrip("/")
                text = ended.removesuffix(last) + code + text[len(ended) :]
        return self._others(text)

    def _others(self, text: str) -> str:
        if _URN not in text:
            return text
        if text.startswith(self._heads) and not _SPACE.search(text):
            return self._pseudonyms.of(text, text.split(":")[2], self._feed)
        return self._ids.sub(self._other, text)

    def _other(self, found: re.Match[str]) -> str:
        whole = found[0].rstrip(".:!?")
        return self._pseudonyms.of(whole, found[1], self._feed) + found[0][len(whole) :]


def short_name(name: str) -> str:
    """The last segment of a type's or an attribute's IRI; a short name as it is."""
    return _last(name) if ":" in name or "/" in name else name


def _last(text: str) -> str:
    return _SEGMENTS.split(text.rstrip("/"))[-1]


def _earlier(said: Any, until: str) -> str:
    """The earlier of the source's own end and the period's."""
    if isinstance(said, dict):
        said = said.get("value", said.get("@value"))
    try:
        return said if isinstance(said, str) and parse_iso(said) < parse_iso(until) else until
    except ValueError:
        return until


class Rotation:
    """The keys of one city, one file a kind of period, in a folder that backups leave out. `feeds`
    are the names of the city's feeds, which may change."""

    def __init__(self, folder: Path, zone: str, feeds: Container[str] = frozenset()) -> None:
        self._folder = folder
        self._feeds = feeds
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
            known = self._known[every] = Pseudonyms(
                self._key(every, begun), begun, until, self._feeds
            )
        return known

    def discard_ended(self, now: int) -> None:
        """Delete the keys of periods that do not last at `now` (epoch µs), and what is no key:
        a feed that is off replaces none."""
        second = now // MICRO
        for every, known in list(self._known.items()):
            if not known.begun <= second < known.until:
                del self._known[every]
        try:
            files = list(self._folder.iterdir())
            ended = [file for file in files if not self._lasts(file, second)]
            for file in ended:
                file.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            _log.warning("keys of ended periods cannot be deleted", extra={"reason": str(error)})
            return
        if ended:
            sync_folder(self._folder)

    def _lasts(self, file: Path, second: int) -> bool:
        if file.name not in _PERIODS:
            return False
        try:
            kept = decode(file.read_bytes(), _Key)
        except msgspec.MsgspecError:
            return False
        return kept.begun == self._period(file.name, second)[0]

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
            kept = decode(file.read_bytes(), _Key)
            if kept.begun == begun:
                return bytes.fromhex(kept.key)
        except (FileNotFoundError, msgspec.MsgspecError, ValueError):
            pass  # none yet, or none that can be used: a new one
        make_private(self._folder)
        key = secrets.token_bytes(32)
        write_atomically(file, msgspec.json.encode(_Key(begun, key.hex())))
        return key
