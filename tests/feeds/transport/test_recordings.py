"""Recordings and the clock that plays them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.recorded import DATA

from rynek.base.clock import MICRO, parse_iso
from rynek.feeds import FeedConfig, ReplayClock, open_recording
from rynek.feeds.transport import ReplaySource, SourceError

KYIV = DATA / "transit_positions" / "kyiv_positions_2026-02-07.jsonl.gz"


def test_lines_carry_their_own_time_local_to_the_zone() -> None:
    recording = open_recording(KYIV, "Europe/Kyiv")
    assert len(recording.items) == 125
    assert recording.start == parse_iso("2026-02-07T14:35:02.975317Z")
    assert recording.items[0].payload().data.startswith(b'{"timestamp"')
    assert recording.folder == KYIV.parent


def test_members_of_archives_and_fixed_times(tmp_path: Path) -> None:
    oslo = DATA / "gbfs" / "oslo"
    (tmp_path / "oslo.toml").write_text(
        'title = "Oslo"\nzone = "Europe/Oslo"\nspeed = 60.0\nloop = true\n'
        f'[[read]]\nfiles = "{oslo}/2023-06-0[56]_station_status.tar.gz"\npart = "station_status"\n'
        f'[[read]]\nfiles = "{oslo}/station_information.csv"\npart = "station_information"\n'
        'time = "2023-06-05T00:00:00"\n'
    )
    recording = open_recording(tmp_path / "oslo.toml")
    assert len(recording.items) == 68 + 69 + 1
    assert recording.items[0].part == "station_information"
    assert recording.start == parse_iso("2023-06-04T22:00:00Z")
    assert [item.at for item in recording.items] == sorted(item.at for item in recording.items)
    assert recording.manifest.loop and recording.manifest.speed == 60.0


def test_a_folder_by_the_times_in_its_names() -> None:
    recording = open_recording(DATA / "gtfs_rt" / "poznan")
    assert [item.name[:17] for item in recording.items] == [
        "2026-01-28T150319",
        "2026-01-28T150339",
        "2026-01-28T150359",
    ]


@pytest.mark.parametrize(
    "manifest", ["read = 1", '[[read]]\nfiles = "missing*"', "speed = ", '[[read]]\nfiels = "x"']
)
def test_wrong_manifests_say_so(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "wrong.toml").write_text(manifest)
    with pytest.raises(SourceError, match=r"wrong\.toml"):
        open_recording(tmp_path / "wrong.toml")


class Ticks:
    """A monotonic clock that a test turns."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_the_clock_runs_at_its_speed_and_stops_at_the_end() -> None:
    ticks = Ticks()
    clock = ReplayClock([0, 10 * MICRO, 100 * MICRO], speed=2.0, monotonic=ticks)
    assert (clock.now(), clock.running) == (0, False)
    clock.run()
    ticks.seconds += 3
    assert (clock.now(), clock.running) == (6 * MICRO, True)
    ticks.seconds += 1000
    assert (clock.now(), clock.end, clock.running) == (100 * MICRO, 100 * MICRO, False)
    clock.rewind()
    assert clock.now() == 0 and clock.generation == 1


def test_long_silences_are_leapt_over() -> None:
    ticks = Ticks()
    clock = ReplayClock([0, 4 * MICRO, 1000 * MICRO, 1004 * MICRO], max_gap=5, monotonic=ticks)
    clock.run()
    seen = []
    for _ in range(25):
        seen.append(clock.now() // MICRO)
        ticks.seconds += 1
    assert seen[:12] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 1000, 1001, 1002]
    assert seen == sorted(seen)
    assert seen[-1] == 1004


@given(
    st.lists(st.integers(0, 10**12), min_size=1, max_size=30),
    st.floats(0.1, 1000),
    st.floats(0, 1000),
    st.lists(st.floats(0, 10_000), max_size=20),
)
def test_the_clock_never_goes_back_nor_beyond_the_end(
    times: list[int], speed: float, max_gap: float, steps: list[float]
) -> None:
    ticks = Ticks()
    clock = ReplayClock(times, speed=speed, max_gap=max_gap, monotonic=ticks)
    clock.run()
    before = clock.now()
    assert before == min(times)
    for step in steps:
        ticks.seconds += step
        assert before <= clock.now() <= max(times)
        before = clock.now()


def test_a_replay_gives_documents_in_order_and_what_lies_beside() -> None:
    async def work() -> None:
        recording = open_recording(KYIV, "Europe/Kyiv")
        clock = ReplayClock([item.at for item in recording.items], speed=1e6)
        config = FeedConfig(
            name="k",
            kind="positions",
            source="replay:x",
            options={"routes": "kyiv_routes_2026-02-07.jsonl.gz"},
        )
        source = ReplaySource(config, recording, clock)
        clock.run()
        times = [(await source.fetch())[0].at for _ in range(125)]
        assert times == [item.at for item in recording.items]
        beside = await source.more([("routes", "kyiv_routes_2026-02-07.jsonl.gz")])
        assert beside[0].data.count(b"\n") >= 40
        assert await source.more([("x", "/etc/hostname"), ("y", "../SOURCES.md")]) == []

    asyncio.run(asyncio.wait_for(work(), 20))


def test_a_restart_goes_on_where_it_was_and_the_next_round_begins_anew() -> None:
    async def work() -> None:
        recording = open_recording(DATA / "gtfs_rt" / "poznan")
        times = [item.at for item in recording.items]
        clock = ReplayClock(times, speed=1000.0)
        config = FeedConfig(name="p", kind="gtfs_rt", source="replay:x")
        source = ReplaySource(config, recording, clock)
        clock.run(times[1] + MICRO)
        assert clock.now() >= times[1] + MICRO
        assert [(await source.fetch())[0].at for _ in range(3)] == times
        waiting = asyncio.create_task(source.fetch())
        await asyncio.sleep(0.05)
        assert source.idle
        clock.rewind()
        assert (await waiting)[0].at == times[0]

    asyncio.run(asyncio.wait_for(work(), 20))
