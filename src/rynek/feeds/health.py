"""The health of a feed as numbers."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from rynek.base.clock import MICRO
from rynek.feeds.contract import FeedConfig, Finding, Findings, WriteReport

MINUTES = 60


class FeedHealth(msgspec.Struct, kw_only=True):
    """How a feed is doing.

    `state` is starting, ok, stale (it answers, but its newest reading is older than the feed's
    stale_after), failing, waiting (a webhook that nobody has called), ended (a replay that is
    over), disabled or stopped. `last_attempt`, `last_success`, `error_since` and `next_run` are
    machine time; `newest_reading` (the highest observedAt) and `now` (the tenant's clock) are
    source time, all in epoch microseconds. `records` and `entities` are those of the last poll
    that brought something; polls, errors, created, updated, observed, unchanged and rejected
    count since the start. `changes_per_minute` holds the last 60 minutes, newest last; `findings`
    those of the last poll with anything in it.
    """

    name: str
    kind: str
    source: str
    state: str
    theme: str = ""
    provider: str = ""
    licence: str = ""
    attribution: str = ""
    last_attempt: int | None = None
    last_success: int | None = None
    newest_reading: int | None = None
    now: int = 0
    next_run: int | None = None
    polls: int = 0
    records: int = 0
    entities: int = 0
    created: int = 0
    updated: int = 0
    observed: int = 0
    unchanged: int = 0
    rejected: int = 0
    rejected_example: str = ""
    errors: int = 0
    error: str | None = None
    error_since: int | None = None
    findings: list[Finding] = []
    changes_per_minute: list[int] = []


class Pulse:
    """Counts events by minute over the last hour."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._counts = [0] * MINUTES
        self._minute = now() // (60 * MICRO)

    def add(self, count: int) -> None:
        """`count` more events in this minute."""
        self._turn()
        self._counts[self._minute % MINUTES] += count

    def minutes(self) -> list[int]:
        """The last 60 minutes, the current one last."""
        self._turn()
        first = (self._minute + 1) % MINUTES
        return self._counts[first:] + self._counts[:first]

    def _turn(self) -> None:
        minute = self._now() // (60 * MICRO)
        for passed in range(self._minute + 1, min(minute, self._minute + MINUTES) + 1):
            self._counts[passed % MINUTES] = 0
        if minute > self._minute + MINUTES:
            self._counts = [0] * MINUTES
        self._minute = max(self._minute, minute)


class Vitals:
    """Collects what happens to one feed; `machine` is the machine's time in microseconds."""

    def __init__(self, config: FeedConfig, machine: Callable[[], int]) -> None:
        self.health = FeedHealth(
            name=config.name,
            kind=config.kind,
            source=shown_source(config.source),
            state="starting" if config.enabled else "disabled",
            theme=config.theme,
            provider=config.provider,
            licence=config.licence,
            attribution=config.attribution,
        )
        self._machine = machine
        self._pulse = Pulse(machine)
        self._stale_after = config.stale_after

    def attempt(self) -> None:
        """A poll begins."""
        self.health.last_attempt = self._machine()
        self.health.polls += 1

    def wrote(self, report: WriteReport) -> None:
        """One batch was written."""
        health = self.health
        health.created += report.created
        health.updated += report.updated
        health.observed += report.observed
        health.unchanged += report.unchanged
        health.rejected += len(report.rejected)
        if report.rejected:
            health.rejected_example = ": ".join(report.rejected[0])[:300]
        self._pulse.add(report.created + report.updated)

    def contents(self, records: int, entities: int, newest: int | None, found: Findings) -> None:
        """What a poll held."""
        health = self.health
        health.records, health.entities, health.findings = records, entities, found.all()
        if newest is not None and newest > (health.newest_reading or 0):
            health.newest_reading = newest

    def success(self) -> bool:
        """The poll went well; True when the one before had not."""
        health = self.health
        recovered = health.error is not None
        health.last_success = self._machine()
        health.error, health.error_since, health.state = None, None, "ok"
        return recovered

    def failure(self, reason: str) -> bool:
        """The poll failed; True when the one before had not."""
        health = self.health
        first = health.error is None
        health.errors += 1
        health.error, health.state = reason[:500], "failing"
        if first:
            health.error_since = self._machine()
        return first

    def snapshot(self, now: int) -> FeedHealth:
        """The numbers as they are, `now` by the tenant's clock."""
        state = self.health.state
        newest = self.health.newest_reading
        if state == "ok" and newest is not None and now - newest > self._stale_after * MICRO:
            state = "stale"
        return msgspec.structs.replace(
            self.health, state=state, now=now, changes_per_minute=self._pulse.minutes()
        )


def shown_source(source: str) -> str:
    """A source as people may see it: without the user and the query of a URL (they hold keys)."""
    head, mark, rest = source.partition("://")
    if not mark:
        return source
    host, slash, path = rest.split("?", 1)[0].split("#", 1)[0].partition("/")
    return f"{head}://{host.rsplit('@', 1)[-1]}{slash}{path}"
