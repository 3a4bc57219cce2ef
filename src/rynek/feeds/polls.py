"""The past of a feed in bulk: recorded payloads → batches for the history's `ReadingsSink`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rynek.context import ReferenceStore
from rynek.feeds.contract import Connector, Document, FeedConfig, Findings, Situation
from rynek.feeds.registry import complete, kind_of
from rynek.feeds.transport import Payload

if TYPE_CHECKING:
    import pyarrow as pa


def past_readings(
    config: FeedConfig,
    payloads: Iterable[Payload],
    findings: Findings | None = None,
    reference: ReferenceStore | None = None,
) -> Iterator[pa.RecordBatch]:
    """Every reading of the payloads, taken in their order, as `ReadingsSink.append` wants them.

    A connector with `batches` (tables) converts whole columns; the others go document by
    document, and a value that comes again with the same observedAt makes one row. The same
    payloads give the same rows in the same order. ValueError for bytes that are not of the kind.
    """
    config = complete(config)
    connector = kind_of(config.kind).connector
    situation = Situation(config, 0, findings or Findings(), {}, reference)
    whole_columns = getattr(connector, "batches", None)
    from rynek.feeds.kit.readings import batches_of

    last: dict[tuple[str, str, str | None], str] = {}
    for payload in payloads:
        situation.part, situation.name = payload.part, payload.name
        situation.now = payload.at or 0
        if whole_columns is not None:
            yield from whole_columns(payload.data, situation)
        else:
            yield from batches_of(_documents(connector, payload.data, situation), last)


def _documents(connector: Connector, data: bytes, situation: Situation) -> Iterator[Document]:
    for record in connector.decode(data, situation):
        yield from connector.map(record, situation)
