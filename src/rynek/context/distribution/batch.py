"""Batch operations over sources: each gets what it is registered for (CIM 009 §5.6.7 - §5.6.10,
§5.6.20)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from rynek.base.errors import BadGateway, OperationNotSupported, Problem, ResourceNotFound
from rynek.context.distribution.answer import Answer
from rynek.context.distribution.forward import Forwarder, Origin, Outbound
from rynek.context.distribution.provision import body_of, conflict_of, part_of_document, problem_of
from rynek.context.distribution.split import Part, Plan, split, split_whole
from rynek.context.jsonld import CompiledContext
from rynek.context.operations import BatchResult
from rynek.context.registrations import Match, Registration

__all__ = ["LADDERS", "Entry", "Ladder", "send_batch"]

_WINDOW: Final = 32


class Ladder(msgspec.Struct, frozen=True):
    """How a batch operation may be put to a source: as a whole (`batch`, at the URL `path`), or
    for each entity by the `single` operations in this order. `create` is tried first where the
    source takes it, and `single` where the entity then exists already (upsert)."""

    batch: str
    path: str
    single: tuple[str, ...]
    create: bool = False
    options: str | None = None

    def takes(self, source: Registration) -> bool:
        """Whether a source takes the operation in one way or another."""
        return (
            source.supports(self.batch)
            or (self.create and source.supports("createEntity"))
            or any(source.supports(one) for one in self.single)
        )


LADDERS: Final[dict[str, Ladder]] = {
    "create": Ladder("createBatch", "create", ("createEntity",)),
    "upsert": Ladder("upsertBatch", "upsert", ("replaceEntity",), create=True),
    "upsert:update": Ladder(
        "upsertBatch", "upsert", ("updateEntity",), create=True, options="update"
    ),
    "update": Ladder("updateBatch", "update", ("updateEntity",)),
    "update:noOverwrite": Ladder("updateBatch", "update", ("appendAttrs",), options="noOverwrite"),
    "merge": Ladder("mergeBatch", "merge", ("mergeEntity",)),
    "delete": Ladder("deleteBatch", "delete", ("deleteEntity",)),
}


class Entry(msgspec.Struct, frozen=True):
    """One entity of a batch: its attributes (IRIs; None for a deletion), the document as it came
    with its @context, and who could take part of it. `held` says whether it is here already."""

    entity_id: str
    attrs: tuple[str, ...] | None
    matches: Sequence[Match]
    held: bool
    document: dict[str, Any] | None = None
    ld: CompiledContext | None = None


async def send_batch(
    forwarder: Forwarder,
    origin: Origin,
    ladder: Ladder,
    entries: Sequence[Entry],
    result: BatchResult,
) -> list[tuple[str, ...] | None]:
    """Send to every source what it is to do and add what became of it to `result`. For each entry
    the attributes that remain to be written here; None for an entity of which nothing does."""
    plans = [_plan(entry, ladder) for entry in entries]
    shares: dict[str, list[tuple[Entry, Part]]] = {}
    for entry, plan in zip(entries, plans, strict=True):
        for part in plan.parts:
            shares.setdefault(part.source.id, []).append((entry, part))
    await asyncio.gather(
        *(_Share(forwarder, origin, ladder, share, result).send() for share in shares.values())
    )
    return [
        _remaining(entry, plan, ladder, result) for entry, plan in zip(entries, plans, strict=True)
    ]


def _plan(entry: Entry, ladder: Ladder) -> Plan:
    if entry.attrs is None:
        return split_whole(entry.matches, ladder.takes)
    return split(entry.matches, entry.attrs, ladder.takes)


def _remaining(
    entry: Entry, plan: Plan, ladder: Ladder, result: BatchResult
) -> tuple[str, ...] | None:
    if not plan.here:
        return None
    local = plan.local if plan.local is not None else ()
    if not plan.parts or entry.held or ladder.path in {"create", "upsert"}:
        return local
    taken = {attr for part in plan.parts for attr in part.attrs or ()}
    left = [attr for attr in local if attr not in taken]
    if left:
        problem = ResourceNotFound(f"{entry.entity_id} is not held here; not written: {left[0]}")
        result.errors.append((entry.entity_id, problem))
    return None


class _Share:
    """What one source gets of a batch."""

    def __init__(
        self,
        forwarder: Forwarder,
        origin: Origin,
        ladder: Ladder,
        share: Sequence[tuple[Entry, Part]],
        result: BatchResult,
    ) -> None:
        self._forwarder = forwarder
        self._origin = origin
        self._ladder = ladder
        self._share = share
        self._source = share[0][1].source
        self._result = result

    async def send(self) -> None:
        """As a whole where the source takes batches, else entity by entity."""
        if not self._ladder.takes(self._source):
            problem = conflict_of(self._source.id, self._source.mode)
            for entry, _ in self._share:
                self._result.errors.append((entry.entity_id, problem))
        elif self._source.supports(self._ladder.batch):
            groups: dict[int, list[tuple[Entry, Part]]] = {}
            for one in self._share:
                groups.setdefault(id(one[0].ld), []).append(one)
            for group in groups.values():
                await self._whole(group)
        else:
            for first in range(0, len(self._share), _WINDOW):
                some = self._share[first : first + _WINDOW]
                await asyncio.gather(*(self._single(entry, part) for entry, part in some))

    async def _whole(self, group: Sequence[tuple[Entry, Part]]) -> None:
        ladder = self._ladder
        ids = [entry.entity_id for entry, _ in group]
        ld = group[0][0].ld
        request = Outbound(
            "POST",
            ("entityOperations", ladder.path),
            {"options": ladder.options} if ladder.options else {},
            ids if ld is None else [_document(entry, part) for entry, part in group],
            kind="plain" if ld is None else "entities",
        )
        answer = await self._forwarder.ask(self._source, request, self._origin_for(ld))
        self._take(answer, ids)

    def _take(self, answer: Answer, ids: Sequence[str]) -> None:
        if not answer.ok:
            problem = problem_of(answer)
            self._result.errors += [(one, problem) for one in ids]
            return
        body = body_of(answer)
        done = set(ids)
        if answer.status == 207 and isinstance(body, dict):
            failed = _errors(body, self._source.id)
            self._result.errors += failed
            told = body.get("success")
            mine = set(told) if isinstance(told, list) else done - {one for one, _ in failed}
            self._result.updated += [one for one in ids if one in mine]
        elif answer.status == 201 and isinstance(body, list):
            made = {one for one in body if isinstance(one, str)}
            self._result.created += [one for one in ids if one in made]
            self._result.updated += [one for one in ids if one not in made]
        elif self._ladder.path == "create":
            self._result.created += ids
        else:
            self._result.updated += ids

    async def _single(self, entry: Entry, part: Part) -> None:
        """One entity by itself: created where that is asked for, else by what the source takes."""
        source, ladder = self._source, self._ladder
        made = ladder.path == "create"
        if ladder.create and source.supports("createEntity"):
            answer = await self._ask("createEntity", entry, part)
            if answer.status != 409:
                self._note(entry, answer, created=True)
                return
        operation = next((one for one in ladder.single if source.supports(one)), None)
        if operation is None:
            problem: Problem = OperationNotSupported(f"{source.id}: exists there, and stays as is")
            problem.registration_id = source.id
            self._result.errors.append((entry.entity_id, problem))
            return
        self._note(entry, await self._ask(operation, entry, part), created=made)

    async def _ask(self, operation: str, entry: Entry, part: Part) -> Answer:
        method, path = _SINGLES[operation]
        document = None if entry.document is None else _document(entry, part)
        params = {"options": "noOverwrite"} if operation == "appendAttrs" else {}
        request = Outbound(
            method,
            tuple(entry.entity_id if one == "*" else one for one in path),
            params,
            document,
        )
        return await self._forwarder.ask(self._source, request, self._origin_for(entry.ld))

    def _note(self, entry: Entry, answer: Answer, *, created: bool) -> None:
        if not answer.ok:
            self._result.errors.append((entry.entity_id, problem_of(answer)))
            return
        if answer.status == 207:
            detail = f"{self._source.id}: did some of it only"
            problem: Problem = BadGateway(detail)
            problem.registration_id = self._source.id
            self._result.errors.append((entry.entity_id, problem))
        (self._result.created if created else self._result.updated).append(entry.entity_id)

    def _origin_for(self, ld: CompiledContext | None) -> Origin:
        return self._origin if ld is None else Origin(self._origin.headers, ld)


_SINGLES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "createEntity": ("POST", ("entities",)),
    "replaceEntity": ("PUT", ("entities", "*")),
    "updateEntity": ("PATCH", ("entities", "*", "attrs")),
    "appendAttrs": ("POST", ("entities", "*", "attrs")),
    "mergeEntity": ("PATCH", ("entities", "*")),
    "deleteEntity": ("DELETE", ("entities", "*")),
}


def _document(entry: Entry, part: Part) -> dict[str, Any]:
    assert entry.document is not None and entry.ld is not None
    return part_of_document(entry.document, entry.ld, part.attrs, part.types)


def _errors(body: dict[str, Any], source_id: str) -> list[tuple[str, Problem]]:
    """The errors of a source's BatchOperationResult (§5.2.16) as ours."""
    found: list[tuple[str, Problem]] = []
    given = body.get("errors")
    for one in given if isinstance(given, list) else ():
        if not isinstance(one, dict):
            continue
        told = one.get("error")
        found.append((str(one.get("entityId"))[:2048], _Relayed(told, source_id)))
    return found


class _Relayed(Problem):
    """An error that a source told of one entity of a batch, passed on."""

    def __init__(self, told: Any, source_id: str) -> None:
        document = told if isinstance(told, dict) else {}
        super().__init__(
            str(document.get("detail") or "it failed there")[:500],
            title=str(document.get("title") or "A context source failed")[:200],
        )
        kind = document.get("type")
        self._kind = kind if isinstance(kind, str) else BadGateway().type
        status = document.get("status")
        self.status = status if isinstance(status, int) else BadGateway.status
        self.registration_id = source_id

    @property
    def type(self) -> str:
        """The problem type that the source gave."""
        return self._kind
