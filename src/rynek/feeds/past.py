"""Past recordings in bulk: whole files → Arrow batches for `ReadingsSink.append`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rynek.base.clock import SystemClock
from rynek.feeds.contract import FeedConfig, Findings, Situation
from rynek.feeds.registry import complete

if TYPE_CHECKING:
    import pyarrow as pa


def past_batches(config: FeedConfig, data: bytes) -> Iterator[pa.RecordBatch]:
    """The readings in `data`, as the feed would make them, in short names.

    ValueError for a kind of feed that has no such way (only tabular has one), for one whose ids
    rotate, for bytes that it
    can't read, and where its mapping gives no time.
    """
    if config.rotate_ids:
        raise ValueError(f"{config.name}: ids that rotate cannot be loaded in bulk")
    config = complete(config)
    make = getattr(
        importlib.import_module(f"rynek.feeds.connectors.{config.kind}"), "batches", None
    )
    if make is None:
        raise ValueError(f"feeds of kind {config.kind!r} cannot be loaded in bulk")
    situation = Situation(
        config=config, now=SystemClock().now(), findings=Findings(), memory={}, reference=None
    )
    batches: Iterator[pa.RecordBatch] = make(data, situation)
    return batches
