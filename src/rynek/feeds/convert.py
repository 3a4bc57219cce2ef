"""Payloads → documents: decode and map with what a poll knows, in bounded batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import orjson

from rynek.base.clock import MICRO, parse_iso, to_iso
from rynek.base.daemons import start
from rynek.feeds.contract import Connector, Document, Situation
from rynek.feeds.kit.content import is_zip, zip_members
from rynek.feeds.transport import Payload

HEAD = 64 * 1024
_KNOWN_LIMIT = 500_000
_MAX_SHAPES = 256
_Shape = tuple[str, ...]
_AHEAD = 86_400 * MICRO
"""How far ahead of the tenant's clock a reading may be."""
_T = TypeVar("_T")


class Batch:
    """Some documents of one payload, the keys and hashes of their bytes; `same` counts
    what was left out because it did not change, `full` says that more may follow."""

    def __init__(
        self, documents: list[Document], keys: list[tuple[int, int]], *, full: bool
    ) -> None:
        self.documents = documents
        self.keys = keys
        self.same = 0
        self.full = full


class Known(dict[int, int]):
    """What a feed sent before: (id, part and attribute names) → the hash of its bytes.

    A document replaces what others said of the same attributes of its entity: with it, those with
    other names beside (`overlapping`) are no longer known. `ignored` are names of attributes that
    have the same value in all documents.
    """

    def __init__(self, ignored: Iterable[str] = ()) -> None:
        super().__init__()
        self._ignored = frozenset({"id", "type", *ignored})
        self._shapes: dict[_Shape, list[_Shape]] = {}

    def overlapping(self, shape: _Shape) -> Sequence[_Shape]:
        """Other shapes (part and names) met before that share an attribute with this one. Parts of
        one source, such as positions and delays, do not contradict each other."""
        found = self._shapes.get(shape)
        if found is None:
            if len(self._shapes) >= _MAX_SHAPES:
                self._shapes.clear()
                self.clear()
            own = frozenset(shape[1:]) - self._ignored
            found = [
                other
                for other in self._shapes
                if other[0] == shape[0] and not own.isdisjoint(other[1:])
            ]
            for other in found:
                self._shapes[other].append(shape)
            self._shapes[shape] = found
        return found


class Conversion:
    """One payload on its way; `batches` is pulled from a thread or from the loop.

    `known` is what was sent before: a document that is the same as in the last poll is counted and
    not sent.
    """

    def __init__(
        self, connector: Connector, payload: Payload, situation: Situation, known: Known
    ) -> None:
        self._connector, self._payload, self._situation = connector, payload, situation
        self._known = known
        self._documents: Iterator[Document] | None = None
        self.records = 0
        self.entities = 0
        self.bad = 0
        self.given_up = False
        """Set by whoever no longer waits: then a thread still at it stops with the next record."""
        self._newest = ""
        self._latest = to_iso(situation.now + _AHEAD)

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
        documents, keys, bad = [], [], self.bad
        for document in taken:
            self._note(document)
            key = hash((document["id"], self._payload.part, *document))
            try:
                digest = hash(orjson.dumps(document))
            except TypeError as error:
                # A number that no JSON of others can hold, a text that is no Unicode.
                self._bad(f"{document['id']}: {error}")
                continue
            documents.append(document)
            keys.append((key, digest))
        self.entities += len(taken) - (self.bad - bad)
        return Batch(documents, keys, full=len(taken) == size)

    def leave_out_same(self, batch: Batch) -> None:
        """Take out what is known to be written already, and forget what was known of the rest:
        until the batch is written nobody can say what is there."""
        known, kept = self._known, []
        fresh: dict[int, int] = {}  # the same entity may stand in one batch twice
        for document, (key, digest) in zip(batch.documents, batch.keys, strict=True):
            if fresh.get(key, known.get(key)) == digest:
                continue
            kept.append(document)
            for shape in known.overlapping((self._payload.part, *document)):
                other = hash((document["id"], *shape))
                known.pop(other, None)
                fresh.pop(other, None)
            known.pop(key, None)
            fresh[key] = digest
        batch.same = len(batch.documents) - len(kept)
        batch.documents, batch.keys = kept, list(fresh.items())

    def remember(self, batch: Batch) -> None:
        """The batch is written: the same bytes need not be sent again."""
        if len(self._known) < _KNOWN_LIMIT:
            self._known.update(batch.keys)

    def _all(self) -> Iterator[Document]:
        for record in self._connector.decode(self._payload.data, self._situation):
            if self.given_up:
                return
            self.records += 1
            try:
                made = list(self._connector.map(record, self._situation))
            except Exception as error:  # one record that nobody thought of stops no other
                self._bad(f"{type(error).__name__}: {error}: {record!r:.120}")
                continue
            yield from made

    def _bad(self, why: str) -> None:
        self.bad += 1
        self._situation.findings.add("bad-record", "warning", why)

    def _note(self, document: Document) -> None:
        """Remember the newest time; take out what is dated in the future: it would be the newest
        for ever, and no later reading could replace it."""
        ahead = []
        for name, attribute in document.items():
            for one in attribute if type(attribute) is list else (attribute,):
                observed = one.get("observedAt") if type(one) is dict else None
                if type(observed) is str and observed > self._newest:
                    if observed > self._latest:
                        ahead.append(name)
                        break
                    self._newest = observed
        for name in ahead:
            found = self._situation.findings
            found.add("time-in-future", "error", f"{document['id']}: {name}")
            del document[name]


class Threads:
    """The threads of one feed's conversions: one that never ended must not become many."""

    def __init__(self) -> None:
        self._running = 0

    @property
    def busy(self) -> bool:
        """Whether one is at work."""
        return self._running > 0

    async def run(self, work: Callable[[], _T], timeout: float) -> _T:
        """`in_thread`; TimeoutError at once while an earlier call is still at work."""
        if self._running:
            raise TimeoutError(
                "an earlier document is still being read: it is too large or crafted"
            )
        self._running += 1

        def counted() -> _T:
            try:
                return work()
            finally:
                self._running -= 1

        try:
            return await in_thread(counted, timeout=timeout)
        except TimeoutError:
            raise TimeoutError(f"a document was not read within {timeout:g} s") from None


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

    start(run)
    async with asyncio.timeout(timeout):
        return await answer
