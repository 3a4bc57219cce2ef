"""Handlers of /entityOperations (CIM 009 §6.14 - §6.17, §6.31)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from msgspec import UNSET

from rynek.base.errors import BadRequestData, Problem, ResourceNotFound
from rynek.base.ids import is_uri
from rynek.base.pace import Pace
from rynek.context import NULL, Instance, Stored, operations, parse_entity, parse_fragment
from rynek.web.api.bodies import (
    context_of,
    dumps,
    load_json,
    media_type,
    read_list,
)
from rynek.web.api.call import JSON, Call, Reply
from rynek.web.api.entities import stored_of
from rynek.web.api.forwarding_batch import (
    is_local,
    share_deletions,
    share_items,
    share_patches,
)
from rynek.web.api.prospective import ProspectiveTenant
from rynek.web.api.route import Route

T = TypeVar("T")
_NO_CONTENT: Final = 204
# A batch of more is written in several jobs, one after the other: others read and write in between.
_JOB: Final = 100
_PART: Final = 64
# Batches that are as long as most are parsed in one go.
_PARSED_SECONDS: Final = 0.002
_Verb = Callable[[Any, Sequence[T], operations.BatchResult], object]


async def create_batch(call: Call) -> Reply:
    """Batch Entity Creation (§5.6.7)."""
    result = operations.BatchResult()
    items = await _items(call, result)
    if not is_local(call):
        items = await share_items(call, "create", items, result)
    await _write(call, items, operations.create_all, result)
    if result.errors:
        return _partial(result)
    return Reply(201, dumps(list(dict.fromkeys(result.created))))


async def upsert_batch(call: Call) -> Reply:
    """Batch Entity Creation or Update (§5.6.8): options=update appends instead of replacing."""
    replace = "update" not in call.options
    if not replace and "replace" in call.options:
        raise BadRequestData("options: replace and update exclude each other")
    result = operations.BatchResult()
    items: Sequence[operations.Item | operations.Unread]
    if is_local(call):
        # What nobody can read must not bring a tenant into being.
        born = not isinstance(call.tenant, ProspectiveTenant)
        items = await (_unread if born else _items)(call, result)
    else:
        ladder = "upsert" if replace else "upsert:update"
        items = await share_items(call, ladder, await _items(call, result), result)
    await _write(call, items, partial(operations.upsert_all, replace=replace), result)
    if result.errors:
        return _partial(result)
    if result.created:
        return Reply(201, dumps(list(dict.fromkeys(result.created))))
    return Reply(_NO_CONTENT)


async def update_batch(call: Call) -> Reply:
    """Batch Entity Update (§5.6.9)."""
    overwrite = "noOverwrite" not in call.options
    result = operations.BatchResult()
    items = await _items(call, result, need_type=False)
    if not is_local(call):
        ladder = "update" if overwrite else "update:noOverwrite"
        items = await share_items(call, ladder, items, result)
    await _write(call, items, partial(operations.update_all, overwrite=overwrite), result)
    return _partial(result) if result.errors else Reply(_NO_CONTENT)


async def merge_batch(call: Call) -> Reply:
    """Batch Entity Merge (§5.6.20)."""
    documents, media = await read_list(call)
    _bounded(call, documents)
    result = operations.BatchResult()
    patches: list[operations.Patch] = []
    said: dict[str, dict[str, list[Instance]]] = {}
    pace = Pace(_PARSED_SECONDS)
    for document in documents:
        if pace.due():
            await pace.turn()
        entity_id = _id_of(document)
        try:
            ld = await context_of(call, _object(document), media)
            fragment = parse_fragment(
                document,
                ld,
                now=0,
                allow_null=True,
                partial=True,
                stored=_stored_after(call, entity_id, said),
            )
            if fragment.id is None:
                raise BadRequestData("the entity has no id")
        except Problem as problem:
            result.errors.append((entity_id, _first_of(call, entity_id, problem)))
        else:
            patches.append(operations.Patch(fragment.id, fragment, ld, document))
            said[entity_id] = said.get(entity_id, {}) | fragment.attrs
    if not is_local(call):
        patches = await share_patches(call, patches, result)
    await _write(call, patches, operations.merge_all, result)
    return _partial(result) if result.errors else Reply(_NO_CONTENT)


def _stored_after(call: Call, entity_id: str, said: dict[str, dict[str, list[Instance]]]) -> Stored:
    """What an entity has when earlier elements of the batch have been merged: `said` are their
    attributes by entity (§5.5.11.5)."""
    before = stored_of(call, entity_id)
    earlier = said.get(entity_id)
    if earlier is None:
        return before

    def stored(attr: str) -> Instance | None:
        for one in earlier.get(attr, ()):
            if one.value == NULL:
                return None
            if one.kind and one.value is not UNSET:
                return one
        return before(attr)

    return stored


def _first_of(call: Call, entity_id: str, problem: Problem) -> Problem:
    """That there is no such entity comes before what is wrong about its document (§5.6.17.4)."""
    if not isinstance(problem, BadRequestData) or not is_local(call):
        return problem
    named = entity_id != NULL and is_uri(entity_id)
    if not named or call.tenant.context.row(entity_id) is not None:
        return problem
    return ResourceNotFound(f"no entity {entity_id}")


async def delete_batch(call: Call) -> Reply:
    """Batch Entity Delete (§5.6.10): an array of entity ids."""
    media_type(call)
    ids = load_json(call.body)
    if not isinstance(ids, list) or not ids or not all(isinstance(one, str) for one in ids):
        raise BadRequestData("the body must be a non-empty array of entity ids")
    _bounded(call, ids)
    result = operations.BatchResult()
    good: list[str] = []
    for one in ids:
        if is_uri(one):
            good.append(one)
        else:
            result.errors.append((one, BadRequestData(f"{one[:100]!r} is not a URI")))
    if not is_local(call):
        good = await share_deletions(call, good, result)
    await _write(call, good, operations.delete_all, result)
    return _partial(result) if result.errors else Reply(_NO_CONTENT)


async def _unread(call: Call, result: operations.BatchResult) -> list[operations.Unread]:
    """The documents of a batch; those whose @context cannot be had go into the result's errors."""
    documents, media = await read_list(call)
    _bounded(call, documents)
    items: list[operations.Unread] = []
    for document in documents:
        name = _id_of(document)
        try:
            ld = await context_of(call, _object(document), media)
        except Problem as problem:
            result.errors.append((name, problem))
        else:
            items.append(operations.Unread(document, ld, name))
    return items


async def _items(
    call: Call, result: operations.BatchResult, *, need_type: bool = True
) -> list[operations.Item]:
    """The entities of a batch; those that cannot be read go into the result's errors."""
    documents, media = await read_list(call)
    _bounded(call, documents)
    items: list[operations.Item] = []
    pace = Pace(_PARSED_SECONDS)
    for document in documents:
        if pace.due():
            await pace.turn()
        try:
            ld = await context_of(call, _object(document), media)
            if need_type or "type" in document or "@type" in document:
                entity = parse_entity(document, ld, now=0)
            else:
                entity = _untyped(document, ld)
            items.append(operations.Item(entity, ld, document))
        except Problem as problem:
            entity_id = _id_of(document)
            first = problem if need_type else _first_of(call, entity_id, problem)
            result.errors.append((entity_id, first))
    return items


def _untyped(document: dict[str, Any], ld: Any) -> Any:
    """An update names the entity; its type may be left out."""
    fragment = parse_fragment(document, ld, now=0)
    if fragment.id is None:
        raise BadRequestData("the entity has no id")
    return operations.fragment_entity(fragment)


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise BadRequestData("each element of the array must be an entity")
    return document


def _id_of(document: Any) -> str:
    """The id that an error goes under, as it was sent; the NGSI-LD Null where that is no text."""
    found = document.get("id") or document.get("@id") if isinstance(document, dict) else None
    return found[:1000] if isinstance(found, str) else "urn:ngsi-ld:null"


def _bounded(call: Call, items: list[Any]) -> None:
    most = call.limits.max_batch
    if len(items) > most:
        raise BadRequestData(f"a batch of {len(items)}: at most {most} at once")


async def _write(
    call: Call, items: Sequence[T], verb: _Verb[T], result: operations.BatchResult
) -> None:
    """Write the entities of a batch, each of which succeeds or fails alone, in their order."""
    context = call.tenant.context
    first = 0
    while first < len(items):
        told = operations.BatchResult()
        # All changes of one request are told in one notification: then it is one job, in steps.
        if len(items) <= _JOB or context.watched:
            part = items[first:]
        else:
            part = items[first : first + _PART]
        run = verb if len(part) <= _JOB else partial(_steps, verb)
        try:
            await context.write(partial(_run, run, part, told))
        except Problem as problem:  # of the store: what was written before stays so
            if not first:
                raise
            result.errors += [(_name_of(one), problem) for one in items[first:]]
            return
        first += len(part)
        result.created += told.created
        result.updated += told.updated
        result.errors += told.errors


def _run(run: _Verb[T], part: Sequence[T], told: operations.BatchResult, txn: Any) -> object:
    return run(txn, part, told)


def _steps(
    verb: _Verb[T], txn: Any, items: Sequence[T], result: operations.BatchResult
) -> Iterator[None]:
    for first in range(0, len(items), _PART):
        verb(txn, items[first : first + _PART], result)
        yield


def _name_of(item: object) -> str:
    """The id that an error of one entity of a batch goes under."""
    if isinstance(item, operations.Item):
        return item.entity.id
    if isinstance(item, operations.Unread):
        return item.name
    return item.entity_id if isinstance(item, operations.Patch) else str(item)


def _partial(result: operations.BatchResult) -> Reply:
    return Reply(207, dumps(result.body()), JSON)


# Upsert is not in §5.5.10's list of what brings a tenant into being, but it creates what is not there.
ROUTES: Final = (
    Route("POST", "entityOperations/create", create_batch, "write", creates=True),
    Route("POST", "entityOperations/upsert", upsert_batch, "write", creates=True),
    Route("POST", "entityOperations/update", update_batch, "write"),
    Route("POST", "entityOperations/merge", merge_batch, "write"),
    Route("POST", "entityOperations/delete", delete_batch, "write"),
)
