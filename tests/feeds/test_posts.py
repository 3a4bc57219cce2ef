"""Bodies that are posted at the same time: nothing is lost, and the last one counts."""

from __future__ import annotations

import asyncio
import io
import threading
import zipfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import orjson
from tests.feeds.support import MemorySink

from rynek.base.clock import SystemClock
from rynek.feeds import Document, FeedConfig, WriteReport, kind_of
from rynek.feeds.loop import FeedLoop
from rynek.feeds.transport import Payload, WebhookSource


class GatheringSink(MemorySink):
    """Counts how many writes are under way at once; the first of several may be the slowest."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way = 0
        self.most = 0
        self.slow: str | None = None
        self.refuse: str | None = None

    async def write(self, documents: Sequence[Document], source: str) -> WriteReport:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            for _ in range(20 if self.slow and self.slow in str(documents) else 3):
                await asyncio.sleep(0)
            if self.refuse and self.refuse in str(documents):
                good = [one for one in documents if self.refuse not in str(one)]
                report = await super().write(good, source)
                report.rejected.append((self.refuse, "refused"))
                return report
            return await super().write(documents, source)
        finally:
            self.under_way -= 1

    def state(self, number: int) -> Any:
        return self.entities[f"urn:x:{number}"]["p"]["value"]


def body(**states: Any) -> bytes:
    """_1="open" is the state of urn:x:1."""
    return orjson.dumps([one(name[1:], value) for name, value in states.items()])


def one(number: Any, value: Any) -> Document:
    return {"id": f"urn:x:{number}", "type": "T", "p": {"type": "Property", "value": value}}


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.json", content)
    return file.getvalue()


Test = Callable[[WebhookSource, GatheringSink, FeedLoop], Awaitable[None]]


def with_feed(test: Test) -> None:
    config = FeedConfig(name="x", kind="ngsild", source="webhook:")

    async def work() -> None:
        source, sink = WebhookSource(config), GatheringSink()
        feed = FeedLoop(config, kind_of("ngsild").connector, source, sink, SystemClock(), None)
        running = asyncio.create_task(feed.run())
        try:
            await test(source, sink, feed)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(asyncio.wait_for(work(), 30))


async def together(source: WebhookSource, *bodies: bytes) -> list[WriteReport]:
    return list(await asyncio.gather(*(source.deliver(data) for data in bodies)))


def test_a_small_body_is_read_to_its_end_while_a_thread_of_the_feed_is_stuck() -> None:
    many = orjson.dumps([{"id": f"u:{number}", "type": "T"} for number in range(550)])
    assert len(many) < 16 * 1024

    async def test(source: WebhookSource, sink: GatheringSink, feed: FeedLoop) -> None:
        gate = threading.Event()
        try:
            stuck = feed._threads.run(gate.wait, timeout=0.01)
            assert isinstance(
                (await asyncio.gather(stuck, return_exceptions=True))[0], TimeoutError
            )
            assert (await source.deliver(many)).created == 550
            assert len(sink.entities) == 550
        finally:
            gate.set()

    with_feed(test)


def test_a_conversion_that_nobody_waits_for_stops_with_its_next_record() -> None:
    gate, ended = threading.Event(), threading.Event()

    class Slow:
        kind = "ngsild"

        def __getattr__(self, name: str) -> Any:
            return getattr(kind_of("ngsild").connector, name)

        def decode(self, data: bytes, situation: Any) -> Iterator[int]:
            try:
                for number in range(1_000_000):
                    gate.wait(10)
                    yield number
            finally:
                ended.set()

        def map(self, record: int, situation: Any) -> list[Document]:
            return [one(record, 1)]

    async def work() -> None:
        config = FeedConfig(name="x", kind="ngsild", source="webhook:")
        sink = GatheringSink()
        feed = FeedLoop(config, Slow(), WebhookSource(config), sink, SystemClock(), None)
        posted = asyncio.create_task(feed._take([Payload(b" " * 20_000)]))
        while not feed._threads.busy:  # noqa: ASYNC110 - a thread begins
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        posted.cancel()
        await asyncio.gather(posted, return_exceptions=True)
        gate.set()
        assert await asyncio.to_thread(ended.wait, 10)
        assert sink.entities == {}

    asyncio.run(asyncio.wait_for(work(), 30))


def test_the_last_of_two_bodies_about_an_entity_counts() -> None:
    async def test(source: WebhookSource, sink: GatheringSink, feed: FeedLoop) -> None:
        sink.slow = "open"
        await source.deliver(body(_1="closed"))
        reports = await together(source, body(_1="open"), body(_1="closed"))
        assert sink.state(1) == "closed"
        assert [report.updated for report in reports] == [1, 1]
        # What is known is right too: the same again changes nothing, another does.
        assert (await source.deliver(body(_1="closed"))).unchanged == 1
        await source.deliver(body(_1="open"))
        assert sink.state(1) == "open"

    with_feed(test)


def test_the_last_of_an_entity_in_one_body_counts() -> None:
    async def test(source: WebhookSource, sink: GatheringSink, feed: FeedLoop) -> None:
        await source.deliver(body(_1="closed"))
        await source.deliver(orjson.dumps([one(1, "open"), one(1, "closed")]))
        assert sink.state(1) == "closed"

    with_feed(test)


def test_documents_with_other_attributes_beside_count_too() -> None:
    wide = one(1, "closed") | {"q": {"type": "Property", "value": 1}}
    other = {"id": "urn:x:1", "type": "T", "r": {"type": "Property", "value": 1}}

    async def test(source: WebhookSource, sink: GatheringSink, feed: FeedLoop) -> None:
        await source.deliver(orjson.dumps([wide, other]))
        await source.deliver(body(_1="open"))
        # What shares nothing with it is still known.
        assert (await source.deliver(orjson.dumps([other]))).unchanged == 1
        await source.deliver(orjson.dumps([wide]))
        assert sink.state(1) == "closed"
        await source.deliver(orjson.dumps([one(1, "open"), wide]))
        await source.deliver(body(_1="open"))
        assert sink.state(1) == "open"

    with_feed(test)


def test_what_was_written_beside_a_refused_document_is_not_taken_for_unchanged() -> None:
    async def test(source: WebhookSource, sink: GatheringSink, feed: FeedLoop) -> None:
        await source.deliver(body(_1="closed"))
        sink.refuse = "bad"
        await source.deliver(body(_1="open", _2="bad"))
        assert sink.state(1) == "open"
        await source.deliver(body(_1="closed"))
        assert sink.state(1) == "closed"

    with_feed(test)


def test_bodies_about_other_entities_share_a_commit() -> None:
    async def test(source: WebhookSource, sink: GatheringSink, feed: FeedLoop) -> None:
        bodies = [body(**{f"_{number}": number}) for number in range(10)]
        await together(source, *bodies)
        assert sink.most == 10
        await together(source, *(body(_1=number) for number in range(100, 110)), body(_2="b"))
        assert sink.most == 10
        assert (sink.state(1), sink.state(2)) == (109, "b")

    with_feed(test)


def test_a_body_of_many_batches_keeps_its_place() -> None:
    long = [one(number, 1) for number in range(1200)]
    data = b"\n".join(b'{"id":"u:%d","type":"T"}' % number for number in range(520))
    assert len(data) < 16 * 1024

    async def test(source: WebhookSource, sink: GatheringSink, feed: FeedLoop) -> None:
        marked = data + b"\n" + orjson.dumps(one(7, "first"))
        sink.slow = "u:1'"
        await together(source, body(_7="zeroth"), marked, body(_7="last"), body(_8="other"))
        assert sink.state(7) == "last"
        await together(source, body(_7="zeroth"), orjson.dumps(long), body(_7="last"))
        assert sink.state(7) == "last"

    with_feed(test)


def test_packed_bodies_are_read_each_in_its_turn() -> None:
    async def test(source: WebhookSource, sink: GatheringSink, feed: FeedLoop) -> None:
        bodies = [zipped(body(_1=number)) for number in range(5)]
        reports = await together(source, *bodies)
        assert [report.created + report.updated for report in reports] == [1] * 5
        assert sink.state(1) == 4
        await together(source, body(_1="a"), zipped(body(_1="b")), body(_1="c"))
        assert sink.state(1) == "c"
        await together(source, body(_1="d"), zipped(body(_1="e")))
        assert sink.state(1) == "e"

    with_feed(test)
