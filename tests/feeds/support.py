"""What the tests of feeds share: the recorded data, a sink in memory, a situation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.recorded import DATA

from rynek.base.clock import parse_iso
from rynek.feeds import Document, FeedConfig, Findings, Situation, WriteReport, kind_of
from rynek.feeds.registry import complete

assert DATA.is_dir(), f"the recorded data must be at {DATA}"


class MemorySink:
    """Keeps the newest document of each entity; counts like the contract says."""

    def __init__(self) -> None:
        self.entities: dict[str, Document] = {}
        self.batches: list[int] = []
        self.sources: set[str] = set()
        self.fail: Exception | None = None

    async def write(self, documents: Sequence[Document], source: str) -> WriteReport:
        await asyncio.sleep(0)
        if self.fail is not None:
            raise self.fail
        self.batches.append(len(documents))
        self.sources.add(source)
        report = WriteReport()
        for document in documents:
            known = self.entities.get(document["id"])
            if known is None:
                report.created += 1
            elif all(known.get(name) == value for name, value in document.items()):
                report.unchanged += 1
            else:
                report.updated += 1
            self.entities.setdefault(document["id"], {}).update(document)
        return report


def situation(
    kind: str, now: str, memory: dict[str, Any] | None = None, **config: Any
) -> Situation:
    """A situation with defaults filled in; `config` are members of FeedConfig."""
    members: dict[str, Any] = {"name": "test", "source": "test", **config}
    return Situation(
        config=complete(FeedConfig(kind=kind, **members)),
        now=parse_iso(now),
        findings=Findings(),
        memory={} if memory is None else memory,
    )


def convert(data: bytes, at: Situation) -> list[Document]:
    """decode and map in one go."""
    connector = kind_of(at.config.kind).connector
    return [made for record in connector.decode(data, at) for made in connector.map(record, at)]


def counts(at: Situation) -> dict[str, int]:
    """Findings by code."""
    return {finding.code: finding.count for finding in at.findings.all()}
