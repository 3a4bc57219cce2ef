"""The runner: feeds of a tenant fetched, converted, written, each on its own."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import time
import zipfile
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.feeds.support import MemorySink
from tests.recorded import DATA

from rynek.base.clock import parse_iso
from rynek.base.errors import PayloadTooLarge, ResourceNotFound
from rynek.feeds import (
    FeedConfig,
    FeedHealth,
    FeedRunner,
    ReplayOptions,
    load_feed,
    loop,
    save_feed,
)

POZNAN = DATA / "gtfs_rt" / "poznan"
FEEDS = (POZNAN / "2026-01-28T150339Z_feeds.pb").read_bytes()
UPDATES = (POZNAN / "2026-01-28T150319Z_trip_updates.pb").read_bytes()
POSITIONS = (POZNAN / "2026-01-28T150359Z_vehicle_positions.pb").read_bytes()


class Answer(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes
    url: str


class Server:
    """What the outgoing guard answers, by URL; counts requests and honours ETags."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.hang: set[str] = set()

    async def fetch(self, url: str, *, etag: str | None = None, **_: Any) -> Answer:
        self.asked.append((url, etag))
        if url in self.hang:
            await asyncio.sleep(3600)
        body = self.bodies.get(url)
        if body is None:
            return Answer(500, {}, b"", url)
        tag = f'"{hash(body)}"'
        if tag == etag:
            return Answer(304, {}, b"", url)
        return Answer(200, {"ETag": tag}, body, url)


def config(name: str, source: str, **members: Any) -> FeedConfig:
    return FeedConfig(name=name, kind="gtfs_rt", source=source, **{"every": 0.5, **members})


async def until(what: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def health_of(runner: FeedRunner, name: str) -> FeedHealth:
    return next(health for health in runner.health() if health.name == name)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 90))


def with_runner(
    folder: Path, body: Callable[[FeedRunner, MemorySink], Awaitable[None]], **options: Any
) -> None:
    async def work() -> None:
        sink = MemorySink()
        runner = FeedRunner(folder, sink, **options)
        await runner.start()
        try:
            await body(runner, sink)
        finally:
            await runner.stop()

    run(work())


def test_polls_convert_and_write_in_bounded_batches(tmp_path: Path) -> None:
    server = Server()
    server.bodies["http://city/feeds.pb"] = FEEDS
    save_feed(tmp_path, config("poznan", "http://city/feeds.pb", theme="transport"))

    async def body(runner: FeedRunner, sink: MemorySink) -> None:
        await until(lambda: health_of(runner, "poznan").polls >= 2)
        health = health_of(runner, "poznan")
        assert len(sink.entities) == 548
        assert sink.batches == [500, 48]
        assert sink.sources == {"feed:poznan"}
        assert (health.records, health.entities, health.created) == (548, 548, 548)
        assert health.newest_reading == parse_iso("2026-01-28T15:03:39Z")
        assert health.state == "stale" and health.error is None
        assert len(health.changes_per_minute) == 60
        assert sum(health.changes_per_minute) == 548
        assert {f.code: f.count for f in health.findings}["delay-outlier"] == 2
        assert server.asked[0][1] is None and server.asked[1][1] is not None

    with_runner(tmp_path, body, guard=server)


def test_what_did_not_change_is_counted_and_not_sent_again(tmp_path: Path) -> None:
    server = Server()
    url = "http://city/feeds.pb"
    server.bodies[url] = FEEDS
    save_feed(tmp_path, config("poznan", url))

    async def body(runner: FeedRunner, sink: MemorySink) -> None:
        await until(lambda: len(sink.entities) == 548)
        # One vehicle's extension field aside, the same message with another byte at its end.
        server.bodies[url] = FEEDS + b"\xfa\x3f\x01x"
        await until(lambda: health_of(runner, "poznan").unchanged == 548)
        assert sink.batches == [500, 48]

    with_runner(tmp_path, body, guard=server)


@pytest.mark.parametrize("kept", [1_000_000, 10])
def test_further_documents_of_a_feed_are_fetched_in_the_same_poll(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(loop, "MAIN_KEPT", kept)
    server = Server()
    server.bodies["http://city/rt/positions.pb"] = POSITIONS
    server.bodies["http://city/rt/updates.pb"] = UPDATES
    options = {"also": ["updates.pb"]}
    save_feed(tmp_path, config("poznan", "http://city/rt/positions.pb", options=options))

    async def body(runner: FeedRunner, sink: MemorySink) -> None:
        await until(lambda: health_of(runner, "poznan").polls >= 2)
        vehicle = sink.entities["urn:ngsi-ld:Vehicle:poznan:7003"]
        assert vehicle["delay"]["value"] == 239 and "location" in vehicle

        def asked() -> list[bool]:
            return [etag is not None for url, etag in server.asked if url.endswith("updates.pb")]

        # Not changed, but asked for again with its own validator, however long the first one is.
        await until(lambda: len(asked()) >= 2)
        assert asked()[:2] == [False, True]

    with_runner(tmp_path, body, guard=server)


def test_a_feed_that_hangs_sends_garbage_or_fails_stops_no_other(tmp_path: Path) -> None:
    server = Server()
    server.bodies |= {"http://a/good": FEEDS, "http://a/garbage": b"<html>not found</html>"}
    server.hang.add("http://a/hang")
    for name in ("good", "garbage", "hang", "missing"):
        save_feed(tmp_path, config(name, f"http://a/{name}", timeout=0.5))

    async def body(runner: FeedRunner, sink: MemorySink) -> None:
        await until(lambda: health_of(runner, "hang").errors >= 1, 12)
        await until(lambda: health_of(runner, "good").polls >= 3)
        garbage = health_of(runner, "garbage")
        assert garbage.state == "failing" and garbage.error_since is not None
        assert "not a GTFS-Realtime message" in (garbage.error or "")
        assert health_of(runner, "missing").error == "the server answered 500"
        assert health_of(runner, "good").error is None
        assert len(sink.entities) == 548

    with_runner(tmp_path, body, guard=server)


def test_failure_and_recovery_are_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="rynek.feeds")
    server = Server()
    save_feed(tmp_path, config("f", "http://a/f"))

    async def body(runner: FeedRunner, sink: MemorySink) -> None:
        await until(lambda: health_of(runner, "f").errors >= 2)
        server.bodies["http://a/f"] = FEEDS
        await until(lambda: health_of(runner, "f").error is None and len(sink.entities) == 548, 15)

    with_runner(tmp_path, body, guard=server)
    said = [r.getMessage() for r in caplog.records if getattr(r, "feed", "") == "f"]
    assert said == ["feed fails", "feed works again"]


def test_a_write_that_fails_is_fetched_again(tmp_path: Path) -> None:
    server = Server()
    server.bodies["http://a/f"] = FEEDS
    save_feed(tmp_path, config("f", "http://a/f"))

    async def body(runner: FeedRunner, sink: MemorySink) -> None:
        sink.fail = OSError("disk full")
        await until(lambda: health_of(runner, "f").errors >= 1)
        assert health_of(runner, "f").error == "OSError: disk full"
        sink.fail = None
        await until(lambda: len(sink.entities) == 548, 10)
        assert all(etag is None for _, etag in server.asked[:2])

    with_runner(tmp_path, body, guard=server)


def test_files_of_a_folder_are_read_once_also_compressed(tmp_path: Path) -> None:
    inbox, feeds = tmp_path / "inbox", tmp_path / "feeds"
    inbox.mkdir()
    (inbox / "1.pb.gz").write_bytes(gzip.compress(FEEDS))
    (inbox / ".hidden").write_bytes(b"x")
    save_feed(feeds, config("files", str(inbox)))

    async def body(runner: FeedRunner, sink: MemorySink) -> None:
        await until(lambda: len(sink.entities) == 548)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("positions.pb", POSITIONS)
        (inbox / "2.zip").write_bytes(packed.getvalue())
        await until(lambda: health_of(runner, "files").records == 544)
        polls = health_of(runner, "files").polls
        await until(lambda: health_of(runner, "files").polls >= polls + 2)
        assert sum(sink.batches) == 548 + 544

    with_runner(feeds, body)


def test_a_bad_file_holds_up_no_other_and_stays_visible(tmp_path: Path) -> None:
    inbox, feeds = tmp_path / "inbox", tmp_path / "feeds"
    inbox.mkdir()
    for at, (name, data) in enumerate((("1", FEEDS), ("2", b"garbage"), ("3", POSITIONS))):
        (inbox / f"{name}.pb").write_bytes(data)
        os.utime(inbox / f"{name}.pb", (1_700_000_000 + at, 1_700_000_000 + at))
    save_feed(feeds, config("files", str(inbox)))

    async def body(runner: FeedRunner, sink: MemorySink) -> None:
        await until(lambda: sum(sink.batches) == 548 + 544)
        await until(lambda: health_of(runner, "files").polls >= 3)
        health = health_of(runner, "files")
        assert health.state == "failing"
        assert "2.pb: " in (health.error or "")
        assert "not a GTFS-Realtime message" in (health.error or "")
        assert sum(sink.batches) == 548 + 544
        (inbox / "2.pb").write_bytes(UPDATES)
        await until(lambda: health_of(runner, "files").state != "failing")
        await until(lambda: sum(sink.batches) > 548 + 544)
        (inbox / "4.pb").write_bytes(b"garbage")
        await until(lambda: health_of(runner, "files").state == "failing")
        (inbox / "4.pb").unlink()
        await until(lambda: health_of(runner, "files").state != "failing")

    with_runner(feeds, body)


def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.pb.gz"
    bomb.write_bytes(gzip.compress(b"\0" * 5_000_000))
    save_feed(tmp_path / "feeds", config("bomb", str(bomb), max_bytes=100_000))

    async def body(runner: FeedRunner, sink: MemorySink) -> None:
        await until(lambda: health_of(runner, "bomb").errors >= 1)
        assert "more than 100000 bytes" in (health_of(runner, "bomb").error or "")

    with_runner(tmp_path / "feeds", body)


def test_webhook_answers_after_the_write(tmp_path: Path) -> None:
    save_feed(tmp_path, config("hook", "webhook:", max_bytes=100_000))

    async def body(runner: FeedRunner, sink: MemorySink) -> None:
        assert health_of(runner, "hook").state == "waiting"
        report = await runner.deliver("hook", FEEDS)
        assert report.created == 548 == len(sink.entities)
        with pytest.raises(ValueError, match="not a GTFS-Realtime message"):
            await runner.deliver("hook", b"garbage")
        with pytest.raises(PayloadTooLarge):
            await runner.deliver("hook", b"x" * 100_001)
        with pytest.raises(ResourceNotFound):
            await runner.deliver("other", FEEDS)
        again = await runner.deliver("hook", POSITIONS)
        assert again.created + again.updated + again.unchanged == 544

    with_runner(tmp_path, body)


def test_who_posts_garbage_to_a_table_is_told(tmp_path: Path) -> None:
    mapping = {"type": "Device", "id": "{id}", "attribute": [{"name": "n", "column": "level"}]}
    hook = FeedConfig(name="hook", kind="tabular", source="webhook:", options={"map": mapping})
    save_feed(tmp_path, hook)

    async def body(runner: FeedRunner, sink: MemorySink) -> None:
        for garbage in (b"garbage", b'{"a": 1}', b"", b"<p>no</p>"):
            with pytest.raises(ValueError, match=r"could be read: no-rows|not a table"):
                await runner.deliver("hook", garbage)
        assert health_of(runner, "hook").state == "failing"
        for empty in (b"[]", b"id,level\n"):
            assert (await runner.deliver("hook", empty)).created == 0
        assert (await runner.deliver("hook", b"id,level\nA,5\n")).created == 1
        assert health_of(runner, "hook").state == "ok"

    with_runner(tmp_path, body)


def test_feed_files_are_followed(tmp_path: Path) -> None:
    source = tmp_path / "feeds.pb"
    source.write_bytes(FEEDS)

    async def body(runner: FeedRunner, sink: MemorySink) -> None:
        assert runner.health() == []
        save_feed(tmp_path / "feeds", config("late", str(source)))
        await until(lambda: len(sink.entities) == 548)
        (tmp_path / "feeds" / "wrong.toml").write_text('kind = "gtfs_rt"\nsauce = "x"\n')
        await until(lambda: len(runner.health()) == 2)
        assert "sauce" in (health_of(runner, "wrong").error or "")
        (tmp_path / "feeds" / "late.toml").unlink()
        await until(lambda: [h.name for h in runner.health()] == ["wrong"])

    with_runner(tmp_path / "feeds", body)


def manifest(folder: Path, extra: str = "") -> None:
    (folder / "poznan.toml").write_text(
        f'title = "Poznań"\nspeed = 200.0\n{extra}\n'
        f'[[read]]\nfiles = "{POZNAN}/*.pb"\ntime = "name"\n'
    )


def test_replay_sets_the_clock_and_plays_at_its_pace(tmp_path: Path) -> None:
    manifest(tmp_path, "speed = 20.0".replace("speed", "max_gap"))
    save_feed(tmp_path / "feeds", config("poznan", "replay:../poznan.toml"))

    async def body(runner: FeedRunner, sink: MemorySink) -> None:
        await until(lambda: health_of(runner, "poznan").state == "ended")
        health = health_of(runner, "poznan")
        assert health.polls == 3
        assert runner.clock.now() == parse_iso("2026-01-28T15:03:59Z")
        assert health.newest_reading == runner.clock.now()
        vehicle = sink.entities["urn:ngsi-ld:Vehicle:poznan:7003"]
        assert vehicle["location"]["observedAt"] == "2026-01-28T15:03:45Z"
        assert vehicle["source"]["value"] == "feed:poznan"

    with_runner(tmp_path / "feeds", body)


def test_a_loop_announces_each_round_before_it_starts(tmp_path: Path) -> None:
    manifest(tmp_path)
    save_feed(tmp_path / "feeds", config("poznan", "replay:../poznan.toml"))
    rounds: list[tuple[int, int]] = []

    async def work() -> None:
        sink = MemorySink()

        async def on_round(number: int) -> None:
            rounds.append((number, len(sink.entities)))
            sink.entities.clear()

        runner = FeedRunner(
            tmp_path / "feeds", sink, on_round=on_round, replay=ReplayOptions(loop=True)
        )
        await runner.start()
        await until(lambda: len(rounds) >= 3)
        await runner.stop()

    run(work())
    assert [number for number, _ in rounds[:3]] == [0, 1, 2]
    assert rounds[0][1] == 0
    assert rounds[1][1] == rounds[2][1] > 540


def test_feed_files_are_written_and_read_back(tmp_path: Path) -> None:
    given = config(
        "a-1",
        "https://x/y?key=1",
        bounds=(1.0, 2.0, 3.0, 4.0),
        headers={"X-Api Key": 'quo"te\\ \n'},
        options={"also": ["https://x/z"], "arrivals": 3},
        zone="Europe/Warsaw",
    )
    path = save_feed(tmp_path, given)
    read = load_feed(path)
    assert read.headers == given.headers and read.bounds == given.bounds
    assert read.options["also"] == ["https://x/z"] and read.options["scope"] == ""
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"name": "Bad Name"}, "no feed name"),
        ({"kind": "nothing"}, "unknown kind"),
        ({"options": {"spede": 1}}, "unknown option 'spede'"),
        ({"options": {"arrivals": "3"}}, "must be of type integer"),
        ({"every": 0.0}, "every must be between"),
        ({"bounds": (3.0, 0.0, 1.0, 1.0)}, "west, south, east, north"),
    ],
)
def test_wrong_configurations_say_what_is_wrong(
    tmp_path: Path, members: dict[str, Any], message: str
) -> None:
    wrong = msgspec.structs.replace(config("good", "x"), **members)
    with pytest.raises(ValueError, match=message):
        save_feed(tmp_path, wrong)
