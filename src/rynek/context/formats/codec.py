"""The store's codec: an entity as the bytes a client gets, and its system times beside them.

`body` is the normalized representation without system attributes and without "@context", names
compacted by one @context; a client that asks with that context gets these bytes untouched.
`times` is `[created, modified]`, or `[created, modified, {attribute IRI: pair or {datasetId or "":
pair}}]` in epoch µs, where an attribute that is not listed has the entity's own pair. A pair has a
third element of the same shape, for attributes of the attribute, where those have other times.
Where most attributes were modified before the entity, that moment stands before the object, and
holds for those that are not listed: one that moves does not make the rest of them longer.
Where something expires a last element lists `[path, expiresAt]`: the path is empty for the
entity, else attribute IRI and datasetId (or "") of the instance, and again for those inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from rynek.context.formats.members import SEALED
from rynek.context.formats.render import one_or_many, plain_instance
from rynek.context.jsonld import CompiledContext
from rynek.context.model import VALUE_MEMBER, Entity, Instance

Expiries = Sequence[tuple[list[str], str]]

_dumps: Final = msgspec.json.Encoder().encode
_loads: Final = msgspec.json.Decoder().decode


def encode_body(entity: Entity, ctx: CompiledContext) -> bytes:
    """The entity's normalized document as compact JSON, without times and "@context"."""
    shorts = ctx.shorts
    types = entity.types
    out: dict[str, Any] = {"id": entity.id}
    if len(types) == 1:
        out["type"] = shorts.get(types[0]) or ctx.compact_iri(types[0])
    else:
        out["type"] = [ctx.compact_iri(name) for name in types]
    if entity.scopes:
        out["scope"] = one_or_many(entity.scopes)
    for attr, instances in entity.attrs.items():
        name = shorts.get(attr) or ctx.compact_iri(attr)
        if len(instances) == 1:
            out[name] = plain_instance(instances[0], ctx)
        else:
            out[name] = [plain_instance(instance, ctx) for instance in instances]
    return _dumps(out)


def encode_times(entity: Entity, expiring: Expiries | None = None) -> bytes:
    """CreatedAt and modifiedAt (epoch µs) of the entity and of the instances that differ, and what
    `expiries` finds (or has found)."""
    created, modified = entity.created_at, entity.modified_at
    differing = _differing(entity.attrs, created, modified)
    stamps: list[Any] = [created, modified]
    if 2 * len(differing) > len(entity.attrs):
        rest = _most(entity.attrs, created)
        if rest != modified:
            differing = _differing(entity.attrs, created, rest)
            stamps.append(rest)
    if expiring is None:
        expiring = expiries(entity)
    if expiring:
        stamps += (differing, expiring)
    elif differing or len(stamps) > 2:
        stamps.append(differing)
    return _dumps(stamps)


def unpack_times(stamps: list[Any]) -> tuple[int, int, int, dict[str, Any], Expiries]:
    """What `encode_times` wrote: createdAt, modifiedAt, that of attributes that are not listed,
    those that are, and what expires."""
    created, modified, *more = stamps
    rest = more.pop(0) if more and type(more[0]) is int else modified
    return created, modified, rest, more[0] if more else {}, more[1] if len(more) > 1 else ()


def _most(attrs: dict[str, list[Instance]], created: int) -> int:
    """The modifiedAt that most attributes have which were created with their entity; the later of
    two that are as frequent."""
    counts: dict[int, int] = {}
    for instances in attrs.values():
        if instances[0].created_at == created:
            modified = instances[0].modified_at
            counts[modified] = counts.get(modified, 0) + 1
    return max(counts, key=lambda moment: (counts[moment], moment), default=created)


def _differing(attrs: dict[str, list[Instance]], created: int, modified: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for attr, instances in attrs.items():
        for instance in instances:
            if (
                instance.modified_at != modified
                or instance.created_at != created
                or (instance.subs is not None and _differing(instance.subs, created, modified))
            ):
                found[attr] = _pairs(instances)
                break
    return found


def expiries(entity: Entity) -> list[tuple[list[str], str]]:
    """(path, expiresAt) of the entity and of every instance that expires."""
    found: list[tuple[list[str], str]] = []
    if entity.expires_at is not None:
        found.append(([], entity.expires_at))
    for attr, instances in entity.attrs.items():
        for instance in instances:
            if instance.expires_at is not None or instance.subs is not None:
                _expiries(attr, instance, [], found)
    return found


def _expiries(
    attr: str, instance: Instance, above: list[str], found: list[tuple[list[str], str]]
) -> None:
    path = [*above, attr, instance.dataset_id or ""]
    if instance.expires_at is not None:
        found.append((path, instance.expires_at))
    for name, subs in (instance.subs or {}).items():
        for sub in subs:
            _expiries(name, sub, path, found)


def _pairs(instances: list[Instance]) -> list[Any] | dict[str, list[Any]]:
    if len(instances) == 1:
        return _pair(instances[0])
    return {i.dataset_id or "": _pair(i) for i in instances}


def _pair(one: Instance) -> list[Any]:
    if one.subs is not None:
        differing = _differing(one.subs, one.created_at, one.modified_at)
        if differing:
            return [one.created_at, one.modified_at, differing]
    return [one.created_at, one.modified_at]


def decode(body: bytes, times: bytes, ctx: CompiledContext) -> Entity:
    """The entity that `encode_body` (with the same context) and `encode_times` wrote.

    Trusts its input: it is for what the store holds, not for what clients send.
    """
    doc = _loads(body)
    created, modified, rest, differing, expiring = unpack_times(_loads(times))
    types = doc.pop("type")
    if type(types) is str:
        types = [ctx.kinds.get(types) or ctx.expand_term(types)]
    else:
        types = [ctx.expand_term(name) for name in types]
    attrs: dict[str, list[Instance]] = {}
    entity = Entity(doc.pop("id"), types, attrs, None, None, created, modified)
    known = ctx.attributes
    for name, raw in doc.items():
        iri = known.get(name)
        if iri is None:
            if name == "scope":
                entity.scopes = [raw] if type(raw) is str else raw
                continue
            if name == "expiresAt":
                entity.expires_at = raw
                continue
            iri = ctx.expand_term(name)
        if type(raw) is dict:
            attrs[iri] = [restore(raw, ctx, created, rest)]
        else:
            attrs[iri] = [restore(item, ctx, created, rest) for item in raw]
    if differing:
        _stamp(attrs, differing)
    if expiring:
        _expire(entity, expiring)
    return entity


def _expire(entity: Entity, expiring: Expiries) -> None:
    for path, moment in expiring:
        if not path:
            entity.expires_at = moment
            continue
        found: dict[str, list[Instance]] | None = entity.attrs
        target = None
        for attr, dataset in zip(path[::2], path[1::2], strict=True):
            assert found is not None
            target = next(i for i in found[attr] if (i.dataset_id or "") == dataset)
            found = target.subs
        assert target is not None
        target.expires_at = moment


def restore(
    raw: dict[str, Any], ctx: CompiledContext, created: int = 0, modified: int = 0
) -> Instance:
    """The instance behind a stored object, which is taken apart."""
    kind = raw.pop("type")
    value = raw.pop(VALUE_MEMBER[kind])
    observed = raw.pop("observedAt", None)
    unit = raw.pop("unitCode", None)
    if kind == "VocabProperty":
        value = _expanded(value, ctx)
    elif kind == "ListRelationship":
        value = [item["object"] for item in value]
    instance = Instance(
        kind, value, None, observed, unit, None, None, None, None, created, modified
    )
    if raw:
        _restore_rest(instance, raw, ctx)
    return instance


def _restore_rest(instance: Instance, raw: dict[str, Any], ctx: CompiledContext) -> None:
    for name, item in raw.items():
        if name == "datasetId":
            instance.dataset_id = item
        elif name == "objectType":
            instance.object_type = [ctx.expand_term(n) for n in _many(item)]
        elif name == "valueType":
            instance.value_type = ctx.expand_term(item)
        elif name == "expiresAt":
            instance.expires_at = item
        elif name in SEALED:
            words = ctx.expand_term(item) if name == "entityTypeSealed" else item
            instance.sealed = {**(instance.sealed or {}), name: words}
        else:
            if instance.subs is None:
                instance.subs = {}
            iri = ctx.attributes.get(name) or ctx.expand_term(name)
            instance.subs[iri] = [
                restore(sub, ctx, instance.created_at, instance.modified_at)
                for sub in ([item] if type(item) is dict else item)
            ]


def _many(item: Any) -> list[str]:
    return item if type(item) is list else [item]


def _expanded(value: Any, ctx: CompiledContext) -> Any:
    if type(value) is list:
        return [ctx.expand_term(item) for item in value]
    return ctx.expand_term(value)


def _stamp(attrs: dict[str, list[Instance]], differing: dict[str, Any]) -> None:
    for attr, pairs in differing.items():
        for instance in attrs[attr]:
            pair = pairs if type(pairs) is list else pairs[instance.dataset_id or ""]
            _stamp_instance(instance, pair[0], pair[1])
            if len(pair) == 3 and instance.subs is not None:
                _stamp(instance.subs, pair[2])


def _stamp_instance(instance: Instance, created: int, modified: int) -> None:
    instance.created_at = created
    instance.modified_at = modified
    if instance.subs is not None:
        for subs in instance.subs.values():
            for sub in subs:
                _stamp_instance(sub, created, modified)


def body_with_context(body: bytes, ctx: CompiledContext) -> bytes:
    """A stored body with the "@context" member as its last one."""
    return body[:-1] + ctx.suffix


def join_bodies(bodies: list[bytes]) -> bytes:
    """Stored bodies as one JSON array."""
    return b"[" + b",".join(bodies) + b"]"
