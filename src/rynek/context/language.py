"""Which language of several a reader gets (CIM 009 §4.15)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

NONE: Final = "@none"


def choose_language(languages: Collection[str], lang: str) -> str:
    """The best of `languages` for a range like `uk,pl;q=0.8,*;q=0.1` (RFC 4647 look-up).

    Falls back to `@none`, then to the first.
    """
    ranges = []
    for position, piece in enumerate(lang.split(",")):
        name, _, quality = piece.strip().partition(";q=")
        try:
            ranges.append((-float(quality or 1), position, name.strip().lower()))
        except ValueError:
            continue
    lowered = {language.lower(): language for language in languages}
    for quality_, _position, wanted in sorted(ranges):
        while wanted and quality_ < 0:
            if wanted in lowered:
                return lowered[wanted]
            longer = next((k for k in lowered if k.startswith(wanted + "-")), None)
            if longer is not None:
                return lowered[longer]
            wanted = wanted.rpartition("-")[0]
    return lowered.get(NONE) or next(iter(languages))
