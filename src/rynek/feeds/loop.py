"""The loop of one feed: fetch, decode, map, write, wait; it survives whatever a source does."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from rynek.base.clock import MICRO, Clock, SystemClock
from rynek.base.errors import Problem
from rynek.context import ReferenceStore
from rynek.feeds.contract import Connector, FeedConfig, Findings, Sink, Situation, WriteReport
from rynek.feeds.convert import Batch, Conversion, Known, Threads, unpacked
from rynek.feeds.health import FeedHealth, Vitals
from rynek.feeds.kit.content import PACKED
from rynek.feeds.kit.documents import provenance
from rynek.feeds.posts import Abreast
from rynek.feeds.rotation import Pseudonyms, Rotation
from rynek.feeds.transport import (
    FileSource,
    Payload,
    ReplaySource,
    Source,
    SourceError,
    WebhookSource,
)

BATCH = 500
MAX_REJECTED = 100
THREAD_ABOVE = 16 * 1024
MAX_WAIT = 900.0
MAIN_KEPT = 1024 * 1024
_FOLLOWED_TIMEOUTS = 8
"""Within how many timeouts all documents that follow from one must be there."""
_RESEND = 3600 * MICRO
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class _Poll:
    """What one poll brought; `abreast` are the posts that this one shares a commit with."""

    def __init__(self, abreast: Abreast | None = None) -> None:
        self.abreast = abreast
        self.findings = Findings()
        self.total = WriteReport()
        self.records = 0
        self.entities = 0
        self.newest: int | None = None

    def read(self, conversion: Conversion) -> None:
        """One document was converted to its end."""
        self.records += conversion.records
        self.entities += conversion.entities
        found = conversion.newest
        if found is not None and (self.newest is None or found > self.newest):
            self.newest = found

    def wrote(self, report: WriteReport) -> None:
        """One batch was written."""
        total = self.total
        total.created += report.created
        total.updated += report.updated
        total.observed += report.observed
        total.unchanged += report.unchanged
        if len(total.rejected) < MAX_REJECTED:
            total.rejected += report.rejected[:MAX_REJECTED]

    def refuse_garbage(self) -> None:
        """ValueError when nothing could be read and something is wrong: who posts must know."""
        wrong = [found for found in self.findings.all() if found.severity == "error"]
        if wrong and not self.records:
            example = f" ({wrong[0].example})" if wrong[0].example else ""
            raise ValueError(f"nothing in it could be read: {wrong[0].code}{example}")


class FeedLoop:
    """One configured feed at work."""

    def __init__(
        self,
        config: FeedConfig,
        connector: Connector,
        source: Source,
        sink: Sink,
        clock: Clock,
        reference: ReferenceStore | None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rotation: Rotation | None = None,
    ) -> None:
        if config.rotate_ids and rotation is None:
            raise ValueError(f"{config.name}: there is nothing here to rotate ids with")
        self.config = config
        self._rotation = rotation
        self._hidden: Pseudonyms | None = None
        self.source = source
        self._connector = connector
        self._sink = sink
        self._clock = clock
        self._machine = SystemClock()
        self._reference = reference
        self._sleep = sleep
        self._memory: dict[str, Any] = {}
        self._known = Known(provenance(config))
        self._threads = Threads()
        self._known_since = self._machine.now()
        self._main: Payload | None = None
        self._digests: dict[str, int] = {}
        self._failures = 0
        self.vitals = Vitals(config, self._machine.now)

    def health(self) -> FeedHealth:
        """The numbers as they are now."""
        health = self.vitals.snapshot(self._clock.now())
        if health.error is None and isinstance(self.source, ReplaySource) and self.source.idle:
            health.state = "ended"
        if isinstance(self.source, WebhookSource) and health.state == "starting":
            health.state = "waiting"
        return health

    def forget(self) -> None:
        """Drop everything remembered about earlier polls (a replay begins again)."""
        self._memory.clear()
        self._known.clear()
        self._digests.clear()
        self._main = None
        self.vitals.health.newest_reading = None

    async def run(self) -> None:
        """Until cancelled."""
        try:
            if not self.source.paced:
                # So that many feeds do not all ask in the same second after a start.
                await self._sleep(random.uniform(0, min(1.0, self.config.every / 4)))
            while True:
                wait = await self.poll()
                self.vitals.health.next_run = (
                    None if self.source.paced else self._machine.now() + int(wait * MICRO)
                )
                if wait:
                    await self._sleep(wait)
                else:
                    await asyncio.sleep(0)
        finally:
            await self.source.close()

    async def poll(self) -> float:
        """One poll; never raises. Answers how many seconds to wait for the next."""
        try:
            payloads = await self._fetch()
            if isinstance(self.source, WebhookSource):
                await self._posted(self.source, payloads)
                return 0.0
            self.vitals.attempt()
            report = await self._take(payloads)
        except Exception as error:
            return self._failed(error)
        self.source.confirm(report)
        self._succeeded()
        return 0.0 if self.source.paced else self.config.every * random.uniform(0.95, 1.05)

    async def _posted(self, source: WebhookSource, payloads: Sequence[Payload]) -> None:
        """Deal with bodies that came at about the same time: small ones side by side, so that they
        share a commit, others one after another; each sender learns of its own."""
        abreast = Abreast()
        for payload in payloads:
            if _aside(payload.data):
                await abreast.finished()
                await self._one_post(source, payload, None)
            else:
                abreast.begin(self._one_post(source, payload, abreast))
        await abreast.finished()
        source.confirm(WriteReport())

    async def _one_post(
        self, source: WebhookSource, payload: Payload, abreast: Abreast | None
    ) -> None:
        try:
            self.vitals.attempt()
            report = await self._take([payload], abreast)
        except Exception as error:
            source.settle(payload, error)
            self._note_failure(error)
        else:
            source.settle(payload, report)
            self._succeeded()

    def _succeeded(self) -> None:
        self._failures = 0
        if bad := self._bad_files():
            self._tell(bad)
        elif self.vitals.success():
            _log.info("feed works again", extra={"feed": self.config.name})

    async def _fetch(self) -> Sequence[Payload]:
        if self.source.paced:
            return await self.source.fetch()
        # The source has its own timeout; this one is for a source that forgets it.
        async with asyncio.timeout(self.config.timeout * 2 + 2):
            return await self.source.fetch()

    async def _take(
        self, payloads: Sequence[Payload], abreast: Abreast | None = None
    ) -> WriteReport:
        poll = _Poll(abreast)
        self._hide()
        for payload in payloads:
            await self._take_one(payload, poll)
        if not payloads and self._main is not None:
            await self._followed(self._main, poll)
        if self._hidden is not None:
            for finding in poll.findings.all():
                finding.example = ""  # it names vehicles
        if poll.records or poll.findings.all():
            self.vitals.contents(poll.records, poll.entities, poll.newest, poll.findings)
        if isinstance(self.source, WebhookSource):
            poll.refuse_garbage()
        return poll.total

    async def _take_one(self, payload: Payload, poll: _Poll) -> None:
        """Convert and write one payload; a file of the wrong kind holds up no other file."""
        files = self.source if isinstance(self.source, FileSource) else None
        try:
            for part in await self._aside(
                payload.data,
                partial(unpacked, payload, self._connector, self.config.max_bytes),
            ):
                if self._same_again(part):
                    poll.total.unchanged += self.vitals.health.entities
                    continue
                leads_on = await self._followed(part, poll)
                await self._convert(part, poll)
                # Of one that is the same again what follows from it is asked for all the same.
                self._main = part if leads_on or len(part.data) <= MAIN_KEPT else None
        except ValueError as error:
            if files is None:
                raise
            files.refuse(payload, error)
        else:
            if files is not None:
                files.done(payload)

    async def _followed(self, main: Payload, poll: _Poll) -> bool:
        """Read what follows from a document before it: catalogues that it refers to, further pages.
        Whether anything does."""
        situation = self._situation(main, poll)
        wanted = list(
            await self._aside(main.data, partial(self._connector.follow, main.data, situation))
        )
        if not wanted:
            return False
        async with asyncio.timeout(self.config.timeout * _FOLLOWED_TIMEOUTS):
            found = await self.source.more(wanted)
        for payload in found:
            await self._convert(payload, poll)
        return True

    def _situation(self, payload: Payload, poll: _Poll) -> Situation:
        return Situation(
            config=self.config,
            now=self._clock.now(),
            findings=poll.findings,
            memory=self._memory,
            reference=self._reference,
            part=payload.part,
            name=payload.name,
        )

    async def _convert(self, payload: Payload, poll: _Poll) -> None:
        conversion = Conversion(
            self._connector, payload, self._situation(payload, poll), self._fresh_known()
        )
        # Those of now, also when a period ends before all of it is written.
        hidden, digests = self._hidden, self._digests
        while (batch := await self._next(conversion, payload.data)) is not None:
            if poll.abreast is not None:
                await poll.abreast.turn([one["id"] for one in batch.documents], more=batch.full)
            conversion.leave_out_same(batch)
            report = WriteReport()
            if documents := batch.documents:
                digests.pop(payload.part, None)
                if hidden is not None:
                    documents = hidden.hide(documents, self.config)
                report = await self._sink.write(documents, f"feed:{self.config.name}")
                if not report.rejected:
                    conversion.remember(batch)
            report.unchanged += batch.same
            self.vitals.wrote(report)
            poll.wrote(report)
            await asyncio.sleep(0)
        digests[payload.part] = hash(payload.data)
        poll.read(conversion)

    def _same_again(self, payload: Payload) -> bool:
        """Whether a connector whose result depends on the bytes only gets the same bytes again."""
        timeless = getattr(self._connector, "timeless", False)
        return timeless and self._digests.get(payload.part) == hash(payload.data)

    async def _next(self, conversion: Conversion, data: bytes) -> Batch | None:
        try:
            return await self._aside(data, partial(conversion.next_batch, BATCH))
        except (TimeoutError, asyncio.CancelledError):
            conversion.given_up = True
            raise

    async def _aside(self, data: bytes, work: Callable[[], _T]) -> _T:
        """Do the work on a document, in a thread where it could hold up others."""
        if not _aside(data):
            return work()
        return await self._threads.run(work, max(30.0, self.config.timeout))

    def _hide(self) -> None:
        """Take the pseudonyms of now; with new ones everything is new. OSError."""
        if not self.config.rotate_ids or self._rotation is None:
            return
        found = self._rotation.at(self.config.rotate_ids, self._clock.now())
        if found is not self._hidden:
            self._hidden = found
            # New ones, not emptied ones: what is still on its way belongs to the period before.
            self._known = Known(provenance(self.config))
            self._digests = {}

    def _fresh_known(self) -> Known:
        """What was sent, forgotten every hour so that a changed store heals by itself."""
        # Not only above: the clock may have been set back by years.
        if not 0 <= self._machine.now() - self._known_since <= _RESEND:
            self._known.clear()
            self._digests.clear()
            self._known_since = self._machine.now()
        return self._known

    def _bad_files(self) -> str | None:
        """What is wrong with files of a watched folder that stay as they are."""
        return self.source.trouble() if isinstance(self.source, FileSource) else None

    def _tell(self, reason: str) -> None:
        """Show a failure, and log it when the poll before had none."""
        if self.vitals.failure(reason):
            _log.warning("feed fails", extra={"feed": self.config.name, "reason": reason})

    def _failed(self, error: Exception) -> float:
        self.source.reject(error)
        self._note_failure(error)
        return 0.0 if self.source.paced else back_off(self.config.every, self._failures)

    def _note_failure(self, error: Exception) -> None:
        self._failures += 1
        self._tell(reason_of(error))
        if not isinstance(error, (SourceError, ValueError, TimeoutError, Problem, OSError)):
            _log.debug("feed fails", exc_info=error, extra={"feed": self.config.name})


def _aside(data: bytes) -> bool:
    """Whether a document is read in a thread: a large one, or one that may unpack to one."""
    return len(data) > THREAD_ABOVE or data.startswith(PACKED)


def back_off(every: float, failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubling from `every`, at most 15 minutes
    (or `every`, if longer), give or take a fifth."""
    longest = max(every, MAX_WAIT)
    return min(longest, max(every, 1.0) * 2.0 ** min(failures - 1, 20)) * random.uniform(0.8, 1.2)


def reason_of(error: Exception) -> str:
    """What went wrong, in words."""
    if isinstance(error, TimeoutError):
        return str(error) or "it took too long"
    if isinstance(error, Problem):
        return f"{error.title}: {error.detail}" if error.detail else error.title
    if isinstance(error, (SourceError, ValueError)):
        return str(error)
    return f"{type(error).__name__}: {error}"


__all__ = ["FeedLoop", "back_off", "reason_of"]
