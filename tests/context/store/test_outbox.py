"""The outbox: as durable as the write that caused a message, settled lazily."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.context.store.test_store import LD, bus, create, open_store, run

from rynek.base.errors import AlreadyExists
from rynek.base.sqlite import connect, migrate
from rynek.context import Context, Entity, Txn, operations
from rynek.context.store.outbox import Message, Outbox
from rynek.context.store.schema import MIGRATIONS
from rynek.context.store.sqlite import SqliteStore
from rynek.context.store.txn import GroupTxn
from rynek.context.store.written import Written
from rynek.context.subscriptions import forget


def outbox(context: Context) -> Outbox:
    """The outbox of the SQLite store."""
    assert isinstance(context.store, SqliteStore)
    return context.store.outbox


def send(txn: Txn, target: str = "s") -> int:
    """One message that holds its own number."""
    return txn.send(target, b"", b"{}", lambda n: b"%d" % n)


def test_messages_are_numbered_kept_and_handed_over_after_the_commit(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        got: list[Message] = []
        outbox(context).receive = got.extend
        first, second = await asyncio.gather(context.write(send), context.write(send))
        assert second == first + 1
        assert [m.n for m in got] == [first, second]
        assert [m.body for m in outbox(context).read("s", 0, 10)] == [b"%d" % n for n in (1, 2)]
        assert [m.n for m in outbox(context).read("s", first, 10)] == [second]
        assert outbox(context).read("other", 0, 10) == []

    run(tmp_path, test)


def test_a_job_that_fails_sends_nothing_and_its_number_is_free(tmp_path: Path) -> None:
    def failing(txn: Txn) -> None:
        send(txn)
        raise AlreadyExists("no")

    async def test(context: Context) -> None:
        results = await asyncio.gather(
            context.write(failing), context.write(send), return_exceptions=True
        )
        assert results[1] == 1
        assert [m.n for m in outbox(context).read("s", 0, 10)] == [1]

    run(tmp_path, test)


def test_an_owner_that_goes_takes_what_was_sent_before_in_its_group_along(tmp_path: Path) -> None:
    """And what was settled with it, but not what another one with its name sends afterwards."""

    def go(txn: Txn) -> None:
        forget(txn, "s")

    async def test(context: Context) -> None:
        box = outbox(context)
        box.later("INSERT INTO delivery(target, body) VALUES(?, ?)", ("s", b"[]"))
        await asyncio.gather(context.write(send), context.write(go))
        assert box.read("s", 0, 10) == []
        assert box.counters() == []
        await asyncio.gather(context.write(send), context.write(go), context.write(send))
        assert [m.n for m in box.read("s", 0, 10)] == [3]

    run(tmp_path, test)


def test_numbers_rise_over_a_restart_though_all_messages_were_taken(tmp_path: Path) -> None:
    async def before(context: Context) -> None:
        n = await context.write(send)
        outbox(context).took(n)
        await context.write(lambda _: None)
        assert outbox(context).read("s", 0, 10) == []
        assert not outbox(context).unsettled

    async def after(context: Context) -> None:
        assert await context.write(send) == 2

    run(tmp_path, before)
    run(tmp_path, after)


def test_what_is_given_up_stays_as_a_dead_letter(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        for _ in range(3):
            await context.write(send)
        outbox(context).bury(2)
        await context.write(lambda _: None)
        assert [m.n for m in outbox(context).read("s", 0, 10)] == [1, 3]
        assert [m.n for m in outbox(context).read("s", 0, 10, dead=True)] == [2]
        counted = {(b.target, b.dead): b.messages for b in outbox(context).backlog()}
        assert counted == {("s", False): 2, ("s", True): 1}

    run(tmp_path, test)


def test_reading_stops_at_a_size(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        for _ in range(3):
            await context.write(lambda txn: txn.send("s", b"", b"{}", lambda _: b"x" * 100))
        assert len(outbox(context).read("s", 0, 10, size=150)) == 2

    run(tmp_path, test)


def test_the_watch_sees_each_entity_of_a_job_once_before_and_after(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        seen: list[list[tuple[Entity | None, Entity | None]]] = []

        def watch(_: GroupTxn, written: list[list[Written]]) -> None:
            seen.extend([(one.before, one.after) for one in job] for job in written)

        def twice(txn: Txn) -> None:
            for value in (2, 3):
                entity = txn.get("urn:ngsi-ld:Vehicle:1")
                assert entity is not None
                operations.create(txn, Entity(f"urn:ngsi-ld:Vehicle:{value}", ["urn:t:T"], {}), LD)
            operations.delete(txn, "urn:ngsi-ld:Vehicle:1")

        outbox(context).watch = watch
        await create(context, bus(1))
        await context.write(twice)
        (created,), changes = seen
        assert created[0] is None
        assert created[1] is not None
        assert [(b is None, a is None) for b, a in changes] == [
            (True, False),
            (True, False),
            (False, True),
        ]

    run(tmp_path, test)


def test_a_watch_that_fails_harms_no_write(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(context: Context) -> None:
        def watch(_: GroupTxn, written: list[list[Written]]) -> None:
            raise RuntimeError("odd")

        outbox(context).watch = watch
        await create(context, bus(1))
        assert context.get("urn:ngsi-ld:Vehicle:1") is not None
        assert "odd" in caplog.text

    run(tmp_path, test)


def test_what_a_failed_commit_was_to_settle_is_settled_by_the_next(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        n = await context.write(send)
        box = outbox(context)
        box.took(n)
        box.untaken(box.take_settled())
        assert box.unsettled
        await context.write(lambda _: None)
        assert box.read("s", 0, 10) == []

    run(tmp_path, test)


def test_a_folder_of_format_2_gets_an_outbox_and_keeps_its_documents(tmp_path: Path) -> None:
    old = connect(tmp_path / "state.db")
    migrate(old, MIGRATIONS[:2], "the test")
    old.execute("INSERT INTO document(kind, id, body) VALUES('subscription', 'urn:1', x'31')")
    old.close()

    async def body() -> None:
        context = open_store(tmp_path)
        assert context.store.documents.list("subscription") == [("urn:1", b"1")]
        n = await context.write(send)
        assert [m.n for m in outbox(context).read("s", 0, 10)] == [n]
        await context.close()

    asyncio.run(body())
