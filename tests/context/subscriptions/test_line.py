"""The line before a receiver: retries, pauses, dead letters, bounds; on a real outbox."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.context.store.test_store import run

from rynek.base.errors import OutgoingRefused
from rynek.context import Context, Txn
from rynek.context.store.outbox import Message, Outbox
from rynek.context.subscriptions import line as module
from rynek.context.subscriptions import pack_keys
from rynek.context.subscriptions.counters import Counters
from rynek.context.subscriptions.line import Line, LineLimits, Tally
from rynek.context.subscriptions.sending import PARALLEL, Awaited, Rejected

QUICK = LineLimits(first_delay=0.005, max_delay=0.02)


class Kiosk:
    """A line over a store, with a receiver that is a function."""

    def __init__(
        self,
        context: Context,
        answer: Callable[[Message], None] = lambda _: None,
        limits: LineLimits = QUICK,
        cooldown: float | None = None,
    ) -> None:
        self.context = context
        self.answer = answer
        self.tries: list[int] = []
        self.taken: list[int] = []
        self.under_way = 0
        self.most = 0
        self.pause = 0.0
        self.free = asyncio.Event()
        self.free.set()
        self.now = 1_000_000_000
        self.outbox: Outbox = context.store.outbox
        self.counters = Counters()
        self.tally = Tally()
        self.line = Line(
            "t", self.outbox, lambda: self.now, limits, self.counters, self.tally,
            Awaited(self._send), cooldown,
        )  # fmt: skip
        self.outbox.receive = self._receive

    def _receive(self, messages: list[Message]) -> None:
        for message in messages:
            message.at = self.now
        self.line.put(messages)
        self.line.wake()

    async def _send(self, message: Message) -> None:
        self.tries.append(message.n)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.pause)
            await self.free.wait()
            self.answer(message)
        finally:
            self.under_way -= 1
        self.taken.append(message.n)

    async def put(self, count: int, *entities: str, size: int = 1) -> None:
        """Put messages about entities into the outbox."""
        about = pack_keys(zlib.crc32(one.encode()) for one in entities)
        for _ in range(count):
            await self.context.write(lambda txn: txn.send("t", about, b"{}", lambda _: b"x" * size))

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(60):
            while not done():  # noqa: ASYNC110 - the condition is not the line's own
                await asyncio.sleep(0.002)

    def left(self) -> list[int]:
        """What the file holds for the receiver."""
        return [m.n for m in self.outbox.read("t", 0, 10_000)]

    async def settle(self) -> None:
        """Have a commit settle what was taken."""
        await self.context.write(lambda _: None)


def test(folder: Path, body: Callable[[Context], Awaitable[None]]) -> None:
    """Run on a fresh store."""
    run(folder, body)


test.__test__ = False  # type: ignore[attr-defined]


def refuse(_: Message) -> None:
    """Nobody there."""
    raise OutgoingRefused("no connection", reason="network")


def test_what_is_taken_leaves_the_file(tmp_path: Path) -> None:
    async def body(context: Context) -> None:
        kiosk = Kiosk(context)
        await kiosk.put(3, "a")
        await kiosk.until(lambda: len(kiosk.taken) == 3)
        assert kiosk.taken == [1, 2, 3]
        await kiosk.settle()
        assert kiosk.left() == []
        assert (kiosk.line.waiting, kiosk.line.size, kiosk.tally.size) == (0, 0, 0)
        assert kiosk.line.cursor == 3
        assert (kiosk.counters.times_sent, kiosk.counters.status) == (3, "ok")

    test(tmp_path, body)


def test_messages_about_different_entities_go_side_by_side_in_bounds(tmp_path: Path) -> None:
    async def body(context: Context) -> None:
        kiosk = Kiosk(context)
        kiosk.pause = 0.01
        for number in range(40):
            await kiosk.put(1, f"e{number}")
        await kiosk.until(lambda: len(kiosk.taken) == 40)
        assert 1 < kiosk.most <= PARALLEL

    test(tmp_path, body)


def test_a_failed_one_holds_back_its_entity_only_and_counts_once(tmp_path: Path) -> None:
    async def body(context: Context) -> None:
        def answer(message: Message) -> None:
            if message.n == 1 and (kiosk.tries.count(1) < 4 or 3 not in kiosk.taken):
                raise Rejected("status 500")

        kiosk = Kiosk(context, answer)
        await kiosk.put(1, "a")
        await kiosk.put(1, "a")
        await kiosk.put(1, "b")
        await kiosk.until(lambda: len(kiosk.taken) == 3)
        assert kiosk.taken == [3, 1, 2]
        assert kiosk.tries.count(1) >= 4
        assert (kiosk.counters.times_sent, kiosk.counters.times_failed) == (3, 1)
        assert kiosk.counters.last_failure
        assert kiosk.counters.status == "ok"

    test(tmp_path, body)


def test_a_dead_receiver_is_probed_and_gets_everything_when_it_is_back(tmp_path: Path) -> None:
    async def body(context: Context) -> None:
        kiosk = Kiosk(context, refuse)
        for number in range(60):
            await kiosk.put(1, f"e{number}")
        await kiosk.until(lambda: len(kiosk.tries) > module.STREAK)
        tried = len(kiosk.tries)
        kiosk.most = 0
        await asyncio.sleep(0.1)
        assert len(kiosk.tries) - tried < 20
        assert kiosk.most <= 1
        assert kiosk.counters.status == "failed"
        assert kiosk.counters.last_error == "no connection"
        kiosk.answer = lambda _: None
        await kiosk.until(lambda: len(kiosk.taken) == 60)
        await kiosk.settle()
        assert kiosk.left() == []

    test(tmp_path, body)


def test_cooldown_keeps_everything_back_after_a_failure(tmp_path: Path) -> None:
    async def body(context: Context) -> None:
        kiosk = Kiosk(context, refuse, cooldown=0.1)
        await kiosk.put(1, "a")
        await kiosk.until(lambda: kiosk.counters.times_failed == 1)
        kiosk.answer = lambda _: None
        await kiosk.put(1, "b")
        await asyncio.sleep(0.05)
        assert kiosk.tries == [1]
        await kiosk.until(lambda: len(kiosk.taken) == 2)

    test(tmp_path, body)


def test_what_is_too_old_becomes_a_dead_letter(tmp_path: Path) -> None:
    async def body(context: Context) -> None:
        kiosk = Kiosk(context, refuse, LineLimits(keep=10, first_delay=0.005, max_delay=0.01))
        await kiosk.put(2, "a")
        await kiosk.until(lambda: len(kiosk.tries) > 1)
        kiosk.now += 11_000_000
        await kiosk.until(lambda: kiosk.line.dead == 2)
        await kiosk.settle()
        assert kiosk.left() == []
        assert [m.n for m in kiosk.outbox.read("t", 0, 9, dead=True)] == [1, 2]
        assert kiosk.line.waiting == 0

    test(tmp_path, body)


def test_what_a_receiver_refuses_while_it_takes_others_is_given_up(tmp_path: Path) -> None:
    async def body(context: Context) -> None:
        def answer(message: Message) -> None:
            if message.n == 1:
                raise Rejected("status 422")

        kiosk = Kiosk(context, answer, LineLimits(first_delay=0.001, max_delay=0.002))
        await kiosk.put(1, "bad")
        while kiosk.line.dead == 0:
            await kiosk.put(1, "good")
            await asyncio.sleep(0.002)
        assert kiosk.tries.count(1) == module.MAX_ATTEMPTS
        assert kiosk.counters.last_error == "status 422"

    test(tmp_path, body)


def test_an_error_of_our_own_is_a_failure_like_any_other(tmp_path: Path) -> None:
    async def body(context: Context) -> None:
        broken = [True]

        def answer(_: Message) -> None:
            if broken.pop() if broken else False:
                raise ValueError("odd")

        kiosk = Kiosk(context, answer)
        await kiosk.put(1, "a")
        await kiosk.until(lambda: kiosk.taken == [1])
        assert "odd" in kiosk.counters.last_error

    test(tmp_path, body)


def test_only_a_window_is_in_memory_and_the_rest_follows_in_order(tmp_path: Path) -> None:
    async def body(context: Context) -> None:
        kiosk = Kiosk(context)
        kiosk.line.active = False
        count = module.WINDOW + 200

        def many(txn: object) -> None:
            for _ in range(count):
                txn.send("t", b"\0\0\0\1", b"{}", lambda _: b"x")  # type: ignore[attr-defined]

        await context.write(many)
        assert kiosk.line.waiting == count
        assert len(kiosk.line._items) == module.WINDOW
        kiosk.line.active = True
        kiosk.line.wake()
        await kiosk.until(lambda: len(kiosk.taken) == count)
        assert kiosk.taken == list(range(1, count + 1))

    test(tmp_path, body)


def test_a_new_process_goes_on_with_what_is_left(tmp_path: Path) -> None:
    async def before(context: Context) -> None:
        kiosk = Kiosk(context, refuse)
        await kiosk.put(3, "a")
        await kiosk.until(lambda: len(kiosk.tries) > 0)
        await kiosk.line.close()

    async def after(context: Context) -> None:
        kiosk = Kiosk(context)
        (backlog,) = kiosk.outbox.backlog()
        kiosk.now = kiosk.outbox.read("t", 0, 1)[0].at
        kiosk.line.restore(backlog.messages, backlog.size)
        await kiosk.until(lambda: kiosk.taken == [1, 2, 3])
        await kiosk.put(1, "a")
        await kiosk.until(lambda: kiosk.taken == [1, 2, 3, 4])

    test(tmp_path, before)
    test(tmp_path, after)


def test_a_full_backlog_gives_up_its_oldest(tmp_path: Path) -> None:
    async def body(context: Context) -> None:
        kiosk = Kiosk(context)
        kiosk.line.active = False
        await kiosk.put(5, "a")
        assert kiosk.line.shed(3) == 2
        assert kiosk.line.waiting == 3
        kiosk.line.active = True
        kiosk.line.wake()
        await kiosk.until(lambda: kiosk.taken == [3, 4, 5])
        await kiosk.settle()
        assert [m.n for m in kiosk.outbox.read("t", 0, 9, dead=True)] == [1, 2]

    test(tmp_path, body)


def test_what_is_given_up_before_its_turn_makes_way(tmp_path: Path) -> None:
    async def body(context: Context) -> None:
        kiosk = Kiosk(context)
        kiosk.free.clear()
        await kiosk.put(4, "a")
        await kiosk.until(lambda: kiosk.under_way == 1)
        assert kiosk.line.shed(2) == 2
        kiosk.free.set()
        await kiosk.until(lambda: kiosk.taken == [1, 4])

    test(tmp_path, body)


def test_many_that_are_given_up_before_their_turn_make_way(tmp_path: Path) -> None:
    """More than calls may be nested, while one about the same entity is on its way."""

    async def body(context: Context) -> None:
        kiosk = Kiosk(context)
        kiosk.free.clear()
        await kiosk.put(1, "a")
        await kiosk.until(lambda: kiosk.under_way == 1)
        about = pack_keys([zlib.crc32(b"a")])

        def many(txn: Txn) -> None:
            for _ in range(700):
                txn.send("t", about, b"{}", lambda _: b"x")

        for _ in range(3):
            await context.write(many)
            kiosk.line.shed(2)
        assert kiosk.under_way == 1
        kiosk.free.set()
        await kiosk.until(lambda: len(kiosk.taken) == 2)
        assert kiosk.taken == [1, 2101]
        assert not kiosk.line._order._lines

    test(tmp_path, body)


def test_with_much_in_memory_a_line_keeps_only_a_few_there(tmp_path: Path) -> None:
    async def body(context: Context) -> None:
        kiosk = Kiosk(context)
        kiosk.line.active = False
        kiosk.tally.loaded = module.MEMORY_BYTES
        await kiosk.put(module.FEW + 10, "a")
        assert len(kiosk.line._items) == module.FEW
        kiosk.line.active = True
        kiosk.line.wake()
        await kiosk.until(lambda: len(kiosk.taken) == module.FEW + 10)
        assert kiosk.taken == sorted(kiosk.taken)
        assert kiosk.tally.loaded == module.MEMORY_BYTES

    test(tmp_path, body)


def test_what_was_read_from_the_file_before_its_commit_is_told_of_is_sent_once(
    tmp_path: Path,
) -> None:
    """A commit takes effect in a thread; the event loop goes on for a while before it hears of it."""

    async def body(context: Context) -> None:
        kiosk = Kiosk(context)
        told: list[list[Message]] = []
        kiosk.outbox.receive = told.append
        await kiosk.put(4, "a")
        kiosk.line.restore(3, 9)  # the fourth is in the file, and nobody has said so
        await kiosk.until(lambda: len(kiosk.taken) == 4)
        kiosk._receive(told[3])
        kiosk.outbox.receive = kiosk._receive
        await kiosk.put(1, "a")
        await kiosk.until(lambda: len(kiosk.taken) >= 5)
        await asyncio.sleep(0.01)
        assert kiosk.tries == [1, 2, 3, 4, 5]
        assert (kiosk.line.waiting, kiosk.line.size, kiosk.tally.loaded) == (0, 0, 0)

    test(tmp_path, body)
