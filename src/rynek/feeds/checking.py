"""Looking at a source without writing: what it is, what it holds, what it becomes, what is odd."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import msgspec
import pyarrow as pa

from rynek.base.clock import MICRO, SystemClock, parse_iso, to_iso
from rynek.base.http import Guard
from rynek.feeds.contract import Connector, Document, FeedConfig, Finding, Findings, Situation
from rynek.feeds.kit.schedule import group_of
from rynek.feeds.kit.values import Bounds, distance_m
from rynek.feeds.kit.zones import place_of
from rynek.feeds.opened import Missing, read_path, read_url, recognise
from rynek.feeds.registry import complete, kind_of
from rynek.feeds.transport import Fetcher, Payload
from rynek.feeds.transport.beside import read_beside
from rynek.feeds.transport.http import MAX_FOLLOWED, optional_parts

_YEAR = 365 * 86_400 * MICRO
_CLOSE = 3600 * MICRO
_MAX_SAMPLES = 6
_NEAR_M = 1_500_000
_DIGITS = re.compile(r"\d+")
_SCHEDULE = "schedule"


class CheckReport(msgspec.Struct, kw_only=True):
    """What a source is. `records` are the source's own, `entities` different ids by type,
    `first` and `last` the range of observedAt, `extent` that of the positions (west, south, east,
    north), `documents` how many files or messages were read, `sample` one entity of each type,
    `proposal` a mapping to start from (TOML) where a table was given none."""

    source: str
    kind: str
    title: str
    documents: int = 0
    records: int = 0
    entities: dict[str, int] = {}
    findings: list[Finding] = []
    first: str | None = None
    last: str | None = None
    extent: Bounds | None = None
    passed_over: list[str] = []
    sample: list[Document] = []
    proposal: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: kind, records, entities, findings (code, severity, count, example) …"""
        made: dict[str, Any] = msgspec.to_builtins(self)
        return made

    def to_text(self) -> str:
        """For people, a few lines."""
        told = "\n".join(_lines(self)) + "\n"
        if self.proposal is None:
            return told
        return f"{told}  a mapping to start from (alone with --propose):\n\n{self.proposal}"


class MemoryReference:
    """A ReferenceStore that lives as long as the check."""

    def __init__(self) -> None:
        self._groups: dict[str, tuple[str, dict[str, pa.Table]]] = {}

    def put(self, group: str, version: str, tables: dict[str, pa.Table]) -> None:
        """Keep the tables."""
        self._groups[group] = (version, tables)

    def version(self, group: str) -> str | None:
        """The version put last; None when there is none."""
        kept = self._groups.get(group)
        return None if kept is None else kept[0]

    def get(self, group: str, table: str, columns: list[str] | None = None) -> pa.Table:
        """One table; KeyError when there is none."""
        found = self._groups[group][1][table]
        return found if columns is None else found.select(columns)


def check(
    source: str | Path,
    kind: str | None = None,
    *,
    zone: str | None = None,
    bounds: Bounds | None = None,
    options: Mapping[str, Any] | None = None,
    provider: str = "",
    schedule: str | Path | None = None,
    guard: Fetcher | None = None,
    now: int | None = None,
    max_bytes: int = 256 * 1024 * 1024,
) -> CheckReport:
    """Read a file, folder, archive or URL as the feed would, and tell; nothing is written.

    Without `kind` it is recognised from the content. `schedule` is a GTFS zip to match
    GTFS-Realtime with. `now` is epoch microseconds, default the machine's. ValueError when nothing
    can be read or recognised. Not from within an event loop when `source` is a URL.
    """
    config = FeedConfig(
        name="check", kind=kind or "", source=str(source), zone=zone or "UTC", bounds=bounds,
        provider=provider, options=dict(options or {}), max_bytes=max_bytes,
    )  # fmt: skip
    moment = SystemClock().now() if now is None else now
    if kind:
        config = complete(config)
    if config.source.startswith(("http://", "https://")):
        work, payloads = asyncio.run(_from_url(config, guard or Guard(), moment))
    else:
        path = Path(config.source).expanduser()
        payloads = read_path(path, max_bytes, config.zone)
        work = _work(config, payloads, moment)
        wanted = _wanted(work, payloads[0])
        payloads = [*read_beside(path if path.is_dir() else path.parent, wanted, config), *payloads]
    if schedule is not None and "schedule" in kind_of(work.config.kind).manifest.options:
        work.match_with(Path(schedule), max_bytes)
    for payload in payloads:
        work.take(payload)
    return work.report(len(payloads))


async def _from_url(config: FeedConfig, guard: Fetcher, now: int) -> tuple[_Work, list[Payload]]:
    """The document at the URL and those that follow from it."""
    payloads = [await read_url(config.source, config, guard)]
    work = _work(config, payloads, now)
    more: list[Payload] = []
    for part, url in _wanted(work, payloads[0])[:MAX_FOLLOWED]:
        try:
            found = await read_url(urljoin(config.source, url), config, guard)
        except Missing:
            if part not in optional_parts(work.config.kind):
                raise
            continue
        more.append(Payload(found.data, part, url))
    return work, more + payloads


def _wanted(work: _Work, first: Payload) -> Sequence[tuple[str, str]]:
    try:
        return work.connector.follow(first.data, work.situation(""))
    except ValueError:
        return ()  # take() tells what is wrong with the document


def _work(config: FeedConfig, payloads: list[Payload], now: int) -> _Work:
    kind = config.kind or recognise(payloads)
    return _Work(msgspec.structs.replace(config, kind=kind), now)


class _Work:
    """The state of one check."""

    def __init__(self, config: FeedConfig, now: int) -> None:
        self.config = complete(config)
        self.connector: Connector = kind_of(config.kind).connector
        self._reference = MemoryReference()
        self._findings = Findings()
        self._memory: dict[str, Any] = {}
        self._now = now
        self._records = 0
        self._types: dict[str, str] = {}
        self._newest: dict[str, str] = {}
        self._oldest = ""
        self._extent: list[float] | None = None
        self._sample: dict[str, Document] = {}
        self._before: dict[str, tuple[set[str], int | None]] = {}
        self._passed_over: list[str] = []
        self._failures: list[str] = []
        self._proposal: str | None = None

    def match_with(self, schedule: Path, max_bytes: int) -> None:
        """Read a GTFS schedule for the connector to match with."""
        inner = _Work(FeedConfig(name=_SCHEDULE, kind="gtfs", source=str(schedule)), self._now)
        inner._reference = self._reference
        for payload in read_path(schedule, max_bytes, "UTC"):
            inner.take(payload)
        if self._reference.version(group_of(_SCHEDULE)) is None:
            raise ValueError(f"{schedule} holds no schedule")
        self.config.options["schedule"] = _SCHEDULE

    def situation(self, part: str) -> Situation:
        """What the connector may know."""
        return Situation(
            self.config, self._now, self._findings, self._memory, self._reference, part
        )

    def take(self, payload: Payload) -> None:
        """Convert one document and note what comes out; one that cannot be read is told."""
        situation = self.situation(payload.part)
        situation.name = payload.name
        ids: set[str] = set()
        try:
            for record in self.connector.decode(payload.data, situation):
                self._records += 1
                for document in self.connector.map(record, situation):
                    self._note(document)
                    ids.add(document["id"])
        except ValueError as error:
            self._failures.append(f"{payload.name}: {error}")
            self._passed_over.append(payload.name)
            return
        self._compare(ids, payload)
        propose = getattr(self.connector, "propose", None)
        if propose is not None and self._proposal is None:
            self._proposal = propose(payload.data, situation)

    def report(self, documents: int) -> CheckReport:
        """Everything that was noted. ValueError when no document could be read."""
        if len(self._failures) == documents:
            raise ValueError(self._failures[0])
        for failure in self._failures:
            self._findings.add("document-unreadable", "error", failure)
        self._ages()
        self._exchanged()
        counts: dict[str, int] = {}
        for kind in self._types.values():
            counts[kind] = counts.get(kind, 0) + 1
        west, south, east, north = self._extent or [0.0] * 4
        newest = max(self._newest.values(), default="")
        return CheckReport(
            source=self.config.source,
            kind=self.config.kind,
            title=kind_of(self.config.kind).manifest.title,
            documents=documents,
            records=self._records,
            entities=dict(sorted(counts.items())),
            findings=self._findings.all(),
            first=self._oldest or None,
            last=newest or None,
            extent=(west, south, east, north) if self._extent else None,
            passed_over=self._passed_over[:20],
            sample=list(self._sample.values())[:_MAX_SAMPLES],
            proposal=self._proposal,
        )

    def _note(self, document: Document) -> None:
        entity_id, kind = document["id"], document["type"]
        self._types[entity_id] = kind if isinstance(kind, str) else "+".join(kind)
        self._sample.setdefault(self._types[entity_id], document)
        for observed in _times(document):
            if observed > self._newest.get(entity_id, ""):
                self._newest[entity_id] = observed
            if not self._oldest or observed < self._oldest:
                self._oldest = observed
        place = document.get("location")
        value = place.get("value") if isinstance(place, dict) else None
        if isinstance(value, dict) and value.get("type") == "Point":
            lon, lat = value["coordinates"][:2]
            box = self._extent or [lon, lat, lon, lat]
            self._extent = [
                min(box[0], lon), min(box[1], lat), max(box[2], lon), max(box[3], lat)
            ]  # fmt: skip

    def _compare(self, ids: set[str], payload: Payload) -> None:
        """Whether most ids of a snapshot are gone in the next one of the same name and hour."""
        # What follows from a document (pages, files of one system) is no next snapshot of it.
        series = payload.part or _DIGITS.sub("", payload.name)
        before, at = self._before.get(series, (set(), None))
        if len(before) >= 10 and len(ids) >= 10 and (at is None or payload.at is None
                                                     or payload.at - at < _CLOSE):  # fmt: skip
            lost = len(before - ids)
            fresh = len(ids - before)
            if lost > 0.8 * len(before) and fresh > 0.8 * len(ids):
                example = f"{payload.name}: {fresh} of {len(ids)} ids are new"
                self._findings.add("ids-change", "warning", example)
        self._before[series] = (ids, payload.at)

    def _exchanged(self) -> None:
        """Positions far from the time zone's city that would be near it with longitude and latitude
        exchanged: without bounds nothing else tells."""
        home = place_of(self.config.zone)
        if self._extent is None or home is None or self.config.bounds is not None:
            return
        lon, lat = (self._extent[0] + self._extent[2]) / 2, (self._extent[1] + self._extent[3]) / 2
        far = distance_m(lon, lat, *home)
        if abs(lon) <= 90 and far > _NEAR_M and distance_m(lat, lon, *home) < far / 3:
            example = (
                f"{lon:.3f}, {lat:.3f} is far from {self.config.zone}; {lat:.3f}, {lon:.3f} is near"
            )
            self._findings.add("positions-exchanged", "warning", example)

    def _ages(self) -> None:
        """Readings a year and more older than the newest, and a source that is old as a whole."""
        if not self._newest:
            return
        newest = parse_iso(max(self._newest.values()))
        told = [finding.code for finding in self._findings.all()]
        if not any(code.endswith("years-old") for code in told):
            limit = to_iso(newest - _YEAR)
            for entity_id, observed in self._newest.items():
                if observed < limit:
                    self._findings.add("time-years-old", "warning", f"{entity_id}: {observed}")
        days = (self._now - newest) // (86_400 * MICRO)
        if days >= 1:
            example = f"the newest reading is of {to_iso(newest)}, {days} days ago"
            self._findings.add("source-not-live", "info", example)


def _times(document: Document) -> Iterator[str]:
    for attribute in document.values():
        if isinstance(attribute, dict):
            observed = attribute.get("observedAt")
            if isinstance(observed, str):
                yield observed


def _lines(report: CheckReport) -> Sequence[str]:
    unit = "document" if report.documents == 1 else "documents"
    became = ", ".join(f"{count} {kind}" for kind, count in report.entities.items())
    lines = [
        report.source,
        f"  is       {report.title} (kind {report.kind})",
        f"  holds    {report.records} records in {report.documents} {unit}",
        f"  becomes  {became or 'nothing'}",
    ]
    if report.first:
        lines.append(f"  observed {report.first} to {report.last}")
    if report.extent:
        west, south, east, north = report.extent
        lines.append(f"  lies in  {west:.4f} {south:.4f} {east:.4f} {north:.4f}")
    if not report.findings:
        return [*lines, "  nothing odd was found"]
    lines.append("  odd:" if any(f.severity != "info" for f in report.findings) else "  note:")
    return lines + [_finding_line(finding) for finding in report.findings]


def _finding_line(finding: Finding) -> str:
    example = f" (such as {finding.example})" if finding.example else ""
    return f"    {finding.severity:7} {finding.count:7}  {finding.code}{example}"


__all__ = ["CheckReport", "MemoryReference", "check"]
