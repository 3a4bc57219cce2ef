"""Compares what a capital's feeds said with state, change log and history: nothing may be missing."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from benchmarks.capital.plan import FEEDS, Feed, Values
from benchmarks.capital.play import Played
from deltalake import DeltaTable

from rynek.base.clock import parse_iso
from rynek.base.sqlite import connect
from rynek.context.store.log import SqliteChangeLog

_PAGE: Final = 1000
Keys = np.ndarray[Any, np.dtype[np.int64]]


class Said(NamedTuple):
    """What was said: the last values of each entity (feed → entity → values, time), and a key for
    every value that differs from the one before."""

    last: dict[str, dict[int, tuple[Values, int]]]
    keys: Keys


class Missing(NamedTuple):
    """How much of what was said is not there, or is there twice; `sizes` is bytes and rows of the
    table of history."""

    state: int
    log: int
    log_doubled: int
    past: int
    past_doubled: int
    bytes: int
    rows: int


def said(played: Played, zero: int) -> Said:
    """Go through all updates again, in order."""
    keys: list[int] = []
    last: dict[str, dict[int, tuple[Values, int]]] = {}
    for feed in FEEDS:
        known = last[feed.name] = {}
        first = feed.stamp(zero)
        for e, k, at in _updates(feed, played):
            values = feed.values(e, k)
            before = known[e][0] if e in known else feed.values(e, 0)
            entity_id = feed.entity_id(e)
            for attr, old, new in zip(feed.attrs, before, values, strict=True):
                if old != new:
                    keys.append(hash((entity_id, attr, at)))
            known[e] = (values, at)
        for e in range(feed.total):
            known.setdefault(e, (feed.values(e, 0), first))
    return Said(last, np.array(keys, dtype=np.int64))


def _updates(feed: Feed, played: Played) -> Iterator[tuple[int, int, int]]:
    """(entity, number of its update, time in µs) of everything the service took."""
    for k, at in played.served.get(feed.name, []):
        if k:
            for e in range(feed.total):
                yield e, k, feed.stamp(at)
    number = 0
    for at, size in played.posted.get(feed.name, []):
        for update in range(number, number + size):
            yield update % feed.total, update // feed.total + 1, at
        number += size


def state(port: int, told: Said) -> int:
    """How many values of the state are not the last that were said."""
    wrong = 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for feed in FEEDS:
        left = dict(told.last[feed.name])
        for entity in _listed(connection, feed):
            values, at = left.pop(int(entity["id"].rpartition(":")[2]))
            for attr, value in zip(feed.attrs, values, strict=True):
                found = entity.get(attr, {})
                shown = found.get("value")
                shown = shown["coordinates"] if isinstance(shown, dict) else shown
                if (
                    shown != value
                    or parse_iso(found.get("observedAt", "1970-01-01T00:00:00Z")) != at
                ):
                    wrong += 1
        wrong += len(left) * len(feed.attrs)
    connection.close()
    return wrong


def _listed(connection: http.client.HTTPConnection, feed: Feed) -> Iterator[dict[str, Any]]:
    for offset in range(0, feed.total, _PAGE):
        path = f"/ngsi-ld/v1/entities?type={feed.type}&limit={_PAGE}&offset={offset}"
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
        yield from json.loads(body)


def missing(folder: Path, after: int, told: Said, state_wrong: int) -> Missing:
    """Compare with log (rows above `after`) and history of a stopped service."""
    tenant = folder / "tenants" / "default"
    logged = np.fromiter(_logged(tenant / "state.db", after), dtype=np.int64)
    table = DeltaTable(tenant / "history" / "readings")
    past = np.concatenate([*_recorded(table, after), np.empty(0, dtype=np.int64)])
    files = table.get_add_actions(flatten=True)
    log = differences(told.keys, logged)
    kept = differences(told.keys, past)
    return Missing(
        state_wrong,
        *log,
        *kept,
        bytes=int(sum(files["size_bytes"].to_pylist())),
        rows=int(sum(files["num_records"].to_pylist())),
    )


def head(folder: Path) -> int:
    """The last change of a stopped service."""
    connection = connect(folder / "tenants" / "default" / "state.db", read_only=True)
    try:
        return SqliteChangeLog(connection).head()
    finally:
        connection.close()


def differences(wanted: Keys, found: Keys) -> tuple[int, int]:
    """How many of `wanted` are not found, and how many are found more often than once."""
    every, counts = np.unique(found, return_counts=True)
    there = np.isin(np.unique(wanted), every, assume_unique=True)
    return int(np.count_nonzero(~there)), int(np.sum(counts[np.isin(every, wanted)] - 1))


def _logged(path: Path, after: int) -> Iterator[int]:
    """A key for each value in the change log, without those that were only seen again."""
    connection = connect(path, read_only=True)
    log = SqliteChangeLog(connection)
    while changes := log.read(after, _PAGE):
        for change in changes:
            if change.op == "observe":
                continue
            for attr, instances in change.attrs.items():
                name = _short(attr)
                for one in instances:
                    if one.observed_at is not None:
                        yield hash((change.entity_id, name, parse_iso(one.observed_at)))
        after = changes[-1].seq
    connection.close()


def _recorded(table: DeltaTable, after: int) -> Iterator[Keys]:
    """A key for each reading of the past with a later seq."""
    for batch in table.to_pyarrow_dataset().to_batches(
        columns=["entity_id", "attr", "time", "seq", "observed"]
    ):
        seqs = batch.column("seq").to_numpy()
        observed = batch.column("observed").to_numpy(zero_copy_only=False)
        times = batch.column("time").cast("int64").to_numpy()
        chosen = np.flatnonzero((seqs > after) & observed)
        ids: Iterable[str] = batch.column("entity_id").take(chosen).to_pylist()
        attrs: Iterable[str] = batch.column("attr").take(chosen).to_pylist()
        rows = zip(ids, attrs, times[chosen].tolist(), strict=True)
        yield np.fromiter((hash((i, _short(a), t)) for i, a, t in rows), dtype=np.int64)


def _short(attr: str) -> str:
    return attr.rpartition("/")[2]
