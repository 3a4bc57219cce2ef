"""What a connector is: a manifest plus pure `decode(bytes)` and `map(record)`.

The runner does everything else: fetching, schedule, retries, bounds, counting, writing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol

import msgspec

from rynek.context import ReferenceStore

Document = dict[str, Any]
"""One NGSI-LD entity in the normalized representation, short names, no @context."""


class FeedConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One configured source, as in `<data>/tenants/<tenant>/feeds/<name>.toml`.

    `source` is an http(s) URL, a file, a folder (watched), `webhook:` or `replay:<recording>`.
    Times are seconds. `zone` is the IANA zone of zoneless times in the source. `bounds` is
    [west, south, east, north] in degrees; positions outside it are kept out and counted.
    `rotate_ids` gives entities of `rotate_types` new ids each period (docs/privacy.md).
    """

    name: str
    kind: str
    source: str
    every: float = 30.0
    timeout: float = 20.0
    max_bytes: int = 64 * 1024 * 1024
    zone: str = "UTC"
    bounds: tuple[float, float, float, float] | None = None
    provider: str = ""
    licence: str = ""
    attribution: str = ""
    headers: dict[str, str] = {}
    stale_after: float = 600.0
    enabled: bool = True
    theme: str = ""
    rotate_ids: Literal["", "hour", "day", "week"] = ""
    rotate_types: tuple[str, ...] = ("Vehicle",)
    rotate_leave_out: tuple[str, ...] = (
        "name",
        "alternateName",
        "fleetVehicleId",
        "vehiclePlateIdentifier",
        "vehicleIdentificationNumber",
        "serialNumber",
    )
    options: dict[str, Any] = {}


class Finding(msgspec.Struct):
    """Something odd about a source: `severity` is info, warning or error; `example` is one case."""

    code: str
    severity: str
    count: int
    example: str = ""


class Findings:
    """Counts what is odd, by code, with the first example of each."""

    def __init__(self) -> None:
        self._by_code: dict[str, Finding] = {}

    def add(self, code: str, severity: str, example: object = "", count: int = 1) -> None:
        """Count one more case of `code`."""
        found = self._by_code.get(code)
        if found is None:
            self._by_code[code] = Finding(code, severity, count, str(example)[:200])
        else:
            found.count += count

    def all(self) -> list[Finding]:
        """Every finding, errors first, then by count."""
        rank = {"error": 0, "warning": 1, "info": 2}
        return sorted(self._by_code.values(), key=lambda f: (rank.get(f.severity, 3), -f.count))


class Situation(msgspec.Struct):
    """What decode and map may know besides their input.

    `now` is the tenant's clock in epoch microseconds (a replay's is the recording's).
    `memory` lives as long as the feed runs (station information, ids seen before …).
    `part` names the payload within one poll (a GBFS feed has several), `name` is its URL, file
    name or name within an archive.
    """

    config: FeedConfig
    now: int
    findings: Findings
    memory: dict[str, Any]
    reference: ReferenceStore | None = None
    part: str = ""
    name: str = ""


class Connector(Protocol):
    """The code for one kind of feed. Stateless: state goes into `situation.memory`.

    A connector whose documents depend on the bytes alone (a published schedule) may set the class
    attribute `timeless = True`: the runner then skips a poll that brings the same bytes again.
    `optional` names the parts of `follow` that a server may lack (404, 410) without harm to the rest.
    One that needs a mapping may have `propose(data, situation) -> str | None`: a mapping to start
    from, where the feed has none; `check` shows it.
    """

    kind: str

    def sniff(self, head: bytes, name: str) -> float:
        """How sure (0 to 1) this connector is that it can read a source that starts like this.

        `head` is up to 64 KiB of the content after decompression (of a zip: its start and end),
        `name` the file name or URL.
        """
        ...

    def follow(self, data: bytes, situation: Situation) -> Sequence[tuple[str, str]]:
        """Further (part, URL or file name) documents that belong to this poll; usually none.

        Names are relative to the source. They are read before `data` itself is decoded, so that
        catalogues are known; asked again in each poll, also when the source says that `data` did
        not change."""
        ...

    def decode(self, data: bytes, situation: Situation) -> Iterable[Any]:
        """Bytes → records of the source. ValueError (clear message) when the bytes are not of
        this kind; a single bad record is counted as a finding and left out."""
        ...

    def map(self, record: Any, situation: Situation) -> Iterable[Document]:
        """One record → entities of Smart Data Models types, with stable ids and provenance
        (`dataProvider`, `source`, `observedAt` from the source, never the clock)."""
        ...


class WriteReport(msgspec.Struct):
    """What became of the documents of one poll."""

    created: int = 0
    updated: int = 0
    observed: int = 0
    unchanged: int = 0
    rejected: list[tuple[str, str]] = []


class Sink(Protocol):
    """Where a runner writes: context.operations behind the tenant's one way in."""

    async def write(self, documents: Sequence[Document], source: str) -> WriteReport:
        """Upsert entities durably. An unchanged value writes no reading; with a newer
        `observedAt` it counts as an observation. Returns after the commit."""
        ...
