"""The Via header: which context sources a request has passed (CIM 009 §6.3.18, RFC 9110 §7.6.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

__all__ = ["passed", "with_via"]

_MAX_HOPS: Final = 64
_COMMENT: Final = re.compile(r"\([^()]*\)")


def passed(headers: Mapping[str, str]) -> frozenset[str]:
    """The pseudonyms of all sources that a request came through."""
    value = headers.get("via")
    return _pseudonyms(value) if value else frozenset()


def is_endless(headers: Mapping[str, str]) -> bool:
    """Whether a request has come through more sources than any sane federation has."""
    value = headers.get("via")
    return value is not None and value.count(",") >= _MAX_HOPS


def with_via(headers: Mapping[str, str], alias: str) -> str:
    """The Via header of a request that is carried on by the source `alias`."""
    before = headers.get("via")
    return f"{before}, 1.1 {alias}" if before else f"1.1 {alias}"


@lru_cache(maxsize=512)
def _pseudonyms(value: str) -> frozenset[str]:
    names = set()
    for hop in _COMMENT.sub(" ", value).split(","):
        words = hop.split()
        if words:
            names.add(words[1] if len(words) > 1 else words[0])
    return frozenset(names)
