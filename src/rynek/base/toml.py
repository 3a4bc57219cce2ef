"""TOML from outside: the standard parser behind the bounds that it lacks."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

__all__ = ["load_toml"]

_MOST_PARTS: Final = 64
# The parser keeps every beginning of a dotted key: one of 100,000 parts would take gigabytes.
_PART: Final = r"""(?:(?<![A-Za-z0-9_-])[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*"""
_LONG_KEY: Final = re.compile(f"(?:{_PART}){{{_MOST_PARTS}}}")


def load_toml(text: str) -> dict[str, Any]:
    """A TOML document; ValueError says what is wrong with it, too deep ones included."""
    if _LONG_KEY.search(text):
        raise ValueError(f"a key has over {_MOST_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("the document nests too deep") from None
