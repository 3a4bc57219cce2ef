"""Playing recordings as if they were live: one clock for all of a tenant's recordings.

While a replay runs, the tenant's time is the recording's: `ReplayClock.now()`. At the end the
clock stands still, or, with `loop`, the runner empties the state through a callback and starts
again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import msgspec

from rynek.base.clock import MICRO
from rynek.feeds.contract import FeedConfig, WriteReport
from rynek.feeds.transport.beside import read_beside
from rynek.feeds.transport.contract import Payload
from rynek.feeds.transport.recording import Recording


class ReplayOptions(msgspec.Struct, kw_only=True):
    """How to play; None takes what the manifests say.

    `speed` is recording seconds per second, `start` epoch microseconds, `max_gap` recording
    seconds to which longer silences are shortened (0 keeps them). `resume` is where the first
    round goes on (epoch microseconds) after a restart; later rounds begin at the start.
    """

    speed: float | None = None
    loop: bool | None = None
    start: int | None = None
    max_gap: float | None = None
    resume: int | None = None


class ReplayClock:
    """A recording's time, running `speed` times as fast as the machine's.

    Before `run` it stands at the start, after the last document at the end. With `max_gap` it
    leaps over the rest of a longer silence, so it never goes back but may jump ahead.
    """

    def __init__(
        self,
        times: Iterable[int],
        start: int | None = None,
        speed: float = 1.0,
        max_gap: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not speed > 0:
            raise ValueError("the speed of a replay must be above zero")
        ordered = sorted(set(times))
        self.start = ordered[0] if start is None else start
        ordered = [self.start, *(moment for moment in ordered if moment > self.start)]
        self.end = ordered[-1]
        self.speed = speed
        self.generation = 0
        self._monotonic = monotonic
        self._zero: float | None = None
        self._turned = asyncio.Event()
        self._true, self._played = [ordered[0]], [0]
        limit = int(max_gap * MICRO)
        for before, after in pairwise(ordered):
            gap = after - before
            if limit and gap > limit:
                # The clock runs on through the first `limit` of the silence, then leaps.
                self._true += [before + limit, after]
                self._played += [self._played[-1] + limit, self._played[-1] + limit]
            else:
                self._true.append(after)
                self._played.append(self._played[-1] + gap)

    def now(self) -> int:
        """Recording time in epoch microseconds."""
        played = self._elapsed()
        at = bisect_right(self._played, played) - 1
        return min(self.end, self._true[at] + played - self._played[at])

    @property
    def running(self) -> bool:
        """Whether it was started and has not reached the end."""
        return self._zero is not None and self.now() < self.end

    def run(self, at: int | None = None) -> None:
        """Start from the beginning, or from the moment `at` of the recording."""
        ahead = 0 if at is None else self._played_at(min(max(at, self.start), self.end))
        self._zero = self._monotonic() - ahead / MICRO / self.speed

    def rewind(self) -> None:
        """Begin again; every sleeper of the round before wakes up."""
        self.generation += 1
        self.run()
        turned, self._turned = self._turned, asyncio.Event()
        turned.set()

    async def sleep_until(self, moment: int) -> bool:
        """Wait until the recording reaches `moment`; False when it was rewound meanwhile."""
        generation = self.generation
        while generation == self.generation:
            left = self._played_at(moment) - self._elapsed()
            if left <= 0 and self._zero is not None:
                return True
            wait = left / MICRO / self.speed if self._zero is not None else 0.05
            await self._turn(max(0.001, min(wait, 60.0)))
        return False

    async def next_round(self) -> None:
        """Wait until it is rewound."""
        await self._turned.wait()

    async def _turn(self, seconds: float) -> None:
        # Not wait_for: before Python 3.12 it can swallow a cancellation.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._turned.wait()

    def _elapsed(self) -> int:
        if self._zero is None:
            return 0
        return int((self._monotonic() - self._zero) * self.speed * MICRO)

    def _played_at(self, moment: int) -> int:
        at = max(0, bisect_right(self._true, moment) - 1)
        following = self._played[at + 1] if at + 1 < len(self._played) else None
        played = self._played[at] + max(0, moment - self._true[at])
        return played if following is None else min(played, following)


class Replay:
    """All recordings of one tenant on one clock."""

    def __init__(self, recordings: Sequence[Recording], options: ReplayOptions) -> None:
        first = recordings[0].manifest
        starts = [recording.start for recording in recordings]
        times = [item.at for recording in recordings for item in recording.items]
        self.loop = first.loop if options.loop is None else options.loop
        self.resume = options.resume
        self.clock = ReplayClock(
            [*times, *(recording.end for recording in recordings)],
            min(starts) if options.start is None else options.start,
            first.speed if options.speed is None else options.speed,
            first.max_gap if options.max_gap is None else options.max_gap,
        )


class ReplaySource:
    """The documents of one recording, each at its time; those before the start come at once."""

    paced = True

    def __init__(self, config: FeedConfig, recording: Recording, clock: ReplayClock) -> None:
        self._config = config
        self._folder = recording.folder
        self._items = recording.items
        self._clock = clock
        self._generation = clock.generation
        self._next = 0
        self._finished = -1

    @property
    def idle(self) -> bool:
        """Whether everything of this round was handed over and dealt with."""
        return self._finished == self._clock.generation

    async def fetch(self) -> Sequence[Payload]:
        """Wait for the next document of the recording."""
        while True:
            if self._generation != self._clock.generation:
                self._generation, self._next = self._clock.generation, 0
            if self._next >= len(self._items):
                self._finished = self._generation
                await self._clock.next_round()
                continue
            item = self._items[self._next]
            if await self._clock.sleep_until(item.at):
                self._next += 1
                return [await asyncio.to_thread(item.payload)]

    async def more(self, documents: Sequence[tuple[str, str]]) -> Sequence[Payload]:
        """Documents beside the recording; what else belongs to a poll is in the recording."""
        return await asyncio.to_thread(read_beside, self._folder, documents, self._config)

    def confirm(self, report: WriteReport) -> None:
        """The recording goes on by itself."""

    def reject(self, error: Exception) -> None:
        """The recording goes on by itself."""

    async def close(self) -> None:
        """Nothing stays open."""
