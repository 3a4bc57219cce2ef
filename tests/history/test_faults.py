"""What is left when two things fail at once: a commit, and reading the table after it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import deltalake
import pytest
from tests.history.support import MINUTE, T0, ListLog, change, iri, number
from tests.history.test_follow import BUS, SLOW, numbers, until, with_history

from rynek.base.errors import Unavailable
from rynek.context import Instance, TemporalFragment
from rynek.history import History
from rynek.history.damage import Damage, shallow_fault
from rynek.history.lake import FOLLOWER, Lake
from rynek.history.schema import Reading, to_table

FULL = OSError(24, "Too many open files")


def refuse(*_: object, **__: object) -> Any:
    raise FULL


def break_off(patch: pytest.MonkeyPatch) -> None:
    """From now on commits reach the disk, and the table cannot be read after them."""
    patch.setattr(deltalake.DeltaTable, "update_incremental", refuse)
    patch.setattr(deltalake.DeltaTable, "get_add_actions", refuse)


def rows(first: int, count: int = 1) -> Any:
    return to_table([
        Reading(first + i, f"urn:x:{first + i}", "T", "a", None, "Property", T0, True, T0, number=1.0)
        for i in range(count)
    ])  # fmt: skip


def held(folder: Path) -> list[int]:
    """The seqs in the table, as a fresh reader finds them; every file is there."""
    lake = Lake(folder)
    parts = lake.open().parts()
    assert [shallow_fault(folder, part) for part in parts] == [""] * len(parts)
    table = deltalake.DeltaTable(folder).to_pyarrow_table(columns=["seq"])
    return sorted(table.column("seq").to_pylist())


def test_files_that_a_commit_may_name_stay(tmp_path: Path) -> None:
    folder = tmp_path / "readings"
    lake = Lake(folder)
    lake.open()
    lake.append(rows(1), {FOLLOWER: 1})
    with pytest.MonkeyPatch.context() as patch:
        break_off(patch)
        with pytest.raises(OSError, match="Too many"):
            lake.append(rows(2), {FOLLOWER: 2})
        assert lake.snapshot.seq == 1
        with pytest.raises(OSError, match="Too many"):
            lake.append(rows(3), {FOLLOWER: 3})
    assert held(folder) == [1, 2]
    # Who writes next knew nothing of that commit, and has to look at it first.
    with pytest.raises(Unavailable):
        lake.append(rows(2), {FOLLOWER: 2})
    assert lake.snapshot.seq == 2
    lake.append(rows(3), {FOLLOWER: 3})
    assert held(folder) == [1, 2, 3]


def test_a_mark_that_failed_is_not_done_by_another_commit(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "readings")
    lake.open()
    lake.mark(1)
    other = Lake(tmp_path / "readings")
    other.open()
    other.append(rows(5), {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deltalake.DeltaTable, "create_write_transaction", refuse)
        with pytest.raises(OSError, match="Too many"):
            lake.mark(7)
    assert lake.snapshot.seq == 1
    assert lake.mark(7).seq == 7


def test_a_reading_is_there_once_when_its_flush_seemed_to_fail(tmp_path: Path) -> None:
    log = ListLog()

    async def test(history: History) -> None:
        log.write(change("create", BUS, {"speed": number(1, T0)}))
        with pytest.MonkeyPatch.context() as patch:
            await history.ready()
            break_off(patch)
            with pytest.raises(OSError, match="Too many"):
                await history.flush()
            log.write(change("update", BUS, {"speed": number(2, T0 + MINUTE)}))
            assert await numbers(history) == [1, 2]
        history._lake.renew()
        assert await numbers(history) == [1, 2]
        await history.flush()
        assert await numbers(history) == [1, 2]
        assert history.stats().pending == 0

    with_history(tmp_path, test, log)
    assert held(tmp_path / "history" / "readings") == [1, 2]


def test_an_added_reading_is_there_once_when_its_merge_seemed_to_fail(tmp_path: Path) -> None:
    log = ListLog()
    log.write(change("create", BUS, {"speed": number(1, T0)}))

    async def test(history: History) -> None:
        await history.flush()
        added = TemporalFragment({iri("speed"): [number(2, T0 + MINUTE)]})
        await history.edit.add(BUS, added, None, now=T0, create=False)
        with pytest.MonkeyPatch.context() as patch:
            break_off(patch)
            with pytest.raises(OSError, match="Too many"):
                await history.merge()
        assert await numbers(history) == [1, 2]
        await history.merge()
        assert await numbers(history) == [1, 2]
        assert history._overlay.size == (0, 0)

    with_history(tmp_path, test, log)


def test_a_line_after_a_torn_one_stands_alone(tmp_path: Path) -> None:
    log = ListLog()
    torn = tmp_path / "history" / "set-aside.jsonl"
    torn.parent.mkdir()
    torn.write_text('{"key": [1, "a", ""], "fau')
    log.write(change("update", BUS, {"name": Instance(kind="Property", value="\ud800")}))

    async def test(history: History) -> None:
        await history.flush()
        assert history.state().set_aside == 1

    with_history(tmp_path, test, log)
    assert json.loads(torn.read_text().splitlines()[-1])["reading"]["entity_id"] == BUS

    async def again(history: History) -> None:
        await history.ready()
        assert history.state().set_aside == 1

    with_history(tmp_path, again, log)


def followers() -> list[asyncio.Task[Any]]:
    return [one for one in asyncio.all_tasks() if one.get_name() == "history-follower"]


def test_a_history_that_cannot_be_opened_ends_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "readings").write_text("no folder")

    async def test() -> None:
        history = History(tmp_path / "history", ListLog(), SLOW)
        await history.start()
        await until(lambda: history.state().error)
        with pytest.raises(Unavailable):
            await history.stop()
        assert not followers()

    asyncio.run(test())


def test_started_twice_it_follows_once(tmp_path: Path) -> None:
    async def test(history: History) -> None:
        await history.start()
        assert len(followers()) == 1
        await history.stop()
        assert not followers()

    with_history(tmp_path, test, ListLog())


def test_what_is_damaged_can_be_asked_while_more_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "readings"
    lake = Lake(folder)
    lake.open()
    lake.append(rows(1), {FOLLOWER: 1})
    lake.append(rows(2), {FOLLOWER: 2})
    first, second = lake.snapshot.parts()
    damage = Damage(folder)
    (folder / first.path).write_bytes(b"torn")
    assert damage.look([first]) == [first.path]
    (folder / second.path).unlink()

    class Asking(dict[str, Any]):
        """Finds more while what is known is gone through."""

        def items(self) -> Any:
            for one in super().items():
                yield one
                damage.look([second])

    damage._known = Asking(damage._known)
    assert list(damage.files) == [first.path]
    assert not damage.sound([first, second])
