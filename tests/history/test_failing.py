"""What cannot be written is set aside, what a power cut tore is put out of the way, and it is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.history.support import MINUTE, T0, ListLog, change, number
from tests.history.test_follow import BUS, numbers, until, with_history

from rynek.base.errors import Unavailable
from rynek.context import Instance
from rynek.history import FollowerSettings, History, HistorySettings
from rynek.history.commits import commits

OFTEN = HistorySettings(follower=FollowerSettings(flush_seconds=0.01))


def test_a_reading_that_no_file_can_hold_is_set_aside(tmp_path: Path) -> None:
    log = ListLog()
    log.write(change("create", BUS, {"speed": number(1, T0)}))
    log.write(change("update", BUS, {"name": Instance(kind="Property", value="\ud800")}))
    log.write(change("update", BUS, {"speed": number(2, T0 + MINUTE)}))

    async def test(history: History) -> None:
        await history.flush()
        assert await numbers(history) == [1, 2]
        assert history.state().set_aside == 1
        assert history.state().error == ""
        assert history.state().pending == 0
        assert log.cursors["history"] == 3

    async def again(history: History) -> None:
        log.write(change("update", BUS, {"speed": number(3, T0 + 2 * MINUTE)}))
        await history.flush()
        assert await numbers(history) == [1, 2, 3]
        assert history.state().set_aside == 1

    with_history(tmp_path, test, log)
    with_history(tmp_path, again, log)
    (line,) = (tmp_path / "history" / "set-aside.jsonl").read_text().splitlines()
    kept = json.loads(line)
    assert kept["reading"]["entity_id"] == BUS
    assert kept["reading"]["text"] == "\ud800"
    assert "surrogates" in kept["fault"]


def test_what_failed_is_told_until_it_works_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = ListLog()

    async def test(history: History) -> None:
        await history.ready()
        blocker = tmp_path / "history" / "readings" / "day=2026-03-10"
        blocker.write_text("in the way")
        log.write(change("create", BUS, {"speed": number(1, T0)}))
        await until(lambda: history.state().error)
        state = history.state()
        assert "day=2026-03-10" in state.error
        assert state.pending == 1
        assert state.behind_seconds > 0
        assert state.failing_seconds > 0
        assert await numbers(history) == [1]
        blocker.unlink()
        await until(lambda: not history.state().error)
        await until(lambda: not history.state().pending)
        assert history.state().behind_seconds == 0
        assert await numbers(history) == [1]

    with_history(tmp_path, test, log, OFTEN)
    told = [record.message for record in caplog.records if ": writing" in record.message]
    assert len(told) == 2, told
    assert "works again" in told[1]


@pytest.mark.parametrize("left", [b"", b'{"add": {"pa', bytes(400)])
def test_a_newest_commit_that_was_torn_is_left_out(tmp_path: Path, left: bytes) -> None:
    log = ListLog()
    log.write(change("create", BUS, {"speed": number(1, T0)}))

    async def first(history: History) -> None:
        await history.flush()
        log.write(change("update", BUS, {"speed": number(2, T0 + MINUTE)}))

    async def second(history: History) -> None:
        assert await numbers(history) == [1, 2]
        await history.flush()
        assert await numbers(history) == [1, 2]

    with_history(tmp_path, first, log)
    newest = [*commits(tmp_path / "history" / "readings").values()][-1]
    newest.write_bytes(left)
    with_history(tmp_path, second, log)
    assert list((tmp_path / "history" / "set-aside").iterdir())


@pytest.mark.parametrize("left", [b"", b'{"add": {"pa', None])
def test_a_damaged_commit_below_others_is_named(tmp_path: Path, left: bytes | None) -> None:
    """A reader of the table would pass over an empty one, and answer with less."""
    log = ListLog()

    async def first(history: History) -> None:
        for n in range(3):
            log.write(change("update", BUS, {"speed": number(n, T0 + n * MINUTE)}))
            await history.flush()

    async def second(history: History) -> None:
        with pytest.raises(Unavailable, match=r"00002\.json.*rynek history repair"):
            await history.ready()
        assert not history.state().is_open
        assert history.state().error

    with_history(tmp_path, first, log)
    path = commits(tmp_path / "history" / "readings")[2]
    if left is None:
        path.unlink()
    else:
        path.write_bytes(left)
    with pytest.raises(Unavailable):
        with_history(tmp_path, second, log)
