"""One run of a capital through the feeds: start, play, stop, compare."""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import re
import shutil
import time
import urllib.request
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import kept, server, usage
from benchmarks.capital import check, gets, play
from benchmarks.capital.plan import FEEDS, MICRO, updates_per_second
from benchmarks.capital.play import Plan, Played
from benchmarks.results import Result, Target

SECONDS: Final = 300.0
_ENV: Final = {
    "RYNEK_NETWORK_ALLOW_PRIVATE": "true",
    # So that the whole run can be compared with the log afterwards.
    "RYNEK_CHANGES_KEEP_ROWS": "100000000",
    "RYNEK_METRICS_ANONYMOUS": "loopback",
}
_ZERO: Final = "zero"


class Used(NamedTuple):
    """Share of one core, and the highest anonymous memory in bytes."""

    cpu: float
    memory: int


def run(name: str, options: argparse.Namespace, *, worst: bool, speed: float) -> Iterator[Result]:
    """Play for five minutes, or as long as given."""
    seconds = options.given_seconds or SECONDS
    with kept.copied(_filled()) as folder:
        zero = int((folder / _ZERO).read_text())
        before = check.head(folder)
        with _city() as (pipe, base):
            _write_feeds(folder, base)
            with server.rynek(folder, env=_ENV) as port:
                plan = Plan(port=port, zero=zero, seconds=seconds, speed=speed, worst=worst)
                with gets.asking(port) as took:
                    played, used = _played(pipe, plan)
                said = check.said(played, zero)
                wrong = check.state(port, said)
        found = check.missing(folder, before, said, wrong)
    told = f"{updates_per_second(worst, speed):,.0f} updates/s wanted, {seconds:g} s"
    yield from _results(name, told, played, used, found, seconds, judge=worst)
    yield _reads(name, sorted(took))


def _results(
    name: str,
    told: str,
    played: Played,
    used: Used,
    found: check.Missing,
    seconds: float,
    *,
    judge: bool,
) -> Iterator[Result]:
    past = sorted(played.lags.pop("past", []))
    state = sorted(lag for lags in played.lags.values() for lag in lags)
    slowest = max(played.lags, key=lambda feed: max(played.lags[feed], default=0))
    none = Target(at_most=0)
    yield Result(
        job=name, unit="updates/s", value=played.updates / seconds,
        memory_mb=used.memory / 1e6,
        note=f"{told}; settled {played.settled - played.ended:.1f} s after",
    )  # fmt: skip
    yield Result(
        job=f"{name}: of one core", unit="", value=used.cpu,
        target=Target(at_most=0.7) if judge else Target(),
    )  # fmt: skip
    for what, lags, note in (
        ("state", state, f"slowest feed: {slowest}"),
        ("history", past, f"asked {len(past)} times"),
    ):
        yield Result(
            job=f"{name}: lag to {what}, 99 of 100", unit="s", value=_at(lags, 0.99),
            target=Target(at_most=2),
            note=f"median {_at(lags, 0.5):.2f}, worst {_at(lags, 1):.2f}; {note}",
        )  # fmt: skip
    lost = found.state + found.log + found.past + played.failed
    yield Result(
        job=f"{name}: lost", unit="", value=lost, target=none,
        note=f"state {found.state}, log {found.log}, history {found.past}, bodies {played.failed};"
        f" {played.refused} posted again",
    )  # fmt: skip
    doubled = found.log_doubled + found.past_doubled
    yield Result(job=f"{name}: doubled", unit="", value=doubled, target=none)
    yield Result(
        job=f"{name}: history", unit="bytes/reading", value=found.bytes / max(found.rows, 1),
        note=f"{found.rows:,} readings, {found.bytes / 1e6:.1f} MB with the state before",
    )  # fmt: skip


def _reads(name: str, took: list[float]) -> Result:
    return Result(
        job=f"{name}: a get meanwhile, 99 of 100", unit="ms", value=_at(took, 0.99) * 1e3,
        note=f"median {_at(took, 0.5) * 1e3:.1f}, worst {_at(took, 1) * 1e3:.0f}; {len(took)} asked",
    )  # fmt: skip


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _played(pipe: Connection, plan: Plan) -> tuple[Played, Used]:
    """Play, and look at the service from the first update to the last."""
    pid = server.pid(plan.port)
    with usage.watched(pid) as peak:
        pipe.send(plan)
        begun: dict[str, float] = {}
        while not pipe.poll(0.2):
            pass
        told = pipe.recv()
        begun["cpu"], begun["at"] = usage.cpu_seconds(pid), time.time()
        if told != "begun":
            raise RuntimeError(f"the feeds were not played: {told}")
        while not pipe.poll(0.2):
            pass
        told = pipe.recv()
        spent = usage.cpu_seconds(pid) - begun["cpu"]
        cpu = spent / max(time.time() - begun["at"], 0.001)
        played = pipe.recv()
    return played, Used(cpu, peak.anonymous)


@contextlib.contextmanager
def _city() -> Iterator[tuple[Connection, str]]:
    """The process that plays; a pipe to it, and where it publishes."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=play.main, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours, f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()


def _write_feeds(folder: Path, base: str) -> None:
    feeds = folder / "tenants" / "default" / "feeds"
    feeds.mkdir(parents=True, exist_ok=True)
    for feed in FEEDS:
        (feeds / f"{feed.name}.toml").write_text(feed.toml(base))


def _filled() -> Path:
    """The kept folder of a capital whose feeds have all been read once."""
    return kept.kept("capital", [repr(FEEDS)], _fill)


def _wait_for_history(port: int) -> None:
    """Until the history has read what was written: what it has not, the run would begin with."""
    unread = re.compile(
        rb'^rynek_history_unread_changes\{tenant="default"\} ([0-9.]+)', re.MULTILINE
    )
    until = time.monotonic() + 300
    while time.monotonic() < until:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            found = unread.search(answer.read())
        if found is not None and float(found[1]) == 0:
            return
        time.sleep(0.5)
    raise RuntimeError("the history does not catch up with what was written")


def _fill(folder: Path) -> None:
    zero = int(time.time()) * MICRO
    with _city() as (pipe, base):
        _write_feeds(folder, base)
        with server.rynek(folder, both_cores=True, env=_ENV) as port:
            pipe.send(Plan(port=port, zero=zero, fill=True))
            for _ in range(2):
                pipe.recv()
            played: Played = pipe.recv()
            _wait_for_history(port)
    if played.failed:
        raise RuntimeError(f"{played.failed} bodies were refused")
    (folder / _ZERO).write_text(str(zero))
    shutil.rmtree(folder / "tenants" / "default" / "feeds")
