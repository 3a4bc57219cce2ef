"""Every fuzz target by name."""

from __future__ import annotations

from tests.fuzz.target import Target
from tests.fuzz.targets import documents, feeds, files, http, queries

TARGETS: dict[str, Target] = {
    one.name: one
    for one in (*feeds.TARGETS, *queries.TARGETS, *documents.TARGETS, *files.TARGETS, *http.TARGETS)
}
