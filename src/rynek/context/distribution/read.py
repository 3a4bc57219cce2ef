"""What sources answer → entities: valid ones only, with their times (CIM 009 §4.3.6.8, §6.3.17)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from rynek.base.clock import parse_iso
from rynek.base.errors import Problem
from rynek.base.typed import decoder
from rynek.context.distribution.answer import Answer
from rynek.context.formats import parse_entity
from rynek.context.jsonld import CompiledContext, core_context, parse_link_header
from rynek.context.jsonld.core import is_core_url
from rynek.context.model import Entity, Instance

__all__ = [
    "InvalidAnswer",
    "RemoteEntity",
    "Resolve",
    "entity_from",
    "read_entities",
    "read_entity",
    "words_of",
]

Resolve = Callable[[Any], Awaitable[CompiledContext]]

_loads: Final = msgspec.json.Decoder().decode
_MAX_ENTITIES: Final = 100_000
_MEMBERS: Final = frozenset(
    ("id", "@id", "type", "@type", "@context", "scope", "expiresAt", "createdAt", "modifiedAt",
     "deletedAt")
)  # fmt: skip


class InvalidAnswer(Exception):
    """A source answered with what is no NGSI-LD; the text says what is wrong."""


class _Head(msgspec.Struct):
    id: str = ""
    at_id: str = msgspec.field(name="@id", default="")


_head: Final = decoder(_Head).decode
_raws: Final = decoder(list[msgspec.Raw]).decode


class RemoteEntity(msgspec.Struct, frozen=True):
    """One entity of an answer: its id, and its bytes until someone needs the rest."""

    id: str
    raw: bytes | msgspec.Raw


def read_entities(body: bytes) -> list[RemoteEntity]:
    """The entities of an answer to a query; InvalidAnswer when it is no array of such."""
    try:
        raws = _raws(body)
        if len(raws) > _MAX_ENTITIES:
            raise InvalidAnswer(f"more than {_MAX_ENTITIES} entities")
        return [RemoteEntity(_id(raw), raw) for raw in raws]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidAnswer(f"no array of entities: {error}") from None


def _id(raw: bytes | msgspec.Raw) -> str:
    head = _head(raw)
    found = head.id or head.at_id
    if not found:
        raise InvalidAnswer("an entity without an id")
    return found


def read_entity(body: bytes) -> RemoteEntity:
    """The entity of an answer to a retrieval; InvalidAnswer when it is none."""
    try:
        return RemoteEntity(_id(body), body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidAnswer(f"no entity: {error}") from None


async def entity_from(remote: RemoteEntity, ld: CompiledContext, resolve: Resolve) -> Entity:
    """The whole entity with the times it tells, its names read with `ld` or the @context that it
    brings along; InvalidAnswer when it breaks the standard."""
    try:
        document = _loads(remote.raw)
        spec = document.get("@context")
        if spec is not None and spec not in (ld.member, ld.link_value):
            ld = await resolve(spec)
        entity = parse_entity(document, ld, now=0, lenient=True)
    except Problem as problem:
        raise InvalidAnswer(f"{remote.id[:200]}: {problem.detail}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidAnswer(f"{remote.id[:200]}: {error}") from None
    if b'"modifiedAt"' in bytes(remote.raw):
        _stamp(entity, document, ld)
    return entity


async def words_of(answer: Answer, resolve: Resolve) -> CompiledContext:
    """The @context that the names of a JSON answer come from: what its Link header says, else
    what was asked for. InvalidAnswer when it cannot be had."""
    ld = answer.ld
    header = answer.headers.get("link")
    if header is None or "json-ld#context" not in header:
        return ld
    try:
        url = parse_link_header(header)
        if url is None or url == ld.link or (is_core_url(url) and ld is core_context()):
            return ld
        return await resolve(url)
    except Problem as problem:
        raise InvalidAnswer(f"the @context of the answer: {problem.detail}") from None


def _stamp(entity: Entity, document: dict[str, Any], ld: CompiledContext) -> None:
    """System times, which a reader of requests passes over."""
    entity.created_at = _moment(document, "createdAt")
    entity.modified_at = _moment(document, "modifiedAt")
    for name, item in document.items():
        if name in _MEMBERS:
            continue
        _stamp_all(entity.attrs[ld.attribute(name)], item)


def _stamp_all(instances: list[Instance], item: Any) -> None:
    items = item if isinstance(item, list) else [item]
    if len(items) != len(instances):
        return
    for instance, one in zip(instances, items, strict=True):
        if not isinstance(one, dict) or "modifiedAt" not in one:
            continue
        instance.created_at = _moment(one, "createdAt")
        instance.modified_at = _moment(one, "modifiedAt")


def _moment(item: dict[str, Any], name: str) -> int:
    text = item.get(name)
    try:
        return parse_iso(text) if isinstance(text, str) else 0
    except ValueError:
        return 0
