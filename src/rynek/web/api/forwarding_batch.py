"""Batch operations that other context sources take part in (CIM 009 §5.6.7 - §5.6.10, §5.6.20)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from rynek.context import CompiledContext, RegistrationSpec, distribution, operations
from rynek.context.distribution import LADDERS, Entry
from rynek.web.api.call import Call
from rynek.web.api.distributed import is_local, matches_of

__all__ = ["is_local", "share_deletions", "share_items", "share_patches"]


async def share_items(
    call: Call, ladder: str, items: list[operations.Item], result: operations.BatchResult
) -> list[operations.Item]:
    """Send what sources take of entities to be created or updated; what remains to be written
    here. What became of the rest is in `result`."""
    entries = [
        _entry(call, one.entity.id, one.entity.types, one.entity.attrs, one.document, one.ctx)
        for one in items
    ]
    remaining = await _share(call, ladder, entries, result)
    return [
        msgspec.structs.replace(one, entity=_with(one.entity, attrs))
        for one, attrs in zip(items, remaining, strict=True)
        if attrs is not None
    ]


async def share_patches(
    call: Call, patches: list[operations.Patch], result: operations.BatchResult
) -> list[operations.Patch]:
    """The same for fragments to be merged."""
    entries = [
        _entry(call, one.entity_id, one.fragment.types, one.fragment.attrs, one.document, one.ctx)
        for one in patches
    ]
    remaining = await _share(call, "merge", entries, result)
    return [
        msgspec.structs.replace(one, fragment=_with(one.fragment, attrs))
        for one, attrs in zip(patches, remaining, strict=True)
        if attrs is not None
    ]


async def share_deletions(call: Call, ids: list[str], result: operations.BatchResult) -> list[str]:
    """The same for entities to be deleted."""
    entries = []
    for entity_id in ids:
        held = call.tenant.context.get(entity_id)
        types = held.types if held is not None else None
        matches = matches_of(call, RegistrationSpec(entity_types=types, ids=(entity_id,)), None)
        entries.append(Entry(entity_id, None, matches, held is not None))
    remaining = await _share(call, "delete", entries, result)
    return [one for one, rest in zip(ids, remaining, strict=True) if rest is not None]


def _entry(
    call: Call,
    entity_id: str,
    types: list[str] | None,
    attrs: dict[str, Any],
    document: dict[str, Any] | None,
    ld: CompiledContext,
) -> Entry:
    held = call.tenant.context.get(entity_id)
    if not types and held is not None:
        types = held.types
    spec = RegistrationSpec(entity_types=types or None, ids=(entity_id,), attrs=tuple(attrs))
    matches = matches_of(call, spec, None)
    return Entry(entity_id, tuple(attrs), matches, held is not None, document, ld)


async def _share(
    call: Call, ladder: str, entries: Sequence[Entry], result: operations.BatchResult
) -> list[tuple[str, ...] | None]:
    if not any(entry.matches for entry in entries):
        return [entry.attrs or () for entry in entries]
    return await distribution.send_batch(
        call.tenant.forwarder,
        distribution.Origin(call.headers, call.ld),
        LADDERS[ladder],
        entries,
        result,
    )


def _with(content: Any, attrs: tuple[str, ...]) -> Any:
    """An entity or a fragment with only those attributes."""
    if len(attrs) == len(content.attrs):
        return content
    kept = {attr: found for attr, found in content.attrs.items() if attr in attrs}
    return msgspec.structs.replace(content, attrs=kept)
