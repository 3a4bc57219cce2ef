"""What a value of a declared type may be, in words for who wrote another."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin

from msgspec import Meta

__all__ = ["allowed"]


def allowed(kind: Any) -> str:
    """The values of a setting's type: "a whole number at least 1"."""
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return "a list of texts (in the environment: separated by commas)"
    if get_origin(kind) is Annotated:
        base, meta = get_args(kind)
        return allowed(base) + _bounds(meta)
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return names.get(kind, str(kind))


def _bounds(meta: Meta) -> str:
    words = []
    if meta.ge is not None:
        words.append(f"at least {meta.ge}")
    if meta.gt is not None:
        words.append(f"above {meta.gt}")
    if meta.le is not None:
        words.append(f"at most {meta.le}")
    if meta.min_length is not None:
        words.append(f"of at least {meta.min_length} characters")
    if meta.pattern is not None:
        words.append(f"that matches {meta.pattern}")
    return " " + ", ".join(words) if words else ""
