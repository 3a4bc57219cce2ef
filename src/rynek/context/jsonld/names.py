"""Which names and identifiers are legal (CIM 009 §4.6.2, §4.6.4; RFC 3986)."""

from __future__ import annotations

import re
from functools import lru_cache

from rynek.base import ids

MAX_NAME = 2048
_BAD = r"""\s\x00-\x20\x7f<>"'=;()\[\]{}|\\^`?&*!,"""
_TERM = re.compile(f"[^{_BAD}:@/#%][^{_BAD}]*")
_PLAIN = re.compile(r"[^\W\d_][\w.\-]*")
_OF_IRIS = re.compile("[:/#%]")


@lru_cache(maxsize=32_768)
def is_uri(text: str) -> bool:
    """Whether `text` is an absolute URI or IRI; remembered, as identifiers come again."""
    return ids.is_uri(text)


def is_term(text: str) -> bool:
    """Whether `text` may name an attribute or a type in its short form: a letter, then letters,
    digits and underscores (§4.6.2).

    Wider in two ways: hyphens and dots occur in published data models, and what follows a prefix
    may be what an IRI may be. What the query grammar or a URL could take for something else stays
    out.
    """
    if len(text) > MAX_NAME:
        return False
    pattern = _TERM if _OF_IRIS.search(text) else _PLAIN
    return pattern.fullmatch(text) is not None
