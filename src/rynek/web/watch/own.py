"""The service's own figures as an entity: what is written into its history every minute.

The type, and the names that it has, are those of the Smart Data Models: `ServiceComponent` of
dataModel.IT. Its current processor usage counts in cores, its current memory usage in megabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from rynek import __version__
from rynek.base.clock import MICRO, to_iso
from rynek.base.units import C62, GIGABYTE, MEGABYTE, MILLISECOND, PER_MINUTE, SEC
from rynek.web.tally import BOUNDS
from rynek.web.watch.figures import Figures

__all__ = ["FIGURES", "UPTIME", "Span", "describe", "quantile", "service_id"]

UPTIME: Final = "uptime"
"""Rises with every value, so its times tell when the service was there."""

_API: Final = "/"


class Span:
    """What happened between two moments; without a `before`, since the start."""

    def __init__(
        self, before: Figures | None, now: Figures, seconds: float, worst_delay: float
    ) -> None:
        self.now = now
        self.minutes = max(seconds, 1.0) / 60
        self.worst_delay = worst_delay
        self.cpu_seconds = now.process.cpu_seconds - (before.process.cpu_seconds if before else 0)
        earlier = {(a.route, a.method, a.status): a for a in before.answered} if before else {}
        self.answers = 0
        self.errors = 0
        self.buckets = [0] * (len(BOUNDS) + 1)
        for one in now.answered:
            old = earlier.get((one.route, one.method, one.status))
            new = one.count - (old.count if old else 0)
            self.answers += new
            self.errors += new if one.status >= 500 else 0
            if not one.route.startswith(_API):
                for i, count in enumerate(one.buckets):
                    self.buckets[i] += count - (old.buckets[i] if old else 0)
        self.commits = _grown(before, now, lambda t: t.store.commits.groups)
        self.commit_seconds = _grown(before, now, lambda t: t.store.commits.seconds)
        self.changes = _grown(before, now, lambda t: t.store.commits.rows)

    def total(self, value: Callable[[Any], float]) -> float:
        """A number of all tenants together."""
        return sum(value(tenant) for tenant in self.now.tenants)


class Own(NamedTuple):
    """One figure: the attribute's name, its unit (UN/CEFACT), decimals, and how it comes about."""

    name: str
    unit: str
    digits: int
    value: Callable[[Span], float | None]


FIGURES: Final = (
    Own("requestsPerMinute", PER_MINUTE, 1, lambda s: s.answers / s.minutes),
    Own("errorsPerMinute", PER_MINUTE, 2, lambda s: s.errors / s.minutes),
    Own("changesPerMinute", PER_MINUTE, 1, lambda s: s.changes / s.minutes),
    Own("answerTimeMedian", MILLISECOND, 2, lambda s: _ms(quantile(s.buckets, 0.5))),
    Own("answerTimeP99", MILLISECOND, 2, lambda s: _ms(quantile(s.buckets, 0.99))),
    Own("commitTime", MILLISECOND, 2, lambda s: _ms(s.commit_seconds / s.commits) if s.commits else None),
    Own("loopDelay", MILLISECOND, 1, lambda s: s.worst_delay * 1000),
    Own("currentCpuUsage", C62, 3, lambda s: s.cpu_seconds / (s.minutes * 60)),
    Own("currentMemoryUsage", MEGABYTE, 0, lambda s: s.now.process.resident / 1e6),
    Own("openFiles", C62, 0, lambda s: s.now.process.open_files),
    Own("diskFree", GIGABYTE, 2, lambda s: s.now.process.disk_free / 1e9),
    Own("databaseSize", MEGABYTE, 1, lambda s: s.total(lambda t: t.store.size) / 1e6),
    Own("historySize", MEGABYTE, 1, lambda s: s.total(lambda t: t.history.bytes) / 1e6),
    Own("historyBehind", SEC, 0, lambda s: max((t.follower.behind_seconds for t in s.now.tenants), default=0.0)),
    Own("notificationsWaiting", C62, 0, lambda s: s.total(lambda t: t.delivery.waiting)),
    Own("deadLetters", C62, 0, lambda s: s.total(lambda t: t.delivery.dead)),
    Own("notificationsDropped", C62, 0, lambda s: s.total(lambda t: t.delivery.dropped)),
    Own("feedsFailing", C62, 0, lambda s: s.total(lambda t: sum(f.state in ("failing", "stale") for f in t.feeds))),
    Own("entities", C62, 0, lambda s: s.total(lambda t: t.entities)),
)  # fmt: skip
"""What is kept. None is left out: nothing was answered, or nothing written, in that minute."""


def service_id(identity: str) -> str:
    """The id of the entity that is the service itself."""
    return f"urn:ngsi-ld:ServiceComponent:{identity}"


def describe(identity: str, span: Span, uptime: float) -> dict[str, Any]:
    """The entity as a document in short names."""
    at = to_iso(span.now.at // MICRO * MICRO)
    document: dict[str, Any] = {
        "id": service_id(identity),
        "type": "ServiceComponent",
        "name": {"type": "Property", "value": "rynek"},
        "softwareVersion": {"type": "Property", "value": __version__},
        "serviceComponentStatus": {"type": "Property", "value": "Running"},
        UPTIME: _property(round(uptime), SEC, at),
    }
    for one in FIGURES:
        value = one.value(span)
        if value is not None:
            number = round(value, one.digits) if one.digits else round(value)
            document[one.name] = _property(number, one.unit, at)
    return document


def quantile(buckets: Sequence[int], share: float) -> float | None:
    """The time (in seconds) below which `share` of the answers lie, even within its bucket."""
    total = sum(buckets)
    if total <= 0:
        return None
    wanted = share * total
    below = 0
    for i, count in enumerate(buckets[:-1]):
        if count and below + count >= wanted:
            low = BOUNDS[i - 1] if i else 0.0
            return low + (BOUNDS[i] - low) * (wanted - below) / count
        below += count
    return BOUNDS[-1]


def _property(value: float, unit: str, at: str) -> dict[str, Any]:
    made = {"type": "Property", "value": value, "observedAt": at}
    return made if unit == C62 else made | {"unitCode": unit}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _grown(before: Figures | None, now: Figures, value: Callable[[Any], float]) -> float:
    """By how much the tenants' counters rose; one that was opened again begins at zero."""
    earlier = {tenant.name: value(tenant) for tenant in _tenants(before)}
    total = 0.0
    for tenant in now.tenants:
        current, old = value(tenant), earlier.get(tenant.name, 0.0)
        total += current - old if current >= old else current
    return total


def _tenants(figures: Figures | None) -> Iterable[Any]:
    return figures.tenants if figures is not None else ()
