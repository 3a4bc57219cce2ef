"""expiresAt in the store: old folders, failures, and what it costs (CIM 009 §4.22)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from rynek.base.clock import MICRO, SystemClock, to_iso
from rynek.base.errors import Unavailable
from rynek.base.sqlite import connect, migrate
from rynek.context import Context, core_context, operations, parse_entity
from rynek.context.formats import encode_body, encode_times
from rynek.context.store.schema import MIGRATIONS

from .test_store import open_store

LD = core_context()


def made(number: int, **members: Any) -> dict[str, Any]:
    return {"id": f"urn:A:{number}", "type": "A"} | members


def test_a_folder_of_the_release_before_forgets_no_expiry(tmp_path: Path) -> None:
    """Bodies held expiresAt themselves, and the column knew that of the entity only."""
    old = connect(tmp_path / "state.db")
    migrate(old, MIGRATIONS[:3], "the test")
    late, past = "2999-01-01T00:00:00Z", "2001-01-01T00:00:00Z"
    documents = [
        made(1, expiresAt=late),
        made(2, b={"type": "Property", "value": 1, "expiresAt": past},
             c={"type": "Property", "value": 1}),
        made(3, b={"type": "Property", "value": {"expiresAt": past}}),
        made(4),
    ]  # fmt: skip
    dumped = LD.dump()
    old.execute("INSERT INTO context(c, hash, document) VALUES(1, ?, ?)", (LD.id, dumped))
    for n, document in enumerate(documents, 1):
        body = json.dumps(document).encode()
        old.execute(
            "INSERT INTO entity VALUES(?, ?, 1, 5, 5, NULL, ?, ?)",
            (n, document["id"], body, b"[5,5]"),
        )
    old.close()

    async def test() -> None:
        context = open_store(tmp_path)
        assert context.expires
        await context.settle()
        first, second, third = (context.get(f"urn:A:{n}") for n in (1, 2, 3))
        assert first is not None and second is not None and third is not None
        assert first.expires_at == late
        assert list(second.attrs) == [LD.expand_term("c")]
        assert third.attrs[LD.expand_term("b")][0].value == {"expiresAt": past}
        assert third.modified_at == 5
        row = context.row("urn:A:1")
        assert row is not None and row.body == b'{"id":"urn:A:1","type":"A"}'
        assert [one.entity_id for one in context.changes.read(0)] == ["urn:A:2"]
        assert to_iso(context.store.soonest or 0) == late
        await context.close()
        again = open_store(tmp_path)
        assert to_iso(again.store.soonest or 0) == late
        await again.close()

    asyncio.run(test())


def test_what_only_changes_its_form_is_written_too(tmp_path: Path) -> None:
    old = connect(tmp_path / "state.db")
    migrate(old, MIGRATIONS[:3], "the test")
    old.execute("INSERT INTO context(c, hash, document) VALUES(1, ?, ?)", (LD.id, LD.dump()))
    body = json.dumps(made(1, b={"type": "Property", "value": {"expiresAt": 1}})).encode()
    old.execute("INSERT INTO entity VALUES(1, 'urn:A:1', 1, 5, 5, NULL, ?, ?)", (body, b"[5,5]"))
    old.close()

    async def test() -> None:
        context = open_store(tmp_path)
        await context.settle()
        await context.close()
        again = open_store(tmp_path)
        assert not again.expires
        await again.close()

    asyncio.run(test())


def test_stored_bytes_have_no_expiry_and_times_have_it_back(tmp_path: Path) -> None:
    plain = parse_entity(made(1, b={"type": "Property", "value": 1}), LD, now=5)
    operations.entities.stamp(plain, 5)
    assert encode_times(plain) == b"[5,5]"
    assert b"expires" not in encode_body(plain, LD)

    async def test() -> None:
        context = open_store(tmp_path)
        await context.write(lambda txn: operations.create(txn, plain, LD))
        assert not context.expires
        await context.close()

    asyncio.run(test())


def test_a_failed_removal_holds_up_no_reader(tmp_path: Path) -> None:
    async def test() -> None:
        context: Context = open_store(tmp_path)
        soon = to_iso(context.clock.now() + MICRO // 50)
        entity = parse_entity(made(1, expiresAt=soon), LD, now=0)
        await context.write(lambda txn: operations.create(txn, entity, LD))
        write = context.store.write

        async def full(job: Any) -> Any:
            raise Unavailable("the disk is full")

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(context.store, "write", full)
            await asyncio.sleep(0.03)
            await context.settle()
            await context.settle()
            assert context.row("urn:A:1") is not None
        assert context.store.write == write
        context.expiry.retry()
        await context.settle()
        assert context.row("urn:A:1") is None
        await context.close()

    asyncio.run(test())


def test_a_closed_store_is_not_watched_any_more(tmp_path: Path) -> None:
    """A write that is finished while the store closes leaves no task behind."""

    async def scenario() -> None:
        context = open_store(tmp_path)
        later = to_iso(SystemClock().now() + 3600 * MICRO)
        entity = parse_entity(made(1, expiresAt=later), LD, now=0)
        write = context.write(lambda txn: operations.create(txn, entity, LD))
        await context.close()
        await write
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())
