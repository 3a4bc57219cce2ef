"""The short way of `ingest`: of what a feed says again only what differs is read.

A feed repeats whole documents, much of which says what it said before: name, kind, provenance.
Members are compared as bytes with what is stored, and only those that differ are read.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from rynek.base.errors import BadRequestData
from rynek.context.formats import Reader, Sheet, packed, packed_instance, parse_moment
from rynek.context.model import Instance
from rynek.context.operations.quick import read_plain, times_after
from rynek.context.operations.same import same_content
from rynek.context.store.contract import Moved, Txn

__all__ = ["is_earlier", "observe"]

_OBSERVED: Final = frozenset(
    (("type", "value", "observedAt"), ("type", "value", "unitCode", "observedAt"),
     ("type", "object", "observedAt"))
)  # fmt: skip
"""Members of an instance in the order that the store has them in, observedAt last."""
_AS_STORED: Final = _OBSERVED | {
    ("type", "value"), ("type", "value", "unitCode"), ("type", "object")
}  # fmt: skip
_TIME: Final = b',"observedAt":"'
_UNREADABLE: Final = (TypeError, ValueError, OverflowError, RecursionError)


class _Said(msgspec.Struct, gc=False):
    """What a document says beyond a stored entity: attributes whose content changed, and those that
    were seen again; `parts` are their bytes; `late`: something is older than what is known."""

    changed: Moved
    seen: Moved
    parts: dict[str, msgspec.Raw]
    late: bool = False


def observe(txn: Txn, document: dict[str, Any], reader: Reader, source: str) -> str | None:
    """Take in a document about attributes that the entity has already; the field of IngestReport
    that counts it.

    None, and nothing done, where the long way has to be taken (see `quick`).
    """
    entity_id = document.get("id")
    old = txn.sheet(entity_id, reader.ctx) if type(entity_id) is str else None
    if old is None or "type" not in document:
        return None
    try:
        said = _said(old, document, reader)
    except _UNREADABLE:
        return None
    if said is None:
        return None
    if not said.parts:
        return "late" if said.late else "unchanged"
    _store(txn, document["id"], old, said, reader, source)
    return "updated" if said.changed else "observed"


def _said(old: Sheet, document: dict[str, Any], reader: Reader) -> _Said | None:
    held = old.parts
    said = _Said({}, {}, {})
    for name, raw in document.items():
        before = held.get(name)
        if before is None:
            return None
        part = packed(raw)
        if part == before:
            continue
        found = _again(old, name, raw, part, reader) or read_plain(old, name, raw, reader)
        if found is None:
            return None
        iri, was, one = found
        if is_earlier(one.observed_at, was.observed_at):
            said.late = True
            continue
        if not same_content(was, one):
            said.changed[iri] = was, one
        elif one.observed_at and one.observed_at != was.observed_at:
            said.seen[iri] = was, one
        else:
            continue
        # As it came it is as it will be stored, where nothing in it had to be converted.
        value = raw["value"] if "value" in raw else raw.get("object")
        usual = one.value is value and one.observed_at == raw.get("observedAt")
        as_stored = usual and tuple(raw) in _AS_STORED
        said.parts[name] = part if as_stored else packed_instance(one, reader.ctx)
    return said


def _again(
    old: Sheet, name: str, raw: Any, part: msgspec.Raw, reader: Reader
) -> tuple[str, Instance, Instance] | None:
    """`read_plain` of an attribute that differs from the stored one in its observedAt alone; None
    where that is not plain from the bytes."""
    if type(raw) is not dict or tuple(raw) not in _OBSERVED:
        return None
    now, before, iri = bytes(part), bytes(old.parts[name]), reader.ctx.attributes.get(name)
    end = now.rfind(_TIME) + len(_TIME)
    if iri is None or now[:end] != before[:end] or before.find(b'"', end) != len(before) - 2:
        return None
    try:
        observed = parse_moment("observedAt", raw["observedAt"])
    except BadRequestData:
        return None
    kind, unit = raw["type"], raw.get("unitCode")
    value = raw["value"] if "value" in raw else raw["object"]
    created, modified = old.pair(iri)
    was = Instance(
        kind, value, None, before[end:-2].decode(), unit, created_at=created, modified_at=modified
    )
    return iri, was, Instance(kind, value, None, observed, unit)


def _store(txn: Txn, entity_id: str, old: Sheet, said: _Said, reader: Reader, source: str) -> None:
    changed, seen, now = said.changed, said.seen, txn.now
    rest, pairs = times_after(old, changed, now) if changed else (old.rest, old.pairs)
    modified = now if changed else old.modified
    sheet = Sheet(old.parts | said.parts, old.types, old.created, modified, rest, pairs)
    txn.alter(
        entity_id, reader.ctx, sheet, changed | seen if seen else changed, _alone(changed), source,
        seen=_alone(seen),
    )  # fmt: skip
    # Afterwards: the log has its own time of each change.
    for was, one in changed.values():
        one.created_at, one.modified_at = was.created_at, now
    for was, one in seen.values():
        # Only the time of observation moved; modifiedAt stays that of the last change.
        one.created_at, one.modified_at = was.created_at, was.modified_at


def _alone(moved: Moved) -> dict[str, list[Instance]]:
    return {iri: [one] for iri, (_, one) in moved.items()}


def is_earlier(one: str | None, other: str | None) -> bool:
    """Whether a time (ISO 8601, UTC) is before another, where both are known; their seconds may
    have fractions of different lengths, or none."""
    if not one or not other:
        return False
    if len(one) == len(other):
        return one < other
    return _ordered(one) < _ordered(other)


def _ordered(time: str) -> tuple[str, str]:
    return time[:19], time[20:-1].ljust(6, "0")
