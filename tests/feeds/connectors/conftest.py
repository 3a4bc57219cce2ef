"""Driving a connector over recorded bytes the way the runner does, without the runner."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.recorded import DATA

from rynek.feeds.contract import Connector, Document, FeedConfig, Findings, Situation
from rynek.feeds.registry import complete


class Drive:
    """One feed with its memory; every `feed` is one payload."""

    def __init__(self, connector: Connector, config: FeedConfig, now: int = 0) -> None:
        self.connector = connector
        self.situation = Situation(complete(config), now, Findings(), {})
        self.records = 0
        self.documents: list[Document] = []

    def feed(self, data: bytes, part: str = "") -> list[Document]:
        """Decode and map one payload; what it makes."""
        self.situation.part = part
        made: list[Document] = []
        for record in self.connector.decode(data, self.situation):
            self.records += 1
            made.extend(self.connector.map(record, self.situation))
        self.documents.extend(made)
        return made

    @property
    def entities(self) -> dict[str, int]:
        """How many different entities of each type were made."""
        return dict(Counter(kind for _, kind in {(d["id"], d["type"]) for d in self.documents}))

    @property
    def findings(self) -> dict[str, int]:
        """Findings by code."""
        return {finding.code: finding.count for finding in self.situation.findings.all()}

    @property
    def state(self) -> dict[str, Document]:
        """Entities by id, later documents over earlier ones."""
        state: dict[str, Document] = {}
        for document in self.documents:
            state[document["id"]] = state.get(document["id"], {}) | document
        return state


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], bytes]:
    """The bytes of a recorded file under shared/data, without gzip; an error when it is missing."""

    def read(path: str) -> bytes:
        content = (DATA / path).read_bytes()
        plain = path.endswith(".gz") and not path.endswith(".tar.gz")
        return gzip.decompress(content) if plain else content

    return read


@pytest.fixture(scope="session")
def drive() -> Callable[..., Drive]:
    """Makes a Drive: `drive(connector, zone=…, bounds=…, options={…})`."""

    def make(connector: Connector, now: int = 0, **settings: Any) -> Drive:
        settings = {"name": "x", "source": "recorded"} | settings
        return Drive(connector, FeedConfig(kind=connector.kind, **settings), now)

    return make
