"""Indexes that pages show: computed once, kept in every version, with the specification beside."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any, Final

import msgspec

from rynek.base.clock import Clock
from rynek.base.database import Database
from rynek.base.errors import BadRequestData
from rynek.indicators.database import open_indicators
from rynek.indicators.index.document import document
from rynek.indicators.index.evaluation import evaluate_index
from rynek.indicators.index.specification import load_specification
from rynek.indicators.versions import Kept, Versions

__all__ = ["EXAMPLE", "Comparisons", "Published", "seed_comparisons"]

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_AT_HAND: Final = 4
EXAMPLE: Final = Path(__file__).parent.parent / "data" / "ua-budget-edemocracy"
"""The folder of the index that comes with rynek: specification, table, result."""


class Published(msgspec.Struct, frozen=True):
    """One version of an index: `found` is its document, `specification` the text it came from."""

    kept: Kept
    found: dict[str, Any]
    specification: str


class Comparisons:
    """The published indexes of a data folder."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._kept = Versions(database, "comparison", clock)
        self._read: dict[tuple[str, int], Published] = {}

    def publish(self, path: Path) -> tuple[Kept, bool]:
        """Compute the index of a specification and keep it; whether that made a new version.
        BadRequestData, and then nothing is kept."""
        spec = load_specification(path)
        if not _ID.fullmatch(spec.id):
            raise BadRequestData(
                f"id: {spec.id!r} is no name for an address; small letters, digits and hyphens are"
            )
        return self.keep(document(evaluate_index(spec, path.parent)), path.read_text("utf-8"))

    def keep(self, found: dict[str, Any], specification: str) -> tuple[Kept, bool]:
        """Keep a result that was computed."""
        about = {"name": found["name"], "units": len(found["units"]), "runs": found["runs"]}
        return self._kept.put(found["id"], about, {"found": found, "specification": specification})

    def newest(self) -> list[Kept]:
        """What is published, each in its newest version."""
        return self._kept.newest()

    def numbers(self, name: str) -> list[tuple[int, int]]:
        """The versions of an index and when each was computed."""
        return self._kept.numbers(name)

    def find(self, name: str, version: int | None = None) -> Published:
        """An index, the newest version without a number. ResourceNotFound."""
        if version is None:
            version = self._kept.last(name)
        known = self._read.get((name, version))
        if known is None:
            # Versions never change, so that those read last are kept at hand.
            kept, body = self._kept.find(name, version)
            known = Published(kept, body["found"], body["specification"])
            while len(self._read) >= _AT_HAND:
                self._read.pop(next(iter(self._read)))
            self._read[name, version] = known
        return known

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def seed_comparisons(folder: Path) -> None:
    """Put the index that comes with rynek into a data folder, as it was computed by its own
    specification (a test computes it again)."""
    database = open_indicators(folder)
    try:
        found = msgspec.json.decode(gzip.decompress((EXAMPLE / "result.json.gz").read_bytes()))
        specification = (EXAMPLE / "index.toml").read_text("utf-8")
        Comparisons(database).keep(found, specification)
    finally:
        database.close()
