"""The change stream of a tenant for other programs: JSON, JSON lines, server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

import msgspec

from rynek.base.clock import to_iso
from rynek.base.errors import BadRequestData
from rynek.context import Change, CompiledContext, render_attribute
from rynek.web.live_stream import GONE, HEARTBEAT_S, event

MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 100
MAX_WAIT_S: Final = 30.0
MAX_STREAMS: Final = 200
# One answer ends here, however many changes were asked for: values may be large.
MAX_BYTES: Final = 8 * 1024 * 1024
_STEP: Final = 200
_BEAT: Final = b": beat\n\n"


class Asked(msgspec.Struct, frozen=True):
    """What a client wants: changes above `after` (None: the newest), at most `limit`, with values
    or without, waiting up to `wait` seconds for the first."""

    after: int | None
    limit: int
    values: bool
    wait: float


def asked(query: dict[str, str], last_event_id: str | None = None) -> Asked:
    """after, limit, values, wait and the header Last-Event-ID; BadRequestData names the one that
    is wrong."""
    after = last_event_id or query.get("after")
    if query.get("values", "false") not in ("true", "false"):
        raise BadRequestData("values is true or false")
    return Asked(
        after=None if after is None else _whole("after", after, 1 << 62),
        limit=max(1, _whole("limit", query.get("limit", str(DEFAULT_LIMIT)), MAX_LIMIT)),
        values=query.get("values") == "true",
        wait=float(_whole("wait", query.get("wait", "0"), int(MAX_WAIT_S))),
    )


def _whole(name: str, text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > most:
        raise BadRequestData(f"{name} is a whole number from 0 to {most}, not {text[:40]!r}")
    return int(text)


def told(change: Change, ld: CompiledContext, *, values: bool) -> dict[str, Any]:
    """One change in short names: what was written, by whom, which attributes; with `values` the
    instances that were set, normalized."""
    document: dict[str, Any] = {
        "seq": change.seq,
        "at": to_iso(change.at),
        "op": change.op,
        "id": change.entity_id,
        "type": [_short(one, ld) for one in change.types],
        "source": change.source or "api",
    }
    if values:
        document["attributes"] = {
            _short(iri, ld): render_attribute(instances, ld)
            for iri, instances in change.attrs.items()
        }
    else:
        document["attributes"] = [_short(iri, ld) for iri in change.attrs]
    if change.deleted:
        document["deleted"] = [
            {"attribute": _short(iri, ld)} | ({"datasetId": dataset} if dataset else {})
            for iri, dataset in change.deleted
        ]
    return document


def _short(iri: str, ld: CompiledContext) -> str:
    try:
        return ld.compact_iri(iri)
    except BadRequestData:
        return iri  # the @context takes it for a prefixed name


class Stream:
    """The change log of one tenant, read by cursor."""

    def __init__(self, log: Any, ld: CompiledContext) -> None:
        self._log = log
        self._ld = ld

    async def page(self, wanted: Asked) -> tuple[list[dict[str, Any]], int]:
        """Changes in order, and the number to go on from."""
        after = self._start(wanted)
        if wanted.wait and self._log.head() <= after:
            await self._log.wait(after, wanted.wait)
        found: list[dict[str, Any]] = []
        size = 0
        while len(found) < wanted.limit and size < MAX_BYTES:
            changes = self._log.read(after, min(_STEP, wanted.limit - len(found)))
            if not changes:
                break
            for change in changes:
                after = change.seq
                found.append(told(change, self._ld, values=wanted.values))
                size += 0 if not wanted.values else len(msgspec.json.encode(found[-1]))
                if size >= MAX_BYTES:
                    break
            await asyncio.sleep(0)
        return found, after

    def _start(self, wanted: Asked) -> int:
        if wanted.after is None:
            return max(0, int(self._log.head()) - wanted.limit)
        return min(wanted.after, int(self._log.head()))

    async def document(self, wanted: Asked) -> dict[str, Any]:
        """The page as one object: `next` is the cursor to go on from; `missed` says that changes
        right after the cursor are no longer kept."""
        oldest = int(self._log.oldest())
        found, after = await self.page(wanted)
        return {
            "changes": found,
            "next": after,
            "newest": int(self._log.head()),
            "oldest": oldest,
            "missed": wanted.after is not None and wanted.after + 1 < oldest,
        }

    async def follow(self, wanted: Asked, stopping: asyncio.Event) -> AsyncIterator[bytes]:
        """Events as they come, until `stopping` is set or the client leaves; the id of each is its
        number, by which a client goes on after a break. The event `missed` (`after`, `oldest`)
        says that changes in between are no longer kept."""
        after = self._log.head() if wanted.after is None else self._start(wanted)
        yield b"retry: 3000\n\n"
        ended = asyncio.ensure_future(stopping.wait())
        waiting: asyncio.Future[int] | None = None
        try:
            while not stopping.is_set():
                changes = self._log.read(after, _STEP)
                oldest = self._lost(after, changes)
                if oldest is not None:
                    data = msgspec.json.encode({"after": after, "oldest": oldest})
                    yield event("missed", data, oldest - 1)
                    after = oldest - 1
                if changes:
                    after = changes[-1].seq
                    yield b"".join(self._events(changes, values=wanted.values))
                    continue
                waiting = asyncio.ensure_future(self._log.wait(after, HEARTBEAT_S))
                await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
                if waiting.done() and waiting.result() <= after:
                    yield _BEAT
            yield GONE
        finally:
            ended.cancel()
            if waiting is not None:
                waiting.cancel()

    def _lost(self, after: int, changes: Sequence[Change]) -> int | None:
        """The oldest change that is kept, where `changes` do not go on right after `after`."""
        first = changes[0].seq if changes else int(self._log.head()) + 1
        if first == after + 1:
            return None
        oldest = int(self._log.oldest())
        return oldest if oldest > after + 1 else None

    def _events(self, changes: Iterable[Change], *, values: bool) -> Iterable[bytes]:
        for change in changes:
            data = msgspec.json.encode(told(change, self._ld, values=values))
            yield event("change", data, change.seq)
