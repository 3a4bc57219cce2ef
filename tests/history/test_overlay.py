"""The past as a list of instances: whatever is added, replaced, deleted, flushed, merged or killed,
history answers as the list does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.history.support import MINUTE, T0, ListLog, change, iri, number

from rynek.base.errors import ResourceNotFound
from rynek.context import NULL, Instance, TemporalFragment, TemporalQuery
from rynek.history import (
    AggregateQuery,
    FollowerSettings,
    History,
    HistorySettings,
    MergeSettings,
    Selection,
)

SLOW = HistorySettings(
    follower=FollowerSettings(flush_seconds=3600, recent_rows=6), merge=MergeSettings(seconds=3600)
)
ENTITIES = ("urn:x:a", "urn:x:b")
ATTRS = ("p", "q")
DATASETS = (None, "urn:d:1")


class Fact(msgspec.Struct):
    """One instance of the model: what it is, and where it was written."""

    entity: str
    attr: str
    dataset: str | None
    value: Any
    time: int
    order: tuple[bool, int]


class World:
    """A history and the list that it should agree with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = ListLog()
        self.facts: list[Fact] = []
        self.order = 0
        self.history: History

    async def open(self) -> None:
        self.history = History(self.folder / "history", self.log, SLOW)
        await self.history.start()
        await self.history.ready()

    async def kill(self) -> None:
        """Go away without a word; threads are stopped so that nothing is written afterwards."""
        task = self.history._follower._task
        assert task is not None
        # A cancellation that meets a finished wait is lost.
        self.history._follower._stopping = True
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self.history._writer.shutdown(wait=True)
        self.history._corrector.shutdown(wait=True)
        self.history._readers.shutdown(wait=True)

    def note(
        self, entity: str, attr: str, dataset: str | None, value: Any, time: int, *, added: bool
    ) -> None:
        self.order += 1
        self.facts.append(Fact(entity, attr, dataset, value, time, (added, self.order)))

    def write(self, entity: str, attr: str, dataset: str | None, value: int, minute: int) -> None:
        """A change of the live picture."""
        time = T0 + minute * MINUTE
        self.log.write(
            change("update", entity, {attr: number(value, time, dataset_id=dataset)}, at=T0)
        )
        self.note(entity, attr, dataset, value, time, added=False)

    async def add(
        self, entity: str, attr: str, dataset: str | None, values: list[int], minute: int
    ) -> None:
        """Readings that a client adds."""
        times = [T0 + (minute + i) * MINUTE for i in range(len(values))]
        given = [
            number(value, time, dataset_id=dataset)
            for value, time in zip(values, times, strict=True)
        ]
        fragment = TemporalFragment({iri(attr): given}, types=[iri("Thing")])
        await self.history.edit.add(entity, fragment, None, now=T0, create=True)
        for value, time in zip(values, times, strict=True):
            self.note(entity, attr, dataset, value, time, added=True)

    async def instances(self, entity: str, attr: str) -> list[tuple[Fact, str]]:
        """The model's facts beside the ids that history gives them."""
        facts = self.of(entity, attr)
        found = await self.history.evolution([entity], TemporalQuery(attrs=(iri(attr),)))
        shown = found[entity].attrs[iri(attr)] if entity in found else []
        assert [one.instance.value for one in shown] == [fact.value for fact in facts]
        return [(fact, one.instance_id) for fact, one in zip(facts, shown, strict=True)]

    def of(self, entity: str, attr: str) -> list[Fact]:
        facts = [fact for fact in self.facts if (fact.entity, fact.attr) == (entity, attr)]
        return sorted(facts, key=lambda fact: (fact.time, fact.order))

    async def check(self) -> None:
        """Every way of asking agrees with the list."""
        for entity in ENTITIES:
            for attr in ATTRS:
                await self.instances(entity, attr)
                await self.newest(entity, (attr,), 1)
                await self.newest(entity, (attr,), 2)
                for minute in (0, 500, 3000):
                    start = T0 + minute * MINUTE
                    since = TemporalQuery(start=start, attrs=(iri(attr),))
                    found = await self.history.evolution([entity], since)
                    shown = found[entity].attrs[iri(attr)] if entity in found else []
                    wanted = [fact.value for fact in self.of(entity, attr) if fact.time >= start]
                    assert [one.instance.value for one in shown] == wanted
            await self.newest(entity, (), 1)
        for low, high in ((None, None), (0, 2000), (1000, 1001), (3000, None)):
            await self.present(low, high)
        for entity in ENTITIES:
            await self.summed(entity, (), 0)
            await self.summed(entity, ("p",), 1500)
        query = AggregateQuery(
            select=Selection(), methods=("totalCount", "sum"), group=("entity_id",)
        )
        rows = (await self.history.aggregate(query)).to_pylist()
        sums: dict[str, tuple[int, float]] = {}
        for fact in self.facts:
            count, total = sums.get(fact.entity, (0, 0))
            sums[fact.entity] = (count + 1, total + fact.value)
        assert {row["entity_id"]: (row["totalCount"], row["sum"]) for row in rows} == sums

    async def summed(self, entity: str, attrs: tuple[str, ...], low: int) -> None:
        """Sums of one entity's attributes from a minute on, of numbers alone and of every type."""
        start = T0 + low * MINUTE
        wanted: dict[str, tuple[int, float]] = {}
        for fact in self.facts:
            if fact.entity == entity and fact.attr in (attrs or ATTRS) and fact.time >= start:
                count, total = wanted.get(iri(fact.attr), (0, 0))
                wanted[iri(fact.attr)] = (count + 1, total + fact.value)
        select = Selection(
            entity_ids=(entity,), attrs=tuple(map(iri, attrs)), start=start, observed_only=True
        )
        for every in (False, True):
            query = AggregateQuery(select=select, methods=("totalCount", "sum"), every=every)
            rows = (await self.history.aggregate(query)).to_pylist()
            assert {row["attr"]: (row["totalCount"], row["sum"]) for row in rows} == wanted

    async def present(self, low: int | None, high: int | None) -> None:
        """Which entities have which attributes between two minutes."""
        start = None if low is None else T0 + low * MINUTE
        end = None if high is None else T0 + high * MINUTE
        select = Selection(types=(iri("Thing"),), start=start, end=end)
        table = await self.history.entities(select)
        shown = {row["entity_id"]: set(row["attrs"]) for row in table.to_pylist()}
        wanted: dict[str, set[str]] = {}
        for fact in self.facts:
            if (start is None or fact.time >= start) and (end is None or fact.time < end):
                wanted.setdefault(fact.entity, set()).add(iri(fact.attr))
        assert shown == wanted

    async def newest(self, entity: str, attrs: tuple[str, ...], n: int) -> None:
        """The last N of each series."""
        query = TemporalQuery(attrs=tuple(iri(attr) for attr in attrs), last_n=n)
        found = await self.history.evolution([entity], query)
        for attr in attrs or ATTRS:
            shown = found[entity].attrs.get(iri(attr), []) if entity in found else []
            facts = self.of(entity, attr)
            for dataset in DATASETS:
                wanted = [fact.value for fact in facts if fact.dataset == dataset][-n:]
                series = [one for one in shown if one.instance.dataset_id == dataset]
                assert [one.instance.value for one in series] == wanted


entities, attrs, datasets = (st.sampled_from(of) for of in (ENTITIES, ATTRS, DATASETS))
minutes, values = st.integers(0, 4000), st.integers(0, 99)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), entities, attrs, datasets, values, minutes),
        st.tuples(
            st.just("add"), entities, attrs, datasets, st.lists(values, min_size=1, max_size=3), minutes
        ),
        st.tuples(st.just("modify"), entities, attrs, st.integers(0, 9), values, minutes),
        st.tuples(st.just("delete instance"), entities, attrs, st.integers(0, 9)),
        st.tuples(st.just("delete attribute"), entities, attrs, datasets, st.booleans()),
        st.tuples(st.just("delete"), entities),
        st.tuples(st.sampled_from(["flush", "merge", "append", "kill", "restart", "compact", "check"])),
    ),
    min_size=3,
    max_size=14,
)  # fmt: skip


async def step(world: World, name: str, *args: Any) -> None:
    """Do one thing to both."""
    history = world.history
    if name == "write":
        world.write(*args)
    elif name == "add":
        await world.add(*args)
    elif name in {"modify", "delete instance"}:
        entity, attr, which, *rest = args
        known = await world.instances(entity, attr)
        if which >= len(known):
            return
        fact, instance_id = known[which]
        if name == "delete instance":
            await history.edit.delete_instance(entity, iri(attr), instance_id, now=T0)
            world.facts.remove(fact)
        else:
            value, minute = rest
            fact.value, fact.time = value, T0 + minute * MINUTE
            new = number(value, fact.time)
            await history.edit.modify_instance(entity, iri(attr), instance_id, new, now=T0)
    elif name == "delete attribute":
        entity, attr, dataset, every = args
        gone = [f for f in world.of(entity, attr) if every or f.dataset == dataset]
        if not gone:
            with pytest.raises(ResourceNotFound):
                await history.edit.delete_attribute(
                    entity, iri(attr), now=T0, dataset_id=dataset, every=every
                )
            return
        await history.edit.delete_attribute(
            entity, iri(attr), now=T0, dataset_id=dataset, every=every
        )
        world.facts = [fact for fact in world.facts if fact not in gone]
    elif name == "delete":
        if await history.edit.about(args[0], None) is not None:
            await history.edit.delete(args[0], None, now=T0)
        world.facts = [fact for fact in world.facts if fact.entity != args[0]]
        assert await history.edit.about(args[0], None) is None
    else:
        await upkeep(world, name)


async def upkeep(world: World, name: str) -> None:
    """What moves readings about and must change no answer."""
    history = world.history
    if name == "flush":
        await history.flush()
    elif name == "merge":
        await history.merge()
        assert history._overlay.size == (0, 0)
    elif name == "append":
        await asyncio.get_running_loop().run_in_executor(history._writer, history._merger.append)
    elif name == "compact":
        await asyncio.get_running_loop().run_in_executor(history._writer, history.upkeep.compact)
    elif name == "kill":
        await world.kill()
        await world.open()
    elif name == "restart":
        await history.stop()
        await world.open()
    else:
        await world.check()


def run(test: Callable[[World], Awaitable[None]]) -> None:
    """Run a test in a world of its own."""

    async def body(folder: Path) -> None:
        world = World(folder)
        await world.open()
        try:
            await test(world)
        finally:
            await world.history.stop()

    with TemporaryDirectory() as folder:
        asyncio.run(body(Path(folder)))


@settings(
    max_examples=examples(10),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_history_agrees_with_a_list(steps: list[tuple[Any, ...]]) -> None:
    async def test(world: World) -> None:
        for name, *args in steps:
            await step(world, name, *args)
        await world.check()
        await world.history.merge()
        await world.check()

    run(test)


class Crash(BaseException):
    """The machine stopped here."""


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
@pytest.mark.parametrize("work", ["append", "correct"])
def test_a_merge_that_broke_off_neither_loses_nor_doubles(
    moment: str, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(world: World) -> None:
        world.write("urn:x:a", "p", None, 1, 0)
        await world.add("urn:x:a", "p", None, [2, 3, 4], 1)
        (_, first), (_, second), (_, third), _ = await world.instances("urn:x:a", "p")
        edit = world.history.edit
        await edit.modify_instance("urn:x:a", iri("p"), second, number(20, T0 + MINUTE), now=T0)
        await edit.delete_instance("urn:x:a", iri("p"), third, now=T0)
        world.facts[1].value = 20
        del world.facts[2]
        if work == "correct":
            await world.history.merge()
            await edit.modify_instance("urn:x:a", iri("p"), first, number(10, T0), now=T0)
            await edit.delete_instance("urn:x:a", iri("p"), second, now=T0)
            world.facts[0].value = 10
            del world.facts[1]
        merger = world.history._merger
        broken = {
            ("append", "before the commit"): (merger._lake, "append"),
            ("append", "after the commit"): (merger._overlay, "merged"),
            ("correct", "before the commit"): (merger._lake, "replace"),
            ("correct", "after the commit"): (merger._overlay, "applied"),
        }[work, moment]

        def stop(*args: object) -> None:
            raise Crash

        with monkeypatch.context() as patch:
            patch.setattr(*broken, stop)
            with pytest.raises(Crash):
                await world.history.merge()
            await world.check()
            await world.kill()
        await world.open()
        await world.check()
        added, corrections = world.history._overlay.size
        assert (added > 0) == (work == "append" and moment == "before the commit")
        assert corrections > 0
        await world.history.merge()
        assert world.history._overlay.size == (0, 0)
        await world.check()

    run(test)


def test_what_was_erased_is_in_no_file(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        for value in (1, 2):
            world.write("urn:x:a", "p", None, value, value)
        world.write("urn:x:b", "p", None, 3, 3)
        await world.history.flush()
        await world.history.edit.delete("urn:x:a", None, now=T0)
        world.facts = world.facts[2:]
        await world.history.merge()
        world.history._lake.vacuum(hours=0)
        files = [path.read_bytes() for path in world.folder.rglob("part-*.parquet")]
        assert files and not any(b"urn:x:a" in content for content in files)
        assert any(b"urn:x:b" in content for content in files)
        await world.check()

    run(test)


def test_a_log_behind_the_table_takes_no_corrections_of_the_lost_time_with_it() -> None:
    async def test(world: World) -> None:
        for value in range(5):
            world.write("urn:x:a", "p", None, value, value)
        await world.history.edit.delete("urn:x:a", None, now=T0)
        world.facts = []
        await world.history.stop()
        world.log = ListLog()
        await world.open()
        world.write("urn:x:a", "p", None, 7, 9)
        await world.check()

    run(test)


def test_numbers_of_erased_instances_are_not_given_again() -> None:
    async def test(world: World) -> None:
        await world.add("urn:x:a", "p", None, [1], 0)
        ((_, first),) = await world.instances("urn:x:a", "p")
        await world.history.edit.delete("urn:x:a", None, now=T0)
        await world.history.merge()
        world.facts = []
        await world.history.stop()
        await world.open()
        await world.add("urn:x:a", "p", None, [1], 0)
        ((_, again),) = await world.instances("urn:x:a", "p")
        assert again != first

    run(test)


def test_a_deletion_that_was_added_shows_as_one() -> None:
    async def test(world: World) -> None:
        gone = Instance("Relationship", NULL, observed_at="2026-03-10T12:01:00Z")
        fragment = TemporalFragment({iri("p"): [gone]}, types=[iri("Thing")])
        await world.history.edit.add("urn:x:a", fragment, None, now=T0, create=True)
        found = await world.history.evolution(["urn:x:a"], TemporalQuery())
        (one,) = found["urn:x:a"].attrs[iri("p")]
        assert (one.deleted, one.time, one.at) == (True, T0 + MINUTE, T0)
        assert (one.instance.kind, one.instance.value) == ("Relationship", NULL)

    run(test)
