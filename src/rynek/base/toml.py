"""TOML from outside: the standard parser behind the bounds that it lacks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from rynek.base.errors import BadRequestData

__all__ = ["load_toml", "read_toml"]

_MAX_BYTES: Final = 1 << 20

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


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The TOML document in a file of at most 1 MiB, which should be `what`; BadRequestData names
    the file and what is wrong with it."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadRequestData(f"{path.name} is over {_MAX_BYTES >> 20} MiB: no {what}")
        return load_toml(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadRequestData(f"{path.name}: {error}") from None
