"""The follower: every acknowledged value readable at once, exactly once, through any restart."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.history.support import MINUTE, T0, ListLog, change, iri, number

from rynek.base.errors import Unavailable
from rynek.context import Instance
from rynek.history import FollowerSettings, History, HistorySettings, Selection, to_readings

SLOW = HistorySettings(follower=FollowerSettings(flush_seconds=3600))
BUS = "urn:ngsi-ld:Vehicle:1"


def with_history(
    folder: Path,
    test: Callable[[History], Awaitable[None]],
    log: ListLog,
    settings: HistorySettings = SLOW,
) -> None:
    """Run `test` on a history in `folder`, stopped in good order afterwards."""

    async def body() -> None:
        history = History(folder / "history", log, settings, "Europe/Warsaw")
        await history.start()
        try:
            await test(history)
        finally:
            await history.stop()

    asyncio.run(body())


async def numbers(history: History, entity: str = BUS, attr: str = "speed") -> list[float]:
    """The values of a series, oldest first."""
    table = await history.series(entity, [iri(attr)])
    return list(table.column("number").to_pylist())


async def until(look: Callable[[], object]) -> None:
    """Wait for what must happen."""
    for _ in range(600):
        if look():
            return
        await asyncio.sleep(0.05)
    pytest.fail("it did not happen")


def test_a_value_is_readable_once_before_during_and_after_the_flush(tmp_path: Path) -> None:
    log = ListLog()

    async def test(history: History) -> None:
        await history.ready()
        log.write(change("create", BUS, {"speed": number(1, T0)}))
        assert await numbers(history) == [1]
        await history.flush()
        assert await numbers(history) == [1]
        log.write(change("update", BUS, {"speed": number(2, T0 + MINUTE)}))
        flushing = asyncio.create_task(history.flush())
        for _ in range(20):
            assert await numbers(history) == [1, 2]
        await flushing
        assert await numbers(history) == [1, 2]
        assert history.stats().pending == 0

    with_history(tmp_path, test, log)


def test_a_restart_after_a_kill_doubles_and_loses_nothing(tmp_path: Path) -> None:
    log = ListLog()

    async def killed() -> None:
        history = History(tmp_path / "history", log, SLOW)
        await history.start()
        log.write(change("create", BUS, {"speed": number(1, T0)}))
        await history.flush()
        log.write(change("update", BUS, {"speed": number(2, T0 + MINUTE)}))
        assert await numbers(history) == [1, 2]

    asyncio.run(killed())
    log.trim()

    async def test(history: History) -> None:
        assert await numbers(history) == [1, 2]

    with_history(tmp_path, test, log)


def test_a_log_that_begins_late_lost_nothing_when_its_first_reader_was_killed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = ListLog(1000)

    async def killed() -> None:
        history = History(tmp_path / "history", log, SLOW)
        await history.start()
        assert log.cursors == {}, "nothing is kept before the table knows where the log begins"
        log.write(change("create", BUS, {"speed": number(1, T0)}))
        await history.ready()

    asyncio.run(killed())
    assert log.cursors == {"history": 1000}
    log.pinned.clear()

    async def test(history: History) -> None:
        log.write(change("update", BUS, {"speed": number(2, T0 + MINUTE)}))
        assert await numbers(history) == [1, 2]
        assert history.state().lost == 0

    with_history(tmp_path, test, log)
    assert "a commit is gone" not in caplog.text
    assert "left the log" not in caplog.text


def test_a_lost_acknowledgement_replays_the_log_without_doubling(tmp_path: Path) -> None:
    log = ListLog()

    async def first(history: History) -> None:
        for i in range(50):
            log.write(change("update", BUS, {"speed": number(i, T0 + i * MINUTE)}))

    async def second(history: History) -> None:
        assert await numbers(history) == list(range(50))

    with_history(tmp_path, first, log)
    assert log.cursors["history"] == 50
    log.cursors.clear()
    (tmp_path / "history" / "runs.msgpack").unlink()
    with_history(tmp_path, second, log)


def test_the_log_may_go_only_up_to_what_is_on_disk(tmp_path: Path) -> None:
    log = ListLog()

    async def test(history: History) -> None:
        log.write(change("create", BUS, {"speed": number(1, T0)}))
        assert await numbers(history) == [1]
        assert log.cursors["history"] == 0
        await history.flush()
        assert log.cursors["history"] == 1

    with_history(tmp_path, test, log)


def test_observations_make_no_rows_but_count_even_over_a_restart(tmp_path: Path) -> None:
    log = ListLog()

    async def first(history: History) -> None:
        log.write(change("create", BUS, {"speed": number(1, T0)}))
        for minute in (1, 2, 3):
            log.write(change("observe", BUS, {"speed": number(1, T0 + minute * MINUTE)}))
        assert await numbers(history) == [1]

    async def second(history: History) -> None:
        log.trim()
        log.write(change("observe", BUS, {"speed": number(1, T0 + 4 * MINUTE)}))
        log.write(change("update", BUS, {"speed": number(2, T0 + 5 * MINUTE)}))
        rows = to_readings(await history.series(BUS, [iri("speed")]))
        assert [row.number for row in rows] == [1, 2]
        assert (rows[1].previous_count, rows[1].previous_until) == (4, T0 + 4 * MINUTE)
        assert rows[0].previous_until is None

    with_history(tmp_path, first, log)
    with_history(tmp_path, second, log)


def test_a_deleted_attribute_and_a_deleted_entity_leave_their_marks(tmp_path: Path) -> None:
    log = ListLog()

    async def test(history: History) -> None:
        log.write(change("create", BUS, {"speed": number(1, T0), "load": number(2, T0)}))
        log.write(change("update", BUS, {}, at=T0 + MINUTE, deleted=[("load", None)]))
        log.write(change("delete", BUS, {}, at=T0 + 2 * MINUTE, deleted=[("speed", None)]))
        table = await history.rows(Selection(entity_ids=(BUS,), deleted=True))
        gone = [(row.attr, row.time) for row in to_readings(table) if row.deleted]
        assert gone == [
            ("", T0 + 2 * MINUTE),
            (iri("load"), T0 + MINUTE),
            (iri("speed"), T0 + 2 * MINUTE),
        ]
        assert await numbers(history) == [1]

    with_history(tmp_path, test, log)


def test_every_kind_of_value_comes_back_as_it_was(tmp_path: Path) -> None:
    log = ListLog()
    polygon = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    values = {
        "int": Instance("Property", 7),
        "big": Instance("Property", 2**60),
        "float": Instance("Property", 0.1),
        "text": Instance("Property", "Zażółć"),
        "flag": Instance("Property", True),
        "list": Instance("Property", [1, "a", None]),
        "point": Instance("GeoProperty", {"type": "Point", "coordinates": [21.5, 52.25]}),
        "polygon": Instance("GeoProperty", polygon),
        "link": Instance("Relationship", "urn:ngsi-ld:Stop:1"),
        "links": Instance("Relationship", ["urn:ngsi-ld:Stop:1", "urn:ngsi-ld:Stop:2"]),
        "name": Instance("LanguageProperty", {"uk": "Київ", "en": "Kyiv"}),
        "json": Instance("JsonProperty", 5),
        "unit": Instance("Property", 3, unit_code="KMH", subs={"x": [Instance("Property", 1)]}),
    }

    async def test(history: History) -> None:
        from rynek.context import TemporalQuery

        log.write(change("create", BUS, dict(values)))
        for _ in range(2):
            found = (await history.evolution([BUS], TemporalQuery()))[BUS]
            for name, wanted in values.items():
                (one,) = found.attrs[iri(name)]
                assert (one.instance.kind, one.instance.value) == (wanted.kind, wanted.value)
                assert type(one.instance.value) is type(wanted.value)
                assert one.instance.unit_code == wanted.unit_code
                assert one.instance.subs == wanted.subs
            await history.flush()

    with_history(tmp_path, test, log)


def test_a_failing_disk_keeps_the_rows_and_goes_on_when_it_works_again(tmp_path: Path) -> None:
    log = ListLog()

    async def test(history: History) -> None:
        await history.ready()
        blocker = tmp_path / "history" / "readings" / "day=2026-03-10"
        blocker.write_text("in the way")
        log.write(change("create", BUS, {"speed": number(1, T0)}))
        with pytest.raises(OSError, match="day=2026-03-10"):
            await history.flush()
        assert await numbers(history) == [1]
        assert log.cursors["history"] == 0
        log.write(change("update", BUS, {"speed": number(2, T0 + MINUTE)}))
        assert await numbers(history) == [1, 2]
        blocker.unlink()
        await history.flush()
        assert await numbers(history) == [1, 2]
        assert log.cursors["history"] == 2

    with_history(tmp_path, test, log)


def test_a_full_tail_fails_rather_than_answer_with_less(tmp_path: Path) -> None:
    log = ListLog()
    tight = HistorySettings(
        follower=FollowerSettings(flush_seconds=3600, flush_rows=10_000, max_rows=1)
    )

    async def test(history: History) -> None:
        await history.ready()
        blocker = tmp_path / "history" / "readings" / "day=2026-03-10"
        blocker.write_text("in the way")
        log.write(change("create", BUS, {"speed": number(1, T0)}))
        assert await numbers(history) == [1]
        log.write(change("update", BUS, {"speed": number(2, T0 + MINUTE)}))
        with pytest.raises(Unavailable, match="cannot be written"):
            await numbers(history)
        await until(lambda: history.state().error)
        assert history.state().pending == 1
        assert history.state().unread == 1
        blocker.unlink()
        await until(lambda: not history.state().error)
        assert await numbers(history) == [1, 2]

    with_history(tmp_path, test, log, tight)


def test_a_log_longer_than_what_may_wait_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rynek.history.follow._PAGE", 2)
    log = ListLog()
    tight = HistorySettings(
        follower=FollowerSettings(flush_seconds=3600, flush_rows=10_000, max_rows=3)
    )

    async def test(history: History) -> None:
        await history.ready()
        for i in range(9):
            log.write(change("update", BUS, {"speed": number(i, T0 + i * MINUTE)}))
        assert await numbers(history) == list(range(9))
        for i in range(9, 18):
            log.write(change("update", BUS, {"speed": number(i, T0 + i * MINUTE)}))

    with_history(tmp_path, test, log, tight)
    # The end of the first one read what was left, though more than may wait.
    assert log.cursors["history"] == 18


def test_an_older_log_under_a_newer_table_goes_on(tmp_path: Path) -> None:
    log = ListLog()

    async def first(history: History) -> None:
        for i in range(5):
            log.write(change("update", BUS, {"speed": number(i, T0 + i * MINUTE)}))

    with_history(tmp_path, first, log)
    restored = ListLog()
    restored.write(change("create", BUS, {"speed": number(0, T0)}))

    async def second(history: History) -> None:
        await history.ready()
        restored.write(change("update", BUS, {"speed": number(9, T0 + 9 * MINUTE)}))
        assert await numbers(history) == [0, 1, 2, 3, 4, 9]

    with_history(tmp_path, second, restored)


def test_a_muted_history_records_no_feed_even_after_a_restart(tmp_path: Path) -> None:
    log = ListLog()

    async def first(history: History) -> None:
        log.write(change("create", BUS, {"speed": number(1, T0)}))
        history.mute()
        log.write(change("update", BUS, {"speed": number(2, T0 + MINUTE)}))
        assert await numbers(history) == [1]
        log.write(change("update", BUS, {"speed": number(3, T0 + 2 * MINUTE)}, source=None))
        assert await numbers(history) == [1, 3]

    async def second(history: History) -> None:
        assert await numbers(history) == [1, 3]

    with_history(tmp_path, first, log)
    with_history(tmp_path, second, log)


def test_an_empty_commit_file_of_a_power_cut_is_removed(tmp_path: Path) -> None:
    log = ListLog()

    async def first(history: History) -> None:
        log.write(change("create", BUS, {"speed": number(1, T0)}))

    async def second(history: History) -> None:
        assert await numbers(history) == [1]
        log.write(change("update", BUS, {"speed": number(2, T0 + MINUTE)}))
        await history.flush()
        assert await numbers(history) == [1, 2]

    with_history(tmp_path, first, log)
    commits = sorted((tmp_path / "history" / "readings" / "_delta_log").glob("*.json"))
    (commits[-1].parent / f"{int(commits[-1].stem) + 1:020d}.json").touch()
    with_history(tmp_path, second, log)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 2), st.integers(0, 3000)),
        st.sampled_from([("flush",), ("restart",), ("compact",), ("trim",)]),
    ),
    max_size=25,
)


@given(steps=STEPS)
@settings(max_examples=examples(6), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_happens_the_rows_are_the_writes(steps: list[tuple[object, ...]]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(_walk(Path(folder), steps))


async def _walk(folder: Path, steps: list[tuple[object, ...]]) -> None:
    log = ListLog()
    wanted: dict[str, list[tuple[int, float]]] = {}
    history = History(folder / "history", log, SLOW)
    await history.start()
    for count, step in enumerate(steps):
        if step[0] == "write":
            _, which, minutes = step
            entity, time = f"urn:x:{which}", T0 + int(str(minutes)) * MINUTE
            log.write(change("update", entity, {"speed": number(count, time)}))
            wanted.setdefault(entity, []).append((time, count))
        elif step[0] == "flush":
            await history.flush()
        elif step[0] == "compact":
            await history.ready()
            history.upkeep.compact()
        elif step[0] == "trim":
            log.trim()
        else:
            await history.stop()
            history = History(folder / "history", log, SLOW)
            await history.start()
        for entity, rows in wanted.items():
            assert await numbers(history, entity) == [value for _, value in sorted(rows)]
    await history.stop()


def test_things_that_report_old_times_share_a_file_a_year(tmp_path: Path) -> None:
    """Two thousand parked trams whose clocks stopped over years made a file for each day."""
    log = ListLog()
    day = 24 * 60 * MINUTE
    for n in range(900):
        log.write(change("create", f"urn:ngsi-ld:Vehicle:{n}", {"speed": number(n, T0 - n * day)}))

    async def test(history: History) -> None:
        await history.ready()
        await history.flush()
        days = sum(1 for n in range(900) if n <= 31)
        assert history.stats().files <= days + 4
        assert await numbers(history, "urn:ngsi-ld:Vehicle:700") == [700]
        for n in range(900):
            log.write(
                change(
                    "update", f"urn:ngsi-ld:Vehicle:{n}", {"speed": number(n + 1, T0 - n * day + 1)}
                )
            )
        await history.flush()
        while await asyncio.to_thread(history.upkeep.compact, 10):
            pass
        assert history.stats().rows == 1800
        assert await numbers(history, "urn:ngsi-ld:Vehicle:700") == [700, 701]
        week = await history.rows(Selection(start=T0 - 707 * day, end=T0 - 700 * day))
        assert sorted(week.column("number").to_pylist()) == sorted(
            [*range(701, 708), *range(702, 709)]
        )

    with_history(tmp_path, test, log)


def test_a_table_that_cannot_be_opened_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rynek.history.follow._WAIT", 0.1)
    log = ListLog()
    log.write(change("create", BUS, {"speed": number(1, T0)}))
    folder = tmp_path / "history"
    (folder / "readings").mkdir(parents=True)
    blocking = folder / "readings" / "_delta_log"
    blocking.write_text("not a folder")

    async def test(history: History) -> None:
        with pytest.raises(Unavailable):
            await history.ready()
        blocking.unlink()
        for _ in range(2_000):
            await asyncio.sleep(0.1)
            with contextlib.suppress(Unavailable):
                assert await numbers(history) == [1]
                return
        pytest.fail("the history did not open")

    with_history(tmp_path, test, log)


def test_a_log_that_begins_above_its_numbers_holds_up_nothing(tmp_path: Path) -> None:
    """That of a snapshot; and one of which everything was trimmed."""
    log = ListLog()
    log._last = 500

    async def test(history: History) -> None:
        await asyncio.wait_for(history.ready(), 60)
        assert await asyncio.wait_for(numbers(history), 60) == []
        log.write(change("create", BUS, {"speed": number(1, T0)}))
        assert await numbers(history) == [1]

    with_history(tmp_path, test, log)


def test_readings_of_another_history_are_taken_as_they_are(tmp_path: Path) -> None:
    log, other = ListLog(), ListLog()
    other._last = 2
    for value in (1, 2):
        log.write(change("update", BUS, {"speed": number(value, T0 + value * MINUTE)}))

    async def test(history: History) -> None:
        rows = await history.rows(Selection(entity_ids=(BUS,)))

        async def inside(copy: History) -> None:
            await copy.take(rows)
            await copy.take(rows.slice(0, 0))
            other.write(change("update", BUS, {"speed": number(3, T0 + 3 * MINUTE)}))
            assert await numbers(copy) == [1, 2, 3]
            again = await copy.rows(Selection(entity_ids=(BUS,)))
            assert again.column("seq").to_pylist() == [1, 2, 3]

        copied = History(tmp_path / "copy", other, SLOW, "UTC")
        await copied.start()
        try:
            await inside(copied)
        finally:
            await copied.stop()

    with_history(tmp_path, test, log)
