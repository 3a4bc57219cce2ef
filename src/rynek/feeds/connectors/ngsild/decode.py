"""Bytes of a broker's answer or of a file → entities as they stand there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from rynek.feeds.contract import Situation

MAX_ENTITIES = 1_000_000
Entity = dict[str, Any]


def decode(data: bytes, situation: Situation) -> Iterator[Entity]:
    """Objects with `id` and `type`, from one object, an array, a FeatureCollection or JSON lines.

    ValueError when the bytes are none of that; an object without id or type is counted.
    """
    for count, entity in enumerate(_objects(data, situation)):
        if count >= MAX_ENTITIES:
            situation.findings.add("too-many-records", "error", f"more than {MAX_ENTITIES}")
            return
        if not isinstance(entity, dict):
            situation.findings.add("bad-record", "warning", str(entity))
        elif not _named(entity):
            situation.findings.add("bad-record", "warning", f"no id or type: {str(entity)[:120]}")
        else:
            yield entity


def _named(entity: Entity) -> bool:
    own = entity.get("id", entity.get("@id"))
    kind = entity.get("type", entity.get("@type"))
    return isinstance(own, str) and bool(own) and isinstance(kind, str | list) and bool(kind)


def _objects(data: bytes, situation: Situation) -> Iterator[Any]:
    content = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    if content[:1] not in (b"{", b"["):
        raise ValueError("not NGSI-LD: neither a JSON object nor an array")
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        first, _, rest = content.partition(b"\n")
        if not rest.strip() or not _whole(first):
            raise ValueError(f"not NGSI-LD: {error}") from None
        yield from _lines(content, situation)
        return
    if isinstance(document, list):
        yield from document
    elif document.get("type") == "FeatureCollection" and isinstance(document.get("features"), list):
        yield from document["features"]
    else:
        yield document


def _whole(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _lines(content: bytes, situation: Situation) -> Iterator[Any]:
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            situation.findings.add("bad-record", "warning", f"line {number}: {error}")
