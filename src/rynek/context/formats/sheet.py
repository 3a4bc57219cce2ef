"""A stored entity in its parts: most of what is written again is the same bytes as before."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from rynek.base.typed import decoder
from rynek.context.formats.codec import restore, unpack_times
from rynek.context.formats.render import plain_instance
from rynek.context.jsonld import CompiledContext
from rynek.context.model import VALUE_MEMBER, Instance

_dumps: Final = msgspec.json.Encoder().encode
_loads: Final = msgspec.json.Decoder().decode
_members: Final = decoder(dict[str, msgspec.Raw]).decode
_PAIR: Final = 2  # without times inside
_Raw: Final = msgspec.Raw

PLAIN: Final = frozenset(
    ("type", "observedAt", "unitCode", "objectType", "valueType", *VALUE_MEMBER.values())
)
"""Members of an instance that has no times inside, no dataset and no end."""

Times = tuple[int, int]


class Sheet(msgspec.Struct, gc=False):
    """Each member of a stored body as bytes by its short name, id and type first; createdAt and
    modifiedAt (epoch µs) of the entity, `pairs` of both for attributes (IRIs), and `rest`, the
    modifiedAt of all others, which have the createdAt of the entity. `types` are IRIs."""

    parts: dict[str, msgspec.Raw]
    types: list[str]
    created: int
    modified: int
    rest: int
    pairs: dict[str, Times]

    def body(self) -> bytes:
        """The stored form (see `encode_body`)."""
        return _dumps(self.parts)

    def times(self) -> bytes:
        """The times as stored (see `encode_times`)."""
        if self.rest != self.modified:
            return _dumps((self.created, self.modified, self.rest, self.pairs))
        if self.pairs:
            return _dumps((self.created, self.modified, self.pairs))
        return _dumps((self.created, self.modified))

    def pair(self, iri: str) -> Times:
        """When an attribute was created and last modified (epoch µs)."""
        return self.pairs.get(iri) or (self.created, self.rest)

    def instance(self, name: str, iri: str, ctx: CompiledContext) -> Instance | None:
        """The only instance of an attribute, if it is a plain one."""
        part = self.parts.get(name)
        raw: Any = None if part is None else _loads(part)
        if type(raw) is not dict or not PLAIN.issuperset(raw):
            return None
        created, modified = self.pairs.get(iri) or (self.created, self.rest)
        return restore(raw, ctx, created, modified)


def open_sheet(body: bytes, times: bytes, ctx: CompiledContext) -> Sheet | None:
    """A stored entity in its parts; None where it has a scope, several types, an end, or attributes
    of attributes with times of their own."""
    created, modified, rest, differing, expiring = unpack_times(_loads(times))
    if expiring:
        return None
    pairs: dict[str, Times] = {}
    for iri, pair in differing.items():
        if type(pair) is not list or len(pair) != _PAIR:
            return None
        pairs[iri] = (pair[0], pair[1])
    parts = _members(body)
    name = _loads(parts["type"])
    if type(name) is not str or "scope" in parts or "expiresAt" in parts:
        return None
    return Sheet(parts, [ctx.expand_term(name)], created, modified, rest, pairs)


def packed(value: Any) -> msgspec.Raw:
    """A JSON value as bytes that compare with those of a sheet."""
    return _Raw(_dumps(value))


def packed_instance(instance: Instance, ctx: CompiledContext) -> msgspec.Raw:
    """An instance as a part of a sheet."""
    return msgspec.Raw(_dumps(plain_instance(instance, ctx)))
