"""What parsers say of a document that cannot be read, as messages that every language has."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

from rynek.base.fields import with_near_field
from rynek.base.messages import Message
from rynek.practices.saying import say

__all__ = ["json_message", "shape_message", "toml_message"]

_PATH: Final = re.compile(r" - at `(?:key` in `)?\$?\.?(.*?)`$")
_NEAR: Final = re.compile(r" \(did you mean `(.*)`\?\)$")
_TYPE: Final = re.compile(r"Expected `(.*?)`, got `(.*?)`")
_BOUND: Final = re.compile(r"Expected `(.*?)` (.*)")
_FIELD: Final = re.compile(r"Object (missing required|contains unknown) field `(.*)`")
_CHOICE: Final = re.compile(r"Invalid (?:enum )?value (.*)")
_PLACE: Final = re.compile(r" \(at line (\d+), column (\d+)\)$")
_END: Final = " (at end of document)"
# How the standard parser's sentences begin, and what is said of them.
_TOML: Final = (
    (("Invalid value", "Invalid date", "Invalid hex", "Invalid initial"), "toml-value"),
    (("Invalid statement", "Expected '='", "Invalid key"), "toml-key"),
    (("Expected newline",), "toml-line"),
    (("Found invalid character", "Illegal character", "Unescaped", "Escaped"), "toml-character"),
    (("Cannot ", "Duplicate"), "toml-twice"),
    (("Unterminated", "Unclosed", "Expected"), "toml-open"),
)


def shape_message(
    error: msgspec.ValidationError, kind: Any, where: Message | str, *, inside: str = ""
) -> Message:
    """What msgspec says of a document that is no `kind`: the field first, or `where` (what the
    document is called, or its file) if it is the whole of it; `inside` goes before a field."""
    told = str(error)
    near = _NEAR.search(with_near_field(told, kind))
    path = _PATH.search(told)
    what = _what(told[: path.start()] if path else told, near[1] if near else "")
    if path and path[1]:
        return say("shape-at", path=f"{inside}{path[1]}"[:200], what=what)
    return say("shape-document", name=where, what=what)


def _what(told: str, near: str) -> Message:
    if found := _TYPE.fullmatch(told):
        return say("shape-type", wanted=found[1], given=found[2])
    if found := _FIELD.fullmatch(told):
        field = found[2][:80]
        if found[1].startswith("missing"):
            return say("shape-missing", field=field)
        return (
            say("shape-near", field=field, near=near) if near else say("shape-unknown", field=field)
        )
    if found := _BOUND.fullmatch(told):
        return say("shape-bound", wanted=found[1], bound=found[2][:200])
    if found := _CHOICE.fullmatch(told):
        return say("shape-choice", value=found[1].strip("'\"")[:80])
    return say("shape-wrong", token=told[:200])


def toml_message(error: ValueError) -> Message:
    """What the parser of TOML says: where, and what is wrong there."""
    told = str(error)
    place = _PLACE.search(told)
    if place is None and not told.endswith(_END):
        return say("toml-end", what=say("toml-deep"))
    what = say(next((name for begins, name in _TOML if told.startswith(begins)), "toml-value"))
    if place is None:
        return say("toml-end", what=what)
    return say("toml-at", line=int(place[1]), column=int(place[2]), what=what)


def json_message(error: ValueError) -> Message:
    """What the parser of JSON says: where it stopped."""
    if isinstance(error, json.JSONDecodeError):
        return say("json-at", line=error.lineno, column=error.colno)
    return say("no-utf8")
