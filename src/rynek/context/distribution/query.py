"""Query Entities over several sources (CIM 009 §5.7.2.4, §4.3.6.7)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

import msgspec

from rynek.base.errors import TooManyResults
from rynek.base.typed import decoder
from rynek.context.distribution.answer import Answer
from rynek.context.distribution.forward import Outbound
from rynek.context.distribution.merge import merge, supplement, undecided
from rynek.context.distribution.read import (
    InvalidAnswer,
    RemoteEntity,
    read_entities,
    words_of,
)
from rynek.context.distribution.reading import Asked, Reader, held_elsewhere, with_times
from rynek.context.formats import decode
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity
from rynek.context.query import Query
from rynek.context.registrations import Match
from rynek.context.store.contract import Page, Row

__all__ = [
    "Found",
    "Inquiry",
    "SelectLocal",
    "all_local",
    "all_remote",
    "by_id",
    "query",
    "query_split",
]

_AT_ONCE: Final = 1000
_STEP: Final = 500


class SelectLocal(Protocol):
    """A page of what is held here."""

    def __call__(self, query: Query, *, limit: int, offset: int, count: bool) -> Awaitable[Page]:
        """Rows that match, in a stable order."""
        ...


class Inquiry(msgspec.Struct, frozen=True):
    """A query over sources: `query` selects here, `asked` says what each source is asked besides
    paging. `limit` entities from `offset` are wanted, `limited` where the client said how many."""

    query: Query
    asked: list[Asked]
    limit: int
    offset: int = 0
    count: bool = False
    limited: bool = True
    sys_attrs: bool = False


class Found(msgspec.Struct):
    """One page; `count` only where it was asked for."""

    entities: list[Entity]
    count: int | None = None
    more: bool = False


class Piece(msgspec.Struct, frozen=True):
    """What one source has of an entity, not read yet: a row of ours, or bytes of an answer."""

    row: Row | None = None
    remote: RemoteEntity | None = None
    asked: Asked | None = None
    answer: Answer | None = None
    ld: CompiledContext | None = None


class Listed(msgspec.Struct, frozen=True):
    """A source's part of the result: what it sent, how much there is, and whether there is more."""

    pieces: list[tuple[str, Piece]]
    total: int
    more: bool


async def query(reader: Reader, inquiry: Inquiry, select: SelectLocal) -> Found:
    """A page of the union of what we and the sources have, all of whose entities are whole: ours
    first, then each source's in the order of registration; an entity that several have is merged
    and stands where it came first (§4.5.5)."""
    if inquiry.offset + inquiry.limit > _AT_ONCE:
        return await _deep(reader, inquiry, select)
    wanted = inquiry.offset + inquiry.limit
    local = await _local(inquiry, select, wanted, 0, count=inquiry.count)
    paging = _paging(inquiry, wanted)
    listed = [local, *await _list(reader, inquiry.asked, [paging] * len(inquiry.asked))]
    pieces, doubles = by_id(listed)
    ids = list(pieces)
    shown = ids[inquiry.offset : wanted]
    entities = await _assembled(reader, inquiry, [pieces[one] for one in shown])
    total = sum(one.total for one in listed) - doubles
    more = len(ids) > wanted or any(one.more for one in listed)
    return Found(entities, total if inquiry.count else None, more)


async def query_split(
    reader: Reader, inquiry: Inquiry, filters: Query, select: SelectLocal, most: int
) -> Found:
    """A page where parts of one entity may be held by different sources: all candidates are
    collected and assembled before `filters` are applied (§4.3.6.7). TooManyResults beyond `most`
    candidates of one source."""
    listed = [await all_local(inquiry, select, most)]
    listed += await all_remote(reader, inquiry, most)
    pieces, _ = by_id(listed)
    entities = await _assembled(reader, inquiry, list(pieces.values()))
    matching = [entity for entity in entities if filters.matches(entity)]
    end = inquiry.offset + inquiry.limit
    return Found(
        matching[inquiry.offset : end],
        len(matching) if inquiry.count else None,
        len(matching) > end,
    )


def _paging(inquiry: Inquiry, wanted: int, offset: int = 0) -> dict[str, str]:
    """Paging parameters of a request; as few as will do."""
    params: dict[str, str] = {}
    if inquiry.limited or inquiry.offset:
        params["limit"] = str(wanted)
    if offset:
        params["offset"] = str(offset)
    if inquiry.count:
        params["count"] = "true"
    return params


async def _local(
    inquiry: Inquiry, select: SelectLocal, limit: int, offset: int, *, count: bool
) -> Listed:
    page = await select(inquiry.query, limit=limit, offset=offset, count=count)
    pieces = [("", Piece(row=row)) for row in page.rows]
    return Listed(pieces, page.count or 0, page.more)


async def _list(
    reader: Reader, asked: Sequence[Asked], paging: Sequence[dict[str, str]]
) -> list[Listed]:
    """What each source answers to its request with these paging parameters."""
    paged = [
        Asked(one.match, msgspec.structs.replace(one.request, params=one.request.params | extra))
        for one, extra in zip(asked, paging, strict=True)
    ]
    listed = []
    for one, extra, answer in zip(paged, paging, await reader.ask(paged), strict=True):
        listed.append(await _listed(reader, one, extra, answer))
    return listed


async def _listed(reader: Reader, asked: Asked, paging: dict[str, str], answer: Answer) -> Listed:
    if not answer.ok:
        return Listed([], 0, more=False)
    try:
        remotes = read_entities(answer.body)
        ld = await words_of(answer, reader.resolve)
    except InvalidAnswer as error:
        reader.invalid(answer, error)
        return Listed([], 0, more=False)
    pieces = [(one.id, Piece(None, one, asked, answer, ld)) for one in remotes]
    told = answer.headers.get("ngsild-results-count", "")
    total = int(told) if told.isascii() and told.isdigit() else len(remotes)
    more = 'rel="next"' in answer.headers.get("link", "")
    more = more or total > int(paging.get("offset", 0)) + len(remotes)
    return Listed(pieces, total, more)


def by_id(listed: Sequence[Listed]) -> tuple[dict[str, list[Piece]], int]:
    """The pieces of each entity, in the order in which entities came first (auxiliary ones after
    all others), and how many pieces were of one that had come before."""
    found: dict[str, list[Piece]] = {}
    doubles = 0
    late: list[tuple[str, Piece]] = []
    for one in listed:
        for entity_id, piece in one.pieces:
            if piece.asked is not None and piece.asked.auxiliary:
                late.append((entity_id, piece))
                continue
            key = entity_id or _row_id(piece)
            doubles += key in found
            found.setdefault(key, []).append(piece)
    for entity_id, piece in late:
        doubles += entity_id in found
        found.setdefault(entity_id, []).append(piece)
    return found, doubles


class _Head(msgspec.Struct):
    id: str


_head: Final = decoder(_Head).decode


def _row_id(piece: Piece) -> str:
    assert piece.row is not None
    return _head(piece.row.body).id


async def _assembled(
    reader: Reader, inquiry: Inquiry, pieces: Sequence[Sequence[Piece]]
) -> list[Entity]:
    """Whole entities out of pieces; those that turn out to be nothing are left out."""
    matches = [one.match for one in inquiry.asked]
    proxied = [match for match in matches if match.registration.proxied]
    found: list[Entity] = []
    for some in pieces:
        entity = await _whole(reader, inquiry, proxied, some)
        if entity is not None:
            found.append(entity)
    return found


async def _whole(
    reader: Reader, inquiry: Inquiry, proxied: Sequence[Match], pieces: Sequence[Piece]
) -> Entity | None:
    parts: list[Entity] = []
    extras: list[Entity] = []
    for piece in pieces:
        entity = await _read(reader, piece, proxied)
        if entity is None:
            continue
        extra = piece.asked is not None and piece.asked.auxiliary
        (extras if extra else parts).append(entity)
    if len(parts) > 1 and not inquiry.sys_attrs and undecided(parts, reader.now):
        parts = await _with_times(reader, pieces, parts, proxied)
    return supplement(merge(parts, reader.now) if parts else None, extras, reader.now)


async def _read(reader: Reader, piece: Piece, proxied: Sequence[Match]) -> Entity | None:
    if piece.row is not None:
        row = piece.row
        return held_elsewhere(proxied, decode(row.body, row.times, row.ctx))
    assert piece.remote is not None and piece.answer is not None
    assert piece.asked is not None and piece.ld is not None
    return await reader.entity(piece.remote, piece.answer, piece.asked.match, piece.ld)


async def _with_times(
    reader: Reader, pieces: Sequence[Piece], parts: list[Entity], proxied: Sequence[Match]
) -> list[Entity]:
    """The parts of one entity again, with the times that decide between them."""
    again: list[Entity] = []
    asked: list[Asked] = []
    for piece in pieces:
        if piece.row is not None:
            entity = await _read(reader, piece, proxied)
            again += [entity] if entity is not None else []
        elif piece.asked is not None and not piece.asked.auxiliary:
            params = with_times({
                name: value for name, value in piece.asked.request.params.items()
                if name in {"type", "attrs", "datasetId"}
            }) | {"id": parts[0].id}  # fmt: skip
            asked.append(Asked(piece.asked.match, Outbound("GET", ("entities",), params)))
    for one in await _list(reader, asked, [{}] * len(asked)):
        for _, piece in one.pieces:
            entity = await _read(reader, piece, proxied)
            if entity is not None and entity.id == parts[0].id:
                again.append(entity)
    return again or parts


async def _deep(reader: Reader, inquiry: Inquiry, select: SelectLocal) -> Found:
    """A page far behind: first how many each has, then just those entities from just those
    sources whose share the page lies in."""
    counted = {"limit": "0", "count": "true"}
    page = await select(inquiry.query, limit=0, offset=0, count=True)
    sizes = await _list(reader, inquiry.asked, [counted] * len(inquiry.asked))
    totals = [page.count or 0, *(one.total for one in sizes)]
    shares = _shares(totals, inquiry.offset, inquiry.limit)
    listed: list[Listed] = []
    if shares[0] is not None:
        start, size = shares[0]
        listed.append(await _local(inquiry, select, size, start, count=False))
    wanted = [(one, share) for one, share in zip(inquiry.asked, shares[1:], strict=True) if share]
    paging = [{"limit": str(size), "offset": str(start)} for _, (start, size) in wanted]
    listed += await _list(reader, [one for one, _ in wanted], paging)
    pieces, _ = by_id(listed)
    entities = await _assembled(reader, inquiry, list(pieces.values()))
    total = sum(totals)
    more = inquiry.offset + inquiry.limit < total
    return Found(entities, total if inquiry.count else None, more)


def _shares(totals: Sequence[int], offset: int, limit: int) -> list[tuple[int, int] | None]:
    """For each source where its share of the page begins and how long it is; None for nothing."""
    shares: list[tuple[int, int] | None] = []
    before = 0
    for total in totals:
        start = max(offset - before, 0)
        end = min(offset + limit - before, total)
        shares.append((start, end - start) if end > start else None)
        before += total
    return shares


async def all_local(inquiry: Inquiry, select: SelectLocal, most: int) -> Listed:
    """Everything that is held here; TooManyResults beyond `most`."""
    pieces: list[tuple[str, Piece]] = []
    while True:
        page = await _local(inquiry, select, _STEP, len(pieces), count=False)
        pieces += page.pieces
        if not page.more:
            return Listed(pieces, len(pieces), more=False)
        if len(pieces) >= most:
            raise _too_many("this tenant", most)


async def all_remote(reader: Reader, inquiry: Inquiry, most: int) -> list[Listed]:
    """Everything that every source has, page after page, all sources at a time; TooManyResults
    beyond `most` of one."""
    found: list[list[tuple[str, Piece]]] = [[] for _ in inquiry.asked]
    open_ = list(range(len(inquiry.asked)))
    while open_:
        paging = [{"limit": str(_STEP), "offset": str(len(found[i]))} if found[i] else {}
                  for i in open_]  # fmt: skip
        pages = await _list(reader, [inquiry.asked[i] for i in open_], paging)
        further = []
        for i, page in zip(open_, pages, strict=True):
            found[i] += page.pieces
            if page.more and page.pieces:
                if len(found[i]) >= most:
                    raise _too_many(inquiry.asked[i].match.registration.id, most)
                further.append(i)
        open_ = further
    return [Listed(pieces, len(pieces), more=False) for pieces in found]


def _too_many(who: str, most: int) -> TooManyResults:
    return TooManyResults(
        f"{who} has more than {most} candidates: with split entities all of them have to be"
        " assembled before they are filtered; narrow type, id or idPattern"
    )
