"""A `ContextCache` in memory, so that nothing needs a network or a store."""

from __future__ import annotations

from rynek.context import Freshness


class Memory:
    """Documents by URL; `fresh` and `counts` are what the resolver told."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.fresh: dict[str, Freshness] = {}
        self.counts: dict[str, int] = {}

    def hosted(self, url: str) -> tuple[str, bytes] | None:
        return None

    def get(self, url: str) -> bytes | None:
        return self.bodies.get(url)

    def freshness(self, url: str) -> Freshness | None:
        return self.fresh.get(url)

    def put(self, url: str, body: bytes, fresh: Freshness) -> None:
        self.bodies[url] = body
        self.fresh[url] = fresh

    def renew(self, url: str, fresh: Freshness) -> None:
        self.fresh[url] = fresh

    def used(self, name: str, times: int, last: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + times
