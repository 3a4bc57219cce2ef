"""Payloads → documents: decode and map with what a poll knows, in bounded batches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import orjson

from rynek.base.clock import parse_iso
from rynek.feeds.contract import Connector, Document, Situation
from rynek.feeds.kit.content import is_zip, zip_members
from rynek.feeds.transport import Payload

HEAD = 64 * 1024
_KNOWN_LIMIT = 500_000
_T = TypeVar("_T")


class Batch:
    """Some documents of one payload, and what was left out because it did not change."""

    def __init__(self, documents: list[Document], keys: list[tuple[int, int]], same: int) -> None:
        self.documents = documents
        self.keys = keys
        self.same = same


class Conversion:
    """One payload on its way; `batches` is pulled from a thread or from the loop.

    `known` maps what was sent before (id, part and attribute names) to the hash of its bytes, so
    that a document that is the same as in the last poll is counted and not sent.
    """

    def __init__(
        self, connector: Connector, payload: Payload, situation: Situation, known: dict[int, int]
    ) -> None:
        self._connector, self._payload, self._situation = connector, payload, situation
        self._known = known
        self._documents: Iterator[Document] | None = None
        self.records = 0
        self.entities = 0
        self._newest = ""

    @property
    def newest(self) -> int | None:
        """The highest observedAt so far, in epoch microseconds."""
        try:
            return parse_iso(self._newest) if self._newest else None
        except ValueError:
            return None

    def next_batch(self, size: int) -> Batch | None:
        """Up to `size` documents looked at; None at the end. ValueError for unusable bytes."""
        if self._documents is None:
            self._documents = self._all()
        taken = list(islice(self._documents, size))
        if not taken:
            return None
        self.entities += len(taken)
        kept, keys = [], []
        for document in taken:
            key = hash((document["id"], self._payload.part, *document))
            digest = hash(orjson.dumps(document))
            self._note(document)
            if self._known.get(key) != digest:
                kept.append(document)
                keys.append((key, digest))
        return Batch(kept, keys, len(taken) - len(kept))

    def remember(self, batch: Batch) -> None:
        """The batch is written: the same bytes need not be sent again."""
        if len(self._known) < _KNOWN_LIMIT:
            self._known.update(batch.keys)

    def _all(self) -> Iterator[Document]:
        for record in self._connector.decode(self._payload.data, self._situation):
            self.records += 1
            yield from self._connector.map(record, self._situation)

    def _note(self, document: Document) -> None:
        for attribute in document.values():
            if type(attribute) is dict:
                observed = attribute.get("observedAt")
                if observed is not None and observed > self._newest:
                    self._newest = observed


def unpacked(payload: Payload, connector: Connector, max_bytes: int) -> Iterable[Payload]:
    """The payload, or the readable members of a zip whose connector does not read zips itself."""
    data = payload.data
    if not is_zip(data) or connector.sniff(data[:HEAD], payload.name) > 0.2:
        return [payload]
    members = zip_members(data, max_bytes)
    return [
        Payload(content, payload.part, name, payload.at)
        for name, content in sorted(members.items())
        if len(members) == 1 or connector.sniff(content[:HEAD], name) > 0.2
    ]


async def in_thread(work: Callable[..., _T], *args: Any, timeout: float) -> _T:
    """Run `work` in a thread of its own and wait at most `timeout` seconds (then TimeoutError).

    The thread is a daemon: work that never ends holds up neither other feeds nor the exit.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_T] = loop.create_future()

    def settle(result: _T | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: _T | None = None
        failure: BaseException | None = None
        try:
            result = work(*args)
        except BaseException as error:
            failure = error
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            return  # the loop is gone; nobody waits any more

    threading.Thread(target=run, name="feed", daemon=True).start()
    async with asyncio.timeout(timeout):
        return await answer
