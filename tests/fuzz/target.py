"""What a fuzz target is, and JSON made from bytes so that mutation reaches what lies behind the parser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from rynek.base.errors import Problem


class Target(NamedTuple):
    """One parser under test.

    `run` takes any bytes and raises only when something is wrong; `seeds` are inputs to start from;
    `words` are pieces that mutation puts in.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: Sequence[str] = ()


def attempt(work: Callable[..., Any], *given: Any, **named: Any) -> list[Any]:
    """What `work` answers, alone in a list; an empty one when it clearly refuses (4xx) what a client
    sent. Anything else is raised."""
    try:
        return [work(*given, **named)]
    except Problem as problem:
        assert 400 <= problem.status < 500, problem
        assert problem.detail or problem.title
        assert len(str(problem.detail)) < 2000, problem.detail
        msgspec.json.encode(problem.body())
        return []


MADE = b"\x00"
"""The first byte of input that `document` makes JSON of; other input is JSON itself."""
_SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 0.5, 1e308, 2**63, -(2**64), 10**30, "", "x", "a b", "\x00", "ą", "😀",
    "\ud800", "urn:ngsi-ld:null", "urn:x:1", "@none", "https://example.org/a", "2026-11-22T10:00:00Z",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "[1,2]", "NaN", "P1D", "PT0S", "*", "a" * 300,
)  # fmt: skip
_MOST = 400


def document(data: bytes, words: Sequence[str]) -> Any:
    """The JSON document that the bytes are or make; ValueError when they are no JSON."""
    return msgspec.json.decode(document_bytes(data, words))


def document_bytes(data: bytes, words: Sequence[str]) -> bytes:
    """The same as bytes of JSON."""
    if data[:1] != MADE:
        return data
    return json.dumps(_Maker(data[1:], words).value(0)).encode()


class _Maker:
    """Reads instructions byte by byte; at their end everything left is null."""

    def __init__(self, data: bytes, words: Sequence[str]) -> None:
        self._data = data
        self._at = 0
        self._left = _MOST
        self._words = words

    def value(self, depth: int) -> Any:
        self._left -= 1
        step = self._next()
        if step < 96 and depth < 24 and self._left > 0:
            return {self._word(): self.value(depth + 1) for _ in range(step % 8)}
        if step < 128 and depth < 24 and self._left > 0:
            return [self.value(depth + 1) for _ in range(step % 8)]
        if step < 200:
            return self._word()
        return _SCALARS[self._next() % len(_SCALARS)]

    def _word(self) -> str:
        return self._words[self._next() % len(self._words)]

    def _next(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 255
