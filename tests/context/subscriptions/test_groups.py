"""What writes concern, found with what is known of entities, is what a look at everything finds; a
group of writes that fails leaves nothing behind."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.context.store.test_store import LD, bus, create, run
from tests.context.subscriptions.test_index import at, subscription
from tests.examples import examples

from rynek.base.errors import Problem, ResourceNotFound
from rynek.context import Context, Txn, operations, parse_entity, parse_fragment
from rynek.context.store import writer
from rynek.context.store.txn import GroupTxn
from rynek.context.store.written import Written
from rynek.context.subscriptions import Subscriptions, kept
from rynek.context.subscriptions.delta import Delta
from rynek.context.subscriptions.index import SubscriptionIndex
from rynek.context.subscriptions.match import concerns
from rynek.context.subscriptions.senders import Senders
from rynek.context.subscriptions.throttle import Throttle

TYPES = [{"type": "Vehicle"}]
NEAR = {"georel": "near;maxDistance==100", "geometry": "Point", "coordinates": [0.0, 50.025]}
SUBSCRIPTIONS: list[dict[str, Any]] = [
    {"entities": TYPES, "q": 'stop=="s1"'},
    {"entities": TYPES, "q": "speed>3"},
    {"entities": TYPES, "q": 'speed<=3;stop=="s2"'},
    {"entities": TYPES, "q": "load>=2", "watchedAttributes": ["speed", "stop"]},
    {"entities": TYPES, "geoQ": NEAR},
    {"entities": TYPES, "watchedAttributes": ["stop"]},
    {"entities": TYPES, "q": "speed.observedAt>2026-01-01T00:00:00Z"},
    {"entities": [{"type": "Vehicle", "id": "urn:ngsi-ld:Vehicle:1"}], "q": 'stop=="s1"'},
    {"entities": TYPES},
]
_attrs = {
    "speed": st.integers(0, 6).map(lambda value: {"value": value}),
    "load": st.integers(0, 3).map(lambda value: {"value": value}),
    "stop": st.sampled_from(["s1", "s2"]).map(lambda value: {"value": value}),
    "location": st.sampled_from([at(0.0, 50.025), at(3.0, 50.0)]),
}
_fragments = st.fixed_dictionaries({}, optional=_attrs).filter(bool)
_speeds = st.fixed_dictionaries({"speed": _attrs["speed"]})
_replaced = _fragments.map(lambda attrs: ("replace", {"speed": {"value": 2}} | attrs))
_steps = st.tuples(
    st.sampled_from([1, 1, 1, 2]),
    st.one_of(*[_speeds] * 4, *[_fragments] * 2, _replaced, st.sampled_from(["delete", "refused"])),
)
_fails = st.sampled_from([False, False, True])
_groups = st.lists(
    st.tuples(st.lists(_steps, min_size=1, max_size=2), _fails), min_size=12, max_size=20
)


class Failing:
    """Commits that fail where it is wanted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fails = self.once = False
        commit = writer._committed

        def committed(connection: Any) -> float:
            if self.fails or self.once:
                self.once = False
                raise OSError("the disk is gone")
            return commit(connection)

        monkeypatch.setattr(writer, "_committed", committed)


def _job(step: tuple[int, Any]) -> Callable[[Txn], None]:
    number, what = step
    entity_id = f"urn:ngsi-ld:Vehicle:{number}"

    def job(txn: Txn) -> None:
        if what == "refused":
            fragment = parse_fragment({"speed": {"value": 99}}, LD, now=0)
            operations.append(txn, entity_id, fragment, LD)
            raise ResourceNotFound("on purpose")
        if what == "delete":
            operations.delete(txn, entity_id)
        elif type(what) is tuple:
            operations.replace(txn, parse_entity(bus(number, **what[1]), LD, now=0), LD)
        elif txn.get(entity_id) is None:
            operations.create(txn, parse_entity(bus(number, **what), LD, now=0), LD)
        else:
            operations.append(txn, entity_id, parse_fragment(what, LD, now=0), LD)

    return job


@settings(
    max_examples=examples(20), deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate)
)
@given(_groups)
def test_what_is_known_of_entities_changes_nothing_of_whom_writes_concern(
    groups: list[tuple[list[tuple[int, Any]], bool]],
) -> None:
    index = SubscriptionIndex()
    for n, members in enumerate(SUBSCRIPTIONS):
        index.put(subscription(n, **members))

    def watch(txn: GroupTxn, written: list[list[Written]]) -> None:
        for one in (one for job in written for one in job):
            certain = index.certain(one)
            found = index.candidates(one) if certain is None else None
            told = {sub.id for sub in certain[1]} if certain is not None else set()
            if found is not None:
                told = {sub.id for sub in found[1] if concerns(sub, found[0], txn.get)}
            if one.before is None and one.after is None:
                assert not told
                continue
            delta = Delta(one.before, one.after)
            there = index.all.values()
            expected = {sub.id for sub in there if concerns(sub, delta, txn.get)}
            assert told == (set() if delta.empty else expected)

    errors: list[BaseException] = []

    def checked(txn: GroupTxn, written: list[list[Written]]) -> None:
        try:
            watch(txn, written)
        except BaseException as error:
            errors.append(error)

    async def test(context: Context) -> None:
        await create(context, *[bus(n, speed=1, stop="s1", location=at(0, 50.025)) for n in (1, 2)])
        context.store.outbox.watch = checked
        context.store.outbox.on_failure.append(lambda _: index.forget())
        for steps, fails in groups:
            failing.fails = fails
            jobs = [context.write(_job(step)) for step in steps]
            await asyncio.gather(*jobs, return_exceptions=True)
        failing.fails = False

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        failing = Failing(monkeypatch)
        run(Path(folder), test)
    if errors:
        raise errors[0]


def test_a_change_of_a_subscription_that_failed_is_not_part_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing(monkeypatch)

    async def test(context: Context) -> None:
        subscriptions = Subscriptions(context, Senders(allow_private=True), "here")
        document = {
            "id": "urn:s:1", "type": "Subscription", "entities": TYPES,
            "notification": {"endpoint": {"uri": "http://192.0.2.1/"}},
        }  # fmt: skip
        await subscriptions.create(document, LD, link="", tenant=None)
        failing.once = True
        refused, _ = await asyncio.gather(
            subscriptions.update("urn:s:1", {"description": "refused"}, LD),
            _after_a_turn(subscriptions.update, "urn:s:1", {"throttling": 5}, LD),
            return_exceptions=True,
        )
        assert isinstance(refused, Problem)
        stored = context.store.documents.find(kept.KIND, "urn:s:1")
        assert stored is not None
        there = kept.load(stored, context.store.context_by_id)
        held = subscriptions.find("urn:s:1")
        assert held is not None
        assert held.members.keys() == there.members.keys()
        assert set(there.members) == {"entities", "notification", "throttling"}

    run(tmp_path, test)


def test_what_waits_for_a_subscription_that_cannot_be_read_stays(tmp_path: Path) -> None:
    def job(txn: Txn) -> None:
        txn.keep(kept.KIND, "urn:s:1", b"{}")
        for one in ("urn:s:1", "urn:s:2"):
            txn.send(f"subscription:{one}", b"", b"{}", lambda _: b"x")

    async def test(context: Context) -> None:
        await context.write(job)
        subscriptions = Subscriptions(context, Senders(allow_private=True), "here")
        await subscriptions.start()
        assert len(context.store.outbox.read("subscription:urn:s:1", 0, 9)) == 1
        assert context.store.outbox.read("subscription:urn:s:2", 0, 9) == []
        await subscriptions.stop()

    run(tmp_path, test)


async def _after_a_turn(work: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    await asyncio.sleep(0)
    return await work(*args)


def test_what_a_failed_group_began_to_hold_is_held_and_written_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be in memory alone otherwise, and gone with a kill before its release."""
    failing = Failing(monkeypatch)

    async def test(context: Context) -> None:
        throttle: Throttle[str] = Throttle(lambda _: None, str.encode, bytes.decode)
        outbox = context.store.outbox
        outbox.on_failure.append(throttle.failed)
        await create(context, bus(1))

        def hold(was: str) -> Callable[[Txn], bool]:
            def job(txn: Txn) -> bool:
                waits = throttle.must_wait(txn, "t", 10_000_000, 1.0, 0)
                if waits:
                    throttle.hold(txn, "t", "urn:e", was)
                operations.append(
                    txn, "urn:ngsi-ld:Vehicle:1", parse_fragment({"a": was}, LD, now=0), LD
                )
                return waits

            return job

        failing.fails = True
        with pytest.raises(Problem):
            await context.write(hold("nothing"))  # the first would have been told at once
        assert throttle.last("t") == 0
        failing.fails = False
        assert not await context.write(hold("nothing"))
        assert throttle.last("t") == 10_000_000
        failing.fails = True
        with pytest.raises(Problem):
            await context.write(hold("this never was"))
        assert throttle.targets == []
        failing.fails = False
        assert await context.write(hold("was"))
        assert outbox.held() == [("t", "urn:e", b"was")]
        failing.fails = True
        with pytest.raises(Problem):
            await context.write(_job((1, {"speed": {"value": 3}})))  # a group that held nothing
        assert throttle.targets == ["t"]
        failing.fails = True
        with pytest.raises(Problem):
            await context.write(lambda txn: throttle.take(txn, "t", 20_000_000))
        assert throttle.last("t") == 10_000_000
        failing.fails = False
        taken = await context.write(lambda txn: throttle.take(txn, "t", 20_000_000))
        assert taken == [("urn:e", "was")]
        assert outbox.held() == []
        throttle.stop()

    run(tmp_path, test)


def test_what_waits_for_a_subscription_that_expired_meanwhile_is_dropped_at_the_start(
    tmp_path: Path,
) -> None:
    now = [1_700_000_000_000_000]

    def made(context: Context) -> Subscriptions:
        return Subscriptions(context, Senders(allow_private=True), "here", clock=lambda: now[0])

    async def test(context: Context) -> None:
        before = made(context)
        for number, expires in enumerate(("2024-01-01T00:00:00Z", "2999-01-01T00:00:00Z")):
            document = {
                "id": f"urn:s:{number}", "type": "Subscription", "entities": TYPES,
                "expiresAt": expires, "notification": {"endpoint": {"uri": "http://192.0.2.1/"}},
            }  # fmt: skip
            await before.create(document, LD, link="", tenant=None)
        await create(context, bus(1, speed={"value": 1}))
        now[0] += 86_400_000_000 * 365
        after = made(context)
        await after.start()
        await asyncio.gather(*after._notifier._tasks)
        outbox = context.store.outbox
        assert [one.target for one in outbox.backlog()] == ["subscription:urn:s:1"]
        gone, kept = after.counters("urn:s:0"), after.counters("urn:s:1")
        assert gone is not None
        assert (gone.dropped, gone.times_sent) == (1, 0)
        assert kept is None or kept.dropped == 0
        await after.stop()

    run(tmp_path, test)


def test_whom_a_change_of_one_attribute_certainly_concerns_is_whom_it_concerns(
    tmp_path: Path,
) -> None:
    index = SubscriptionIndex()
    more: list[dict[str, Any]] = [
        {"entities": TYPES, "q": "speed>3"},
        {"entities": TYPES, "q": 'stop=="s1"'},
        {"entities": TYPES, "q": "load>=2", "watchedAttributes": ["speed"]},
        {"entities": TYPES, "geoQ": NEAR},
        {"entities": TYPES, "watchedAttributes": ["stop"]},
        {"entities": TYPES, "watchedAttributes": ["load", "stop"], "q": "speed<3"},
        {
            "entities": TYPES,
            "notificationTrigger": ["attributeDeleted"],
            "watchedAttributes": ["load"],
        },
        {"entities": TYPES},
        {"entities": TYPES, "throttling": 5},
        {"entities": [{"type": "Tram"}]},
        {"entities": [{"type": "Vehicle", "id": "urn:ngsi-ld:Vehicle:3"}]},
    ]
    for n, members in enumerate(more):
        index.put(subscription(n, **members))
    seen: Counter[str] = Counter()
    wrong: list[object] = []

    def watch(txn: GroupTxn, written: list[list[Written]]) -> None:
        for one in (one for job in written for one in job):
            certain = index.certain(one)
            found = index.candidates(one) if certain is None else None
            expected = Delta(one.before, one.after)
            concerned = {sub.id for sub in index.all.values() if concerns(sub, expected, txn.get)}
            if certain is not None:
                told = {sub.id for sub in certain[1]}
                seen["some" if told else "none"] += 1
            else:
                seen["looked"] += 1
                some = [] if found is None else found[1]
                told = {sub.id for sub in some if found and concerns(sub, found[0], txn.get)}
            if told != (set() if expected.empty else concerned):
                wrong.append((one.id, told, concerned))

    async def test(context: Context) -> None:
        places = (at(0.0, 50.025), at(3.0, 50.0))
        start = {"speed": {"value": 1}, "load": {"value": 1}, "stop": {"value": "s2"}}
        await create(context, *[bus(n, location=places[1], **start) for n in (1, 2, 3)])
        context.store.outbox.watch = watch
        chance = random.Random(6)
        for _ in range(400):
            what: tuple[str, Any] = chance.choice(
                [("speed", {"value": chance.choice([0, 1, 2, 2, 4])})] * 25
                + [("stop", {"value": chance.choice(["s1", "s2", "s3"])})]
                + [("load", {"value": chance.randrange(3)}), ("location", chance.choice(places))]
            )
            await context.write(_job((chance.choice([1, 1, 1, 2, 2, 2, 3]), dict([what]))))
        assert not wrong
        assert min(seen["some"], seen["none"], seen["looked"]) >= 5, seen

    run(tmp_path, test)
