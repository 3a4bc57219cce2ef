"""Figures as families of Prometheus metrics, and those as text."""

from __future__ import annotations

import platform
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from rynek import __version__
from rynek.base.looplag import DELAYS
from rynek.context import COMMIT_SECONDS, GROUP_JOBS
from rynek.web.tally import BOUNDS
from rynek.web.watch.figures import Figures, TenantFigures
from rynek.web.watch.names import FEED, OTHERS, TENANT

__all__ = ["render"]

_FAMILIES: Final[dict[str, Callable[..., Any]]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}
_TIMES: Final = frozenset(("last_success", "newest_reading"))


def render(figures: Figures, accept: str, *, tenants: bool = True) -> tuple[bytes, str]:
    """The text and its media type: Prometheus' own, or OpenMetrics where `accept` asks for it.

    Without `tenants` the figures of all tenants make one series, and feeds have none of their own.
    """
    registry = CollectorRegistry()
    for library in (ProcessCollector, PlatformCollector, GCCollector):
        library(registry=registry)
    registry.register(_Collector(figures, tenants=tenants))
    encode, media = choose_encoder(accept)
    return encode(registry), media


class _Collector(Collector):
    """Families of one moment."""

    def __init__(self, figures: Figures, *, tenants: bool) -> None:
        self._figures = figures
        self._single = tenants

    def describe(self) -> Iterable[Metric]:
        """Nothing: what is exposed is known without a look."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        yield from _http(self._figures)
        yield from self._tenants()
        yield from self._commits()
        yield from self._feeds()
        yield from _process(self._figures)

    def _groups(self) -> dict[str, list[TenantFigures]]:
        """Tenants by the value of their label: each its own, or all under an empty one."""
        if self._single:
            return {one.name: [one] for one in self._figures.tenants}
        return {"": self._figures.tenants} if self._figures.tenants else {}

    def _tenants(self) -> Iterator[Metric]:
        states = _family("rynek_tenants")
        opened = len(self._figures.tenants)
        states.add_metric(["open"], opened)
        states.add_metric(["failing"], self._figures.failing_tenants)
        states.add_metric(["all"], self._figures.known_tenants)
        yield states
        groups = self._groups()
        for one in TENANT:
            family = _FAMILIES[one.kind](one.name, _plain(one.meaning), labels=["tenant"])
            for label, members in groups.items():
                family.add_metric([label], one.fold([float(one.value(each)) for each in members]))
            yield family

    def _commits(self) -> Iterator[Metric]:
        times, sizes = _family("rynek_commit_duration_seconds"), _family("rynek_commit_jobs")
        for label, members in self._groups().items():
            commits = [each.store.commits for each in members]
            _add(times, [label], COMMIT_SECONDS, [c.times for c in commits],
                 sum(c.seconds for c in commits))  # fmt: skip
            _add(sizes, [label], GROUP_JOBS, [c.sizes for c in commits],
                 sum(c.jobs for c in commits))  # fmt: skip
        yield from (times, sizes)

    def _feeds(self) -> Iterator[Metric]:
        states = _family("rynek_feeds")
        for label, members in self._groups().items():
            counts = Counter(feed.state for each in members for feed in each.feeds)
            for state, count in sorted(counts.items()):
                states.add_metric([label, state], count)
        yield states
        for one in FEED if self._single else ():
            family = _FAMILIES[one.kind](one.name, _plain(one.meaning), labels=["tenant", "feed"])
            for tenant in self._figures.tenants:
                for feed in tenant.feeds:
                    value = getattr(feed, one.field)
                    if value is not None:
                        seconds = value / 1e6 if one.field in _TIMES else value
                        family.add_metric([tenant.name, feed.name], seconds)
            yield family


def _http(figures: Figures) -> Iterator[Metric]:
    requests = _family("rynek_http_requests")
    durations = _family("rynek_http_request_duration_seconds")
    sizes = _family("rynek_http_response_bytes")
    by_route: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for one in figures.answered:
        requests.add_metric([one.route, one.method, str(one.status)], one.count)
        by_route[one.route, one.method].append(one)
    for labels, rows in sorted(by_route.items()):
        _add(durations, labels, BOUNDS, [r.buckets for r in rows], sum(r.seconds for r in rows))
        sizes.add_metric(labels, sum(r.size for r in rows))
    yield from (requests, durations, sizes)


def _process(figures: Figures) -> Iterator[Metric]:
    build = _family("rynek_build_info")
    build.add_metric([__version__, platform.python_version()], 1)
    yield build
    delays = _family("rynek_event_loop_delay_seconds")
    _add(delays, [], DELAYS, [figures.delays], figures.delay_seconds)
    yield delays
    process = figures.process
    for name, value in (
        ("rynek_anonymous_memory_bytes", process.anonymous),
        ("rynek_threads", process.threads),
        ("rynek_disk_free_bytes", process.disk_free),
        ("rynek_disk_size_bytes", process.disk_size),
    ):
        family = _family(name)
        family.add_metric([], value)
        yield family


def _family(name: str) -> Any:
    metric = OTHERS[name]
    return _FAMILIES[metric.kind](name, _plain(metric.meaning), labels=list(metric.labels))


def _add(
    family: Any,
    labels: Sequence[str],
    bounds: Sequence[float],
    rows: Iterable[Sequence[int]],
    total: float,
) -> None:
    """One histogram of the added-up rows of buckets."""
    counts = [sum(column) for column in zip(*rows, strict=True)]
    names = [*(str(float(bound)) for bound in bounds), "+Inf"]
    family.add_metric(labels, list(zip(names, accumulate(counts), strict=True)), total)


def _plain(text: str) -> str:
    return text.replace("`", "")
