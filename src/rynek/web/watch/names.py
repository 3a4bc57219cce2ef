"""Every metric of ours: name, kind, labels and meaning; docs/operations.md lists the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from rynek.web.watch.figures import TenantFigures

__all__ = ["FEED", "OTHERS", "TENANT", "FeedMetric", "Metric", "TenantMetric", "listed"]

Kind = Literal["counter", "gauge", "histogram"]


class Metric(NamedTuple):
    """One metric; counters are exposed with `_total` behind the name."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str


class TenantMetric(NamedTuple):
    """A metric of each tenant, and how those of several make one: their sum, or the largest."""

    name: str
    kind: Kind
    meaning: str
    value: Callable[[TenantFigures], float]
    fold: Callable[[list[float]], float] = sum


class FeedMetric(NamedTuple):
    """A metric of each feed; `field` is FeedHealth's, times in epoch microseconds become seconds."""

    name: str
    kind: Kind
    meaning: str
    field: str


OTHERS: Final = {
    metric.name: metric
    for metric in (
        Metric("rynek_build_info", "gauge", ("version", "python"), "1; what is running"),
        Metric("rynek_http_requests", "counter", ("route", "method", "status"), "Answers; `route` is the path of the API with `*` for its variable parts, or a class of pages; `other` leads nowhere"),
        Metric("rynek_http_request_duration_seconds", "histogram", ("route", "method"), "Time until the answer was handed over (pages: until it began)"),
        Metric("rynek_http_response_bytes", "counter", ("route", "method"), "Bytes of answers, as sent (pages: where their length was known)"),
        Metric("rynek_tenants", "gauge", ("state",), "Tenants: `all`, those that are `open` (asked since the start, or with feeds or subscriptions), and those `failing` to open"),
        Metric("rynek_commit_duration_seconds", "histogram", ("tenant",), "Time of one group of writes: its statements and the sync to disk"),
        Metric("rynek_commit_jobs", "histogram", ("tenant",), "Write jobs that shared a commit"),
        Metric("rynek_feeds", "gauge", ("tenant", "state"), "Feeds by state: ok, stale, failing, starting, waiting, ended, disabled, stopped"),
        Metric("rynek_event_loop_delay_seconds", "histogram", (), "How late the event loop was, four times a second; all answers wait as long"),
        Metric("rynek_anonymous_memory_bytes", "gauge", (), "Memory that is no cached file: what cannot be given back"),
        Metric("rynek_threads", "gauge", (), "Threads of the process"),
        Metric("rynek_disk_free_bytes", "gauge", (), "Free room on the disk with the data folder"),
        Metric("rynek_disk_size_bytes", "gauge", (), "Size of that disk"),
    )
}  # fmt: skip

TENANT: Final = (
    TenantMetric("rynek_entities", "gauge", "Entities, counted once a minute at most", lambda t: t.entities),
    TenantMetric("rynek_entity_types", "gauge", "Types of entities in use", lambda t: t.types),
    TenantMetric("rynek_changes", "counter", "Number of the newest change: every write of an entity has one", lambda t: t.store.head),
    TenantMetric("rynek_change_log_rows", "gauge", "Rows of the change log that are kept (`changes.keep_rows`, `changes.keep_hours`)", lambda t: t.store.rows),
    TenantMetric("rynek_commits_failed", "counter", "Groups of writes that could not be written: their clients were told so", lambda t: t.store.commits.failed),
    TenantMetric("rynek_database_bytes", "gauge", "The live picture on disk: state.db and its write-ahead log", lambda t: t.store.size),
    TenantMetric("rynek_value_indexes", "gauge", "Indexes of values that queries asked for", lambda t: t.store.indexes),
    TenantMetric("rynek_value_indexes_building", "gauge", "Those of them under construction", lambda t: t.store.building),
    TenantMetric("rynek_history_unread_changes", "gauge", "Changes that the history has not read from the log", lambda t: t.follower.unread),
    TenantMetric("rynek_history_pending_rows", "gauge", "Readings that are not in the table yet (the log still has them)", lambda t: t.follower.pending),
    TenantMetric("rynek_history_behind_seconds", "gauge", "How long the oldest of those has been waiting", lambda t: t.follower.behind_seconds, max),
    TenantMetric("rynek_history_failing_seconds", "gauge", "For how long the table could not be written or opened; 0: it can", lambda t: t.follower.failing_seconds, max),
    TenantMetric("rynek_history_failures", "counter", "How often writing or opening the table failed", lambda t: t.follower.failures),
    TenantMetric("rynek_history_upkeep_failing_seconds", "gauge", "For how long merging files or retention has failed; 0: it works", lambda t: t.follower.upkeep_failing_seconds, max),
    TenantMetric("rynek_history_flushes", "counter", "Commits of readings to the table", lambda t: t.follower.flushes),
    TenantMetric("rynek_history_flushed_rows", "counter", "Readings written by those", lambda t: t.follower.flushed_rows),
    TenantMetric("rynek_history_last_flush_seconds", "gauge", "Duration of the last of those", lambda t: t.follower.last_flush_seconds, max),
    TenantMetric("rynek_history_set_aside_rows", "gauge", "Readings that no table can hold; they stand in a file beside it", lambda t: t.follower.set_aside),
    TenantMetric("rynek_history_lost_changes", "counter", "Changes that left the log before the history read them", lambda t: t.follower.lost),
    TenantMetric("rynek_history_damaged_files", "gauge", "Files of the table that cannot be read", lambda t: len(t.follower.damaged)),
    TenantMetric("rynek_history_rows", "gauge", "Readings in the table and on their way there", lambda t: t.history.rows),
    TenantMetric("rynek_history_files", "gauge", "Files of the table", lambda t: t.history.files),
    TenantMetric("rynek_history_bytes", "gauge", "The table on disk", lambda t: t.history.bytes),
    TenantMetric("rynek_outbox_messages", "gauge", "Notifications that wait to be sent", lambda t: t.delivery.waiting),
    TenantMetric("rynek_outbox_bytes", "gauge", "Their size", lambda t: t.delivery.waiting_bytes),
    TenantMetric("rynek_dead_letters", "gauge", "Notifications that were given up (`/developers` sends them again)", lambda t: t.delivery.dead),
    TenantMetric("rynek_notifications_sent", "counter", "Notifications sent, of the subscriptions that there are now", lambda t: t.delivery.sent),
    TenantMetric("rynek_notifications_failed", "counter", "Those of them that failed at least once", lambda t: t.delivery.failed),
    TenantMetric("rynek_notifications_dropped", "counter", "Notifications that were not sent because their subscription had expired", lambda t: t.delivery.dropped),
    TenantMetric("rynek_sources", "gauge", "Registered context sources", lambda t: t.sources),
    TenantMetric("rynek_sources_resting", "gauge", "Those of them that are left alone for a while because they failed", lambda t: t.sources_resting),
    TenantMetric("rynek_source_requests", "counter", "Requests to the sources that are registered now", lambda t: t.source_requests),
    TenantMetric("rynek_source_failures", "counter", "Those of them that failed", lambda t: t.source_failures),
)  # fmt: skip

FEED: Final = (
    FeedMetric("rynek_feed_last_success_timestamp_seconds", "gauge", "When a poll last went well", "last_success"),
    FeedMetric("rynek_feed_newest_reading_timestamp_seconds", "gauge", "The newest time that the source has named", "newest_reading"),
    FeedMetric("rynek_feed_polls", "counter", "Polls since the start", "polls"),
    FeedMetric("rynek_feed_errors", "counter", "Those of them that failed", "errors"),
    FeedMetric("rynek_feed_rejected", "counter", "Entities that were refused", "rejected"),
    FeedMetric("rynek_feed_created", "counter", "Entities that were created", "created"),
    FeedMetric("rynek_feed_updated", "counter", "Updates that changed something", "updated"),
)  # fmt: skip


def listed() -> list[Metric]:
    """Every metric of ours under the name that it is exposed with."""
    known = [
        *OTHERS.values(),
        *(Metric(one.name, one.kind, ("tenant",), one.meaning) for one in TENANT),
        *(Metric(one.name, one.kind, ("tenant", "feed"), one.meaning) for one in FEED),
    ]
    return [
        one._replace(name=one.name + "_total") if one.kind == "counter" else one for one in known
    ]
