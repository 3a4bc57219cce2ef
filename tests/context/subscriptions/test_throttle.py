"""What throttling holds back has bounds, and is tried again at growing intervals."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest
from tests.context.store.test_store import LD, bus, create, run
from tests.context.subscriptions.test_groups import TYPES, Failing

from rynek.base.errors import Problem, ResourceNotFound
from rynek.context import Context, Txn, operations, parse_fragment
from rynek.context.subscriptions import Senders, Subscriptions, throttle
from rynek.context.subscriptions.throttle import Throttle


def made(context: Context) -> Throttle[str]:
    """One that holds texts, releases nothing and is told of groups that failed."""
    held = Throttle(lambda _: None, str.encode, bytes.decode)
    context.store.outbox.on_failure.append(held.failed)
    return held


async def throttled(context: Context) -> Subscriptions:
    """With one subscription to vehicles, told once a minute at most."""
    subscriptions = Subscriptions(context, Senders(allow_private=True), "here")
    document = {
        "id": "urn:s:1", "type": "Subscription", "entities": TYPES, "throttling": 60,
        "notification": {"endpoint": {"uri": "http://192.0.2.1/"}},
    }  # fmt: skip
    await subscriptions.create(document, LD, link="", tenant=None)
    return subscriptions


def test_what_is_held_is_bounded_in_number_and_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(context: Context) -> None:
        held = made(context)

        def hold(entity: str, was: str) -> Callable[[Txn], bool]:
            return lambda txn: held.hold(txn, "t", entity, was)

        monkeypatch.setattr(throttle, "MAX_HELD", 2)
        assert await context.write(hold("a", "1"))
        assert await context.write(hold("b", "2"))
        assert not await context.write(hold("c", "3"))
        assert await context.write(hold("a", "later"))  # it is held already
        assert [one[1:] for one in context.store.outbox.held()] == [("a", b"1"), ("b", b"2")]
        taken = await context.write(lambda txn: held.take(txn, "t", 1))
        assert taken == [("a", "1"), ("b", "2")]
        monkeypatch.setattr(throttle, "MAX_BYTES", 10)
        assert await context.write(hold("a", "x" * 11))
        assert not await context.write(hold("b", ""))
        held.forget("t")
        assert await context.write(hold("b", ""))

    run(tmp_path, test)


def test_a_change_that_finds_no_room_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "MAX_HELD", 1)

    async def test(context: Context) -> None:
        await create(context, bus(1, speed={"value": 1}), bus(2, speed={"value": 1}))
        subscriptions = await throttled(context)

        def told() -> list[int]:
            sent = context.store.outbox.read("subscription:urn:s:1", 0, 9)
            return [2 if b"Vehicle:2" in one.body else 1 for one in sent]

        for number, value in ((1, 2), (1, 3), (2, 2), (1, 4)):
            fragment = parse_fragment({"speed": {"value": value}}, LD, now=0)
            entity_id = bus(number)["id"]
            await context.write(
                partial(operations.append, entity_id=entity_id, fragment=fragment, ctx=LD)
            )
        # The first, and what found the place taken by the second; the last is held with that.
        assert told() == [1, 2]
        ((_, held, _),) = context.store.outbox.held()
        assert held == bus(1)["id"]
        await subscriptions.stop()

    run(tmp_path, test)


def test_what_cannot_be_written_is_tried_again_after_pauses_that_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing(monkeypatch)
    pauses: list[float] = []
    arm = Throttle._arm

    def armed(self: Throttle[str], target: str, seconds: float) -> None:
        pauses.append(seconds)
        arm(self, target, 1_000.0)

    monkeypatch.setattr(Throttle, "_arm", armed)

    async def test(context: Context) -> None:
        held = made(context)
        await context.write(lambda txn: held.hold(txn, "t", "e", "was"))
        failing.fails = True
        for _ in range(14):
            with pytest.raises(Problem):
                await context.write(lambda txn: held.take(txn, "t", 1))
            held.put_back("t", [("e", "was")])  # as who released it does; it counts once
            held._timers.pop("t").cancel()
        assert pauses == [min(1.5**n, 60.0) for n in range(14)]
        failing.fails = False
        await context.write(lambda txn: held.take(txn, "t", 1))
        held.told("t")
        held.put_back("t", [("e", "was")])
        assert pauses[-1] == 1.0
        held.stop()

    run(tmp_path, test)


def test_what_came_and_went_in_a_group_that_failed_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing(monkeypatch)

    async def test(context: Context) -> None:
        held = made(context)
        await context.write(lambda txn: held.hold(txn, "t", "a", "was"))

        def job(txn: Txn) -> None:
            held.hold(txn, "t", "b", "this never was")
            held.take(txn, "t", 1)
            held.hold(txn, "t", "a", "nor was this")

        failing.fails = True
        with pytest.raises(Problem):
            await context.write(job)
        failing.fails = False
        assert await context.write(lambda txn: held.take(txn, "t", 2)) == [("a", "was")]
        held.stop()

    run(tmp_path, test)


def test_what_never_was_is_not_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Failing(monkeypatch)

    async def test(context: Context) -> None:
        held = made(context)
        await context.write(lambda txn: held.hold(txn, "t", "a", "was"))
        taken: list[tuple[str, str | None]] = []

        def job(txn: Txn) -> None:
            held.hold(txn, "t", "b", "this never was")
            taken[:] = held.take(txn, "t", 1)

        failing.once = True
        with pytest.raises(Problem):
            await context.write(job)
        held.put_back("t", taken)  # as who released it does
        # A later change is held in the file too, and not taken for one that is there already.
        await context.write(lambda txn: held.hold(txn, "t", "b", "really was"))
        rows = [one[1:] for one in context.store.outbox.held()]
        assert rows == [("a", b"was"), ("b", b"really was")]
        assert await context.write(lambda txn: held.take(txn, "t", 2)) == [
            ("a", "was"),
            ("b", "really was"),
        ]
        held.stop()

    run(tmp_path, test)


def test_what_is_held_after_groups_that_failed_in_a_row_is_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second fails before whoever took from the first has its turn."""
    failing = Failing(monkeypatch)

    async def test(context: Context) -> None:
        held = made(context)
        taken: list[tuple[str, str | None]] = []

        def job(txn: Txn) -> None:
            held.hold(txn, "t", "a", "was")
            taken[:] = held.take(txn, "t", 1)

        failing.fails = True
        for work in (job, lambda txn: held.hold(txn, "t", "a", "was")):
            with pytest.raises(Problem):
                await context.write(work)
        failing.fails = False
        held.put_back("t", taken)
        await context.write(lambda txn: held.hold(txn, "t", "a", "was"))
        assert [one[1:] for one in context.store.outbox.held()] == [("a", b"was")]
        held.stop()

    run(tmp_path, test)


def test_what_is_held_after_a_job_that_was_undone_is_in_the_file(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        held = made(context)

        def refused(txn: Txn) -> None:
            held.hold(txn, "t", "a", "was", in_job=True)
            raise ResourceNotFound("no such thing")

        with pytest.raises(ResourceNotFound):
            await context.write(refused)
        await context.write(lambda txn: held.hold(txn, "t", "a", "was", in_job=True))
        assert [one[1:] for one in context.store.outbox.held()] == [("a", b"was")]

    run(tmp_path, test)


def test_what_is_held_after_a_job_that_was_undone_and_a_group_that_failed_is_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing(monkeypatch)

    async def test(context: Context) -> None:
        held = made(context)

        def refused(txn: Txn) -> None:
            held.hold(txn, "t", "a", "was", in_job=True)
            raise ResourceNotFound("no such thing")

        with pytest.raises(ResourceNotFound):
            await context.write(refused)
        failing.once = True
        with pytest.raises(Problem):
            await context.write(lambda txn: held.take(txn, "t", 1))
        await context.write(lambda txn: held.hold(txn, "t", "a", "was"))
        assert [one[1:] for one in context.store.outbox.held()] == [("a", b"was")]
        held.stop()

    run(tmp_path, test)


def test_what_is_held_back_outlives_an_expiry_that_comes_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing(monkeypatch)

    async def test(context: Context) -> None:
        await create(context, bus(1, speed={"value": 1}))
        subscriptions = await throttled(context)
        for value in (2, 3):
            fragment = parse_fragment({"speed": {"value": value}}, LD, now=0)
            await context.write(
                partial(operations.append, entity_id=bus(1)["id"], fragment=fragment, ctx=LD)
            )
        target = "subscription:urn:s:1"
        notifier = subscriptions._notifier
        expired = notifier.all["urn:s:1"]
        # It was given more time before what waited for it could be deleted.
        notifier.all["urn:s:1"] = msgspec.structs.replace(expired)
        await notifier._drop(expired)
        assert notifier._throttle.targets == [target]
        assert len(context.store.outbox.held()) == 1
        # The disk has no room to delete it.
        notifier.all["urn:s:1"] = expired
        failing.once = True
        await notifier._drop(expired)
        assert notifier._throttle.targets == [target]
        await notifier._drop(expired)
        assert notifier._throttle.targets == []
        assert context.store.outbox.held() == []
        counters = notifier.deliveries.counters(target)
        assert counters is None or counters.dropped >= 1
        await subscriptions.stop()

    run(tmp_path, test)
